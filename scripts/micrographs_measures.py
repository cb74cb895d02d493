"""How well maps of the tiles of `micrographs.py` keep what lies near each other, by augmentation.

    python scripts/micrographs_measures.py RUN [RUN ...]

Prints a row for each run, and for each augmentation the mean over its runs (seeds), in H and in Z:

- `accuracy`: the share of test tiles whose kind is that of most of their 15 nearest training tiles;
- `a kind`: the same, as the mean over the kinds, of which dermis has most tiles;
- `turned`: for how many test tiles a copy, mirrored and turned by a quarter, is among the 15
  nearest of all copies (by chance 15 in their number): such images have no upright;
- `trust`: trustworthiness of Z against H, 15 neighbors, of test tiles.

The same of raw pixels, and of the mean color of a tile, which the stain alone gives.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

import dimred
from dimred.analysis.loaded_run import LoadedRun
from dimred.evaluation.knn import majority
from dimred.evaluation.neighborhood import partners_found, trustworthiness
from dimred.evaluation.neighbors import nearest

K = 15
Points = NDArray[np.float32]


def main() -> None:
    """Print the tables."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    runs = [dimred.load_run(path) for path in sys.argv[1:]]
    by_augmentation: dict[str, list[dict[str, float]]] = {}
    for run in runs:
        row = measured(run)
        by_augmentation.setdefault(augmentation(run), []).append(row)
        show(f"{augmentation(run)}, seed {run.config.seed}", row)
    for name, rows in by_augmentation.items():
        mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        show(f"{name}, mean of {len(rows)}", mean)
    images = runs[0].images()
    turned = turned_copies(images)
    flat = [pixels.reshape(len(images), -1).astype(np.float32) for pixels in (images, turned)]
    colors = [pixels.mean(axis=(2, 3), dtype=np.float32) for pixels in (images, turned)]
    show("raw pixels", of_space(runs[0], "", *flat))
    show("mean color", of_space(runs[0], "", *colors))


def augmentation(run: LoadedRun) -> str:
    """The pairing of a run, as its command named it."""
    return str(run.config.pairing.name)


def turned_copies(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (N, C, H, W), mirrored and turned by a quarter."""
    return np.ascontiguousarray(np.rot90(images[..., ::-1], axes=(2, 3)))


def measured(run: LoadedRun) -> dict[str, float]:
    """All measures of a run."""
    placed = run.place(turned_copies(run.images()))
    row = of_space(run, "h", run.h(), placed.h) | of_space(run, "z", run.z, placed.z)
    is_test = run.split == "test"
    h, z = run.h()[is_test], run.z[is_test]
    return row | {"trust": trustworthiness(h, z, K, len(h), seed=0)}


def of_space(run: LoadedRun, space: str, points: Points, turned: Points) -> dict[str, float]:
    """The measures in one space. points, turned: of each tile and of its turned copy."""
    assert run.labels is not None
    is_test = run.split == "test"
    near = nearest(points[~is_test], points[is_test], K)
    votes, _ = majority(run.labels[~is_test], near)
    labels = run.labels[is_test]
    right = votes == labels
    found = partners_found(points[is_test], turned[is_test], [K])[K]
    return {
        f"accuracy {space}": float(right.mean()),
        f"a kind {space}": float(np.mean([right[labels == k].mean() for k in np.unique(labels)])),
        f"turned {space}": float(found.mean()),
    }


def show(name: str, row: dict[str, float]) -> None:
    """Print a row."""
    cells = (f"{key.strip()} {value:.3f}" for key, value in row.items())
    print(f"{name:40s}", *cells, sep="  ", flush=True)


if __name__ == "__main__":
    main()
