"""What a stage leaves as it is, and how fast it changes the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from dimred.losses import Loss
from dimred.models import Backbone, Encoder
from dimred.training.learned_loss import parameter_groups
from dimred.training.schedule import FrozenBatchNorm, OptimizerName, Stage, Trainable

_BACKBONE = "backbone."


def blocks_of(backbone: nn.Module) -> list[nn.Module]:
    """The parts of a backbone that `frozen_blocks` counts: that of a plug-in without any is one."""
    return backbone.blocks() if isinstance(backbone, Backbone) else [backbone]


def frozen_parts(encoder: Encoder, stage: Stage) -> list[nn.Module]:
    """The parts of the encoder whose parameters a stage leaves as they are."""
    options = stage.options
    if options.trainable is Trainable.all:
        return blocks_of(encoder.backbone)[: options.frozen_blocks]
    head = [encoder.hidden] if encoder.hidden is not None and stage.readout_only else []
    return [encoder.backbone, *head]


def freeze(encoder: Encoder, stage: Stage) -> None:
    """Let gradients be computed for what a stage trains only."""
    # Gradients of the previous stage would remain on parameters that this one freezes.
    encoder.zero_grad(set_to_none=True)
    encoder.requires_grad_(True)
    for part in frozen_parts(encoder, stage):
        part.requires_grad_(False)


def set_modes(encoder: Encoder, stage: Stage) -> None:
    """Put the encoder into the modes of a training step."""
    encoder.train()
    if stage.options.frozen_batchnorm is FrozenBatchNorm.freeze:
        for part in frozen_parts(encoder, stage):
            part.eval()


def new_optimizer(
    stage: Stage, encoder: Encoder, loss: Loss, fused: bool | None
) -> torch.optim.Optimizer:
    """The optimizer of what a stage trains. Each of its groups has an `lr_factor`, by which the
    learning rate is multiplied."""
    options = stage.schedule.optimizer
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            factor = options.bias_lr_factor if name.endswith("bias") else 1.0
            if name.startswith(_BACKBONE):
                factor *= stage.options.backbone_lr_factor
            by_factor.setdefault(factor, []).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr_factor": factor} for factor, parameters in by_factor.items()
    ]
    groups += parameter_groups(loss)
    lr, decay = stage.base_lr, options.weight_decay
    if options.name is OptimizerName.adamw:
        return torch.optim.AdamW(groups, lr, weight_decay=decay, fused=fused)
    return torch.optim.SGD(groups, lr, momentum=options.momentum, weight_decay=decay, fused=fused)
