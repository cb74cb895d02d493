"""Similarities of n points in tiles, for `infonce`: values, slopes and gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Similarities(ABC):
    """Similarities q_ij of n points, and what the gradient of a loss of log q needs.

    q is symmetric, above 0, and largest where i = j. It may be arbitrarily small: tiles hold log q.
    Only where q has a lower bound (`bounded`), so that it cannot underflow, tiles hold q itself,
    which saves one exponential per pair.

    The gradient of sum_ik w_ik log q_ik with respect to point i is `forces` applied to the sum over
    k of w_ik * slope_ik * sources_k.

    bounded: whether tiles hold q instead of log q.
    dtype: of the points, values and gradients. Tiles of log q should be in higher precision where
        log q can be large, since its differences matter: at -1e6, float32 errs by 0.03.
    sources: (n, e), the vectors whose weighted sum becomes the gradient of a point.
    """

    bounded = False
    dtype: torch.dtype
    sources: Tensor

    @abstractmethod
    def tile(self, rows: slice, columns: slice) -> Tensor:
        """log q, or q if it is `bounded`, of the points `rows` with the points `columns`; a new
        tensor."""

    @abstractmethod
    def log_of(self, partner: Tensor) -> Tensor:
        """log q (n,) of each point and its partner, finite, at least as precise as tiles."""

    @abstractmethod
    def slopes_(self, tile: Tensor) -> Tensor | float:
        """The slope of each pair in a tile, times q if tiles hold q; may overwrite `tile`."""

    @abstractmethod
    def forces(self, weighted: Tensor) -> Tensor:
        """Gradients (n, d) from the weighted sums of `sources` (n, e)."""

    @abstractmethod
    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        """Gradient (n, d) of each point's log q with its partner, with respect to the point."""


class _DistanceBased(Similarities):
    """q is a function of the squared Euclidean distance d^2; the slope is -d log q / d(d^2).

    offset + |a|^2 + |b|^2 - 2ab is computed in float64: in float32 it errs by 0.06 at coordinates
    of +-500, in float64 by less than 1e-8 (1e-3 at 1e6).
    """

    offset = 0
    # Gradients are differences of sums. For close points far from the origin, float32 sums lose a
    # few times as much as rounding their coordinates does. In few dimensions float64 costs nothing.
    _FLOAT64_DIMS = 8

    def __init__(self, z: Tensor):
        self.dtype = z.dtype
        wide = z.double()
        self.z = wide - wide.mean(0)
        squares, ones = self.z.square().sum(1, keepdim=True), self.z.new_ones(len(z), 1)
        self.left = torch.cat((-2 * self.z, squares + self.offset, ones), 1)
        self.right = torch.cat((self.z, ones, squares), 1).T
        dtype = torch.float64 if z.shape[1] <= self._FLOAT64_DIMS else z.dtype
        self.sources = torch.cat((self.z, ones), 1).to(dtype)

    def _squares(self, rows: slice, columns: slice) -> Tensor:
        """offset + d^2, float64; rounding can make it slightly less than `offset`."""
        return self.left[rows] @ self.right[:, columns]

    def _partner_squares(self, partner: Tensor) -> Tensor:
        """d^2 (n,) of each point and its partner, float64."""
        return (self.z - self.z[partner]).square().sum(1)

    def _differences(self, partner: Tensor) -> Tensor:
        return (self.z - self.z[partner]).to(self.dtype)

    def forces(self, weighted: Tensor) -> Tensor:
        forces = weighted[:, :-1] - weighted[:, -1:] * self.sources[:, :-1]
        return forces.mul_(2).to(self.dtype)


class Cauchy(_DistanceBased):
    """q = 1 / (1 + d^2), whose tails are so heavy that it does not underflow."""

    bounded = True
    offset = 1

    def tile(self, rows: slice, columns: slice) -> Tensor:
        return self._squares(rows, columns).to(self.dtype).clamp_min_(1).reciprocal_()

    def log_of(self, partner: Tensor) -> Tensor:
        return -torch.log1p(self._differences(partner).square().sum(1))

    def slopes_(self, tile: Tensor) -> Tensor:
        return tile.square_()

    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        return self._differences(partner) * (-2 * log_q.exp())[:, None]


class StudentT(_DistanceBased):
    """q = (1 + d^2 / nu)^(-(nu + 1) / 2)."""

    def __init__(self, z: Tensor, nu: float):
        super().__init__(z)
        self.nu = nu

    def _log(self, squares: Tensor) -> Tensor:
        return squares.div_(self.nu).log1p_().mul_(-(self.nu + 1) / 2)

    def _slopes(self, log_q: Tensor) -> Tensor:
        # (nu + 1) / 2 / (nu + d^2)
        powers = log_q.mul(2 / (self.nu + 1)).to(self.dtype).exp_()
        return powers.mul_((self.nu + 1) / 2 / self.nu)

    def tile(self, rows: slice, columns: slice) -> Tensor:
        return self._log(self._squares(rows, columns).clamp_min_(0))

    def log_of(self, partner: Tensor) -> Tensor:
        return self._log(self._partner_squares(partner))

    def slopes_(self, tile: Tensor) -> Tensor:
        return self._slopes(tile)

    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        return self._differences(partner) * (-2 * self._slopes(log_q))[:, None]


class Gaussian(_DistanceBased):
    """log q = -d^2 / (2 bandwidth^2)."""

    def __init__(self, z: Tensor, bandwidth: float):
        super().__init__(z)
        self.slope = 1 / (2 * bandwidth**2)

    def tile(self, rows: slice, columns: slice) -> Tensor:
        return self._squares(rows, columns).mul_(-self.slope)

    def log_of(self, partner: Tensor) -> Tensor:
        return self._partner_squares(partner).mul_(-self.slope)

    def slopes_(self, tile: Tensor) -> float:
        return self.slope

    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        return self._differences(partner) * (-2 * self.slope)


class DotProduct(Similarities):
    """log q = z_i z_j; the slope is 1."""

    def __init__(self, z: Tensor):
        self.dtype = z.dtype
        self.sources = z

    def tile(self, rows: slice, columns: slice) -> Tensor:
        return self.sources[rows] @ self.sources[columns].T

    def log_of(self, partner: Tensor) -> Tensor:
        return (self.sources * self.sources[partner]).sum(1)

    def slopes_(self, tile: Tensor) -> float:
        return 1.0

    def forces(self, weighted: Tensor) -> Tensor:
        return weighted

    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        return self.sources[partner]


class Cosine(Similarities):
    """q = exp((u_i u_j - 1) / temperature), for points u of length 1 (the constant -1 keeps q
    below 1 and cancels out of the loss); the slope is 1."""

    bounded = True
    # Above these temperatures the smallest q, exp(-2 / temperature), is a normal number of float32
    # and float64 respectively.
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

    def slopes_(self, tile: Tensor) -> Tensor:
        return tile

    def forces(self, weighted: Tensor) -> Tensor:
        return (weighted / self.temperature).to(self.dtype)

    def pair_forces(self, log_q: Tensor, partner: Tensor) -> Tensor:
        return (self.sources[partner] / self.temperature).to(self.dtype)
