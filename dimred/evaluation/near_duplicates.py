"""Images that are copies of one another except for a shift, compression, noise or brightness.

Candidates are nearest neighbors in features and in shift-invariant Fourier amplitudes. They are
compared by pixels alone: the part of one image that no shift, gain and offset of the other explains
is compared with the part left unexplained by nearby images that are not copies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from dimred.evaluation.approximate import neighbors_of_all
from dimred.evaluation.neighbors import Features
from dimred.steps import bar

Rows = NDArray[np.int64]

KINDS = ("identical", "shifted", "similar")
NEIGHBORS = 15
MAX_RATIO = 0.34
_FARTHEST = 100  # rank among the neighbors
COPY_RESIDUAL = 0.01
_LONGEST_SIDE = 48  # pixels; larger images are compared reduced
_MAX_SHIFT = 3
_SIDES_A_SHIFT = 8  # shifts are at most the side divided by this
_FREQUENCIES = 12
_FLOOR = 0.05  # quantile
_MIN_DEVIATION = 0.5  # gray levels; images below have no contrast
_VALUES_IN_BLOCK = 2**24


@dataclass(frozen=True)
class NearDuplicates:
    """M pairs of near-duplicates, most certain first.

    pairs: positions of the images (M, 2), the lower first.
    residual: (M,), sqrt(1 - ZNCC^2) at the best shift: the standard deviation of the part of
        one image that the other does not explain, as a share of the image's standard deviation. 0
        for equal images, 1 for unrelated ones.
    ratio: (M,), residual over the typical residual between the two images and their neighbors that
        are not copies.
    shift: (M, 2), shift of the second image relative to the first in pixels (x to the right, y
        down).
    identical: (M,), whether all pixels are equal.
    group: (M,), number of the group (connected component of the pairs) from 0.
    said: how candidates were found, "" where exactly.
    """

    pairs: Rows
    residual: NDArray[np.float64]
    ratio: NDArray[np.float64]
    shift: Rows
    identical: NDArray[np.bool_]
    group: Rows
    said: str = ""

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def members(self) -> list[Rows]:
        """The positions of the images of each group, ascending."""
        order = np.argsort(self.group, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(self.group))[:-1])
        return [np.unique(self.pairs[part]) for part in parts if len(part)]

    @property
    def kinds(self) -> list[str]:
        """The kind of each pair: "identical", "shifted" (residual of at most 0.01) or "similar"."""
        moved = (self.shift != 0).any(axis=1) & (self.residual <= COPY_RESIDUAL)
        named = np.where(self.identical, "identical", np.where(moved, "shifted", "similar"))
        return [str(kind) for kind in named]


def near_duplicates(
    images: Tensor,
    features: Features,
    device: torch.device | None = None,
    k: int = NEIGHBORS,
    max_ratio: float = MAX_RATIO,
) -> NearDuplicates:
    """Pairs of images that are copies except for a shift, compression, noise or brightness.

    The score is the zero-mean normalized cross-correlation (ZNCC) on the overlap, each channel less
    its mean, at the best of all shifts by up to 3 pixels, or an eighth of the side. How high it is
    for images that are not copies differs between sets and images, so it is compared, as in Lowe's
    ratio test (2004, https://doi.org/10.1023/B:VISI.0000029664.99615.94): a pair is reported if its
    residual is at most max_ratio times the typical residual of each of the two images (or times the
    set's 5th percentile of typical residuals, if that is more), or at most 0.01.

    The typical residual is the median among an image's candidates. Candidates whose residual is at
    most max_ratio times the median among k farther neighbors, up to the 100th in the features, are
    taken for copies and replaced by those farther ones, since otherwise the typical residual in a
    group of copies would be that of copies. So groups of up to some 50 images are found; in larger
    ones, altered copies may be missed.

    Equal images are all paired with the first of them, and only that one is paired with others.
    Images without contrast are paired with equal ones only. Images with a side of more than 48
    pixels are reduced by a whole factor for comparison, and their shifts are multiples of it.

    Of more than 100,000 images, candidates are approximate neighbors (see `neighbors_of_all`).

    images: uint8 (N, C, H, W), read in blocks.
    features: (N, h), in which copies are near, such as H.
    device: to search and compare on; None for the CPU.
    k: number of candidates of each image in the features, and again in the pixels.
    Raises ValueError for another number of features than images.
    """
    if len(images) != len(features):
        raise ValueError(f"{len(images)} images with {len(features)} features")
    first = _first_equal(images)
    alone = np.flatnonzero(first == np.arange(len(first)))
    copies = np.flatnonzero(first != np.arange(len(first)))
    pairs, residual, shift, ratio = [np.stack([first[copies], copies], 1)], [], [], []
    residual.append(np.zeros(len(copies)))
    ratio.append(np.zeros(len(copies)))
    shift.append(np.zeros((len(copies), 2), dtype=np.int64))
    said = ""
    if len(alone) > 1:
        reduced, factor = _reduced(images, alone)
        k, far = (min(count, len(alone) - 1) for count in (k, max(k, _FARTHEST)))
        of_h = neighbors_of_all(features[alone], far, device)
        alike = neighbors_of_all(_spectrum(reduced), k, device)
        near = of_h.rows
        said = "; ".join(
            f"in {space} {found.said}"
            for space, found in {"the features": of_h, "spectra of the pixels": alike}.items()
            if found.said
        )
        candidates = np.concatenate([near[:, :k], alike.rows], axis=1)
        farther = near[:, np.linspace(min(k, far - 1), far - 1, k).astype(np.int64)]
        registration = _Registration(reduced, device)
        confirmed = _confirmed(registration, candidates, farther, max_ratio)
        pairs.append(alone[confirmed[0]])
        residual.append(confirmed[1])
        ratio.append(confirmed[2])
        shift.append(confirmed[3] * factor)
    joined = np.concatenate(pairs)
    identical = np.arange(len(joined)) < len(copies)
    found = _ordered(
        joined, np.concatenate(residual), np.concatenate(ratio), np.concatenate(shift), identical
    )
    return replace(found, said=said)


def _ordered(
    pairs: Rows,
    residual: NDArray[np.float64],
    ratio: NDArray[np.float64],
    shift: Rows,
    identical: NDArray[np.bool_],
) -> NearDuplicates:
    order = np.lexsort((pairs[:, 1], pairs[:, 0], ratio, ~identical))
    group = groups_of(pairs[order])
    return NearDuplicates(
        pairs[order], residual[order], ratio[order], shift[order], identical[order], group
    )


def groups_of(pairs: Rows) -> Rows:
    """The connected component of each pair (M, 2), numbered from 0 in order of appearance (M,)."""
    if not len(pairs):
        return np.empty(0, dtype=np.int64)
    of_pair = components(int(pairs.max()) + 1, pairs)[pairs[:, 0]]
    _, appeared, number = np.unique(of_pair, return_index=True, return_inverse=True)
    numbered: Rows = appeared.argsort().argsort()[number].astype(np.int64)
    return numbered


def components(n: int, pairs: Rows) -> Rows:
    """The connected component of each of n images that pairs (M, 2) link, numbered from 0 (n,)."""
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n))
    of_image: Rows = connected_components(graph, directed=False)[1].astype(np.int64)
    return of_image


def _first_equal(images: Tensor) -> Rows:
    """The position of the first image with the same pixels (N,)."""
    seen: dict[bytes, int] = {}
    pixels = images.contiguous().numpy()
    digests = (hashlib.sha256(image.data).digest() for image in pixels)
    return np.array([seen.setdefault(d, i) for i, d in enumerate(digests)], dtype=np.int64)


def _reduced(images: Tensor, rows: Rows) -> tuple[Tensor, int]:
    """The images at `rows` with sides of at most 48 pixels, by averaging squares, and the squares'
    side."""
    factor = -(-max(images.shape[2:]) // _LONGEST_SIDE)
    chosen = torch.from_numpy(rows)
    if factor == 1:
        return images[chosen], 1
    size = _VALUES_IN_BLOCK // images[0].numel() + 1
    height, width = (-(-side // factor) for side in images.shape[2:])
    # Filled in place: small results kept between large ones that are freed would hold their memory.
    reduced = torch.empty((len(rows), images.shape[1], height, width), dtype=torch.uint8)
    for block, part in zip(torch.split(chosen, size), torch.split(reduced, size), strict=True):
        part.copy_(F.avg_pool2d(images[block].float(), factor, ceil_mode=True).round_())
    return reduced, factor


def _spectrum(images: Tensor) -> NDArray[np.float32]:
    """Low-frequency Fourier amplitudes of the gray image, normalized to length 1 (N, f); shifts,
    gain and offset hardly change them."""
    parts = []
    for block in torch.split(images, _VALUES_IN_BLOCK // images[0].numel() + 1):
        gray = block.float().mean(dim=1)
        amplitude = torch.fft.rfft2(gray - gray.mean(dim=(1, 2), keepdim=True)).abs()
        low = amplitude[:, :_FREQUENCIES, :_FREQUENCIES]
        high = amplitude[:, _FREQUENCIES:, :_FREQUENCIES][:, 1 - _FREQUENCIES :]
        parts.append(F.normalize(torch.cat([low, high], dim=1).flatten(1), eps=1.0))
    return torch.cat(parts).numpy()


class _Registration:
    """ZNCC of images under all small shifts. images: uint8 (N, C, H, W)."""

    def __init__(self, images: Tensor, device: torch.device | None):
        self.images = images.to(device or torch.device("cpu"))
        self.mean = torch.cat([x.float().mean(dim=(2, 3)) for x in torch.split(self.images, 4096)])
        height, width = images.shape[2:]
        self.reach = [min(_MAX_SHIFT, side // _SIDES_A_SHIFT) for side in (height, width)]
        down, right = (range(-r, r + 1) for r in self.reach)
        self.shifts = [(y, x) for y in down for x in right]
        masks = torch.zeros(len(self.shifts), height, width)
        for mask, (y, x) in zip(masks, self.shifts, strict=True):
            mask[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = 1
        self.masks = masks.to(self.images.device)

    def centered(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """Images (n, C, H, W) in gray levels, each channel less its mean."""
        pixels = self.images[positions].to(dtype)
        return pixels - self.mean[positions].to(dtype)[:, :, None, None]

    def residuals(self, first: Rows, others: Rows, double: bool = False) -> tuple[Tensor, Tensor]:
        """The smallest residual over all shifts of `others` (n, K) against `first` (n,), and the
        number of that shift, both (n, K); the smallest shift among ties."""
        dtype = torch.float64 if double else torch.float32
        device = self.images.device
        masks, kept = self.masks.to(dtype), others.shape
        a = self.centered(torch.from_numpy(first).to(device), dtype)
        b = self.centered(torch.from_numpy(others.ravel()).to(device), dtype)
        moved = self._moved(a)  # (n, S, C, H * W)
        b = b.flatten(2)
        over = masks.flatten(1).T
        count = masks.sum(dim=(1, 2))
        sum_a, square_a = moved.sum(dim=3), moved.square().sum(dim=(2, 3))
        sum_b = (b @ over).reshape(*kept, b.shape[1], -1)  # (n, K, C, S)
        square_b = (b.square().sum(dim=1) @ over).reshape(*kept, -1)
        product = torch.bmm(moved.flatten(2), b.reshape(*kept, -1).transpose(1, 2))
        covariance = product - torch.einsum("nsc,nkcs->nsk", sum_a, sum_b) / count[:, None]
        variance_a = square_a - sum_a.square().sum(dim=2) / count
        variance_b = (square_b - sum_b.square().sum(dim=2) / count).transpose(1, 2)
        least = (count * _MIN_DEVIATION**2)[:, None]
        usable = (variance_a[:, :, None] > least) & (variance_b > least) & (covariance > 0)
        explained = covariance.square() / (variance_a[:, :, None] * variance_b)
        unexplained = torch.where(usable, 1 - explained, 1.0).clamp_min(0)
        # Rounded, so that the smallest of equally good shifts is taken, as in a repeating pattern.
        order = sorted(range(len(self.shifts)), key=lambda s: sum(x * x for x in self.shifts[s]))
        near_first = torch.tensor(order, device=device)
        best = ((unexplained * 1e6).round() / 1e6)[:, near_first].min(dim=1).indices
        which = near_first[best]
        return unexplained.gather(1, which[:, None])[:, 0].sqrt(), which

    def _moved(self, a: Tensor) -> Tensor:
        """Images under each shift, padded with 0 (n, S, C, H * W)."""
        (ry, rx), (height, width) = self.reach, a.shape[2:]
        padded = F.pad(a, (rx, rx, ry, ry))
        parts = [
            padded[:, :, ry - y : ry - y + height, rx - x : rx - x + width] for y, x in self.shifts
        ]
        return torch.stack(parts, dim=1).flatten(3)

    def blocks(self, n: int, others: int) -> Iterator[slice]:
        """Blocks of n images, each compared with `others` images, that fit in memory."""
        values = (len(self.shifts) + 3 * others) * self.images[0].numel()
        size = max(_VALUES_IN_BLOCK // values, 1)
        return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _confirmed(
    registration: _Registration, candidates: Rows, farther: Rows, max_ratio: float
) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64], Rows]:
    """Pairs (m, 2), residual (m,), ratio (m,) and shift x, y (m, 2) of the near-duplicates among
    the candidates (N, 2 k) of each image, given farther neighbors (N, k) of each."""
    n, k = farther.shape
    compared = np.concatenate([candidates, farther], axis=1)
    residuals = np.empty(compared.shape)
    for block in bar([*registration.blocks(n, 3 * k)], text="comparing images"):
        positions = np.arange(block.start, block.stop)
        residuals[block] = registration.residuals(positions, compared[block])[0].cpu().numpy()
    rough, beyond = residuals[:, : 2 * k], residuals[:, 2 * k :]
    copies = rough <= max_ratio * np.median(beyond, axis=1, keepdims=True)
    typical = np.median(np.where(copies, np.tile(beyond, 2), rough), axis=1)
    typical = np.maximum(typical, np.quantile(typical, _FLOOR))
    at_most = max_ratio * np.minimum(typical[:, None], typical[candidates])
    # In float32 the residual of a copy can reach 0.002, so float64 measures likely copies again.
    row, column = np.nonzero(rough <= np.maximum(at_most, COPY_RESIDUAL) + 0.005)
    pairs = np.unique(np.sort(np.stack([row, candidates[row, column]], axis=1), axis=1), axis=0)
    residual, which = np.empty(len(pairs)), np.empty(len(pairs), dtype=np.int64)
    for block in registration.blocks(len(pairs), 1):
        exact, best = registration.residuals(pairs[block, 0], pairs[block, 1:], double=True)
        residual[block], which[block] = exact[:, 0].cpu().numpy(), best[:, 0].cpu().numpy()
    residual = residual.round(6)
    lower_typical = typical[pairs].min(axis=1)
    confirmed = (residual <= COPY_RESIDUAL) | (residual <= max_ratio * lower_typical)
    shifts = np.array(registration.shifts, dtype=np.int64)[which][:, ::-1]
    ratio = residual / np.maximum(lower_typical, 1e-6)
    return pairs[confirmed], residual[confirmed], ratio[confirmed], shifts[confirmed]
