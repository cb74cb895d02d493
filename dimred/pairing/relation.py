"""Relations: which pairs of samples (variants of images) are similar, dissimilar or not
compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from dimred.pairing.categories import SAME, Neighbors, PairCategories, Viewpoints
from dimred.pairing.pairs import LabeledPairs

DISSIMILAR, SIMILAR, NOT_COMPARED = 0, 1, -1
_MAX_ALL_PAIRS = 500_000
_DISSIMILAR_PER_IMAGE = 100


@dataclass(frozen=True)
class Relation:
    """Labels for any pair of samples, by the category of the two images and whether their
    transformation is the same.

    A sample is one variant of an image: the image itself or a transformation of it. Variant t of
    image i is sample i * n_variants + t.

    categories: the categories of all pairs of images.
    n_variants: at least 1.
    components: names of the p components of a label.
    table: int8 (categories, 2, p), SIMILAR, DISSIMILAR or NOT_COMPARED for each category and a
        different (0) or the same (1) transformation.
    """

    categories: PairCategories
    n_variants: int
    components: tuple[str, ...]
    table: Tensor

    def to(self, device: torch.device) -> Relation:
        """The same relation with its tensors on a device."""
        return replace(self, categories=self.categories.to(device), table=self.table.to(device))

    def labels(self, left: Tensor, right: Tensor) -> Tensor:
        """Labels, int8 (..., p), of pairs of samples, int64 tensors that broadcast."""
        t = self.n_variants
        category = self.categories.category(left // t, right // t)
        return self.table[category, (left % t == right % t).to(torch.int64)]

    @cached_property
    def cells(self) -> Tensor:
        """Number of unordered pairs of different samples for each cell of `table`, float64
        (categories, 2)."""
        t = self.n_variants
        counts = torch.tensor(self.categories.counts(), dtype=torch.float64)
        cells = torch.stack((counts * t * (t - 1), counts * t), dim=1)
        cells[SAME, 0] /= 2  # the formula counts ordered pairs of variants of one image
        cells[SAME, 1] = 0  # a sample with itself
        return cells

    def totals(self) -> Tensor:
        """Numbers of dissimilar and similar unordered pairs in each component, float64 (p, 2)."""
        cells, table = self.cells[..., None], self.table.cpu()
        return torch.stack(
            [(cells * (table == label)).sum((0, 1)) for label in (DISSIMILAR, SIMILAR)], dim=1
        )

    def draw(
        self, component: int, label: int, count: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Random pairs of samples with a given label in a component, each equally likely.

        Returns left and right samples, int64 (count,) each. There must be such pairs.
        """
        t, device = self.n_variants, generator.device
        eligible = self.table[..., component].cpu() == label
        share = (self.cells * eligible).flatten().to(device)
        cell = torch.multinomial(share, count, replacement=True, generator=generator)
        images = torch.empty(count, 2, dtype=torch.int64, device=device)
        for category, of_category in enumerate(self.table):
            here = cell // len(of_category) == category
            n = int(here.sum())
            if category == SAME:
                image = torch.randint(self.categories.n, (n,), generator=generator, device=device)
                images[here] = image[:, None]
            elif n:
                images[here] = self.categories.draw(category, n, generator)
        first = torch.randint(t, (count,), generator=generator, device=device)
        other = torch.randint(max(t - 1, 1), (count,), generator=generator, device=device)
        second = torch.where(cell % 2 == 1, first, (first + 1 + other) % t)
        return images[:, 0] * t + first, images[:, 1] * t + second

    def test_pairs(self, generator: torch.Generator) -> LabeledPairs:
        """The pairs of samples over which a test loss is averaged.

        With a graph of neighbors, the pairs that Angel (2015) lists. For each image these are: the
        image with each of its transformations; every variant of it with every variant of its k
        neighbors, where the two are similar; and 100 pairs of random variants of it and of random
        images that are not neighbors (none where all others are neighbors). With five neighbors,
        four shifts and invariance to them, that is 4 + 125 + 100 pairs.
        Otherwise all pairs, or where those are more than 500,000, 100 random ones per sample.
        """
        if isinstance(self.categories, Neighbors):
            left, right = self._neighbor_pairs(self.categories, generator)
        else:
            left, right = self._all_pairs(generator)
        labels = self.labels(left, right)
        weight = (labels != NOT_COMPARED) / len(left)
        return LabeledPairs(left, right, labels == SIMILAR, weight)

    def _neighbor_pairs(
        self, categories: Neighbors, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        t, n = self.n_variants, categories.n
        images, variants = torch.arange(n), torch.arange(t)
        untransformed = (images * t).repeat_interleave(t - 1)
        others = (images[:, None] * t + variants[1:]).flatten()
        image, place = (categories.co_sampled >= 0).nonzero().T
        grid = torch.cartesian_prod(image, variants, variants)
        neighbor = categories.co_sampled[image, place]
        near = neighbor.repeat_interleave(t * t) * t + grid[:, 2]
        center = grid[:, 0] * t + grid[:, 1]
        similar = self.labels(center, near)[:, 0] == SIMILAR
        center, near = center[similar], near[similar]
        # In a small set, all other images may be neighbors of an image.
        images = images[categories.edges.flatten().bincount(minlength=n) < n - 1]
        far = torch.randint(n, (len(images), _DISSIMILAR_PER_IMAGE), generator=generator)
        while len(bad := (categories.category(images[:, None], far) != categories.OTHER).nonzero()):
            far[bad[:, 0], bad[:, 1]] = torch.randint(n, (len(bad),), generator=generator)
        shifts = torch.randint(t, (2, far.numel()), generator=generator)
        base = images.repeat_interleave(_DISSIMILAR_PER_IMAGE) * t
        left = torch.cat((untransformed, center, base + shifts[0]))
        return left, torch.cat((others, near, far.flatten() * t + shifts[1]))

    def _all_pairs(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        n = self.categories.n * self.n_variants
        if n * (n - 1) // 2 <= _MAX_ALL_PAIRS:
            left, right = torch.triu_indices(n, n, 1)
            return left, right
        left = torch.arange(n).repeat_interleave(_DISSIMILAR_PER_IMAGE)
        turn = torch.randint(1, n, (len(left),), generator=generator)
        return left, (left + turn) % n


def _table(rows: Sequence[Sequence[Sequence[int]]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.int8)


def neighborhood(categories: Neighbors, n_variants: int) -> Relation:
    """DrLIM's relation (Hadsell, Chopra, LeCun 2006, section 3): every variant of
    an image is similar to all variants of the image and of its neighbors, and dissimilar to all
    other samples.

    With one variant it is the plain relation of nearest neighbors.
    """
    near, far = [[SIMILAR]] * 2, [[DISSIMILAR]] * 2
    return Relation(categories, n_variants, ("similarity",), _table([near, near, far]))


def neighborhood_and_transformation(categories: Neighbors, n_variants: int) -> Relation:
    """The two labels of Angel (2015, section 5.3.2).

    "neighborhood": an image and its transformations are similar; neighbors are similar in the
    same transformation and not compared in different ones; all other images are dissimilar.
    "transformation": samples in the same transformation are similar, all others dissimilar.
    """
    rows = [
        [[SIMILAR, DISSIMILAR], [SIMILAR, SIMILAR]],
        [[NOT_COMPARED, DISSIMILAR], [SIMILAR, SIMILAR]],
        [[DISSIMILAR, DISSIMILAR], [DISSIMILAR, SIMILAR]],
    ]
    return Relation(categories, n_variants, ("neighborhood", "transformation"), _table(rows))


def same_class(categories: PairCategories, n_variants: int) -> Relation:
    """Samples of the same class are similar, of different classes dissimilar."""
    near, far = [[SIMILAR]] * 2, [[DISSIMILAR]] * 2
    return Relation(categories, n_variants, ("class",), _table([near, near, far]))


def merged_viewpoint(categories: Viewpoints, both: bool) -> Relation:
    """DrLIM's relation on NORB (Hadsell, Chopra, LeCun 2006, section 3.4): near views are similar.

    both: near in azimuth and elevation; else near in either.
    """
    either = DISSIMILAR if both else SIMILAR
    rows = [[[label]] * 2 for label in (SIMILAR, SIMILAR, either, either, DISSIMILAR)]
    return Relation(categories, 1, ("viewpoint",), _table(rows))


def azimuth_and_elevation(categories: Viewpoints) -> Relation:
    """The two labels of Angel (2015, section 5.3.2) on NORB, independent of one another: near in
    azimuth, and near in elevation."""
    rows = [[[1, 1]] * 2, [[1, 1]] * 2, [[1, 0]] * 2, [[0, 1]] * 2, [[0, 0]] * 2]
    return Relation(categories, 1, ("azimuth", "elevation"), _table(rows))
