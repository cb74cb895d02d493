"""The pairs of samples that `compare_campaign.py` measures."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from compare_pools import CLEAN, COLOR, COPY, GRAY, SPACES, loaded
from numpy.typing import NDArray

from dimred.evaluation.principal import principal_components

DIMS = 50
PARTLY = "shift 2"
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """Pairs of samples of one kind. what: as in the table. altered: the name of the alteration of
    B, or "". share: of B that is altered. missing, more: a class and the share of its images that
    are left out, or of B that is of it besides."""

    what: str
    n_a: int
    n_b: int
    altered: str = ""
    share: float = 1.0
    category: int = -1
    missing: float = 0.0
    more: float = 0.0
    copies: bool = False

    def title(self, name: str) -> str:
        """Of the case in a set."""
        return f"{name} {self.what} {self.n_a}/{self.n_b}"


NULL = [Case("same", 100, 100), Case("copies", 100, 100, copies=True)]
NULL += [Case("same", 500, 500), Case("same", 100, 1_000)]


def drifts(pool: Path) -> Iterator[Case]:
    """The cases of `power`: of images in color, drifts that H might find and pixels not."""
    gray = loaded(pool, CLEAN)["images"].shape[1] == 1
    for n in (300, 1_000, 100) if gray else (500, 1_000):
        for altered in GRAY if gray else COLOR:
            if altered not in (COPY, PARTLY):
                yield Case(altered, n, n, altered)
        yield Case(f"20 % {PARTLY}", n, n, PARTLY, share=0.2)
        for category in (9,) if gray else (3, 8):
            yield Case(f"no class {category}", n, n, category=category, missing=1.0)
            yield Case(f"half of class {category}", n, n, category=category, missing=0.5)
            yield Case(f"20 % more class {category}", n, n, category=category, more=0.2)


@dataclass(frozen=True)
class Draw:
    """Two samples. points: (n_a + n_b, d) in each space. altered: (n_a + n_b,)."""

    points: dict[str, NDArray[Any]]
    is_b: NDArray[np.bool_]
    altered: NDArray[np.bool_]
    groups: Rows | None


def parts(pool: Path, case: Case, random: np.random.Generator) -> list[tuple[str, Rows]]:
    """Of which rows of which files of the pool a pair is, those of A first."""
    labels = loaded(pool, CLEAN)["labels"]
    rows, n_a, n_b = random.permutation(len(labels)), case.n_a, case.n_b
    if case.copies or case.altered:  # of the first images there are altered ones
        few = rows < len(loaded(pool, case.altered or COPY)["z"])
    if case.copies:
        a, b = rows[few][: n_a // 2], rows[few][n_a // 2 : (n_a + n_b) // 2]
        return [(CLEAN, a), (COPY, a), (CLEAN, b), (COPY, b)]
    if case.altered:
        changed, rest = rows[few][: round(case.share * n_b)], rows[~few]
        others = rest[n_a : n_a + n_b - len(changed)]
        return [(CLEAN, rest[:n_a]), (case.altered, changed), (CLEAN, others)]
    a, rest = rows[:n_a], rows[n_a:]
    of_class = labels[rest] == case.category
    more = rest[of_class][: round(case.more * n_b)]
    left_out = of_class & (random.random(len(rest)) < case.missing)
    others = rest[~left_out & ~np.isin(rest, more)]
    return [(CLEAN, a), (CLEAN, more), (CLEAN, others[: n_b - len(more)])]


def drawn(pool: Path, case: Case, number: int) -> Draw:
    """The pair of this number, the same at each call."""
    random = np.random.default_rng([number, zlib.crc32(case.title(pool.name).encode())])
    files = [(name, rows) for name, rows in parts(pool, case, random) if len(rows)]
    points = {
        space: np.concatenate([loaded(pool, name)[key][rows] for name, rows in files])
        for space, key in zip(SPACES, ("images", "h", "z"), strict=True)
    }
    flat = points["pixels"].reshape(case.n_a + case.n_b, -1).astype(np.float32)
    points["pixels"] = principal_components(flat, DIMS).coordinates
    names = np.repeat([name for name, _ in files], [len(rows) for _, rows in files])
    groups = np.concatenate([rows for _, rows in files]) if case.copies else None
    is_b = np.arange(len(flat)) >= case.n_a
    return Draw(points, is_b, names == case.altered, groups)
