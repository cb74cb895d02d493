"""Kernels: how similar two embeddings are, for contrastive losses of log q."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dimred.losses.similarities import (
    Cauchy,
    Cosine,
    DotProduct,
    Gaussian,
    Similarities,
    StudentT,
)


class Kernel(Protocol):
    """A similarity q(z_i, z_j) = q(z_j, z_i) > 0 of two embeddings, largest where they agree.

    Losses use only log q, up to a constant; so q may be arbitrarily small.
    """

    @property
    def similarity(self) -> Callable[[Tensor], Similarities]:
        """Function from points (n, d), float32 or float64, to their similarities."""
        ...

    def points(self, z: Tensor) -> Tensor:
        """The points to compare, made from embeddings (n, d); differentiable with respect to the
        embeddings and parameters of the kernel."""
        ...


@dataclass(frozen=True)
class CauchyKernel:
    """q = (1 + d^2 / nu)^(-(nu + 1) / 2) of the Euclidean distance d: Student's t-distribution.

    nu = 1 is the Cauchy kernel 1 / (1 + d^2) of t-SNE (van der Maaten, Hinton 2008) and t-SimCNE
    (Boehm, Berens, Kobak 2023); larger nu has lighter tails (van der Maaten 2009, "Learning a
    Parametric Embedding by Preserving Local Structure"), and nu -> infinity is the Gaussian kernel
    of bandwidth 1. Accurate up to coordinates of 1e6.

    nu: degrees of freedom, above 0. Raises ValueError for others.
    """

    nu: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("nu", self.nu)

    @property
    def similarity(self) -> Callable[[Tensor], Similarities]:
        return Cauchy if self.nu == 1 else partial(StudentT, nu=self.nu)

    def points(self, z: Tensor) -> Tensor:
        return z


@dataclass(frozen=True)
class GaussianKernel:
    """q = exp(-d^2 / (2 bandwidth^2)) of the Euclidean distance d.

    bandwidth: above 0. Raises ValueError for others.
    """

    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("bandwidth", self.bandwidth)

    @property
    def similarity(self) -> Callable[[Tensor], Similarities]:
        return partial(Gaussian, bandwidth=self.bandwidth)

    def points(self, z: Tensor) -> Tensor:
        return z


@dataclass(frozen=True)
class CosineKernel:
    """q = exp(cos(z_i, z_j) / temperature), SimCLR's (Chen et al. 2020, equation 1).

    temperature: tau, at least 0.003. Raises ValueError for others.
    """

    temperature: float = 0.5

    def __post_init__(self) -> None:
        _check_temperature(self.temperature)

    @property
    def similarity(self) -> Callable[[Tensor], Similarities]:
        return partial(Cosine, temperature=self.temperature)

    def points(self, z: Tensor) -> Tensor:
        return F.normalize(z)


class LearnedCosineKernel(nn.Module):
    """`CosineKernel` with a temperature that is learned, as CLIP's (Radford et al. 2021, section
    2.4), by its logarithm. It should have no weight decay.

    temperature: the initial value, at least 0.003. Raises ValueError for others.
    """

    def __init__(self, temperature: float = 0.5):
        super().__init__()
        _check_temperature(temperature)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    @property
    def temperature(self) -> Tensor:
        """The current tau, a scalar."""
        return self.log_temperature.exp()

    @property
    def similarity(self) -> Callable[[Tensor], Similarities]:
        return DotProduct

    def points(self, z: Tensor) -> Tensor:
        # The product of two such points is cos / temperature.
        return F.normalize(z) * (-0.5 * self.log_temperature.to(z.dtype)).exp()


def _check_positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name}={value}: must be above 0")


def _check_temperature(value: float) -> None:
    if not (value >= Cosine.MIN_TEMPERATURE and math.isfinite(value)):
        raise ValueError(f"temperature={value}: must be at least {Cosine.MIN_TEMPERATURE}")
