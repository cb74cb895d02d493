"""Contrastive losses of positive pairs, computed in tiles: memory grows with the number of points,
not with its square, and the gradient is computed along with the value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dimred.errors import InputError
from dimred.fusing import fusable
from dimred.losses.kernels import Kernel
from dimred.losses.protocol import Reduction
from dimred.losses.similarities import Similarities
from dimred.pairing.pairs import PositivePairs

_CPU_TILE = 512  # side of a tile of similarities; a tile fits in a CPU's cache
_GPU_TILE = 4096
# Similarities up to this many bytes are kept for the gradient; beyond, they are computed again.
_KEPT = 2**26
# Rows, columns, and the q or log q of the points there.
Tile = tuple[slice, slice, Tensor]
Similarity = Callable[[Tensor], Similarities]


def infonce_loss(
    z: Tensor,
    pairs: PositivePairs,
    kernel: Kernel,
    decoupled: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """InfoNCE of positive pairs, with any kernel q.

    Mean over i of -log q_ij + log sum_{k != i} q_ik, where (i, j) is a positive pair, which is in
    the sum (van den Oord et al. 2018, equation 4, https://arxiv.org/abs/1807.03748; over a batch:
    SimCLR, Chen et al. 2020, equation 1). Decoupled, the sum is over k != i, j: the DCL of Yeh et
    al. 2022, https://arxiv.org/abs/2110.06848.

    Memory grows with n d, since the n^2 similarities are computed in tiles. They are computed as
    log q, so that nothing underflows.

    z: embeddings (n, d); bf16 and float16 are computed in float32.
    pairs: the partner of each row.
    decoupled: leave the positive pair out of the sum; n must be at least 4.
    reduction: "mean", or "none" for the loss of each row.
    Returns a scalar, which can be differentiated once, by z and by parameters of the kernel; or
    (n,) without a gradient. Raises InputError for a decoupled loss of a single pair.
    """
    if decoupled and len(z) < 4:
        raise InputError(
            f"decoupled=true: needs at least two pairs, and these are {len(z)} embeddings"
        )
    with torch.autocast(z.device.type, enabled=False):
        points = kernel.points(z if z.dtype == torch.float64 else z.float())
        if reduction == "none":
            return _row_losses(points, pairs.partner, kernel.similarity, decoupled)
        loss: Tensor = _InfoNCE.apply(points, pairs.partner, kernel.similarity, decoupled)
        return loss


class InfoNCE(nn.Module):
    """`infonce_loss` as a module that contains its kernel and the kernel's parameters, if any."""

    def __init__(self, kernel: Kernel, decoupled: bool = False):
        super().__init__()
        self.kernel = kernel
        self.decoupled = decoupled

    def forward(self, z: Tensor, pairs: PositivePairs, reduction: Reduction = "mean") -> Tensor:
        """As `infonce_loss`."""
        return infonce_loss(z, pairs, self.kernel, self.decoupled, reduction)


class _InfoNCE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, partner: Tensor, similarity: Similarity, decoupled: bool
    ) -> Tensor:
        # Compiling unrolls the loop over tiles, so larger batches, of several GPU tiles, run eager.
        small = len(z) <= _GPU_TILE
        compute = _value_and_gradient if small else _value_and_gradient.function
        loss, ctx.gradient = compute(
            z.detach(), partner, similarity, decoupled, ctx.needs_input_grad[0]
        )
        return loss.to(z.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.gradient * upstream[0], None, None, None


@torch.no_grad()
def _row_losses(z: Tensor, partner: Tensor, similarity: Similarity, decoupled: bool) -> Tensor:
    """The loss of each row (n,)."""
    similarities = similarity(z)
    excess = _excess(similarities, similarities.log_of(partner), partner, None)
    return _loss_of(excess, decoupled).to(z.dtype)


def _loss_of(excess: Tensor, decoupled: bool) -> Tensor:
    """The loss of each point from its excess. As log(1 + exp(excess)), InfoNCE keeps a precise
    gradient where the partner outweighs all others, as in maps with large coordinates."""
    return excess if decoupled else F.softplus(excess)


def _excess(
    similarities: Similarities, log_q: Tensor, partner: Tensor, kept: list[Tile] | None
) -> Tensor:
    """log sum_{k != i, j} q_ik - log q_ij (n,).

    log_q: log q_ij (n,). kept: a list to add the tiles to, or None.
    """
    bounded = similarities.bounded
    others = torch.zeros_like(log_q) if bounded else torch.full_like(log_q, -torch.inf)
    for rows, columns, tile in _tiles(similarities, partner):
        # An off-diagonal tile, transposed, holds the similarities of its column points.
        for points, dim in ((rows, 1), (columns, 0))[: 1 if rows == columns else 2]:
            if bounded:
                others[points] += tile.sum(dim)
            else:
                more = _log_sum(tile, dim, similarities.dtype)
                others[points] = torch.logaddexp(others[points], more)
        if kept is not None:
            kept.append((rows, columns, tile))
    return (others.log() if bounded else others) - log_q


def _log_sum(tile: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    """log sum exp over a dimension: differences in the precision of the tile, exponentials in
    `dtype`, which is faster."""
    # At least the smallest finite number, since -inf - -inf is NaN.
    largest = tile.amax(dim, keepdim=True).clamp_min(torch.finfo(tile.dtype).min)
    return (tile - largest).to(dtype).exp_().sum(dim).log() + largest.squeeze(dim)


@fusable
def _value_and_gradient(
    z: Tensor, partner: Tensor, similarity: Similarity, decoupled: bool, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    n, similarities = len(partner), similarity(z)
    log_q = similarities.log_of(partner)
    keep = with_gradient and n * n // 2 * log_q.element_size() <= _KEPT
    kept: list[Tile] = []
    excess = _excess(similarities, log_q, partner, kept if keep else None)
    losses = _loss_of(excess, decoupled)
    if not with_gradient:
        return losses.mean(), None
    # The gradient of the loss of i with respect to log q_ik is q_ik / sum_k q_ik; as q is
    # symmetric, the loss of k adds q_ik divided by the sum of k.
    log_sum = losses + log_q
    share = torch.exp(-log_sum) if similarities.bounded else None
    sources = similarities.sources
    sums = torch.zeros_like(sources)
    for rows, columns, tile in kept or _tiles(similarities, partner):
        if share is not None:
            weights = share[rows, None] + share[columns]
        else:
            weights = (tile - log_sum[rows, None]).to(similarities.dtype).exp_()
            weights += (tile - log_sum[columns]).to(similarities.dtype).exp_()
        weights *= similarities.slopes_(tile)
        weights = weights.to(sums.dtype)
        sums[rows] += weights @ sources[columns]
        if rows != columns:
            sums[columns] += weights.T @ sources[rows]
    pull = torch.ones_like(excess) if decoupled else excess.sigmoid()
    gradient = similarities.forces(sums)
    pulls = (pull + pull[partner]).to(similarities.dtype)
    gradient -= pulls[:, None] * similarities.pair_forces(log_q, partner)
    return losses.mean(), gradient / n


def _tiles(similarities: Similarities, partner: Tensor) -> Iterator[Tile]:
    """Tiles of q or log q on and above the diagonal; those below are their transposes. q is set to
    0 for a point with itself and with its partner."""
    n = len(partner)
    side = _CPU_TILE if partner.device.type == "cpu" else _GPU_TILE
    zero = 0.0 if similarities.bounded else -torch.inf
    parts = [slice(first, min(first + side, n)) for first in range(0, n, side)]
    for number, rows in enumerate(parts):
        for columns in parts[number:]:
            tile = similarities.tile(rows, columns)
            if rows == columns:
                tile.fill_diagonal_(zero)
            width = tile.shape[1]
            place = partner[rows, None] - columns.start
            inside = (place >= 0) & (place < width)
            place = place.clamp(0, width - 1)
            tile.scatter_(1, place, tile.gather(1, place).masked_fill_(inside, zero))
            yield rows, columns, tile
