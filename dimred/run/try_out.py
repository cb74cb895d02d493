"""A trial of pairing, losses and network on a small batch, before the run begins."""

from __future__ import annotations

from dataclasses import fields

import torch

from dimred.config import RunConfig
from dimred.data.found import counted_word
from dimred.errors import InputError
from dimred.files import memory
from dimred.losses.check import check_loss
from dimred.models import Encoder
from dimred.models.check import WITH_POSITIONS, check_encoder, check_takes
from dimred.pairing.check import check_pairing
from dimred.run.inputs import Inputs
from dimred.run.stages import n_parameters, new_encoder, new_loss
from dimred.training.frozen import blocks_of
from dimred.training.learned_loss import on_device
from dimred.training.schedule import OptimizerName


def try_out(inputs: Inputs) -> None:
    """Check the pairing, the losses and the network on a small batch, before the run begins.

    Leaves PyTorch's random numbers as they were. Raises InputError for one that breaks its contract
    on these images.
    """
    config, samples = inputs.config, inputs.samples.images
    device = inputs.compute.device
    if config.model.origin is None:  # a plug-in's may need real weights
        check_size(inputs)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        batch = check_pairing(
            config.pairing.name,
            inputs.pairing,
            config.schedule.batch_size,
            samples,
            device,
            is_plugin=config.pairing.origin is not None,
        )
        encoder = new_encoder(config, inputs.images, 1, inputs.source).to(device)
        check_scales(config, encoder, (samples.shape[2], samples.shape[3]))
        check_blocks(config, encoder)
        h_dim = encoder.backbone.out_features
        for stage in config.schedule.numbered(config.seed):
            options = config.loss_of(stage.options)
            loss = on_device(new_loss(inputs, stage, h_dim), device)
            around = getattr(options, "metric", None)  # a loss that it is around
            is_plugin = options.origin is not None or getattr(around, "origin", None) is not None
            check_loss(options.name, loss, batch, stage.options.out_dim, is_plugin, h_dim)
        pixels = samples[batch.samples.to(samples.device)].to(device)
        check_encoder(config.model.name, encoder, pixels, config.model.origin is not None)


def check_scales(config: RunConfig, encoder: Encoder, size: tuple[int, int]) -> None:
    """Raise InputError for a network that does not take the sizes to which batches are resized, or
    those at which images are embedded. size: height and width of the images."""
    name, scales = config.model.name, getattr(config.pairing, "scales", [1.0, 1.0])
    if scales != [1.0, 1.0]:
        if not getattr(encoder.backbone, "has_positions", False):
            raise InputError(
                f"pairing.scales={scales}: model={name} takes images of one size; {WITH_POSITIONS}"
            )
        check_takes(f"pairing.scales={scales}", name, encoder, size, scales[0])
    if config.model.test_scales != [1.0]:
        part = f"model.test_scales={config.model.test_scales}"
        check_takes(part, name, encoder, size, min(config.model.test_scales))


def check_blocks(config: RunConfig, encoder: Encoder) -> None:
    """Raise InputError for a stage that freezes more blocks than the backbone has."""
    count = len(blocks_of(encoder.backbone))
    for name, stage in config.schedule.stages.items():
        if stage.frozen_blocks > count:
            raise InputError(
                f"schedule.stages.{name}.frozen_blocks={stage.frozen_blocks}: the backbone of "
                f"model={config.model.name} has {counted_word(count, 'block', 'blocks')} here"
            )


def check_size(inputs: Inputs) -> None:
    """Raise InputError for a network whose parameters alone need more memory than there is."""
    config, device = inputs.config, inputs.compute.device
    # Weights, gradients, and the state of the optimizer, in float32.
    copies = 4 if config.schedule.optimizer.name is OptimizerName.adamw else 3
    count = n_parameters(config, inputs.images)
    on_gpu = device.type == "cuda"
    there = torch.cuda.get_device_properties(device).total_memory if on_gpu else memory()
    needed = 4 * copies * count
    if needed > there:
        sizes = {spec.name: getattr(config.model, spec.name) for spec in fields(config.model)}
        options = ", ".join(
            f"model.{key}={value}" for key, value in sizes.items() if isinstance(value, int | list)
        )
        raise InputError(
            f"model={config.model.name}: has {count:,} parameters with {options}, which need "
            f"{needed / 2**30:,.1f} GiB to be trained, and there are {there / 2**30:,.1f} GiB"
        )
