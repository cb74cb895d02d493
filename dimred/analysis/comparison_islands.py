"""Which parts of a run's map two sets of images share unequally."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from dimred.analysis.captions import number
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.outliers import clusters
from dimred.evaluation.principal import principal_components
from dimred.run_folder.finished import FinishedRun

if TYPE_CHECKING:
    from dimred.analysis.compared_sets import ImageSide

NONE = "none"
_MAX_DIMS = 3  # of a map whose clusters are searched in all dimensions, as by dimred inspect
_SAID = 3
_DIGITS = 9  # equal differences of two labelings may differ by rounding

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Islands:
    """The islands of a map, and how many of the images of two sets are on each.

    The k entries are the islands by their numbers, then the space between them ("none").

    of: (n_a + n_b,), the entry of each image, A's before B's. main_classes: of the run's images
        there, "" without labels and for "none". counts: (k, 2), of images of A and of B.
    by_chance: (k,), the mean difference of the shares where the sets are permuted, which is not 0
        where they are permuted within strata of which A and B have unequal shares.
    p: (k,), the share of labelings, the observed one included, whose difference is as far from that
        mean. q: (k,), the same by Benjamini and Hochberg (1995,
        https://doi.org/10.1111/j.2517-6161.1995.tb02031.x): of the entries with q up to 0.05, 5 %
        are expected to differ by chance alone. 1 for entries without images.
    """

    of: Rows
    main_classes: tuple[str, ...]
    counts: Rows
    by_chance: Scores
    p: Scores
    q: Scores

    @property
    def names(self) -> tuple[str, ...]:
        """The number of each island; NONE for the last entry."""
        return (*map(str, range(1, len(self.counts))), NONE)

    @property
    def shares(self) -> Scores:
        """Of the images of A, and of those of B, (k, 2)."""
        shares: Scores = self.counts / self.counts.sum(axis=0)
        return shares

    @property
    def differences(self) -> Scores:
        """The share of B less that of A (k,)."""
        differences: Scores = self.shares[:, 1] - self.shares[:, 0]
        return differences

    def unequal(self, alpha: float) -> list[int]:
        """The entries that A and B share unequally, with q up to alpha, the surest first."""
        return [int(i) for i in np.argsort(self.p, kind="stable") if self.q[i] <= alpha]

    def line(self, alpha: float) -> str:
        """Which islands are shared unequally, the first few; "" for none."""
        entries = self.unequal(alpha)
        parts = []
        for i in entries[:_SAID]:
            name = "between the islands" if self.names[i] == NONE else f"island {self.names[i]}"
            main = f" (most often {self.main_classes[i]})" if self.main_classes[i] else ""
            of_a, of_b = self.shares[i]
            parts.append(f"{name}{main} has {of_a:.0%} of A and {of_b:.0%} of B")
        more = len(entries) - len(parts)
        rest = [f"and {more} more"] if more else []
        return f"on the map (q up to {alpha:g}): {'; '.join([*parts, *rest])}" if parts else ""

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows of islands.csv: the most unequal islands first."""
        names, shares, differences = self.names, self.shares, self.differences
        for i in np.lexsort((-np.abs(differences - self.by_chance), self.p)):
            row: dict[str, Any] = {"island": names[i]}
            if any(self.main_classes):
                row["main_class"] = self.main_classes[i]
            row |= {f"count_{s}": int(n) for s, n in zip("ab", self.counts[i], strict=True)}
            row |= {f"share_{s}": number(x) for s, x in zip("ab", shares[i], strict=True)}
            row["difference"] = number(differences[i])
            row["by_chance"] = number(self.by_chance[i])
            yield {**row, "p": number(self.p[i]), "q": number(self.q[i])}


def islands(run: FinishedRun, a: ImageSide, b: ImageSide, labels: NDArray[np.bool_]) -> Islands:
    """How many images of two sets are on each island of a run's map.

    Islands are the clusters that `dimred inspect` has found, or finds. An image of the run is on
    the island of its row; an image from elsewhere, and a transformation, on that of the nearest of
    the run's images in Z.

    labels: (n_a + n_b, 1 + permutations), as in `Labelings`.
    Raises InputError for findings of the run that cannot be read.
    """
    members = _members(run)
    of_row = np.full(len(run.map), len(members))
    for i, rows in enumerate(members):
        of_row[rows] = i
    own = run.map.images
    rows, z = np.concatenate([a.rows, b.rows]), np.concatenate([a.z, b.z])
    others = np.flatnonzero(~np.isin(rows, own))
    if len(others) and members:
        rows[others] = own[nearest(run.map.z[own], z[others], 1, run.compute().device)[:, 0]]
    of = of_row[rows] if members else np.zeros(len(rows), np.int64)
    main = (*(_main_class(run, island) for island in members), "")
    counts, by_chance, p = share_tests(of, len(main), labels)
    q, has_images = np.ones(len(p)), counts.any(axis=1)
    q[has_images] = false_discovery_control(p[has_images])
    return Islands(of, main, counts, by_chance, p, q)


def share_tests(of: Rows, k: int, labels: NDArray[np.bool_]) -> tuple[Rows, Scores, Scores]:
    """`counts`, `by_chance` and `p` of `Islands` for images whose entries, from 0 to k - 1, are
    `of` (n,). labels: (n, m), of which the first column is observed."""
    of_b = np.stack([labels[of == i].sum(axis=0) for i in range(k)])
    of_a = np.bincount(of, minlength=k)[:, None] - of_b
    n_b = labels.sum(axis=0)  # another where groups of several images change sides
    differences = of_b / n_b - of_a / (len(of) - n_b)
    by_chance = differences.mean(axis=1)
    away = np.abs(differences - by_chance[:, None]).round(_DIGITS)
    counts = np.stack([of_a[:, 0], of_b[:, 0]], axis=1)
    return counts, by_chance, (away >= away[:, :1]).mean(axis=1)


def _members(run: FinishedRun) -> list[Rows]:
    """The rows of each cluster of the run, as `dimred inspect` numbers them."""
    found = run.findings().get("clusters")
    if found is not None:
        return [np.array(group.rows, np.int64) for group in found.groups]
    own = run.map.images
    z: NDArray[np.floating] = run.map.z[own]
    if z.shape[1] > _MAX_DIMS:
        z = principal_components(z.astype(np.float64), 2).coordinates
    return [own[cluster.rows] for cluster in clusters(z)]


def _main_class(run: FinishedRun, rows: Rows) -> str:
    """The most frequent class of the run's images among rows, the first among ties."""
    labels = run.map.labels
    if labels is None:
        return ""
    return run.map.class_names[int(np.bincount(labels[rows]).argmax())]
