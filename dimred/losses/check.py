"""A loss is tried out before training begins, so that a fault of it is one line and not a crash
after a whole stage."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from dimred.errors import InputError
from dimred.losses.protocol import Loss
from dimred.pairing.protocol import StepBatch

T = TypeVar("T")


def check_loss(name: str, loss: Loss, batch: StepBatch, dims: int) -> None:
    """Compute a loss of random embeddings, the loss of each row, and the gradient.

    name: of the loss, for messages.
    batch: a small one, as `check_pairing` returns; its device is that of training.
    dims: of the embeddings.
    Raises InputError for whatever does not keep to `Loss`.
    """
    device = batch.samples.device
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(batch.rows, dims, generator=generator).to(device).requires_grad_()

    def refused(fault: str) -> InputError:
        return InputError(f"loss={name}: {fault}, for {batch.rows} embeddings of {dims} dimensions")

    with torch.enable_grad():
        value = _tried(name, lambda: loss(z, batch.pairs))
        if not isinstance(value, Tensor) or value.shape != () or not value.is_floating_point():
            raise refused(f"returns {_described(value)} where a floating-point scalar is needed")
        if not value.isfinite():
            raise refused(f"is {float(value.detach())}, which is not finite")
        if not value.requires_grad:
            raise refused("has no gradient by the embeddings")
        (gradient,) = _tried(name, lambda: torch.autograd.grad(value, z, allow_unused=True))
    if gradient is None or not gradient.isfinite().all():
        raise refused("has no finite gradient by the embeddings")
    with torch.no_grad():
        rows = _tried(name, lambda: loss(z, batch.pairs, reduction="none"))
    if not isinstance(rows, Tensor) or rows.shape != (batch.rows,):
        raise refused(
            f'with reduction="none", returns {_described(rows)} where the loss of each row, '
            f"({batch.rows},), is needed"
        )
    if not torch.allclose(rows.mean().to(value), value.detach(), rtol=1e-3, atol=1e-5):
        raise refused(
            f'is {float(value.detach()):g}, and the mean over the rows, with reduction="none", '
            f"{float(rows.mean()):g}: they must agree"
        )


def _tried(name: str, computed: Callable[[], T]) -> T:
    """What a loss computes. Raises InputError, with the place, for any error in it."""
    try:
        return computed()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(
            f"loss={name}: fails on a trial batch: {reason}{_place(error)}; a loss takes "
            '(z, pairs) and reduction="mean" or "none"'
        ) from error


def _place(error: Exception) -> str:
    """Where in the loss, not here or in PyTorch, an error arose."""
    elsewhere = (__file__, str(Path(torch.__file__).parent))
    frames = traceback.extract_tb(error.__traceback__)
    places = [f for f in frames if not f.filename.startswith(elsewhere)]
    return f" ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""


def _described(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
