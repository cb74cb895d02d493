"""The parameters and other state of a loss, for those losses that have any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dimred.losses import Loss


def on_device(loss: Loss, device: torch.device) -> Loss:
    """A loss with its parameters, if it has any, on a device."""
    return loss.to(device) if isinstance(loss, nn.Module) else loss


def parameters_of(loss: Loss) -> Iterator[nn.Parameter]:
    """The learned parameters of a loss, such as a temperature; most have none."""
    for _, parameter in named_parameters(loss):
        yield parameter


def named_parameters(loss: Loss) -> Iterator[tuple[str, nn.Parameter]]:
    """The learned parameters with their names, such as loss.kernel.log_temperature."""
    if isinstance(loss, nn.Module):
        yield from loss.named_parameters("loss")


def buffers_of(loss: Loss) -> Iterator[Tensor]:
    """What a loss keeps from step to step without learning it."""
    if isinstance(loss, nn.Module):
        yield from loss.buffers()


def parameter_groups(loss: Loss) -> list[dict[str, Any]]:
    """The learned parameters as groups of an optimizer, without weight decay. A module may have an
    `lr_factor`, by which the learning rate of its parameters is multiplied."""
    groups: dict[float, list[nn.Parameter]] = {}
    grouped: set[nn.Parameter] = set()  # several modules may share one
    if isinstance(loss, nn.Module):
        for module in loss.modules():
            own = [p for p in module.parameters(recurse=False) if p not in grouped]
            grouped.update(own)
            groups.setdefault(float(getattr(module, "lr_factor", 1.0)), []).extend(own)
    return [
        {"params": parameters, "lr_factor": factor, "weight_decay": 0.0}
        for factor, parameters in groups.items()
        if parameters
    ]


def state_of(loss: Loss | None) -> dict[str, Tensor] | None:
    """The state dict of a loss, for checkpoints; None where it has none."""
    return loss.state_dict() if isinstance(loss, nn.Module) else None


def load_state(loss: Loss, state: Mapping[str, Tensor] | None) -> None:
    """Restore the state of a loss, if it has any."""
    if isinstance(loss, nn.Module) and state is not None:
        loss.load_state_dict(dict(state))


def carry(loss: Loss, before: Loss) -> None:
    """Give a loss what that of the stage before has learned, if it is one of the same class that
    goes on from stage to stage (`carries_on = True`), with parameters of the same shapes."""
    if type(loss) is not type(before) or not getattr(loss, "carries_on", False):
        return
    state = state_of(before) or {}
    own = {name: part.shape for name, part in (state_of(loss) or {}).items()}
    if own == {name: part.shape for name, part in state.items()}:
        load_state(loss, state)


def learned_numbers(loss: Loss) -> dict[str, float]:
    """The learned scalars of a loss by name, such as loss.kernel.log_temperature, and the terms
    that it has summed up since they were last read (`read_terms`), such as loss.kl."""
    numbers = {name: float(p.detach()) for name, p in named_parameters(loss) if p.numel() == 1}
    if read := getattr(loss, "read_terms", None):
        numbers |= {f"loss.{name}": value for name, value in read().items()}
    return numbers
