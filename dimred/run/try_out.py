"""A trial of pairing, losses and network on a small batch, before the run begins."""

from __future__ import annotations

import torch

from dimred.losses.check import check_loss
from dimred.models.check import check_encoder
from dimred.options.trial import tried
from dimred.pairing.check import check_pairing
from dimred.run.inputs import Inputs
from dimred.run.stages import new_encoder
from dimred.training.stage import on_device


def try_out(inputs: Inputs) -> None:
    """Check the pairing, the losses and the network on a small batch, before the run begins.

    Leaves PyTorch's random numbers as they were. Raises InputError for one that breaks its contract
    on these images.
    """
    config, samples = inputs.config, inputs.samples.images
    device = inputs.compute.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        batch = check_pairing(
            config.pairing.name,
            inputs.pairing,
            config.schedule.batch_size,
            samples,
            device,
            is_plugin=config.pairing.origin is not None,
        )
        for stage in config.schedule.stages.values():
            options = config.loss_of(stage)
            with tried(options, "build"):
                loss = on_device(options.build(), device)
            check_loss(options.name, loss, batch, stage.out_dim, options.origin is not None)
        encoder = new_encoder(config, inputs.images, out_dim=1).to(device)
        pixels = samples[batch.samples.to(samples.device)].to(device)
        check_encoder(config.model.name, encoder, pixels, config.model.origin is not None)
