"""A trial of the loss before training begins: a faulty loss gets a one-line error instead of a
crash after a whole stage."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from dimred.errors import InputError
from dimred.losses.protocol import Loss, StepContext, loss_of
from dimred.options.trial import described, one_line
from dimred.pairing.protocol import StepBatch

_HINT = '; a loss takes (z, pairs) and reduction="mean" or "none"'


def check_loss(
    name: str,
    loss: Loss,
    batch: StepBatch,
    dims: int,
    is_plugin: bool = True,
    h_dim: int | None = None,
) -> None:
    """Compute the loss of random embeddings, its gradient, and the loss of each row.

    name: of the loss, for messages.
    batch: a small batch, as `check_pairing` returns, on the training device.
    dims: dimensions of the embeddings.
    is_plugin: whether an error in it becomes one line (see `options.trial`).
    h_dim: dimensions of H, for a loss that takes a context; None for as many as the embeddings.
    Raises InputError for a loss that breaks the contract of `Loss`.
    """
    device = batch.samples.device
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(batch.rows, dims, generator=generator).to(device).requires_grad_()
    h = torch.randn(batch.rows, h_dim or dims, generator=generator).to(device)

    def context() -> StepContext:
        return StepContext(h, torch.Generator(device).manual_seed(0))

    def refused(fault: str) -> InputError:
        return InputError(f"loss={name}: {fault}, for {batch.rows} embeddings of {dims} dimensions")

    def trial() -> AbstractContextManager[None]:
        return one_line(f"loss={name}", "fails on a trial batch", is_plugin, _HINT)

    with torch.enable_grad():
        with trial():
            value = loss_of(loss, z, batch.pairs, context())
        if not isinstance(value, Tensor) or value.shape != () or not value.is_floating_point():
            raise refused(f"returns {described(value)} where a floating-point scalar is needed")
        if not value.isfinite():
            raise refused(f"is {float(value.detach())}, which is not finite")
        if not value.requires_grad:
            raise refused("has no gradient by the embeddings")
        with trial():
            (gradient,) = torch.autograd.grad(value, z, allow_unused=True)
    if gradient is None or not gradient.isfinite().all():
        raise refused("has no finite gradient by the embeddings")
    with torch.no_grad(), trial():
        rows = loss_of(loss, z, batch.pairs, context(), "none")
    if not isinstance(rows, Tensor) or rows.shape != (batch.rows,):
        raise refused(
            f'with reduction="none", returns {described(rows)} where the loss of each row, '
            f"({batch.rows},), is needed"
        )
    if not torch.allclose(rows.mean().to(value), value.detach(), rtol=1e-3, atol=1e-5):
        raise refused(
            f'is {float(value.detach()):g}, but the mean over the rows, with reduction="none", '
            f"is {float(rows.mean()):g}: they must be equal"
        )
