"""InfoNCE of points with one partner each, in tiles: memory grows with the number of points, not
with its square, and the gradient comes with the value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from dimred.fusing import fusable

_CPU_TILE = 512  # side of a tile of similarities: it stays in a CPU's cache
_GPU_TILE = 4096
# Up to about so many bytes of similarities are kept for the gradient, not computed again.
_KEPT = 2**26
# Of similarities: which points, with which points, q.
Tile = tuple[slice, slice, Tensor]


class Similarity(ABC):
    """A symmetric similarity q_ij of n points and its gradient.

    sources: (n, e), what a force on a point is a weighted sum of.
    """

    sources: Tensor

    @abstractmethod
    def tile(self, rows: slice, columns: slice) -> Tensor:
        """q of some points with some points."""

    @abstractmethod
    def log_of(self, partner: Tensor) -> Tensor:
        """log q (n,) of each point and its partner, with all digits."""

    @abstractmethod
    def slopes_(self, q: Tensor) -> Tensor:
        """q times what a change of log q is worth in `forces`; may overwrite `q`."""

    @abstractmethod
    def forces(self, weighted: Tensor) -> Tensor:
        """Gradients (n, d) from the weighted sums of `sources` (n, e)."""

    @abstractmethod
    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        """Gradient (n, d) of each point's log q with its partner, by the point."""


class _InfoNCE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, partner: Tensor, similarity: Callable[[Tensor], Similarity]
    ) -> Tensor:
        # Compiling unrolls the loop over tiles, of which there should be one.
        small = len(z) <= _GPU_TILE
        compute = _value_and_gradient if small else _value_and_gradient.function
        loss, ctx.gradient = compute(z.detach(), partner, similarity, ctx.needs_input_grad[0])
        return loss.to(z.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        return ctx.gradient * upstream[0], None, None


def infonce(z: Tensor, partner: Tensor, similarity: Callable[[Tensor], Similarity]) -> Tensor:
    """Mean over i of -log q_ij + log sum_{k != i} q_ik, j the partner of i.

    Computed as log(1 + sum_{k != i, j} q_ik / q_ij), whose gradient does not cancel out where the
    partner outweighs all others, as it does in maps with large coordinates. Can be differentiated
    once.

    z: points (n, d), float32 or float64.
    partner: int64 (n,), each the partner of its partner.
    """
    loss: Tensor = _InfoNCE.apply(z, partner, similarity)
    return loss


def infonce_of_rows(
    z: Tensor, partner: Tensor, similarity: Callable[[Tensor], Similarity]
) -> Tensor:
    """The terms (n,) whose mean is `infonce`; without a gradient."""
    with torch.no_grad():
        measured = similarity(z)
        excess = _excess(measured, measured.log_of(partner), partner, None)
        return F.softplus(excess).to(z.dtype)


def _excess(
    similarity: Similarity, log_q: Tensor, partner: Tensor, kept: list[Tile] | None
) -> Tensor:
    """log sum_{k != i, j} q_ik - log q_ij (n,), whose softplus is the loss of point i.

    log_q: log q_ij (n,). kept: a list that the tiles are added to, or None.
    """
    others = torch.zeros_like(log_q)
    for rows, columns, q in _tiles(similarity, partner):
        others[rows] += q.sum(1)
        if rows != columns:
            others[columns] += q.sum(0)
        if kept is not None:
            kept.append((rows, columns, q))
    return others.log() - log_q


@fusable
def _value_and_gradient(
    z: Tensor, partner: Tensor, similarity: Callable[[Tensor], Similarity], with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    n, measured = len(partner), similarity(z)
    log_q = measured.log_of(partner)
    keep = with_gradient and n * n // 2 * log_q.element_size() <= _KEPT
    kept: list[Tile] = []
    excess = _excess(measured, log_q, partner, kept if keep else None)
    losses = F.softplus(excess)
    if not with_gradient:
        return losses.mean(), None
    # A change of log q_ik is worth q_ik / sum_k q_ik to i, and as much to k for its own sum.
    share = torch.exp(-(losses + log_q))
    sources = measured.sources
    sums = torch.zeros_like(sources)
    for rows, columns, q in kept or _tiles(measured, partner):
        weights = measured.slopes_(q).mul_(share[rows, None] + share[columns]).to(sums.dtype)
        sums[rows] += weights @ sources[columns]
        if rows != columns:
            sums[columns] += weights.T @ sources[rows]
    pull = excess.sigmoid()
    gradient = measured.forces(sums)
    gradient -= (pull + pull[partner])[:, None] * measured.pair_forces(log_q, partner)
    return losses.mean(), gradient / n


def _tiles(similarity: Similarity, partner: Tensor) -> Iterator[Tile]:
    """Tiles of q on and above the diagonal, the rest being their mirror image; 0 where a point
    meets itself or its partner."""
    n = len(partner)
    side = _CPU_TILE if partner.device.type == "cpu" else _GPU_TILE
    parts = [slice(first, min(first + side, n)) for first in range(0, n, side)]
    for number, rows in enumerate(parts):
        for columns in parts[number:]:
            q = similarity.tile(rows, columns)
            if rows == columns:
                q.fill_diagonal_(0)
            width = q.shape[1]
            place = partner[rows, None] - columns.start
            inside = (place >= 0) & (place < width)
            place = place.clamp(0, width - 1)
            q.scatter_(1, place, q.gather(1, place).masked_fill_(inside, 0))
            yield rows, columns, q


class Cauchy(Similarity):
    """q_ij = 1 / (1 + |z_i - z_j|^2).

    1 + |a|^2 + |b|^2 - 2ab is computed in float64: in float32 it errs by 0.06 at coordinates of
    +-500, in float64 by less than 1e-8 (1e-3 at 1e6).
    """

    # Forces are differences of sums, which for close points far out lose in float32 a few times
    # what the rounding of their coordinates does. In few dimensions float64 costs nothing there.
    _FLOAT64_DIMS = 8

    def __init__(self, z: Tensor):
        self.dtype = z.dtype
        wide = z.double()
        self.z = wide - wide.mean(0)
        squares, ones = self.z.square().sum(1, keepdim=True), self.z.new_ones(len(z), 1)
        self.left = torch.cat((-2 * self.z, squares + 1, ones), 1)
        self.right = torch.cat((self.z, ones, squares), 1).T
        dtype = torch.float64 if z.shape[1] <= self._FLOAT64_DIMS else z.dtype
        self.sources = torch.cat((self.z, ones), 1).to(dtype)

    def tile(self, rows: slice, columns: slice) -> Tensor:
        product = self.left[rows] @ self.right[:, columns]
        return product.to(self.dtype).clamp_min_(1).reciprocal_()

    def _differences(self, partner: Tensor) -> Tensor:
        return (self.z - self.z[partner]).to(self.dtype)

    def log_of(self, partner: Tensor) -> Tensor:
        return -torch.log1p(self._differences(partner).square().sum(1))

    def slopes_(self, q: Tensor) -> Tensor:
        return q.square_()

    def forces(self, weighted: Tensor) -> Tensor:
        forces = weighted[:, :-1] - weighted[:, -1:] * self.sources[:, :-1]
        return forces.mul_(2).to(self.dtype)

    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        return self._differences(partner) * (-2 * log_q.exp())[:, None]


class Cosine(Similarity):
    """q_ij = exp((u_i u_j - 1) / temperature), for points u of length 1 (the constant -1 keeps q
    below 1 and cancels out of the loss)."""

    # exp(-2 / temperature), the least q, is a normal number of float32 and float64 above these.
    _FLOAT32_TEMPERATURE = 0.025
    MIN_TEMPERATURE = 0.003

    def __init__(self, u: Tensor, temperature: float):
        self.temperature = temperature
        self.dtype = u.dtype
        self.sources = u.double() if temperature < self._FLOAT32_TEMPERATURE else u

    def tile(self, rows: slice, columns: slice) -> Tensor:
        product = self.sources[rows] @ self.sources[columns].T
        return product.sub_(1).div_(self.temperature).exp_()

    def log_of(self, partner: Tensor) -> Tensor:
        return ((self.sources * self.sources[partner]).sum(1) - 1) / self.temperature

    def slopes_(self, q: Tensor) -> Tensor:
        return q

    def forces(self, weighted: Tensor) -> Tensor:
        return (weighted / self.temperature).to(self.dtype)

    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        return (self.sources[partner] / self.temperature).to(self.dtype)
