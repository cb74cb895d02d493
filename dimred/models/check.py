"""Checks of the network before training begins: a faulty one gets a one-line error instead of a
crash during the run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from dimred.errors import InputError
from dimred.models.backbones import Backbone
from dimred.models.encoder import Encoder, average_pool, lse_pool, max_pool
from dimred.models.options import ModelOptions, ScorePool, WeightInit
from dimred.options.trial import described, one_line, tried


def build_backbone(options: ModelOptions, channels: int, image_size: tuple[int, int]) -> Backbone:
    """The backbone that these options describe, on the current device.

    Raises InputError for a plug-in that fails, or whose result is no network of a known width.
    """
    with tried(options, "backbone"):
        backbone = options.backbone(channels, image_size)
    if not isinstance(backbone, nn.Module):
        raise InputError(
            f"model={options.name}: backbone() gives {type(backbone).__name__}; it must be a "
            "torch.nn.Module"
        )
    width = getattr(backbone, "out_features", None)
    if type(width) is not int or width < 1:
        raise InputError(
            f"model={options.name}: the backbone's out_features is {width!r}; it must be the width "
            "of H, a whole number above 0"
        )
    return backbone


def build_encoder(
    options: ModelOptions,
    shape: tuple[int, int, int],
    mean: Sequence[float],
    std: Sequence[float],
    out_dim: int,
) -> Encoder:
    """The encoder that these options describe, with new weights, on the current device.

    shape: channels, height and width of the images. mean, std: of each channel.
    Raises InputError as `build_backbone`, and for a backbone without positions where
    model.score_pool or its `test_scales` need them.
    """
    channels, *size = shape
    backbone = build_backbone(options, channels, (size[0], size[1]))
    has_positions = getattr(backbone, "has_positions", False)  # a plug-in's may be any module
    pool = None
    if options.score_pool is not ScorePool.none:
        if not has_positions:
            raise InputError(
                f"model.score_pool={options.score_pool.value}: H of model={options.name} is no "
                f"mean over positions, of which there would be scores; {WITH_POSITIONS}"
            )
        pool = _POOLS.get(options.score_pool) or partial(
            lse_pool, sharpness=options.score_sharpness
        )
    if options.test_scales != [1.0] and not has_positions:
        raise InputError(
            f"model.test_scales={options.test_scales}: model={options.name} takes images of one "
            f"size; {WITH_POSITIONS}"
        )
    widths, scales = options.head_widths, options.test_scales
    return Encoder(backbone, mean, std, widths, out_dim, pool, scales)


def check_takes(
    part: str, name: str, encoder: Encoder, size: tuple[int, int], scale: float = 1.0
) -> None:
    """Raise InputError for images too small for the network.

    part: what asks for them, for messages. name: of the model. size: height and width, before they
    are multiplied by `scale`.
    """
    height, width = (max(round(side * scale), 1) for side in size)
    images = torch.zeros(1, len(encoder.mean), height, width, device=encoder.mean.device)
    was_training = encoder.training
    encoder.eval()
    reason = "its features are no numbers"
    try:
        with torch.no_grad():
            takes = bool(encoder.represent(images)[0].isfinite().all())
    except (RuntimeError, ValueError, AssertionError) as error:
        takes, reason = False, (str(error) or type(error).__name__).splitlines()[0]
    encoder.train(was_training)
    if not takes:
        raise InputError(f"{part}: model={name} takes no images of {width}x{height} ({reason})")


WITH_POSITIONS = "choose model=convnet, model=resnet18, or a ResNet of torchvision or timm"
"""Advice where a network has no positions."""


def random_encoder(
    options: ModelOptions,
    shape: tuple[int, int, int],
    mean: Sequence[float],
    std: Sequence[float],
    out_dim: int,
    seed: int,
) -> Encoder:
    """The encoder of `build_encoder` with random weights of a seed, on the CPU. Leaves PyTorch's
    random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = build_encoder(options, shape, mean, std, out_dim)
        if options.init is WeightInit.xavier:
            encoder.init_xavier()
    return encoder


_POOLS = {ScorePool.max: max_pool, ScorePool.average: average_pool}


def check_encoder(name: str, encoder: Encoder, images: Tensor, is_plugin: bool = True) -> None:
    """Embed a few images, without a gradient and in evaluation mode.

    name: of the model, for messages. images: uint8 (b, C, height, width), on the encoder's device.
    is_plugin: whether an error in it becomes one line (see `options.trial`).
    Raises InputError for a backbone whose H is not of shape (b, out_features), or not finite.
    """
    was_training = encoder.training
    encoder.eval()
    with torch.no_grad(), one_line(f"model={name}", "fails on a trial batch", is_plugin):
        h = encoder.backbone((images.float() / 255 - encoder.mean) / encoder.std)
    rows, width = len(images), encoder.backbone.out_features
    if not isinstance(h, Tensor) or not h.is_floating_point() or h.shape != (rows, width):
        raise InputError(
            f"model={name}: the backbone returns {described(h)} for {rows} images; it must be "
            f"floating-point ({rows}, {width}): out_features numbers for each"
        )
    if not h.isfinite().all():
        raise InputError(f"model={name}: the backbone returns numbers that are not finite")
    encoder.train(was_training)
