"""Checks of the network before training begins: a faulty one gets a one-line error instead of a
crash during the run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dimred.errors import InputError
from dimred.models.backbones import Backbone
from dimred.models.encoder import Encoder
from dimred.models.options import ModelOptions
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
