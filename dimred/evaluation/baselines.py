"""Maps of pixels or of H by other methods, which are measured as a run's own map is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from dimred.evaluation.classical import lle, opentsne_map, umap_map
from dimred.evaluation.neighbours import as_float

# LLE and trustworthiness grow with the square of the number of images.
MAX_LLE_IMAGES = 5_000
_RESNET_SIDE = 224
_RESNET_BATCH = 32
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

Map = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Baseline:
    """Another way to place images.

    label: what it is called in tables.
    space: what it places, "pixels" or "h".
    library: the distribution that does it, named with its version in results.
    places: whether it can place new images on a finished map, in words.
    place: (points (n, d), seed) -> coordinates (n, e).
    extra: the module that must be installed beside what dimred always needs; "" for none.
    most: images at most; of more, a draw that keeps the shares of classes and splits.
    """

    label: str
    space: str
    library: str
    places: str
    place: Callable[[NDArray[Any], int], Map]
    extra: str = ""
    most: int | None = None

    @property
    def missing(self) -> str:
        """What must be installed before this can be had, "" where nothing is missing."""
        if not self.extra or find_spec(self.extra.partition(".")[0]):
            return ""
        return "pip install 'dimred[baselines]'"

    @property
    def version(self) -> str:
        """Library and version."""
        return f"{self.library} {version(self.library)}"


def _as_they_are(points: NDArray[Any], seed: int) -> Map:
    return as_float(points)


def _pca(points: NDArray[Any], seed: int) -> Map:
    reduced: Map = PCA(min(2, *points.shape), random_state=seed).fit_transform(as_float(points))
    return reduced


def _lle(points: NDArray[Any], seed: int) -> Map:
    return lle(points, 2)


_SKLEARN = "scikit-learn"
_BY_DESCENT = "yes, each by optimisation"

BASELINES = {
    "pixels": Baseline("raw pixels", "pixels", "numpy", "yes", _as_they_are),
    "pixels_pca": Baseline("PCA of pixels", "pixels", _SKLEARN, "yes", _pca),
    "pixels_lle": Baseline("LLE of pixels", "pixels", _SKLEARN, "yes", _lle, most=MAX_LLE_IMAGES),
    "pixels_tsne": Baseline(
        "t-SNE of pixels", "pixels", "openTSNE", _BY_DESCENT, opentsne_map, "openTSNE"
    ),
    "pixels_umap": Baseline(
        "UMAP of pixels", "pixels", "umap-learn", _BY_DESCENT, umap_map, "umap"
    ),
    "h_pca": Baseline("PCA of H", "h", _SKLEARN, "yes", _pca),
    "h_tsne": Baseline("t-SNE of H", "h", "openTSNE", _BY_DESCENT, opentsne_map, "openTSNE"),
    "h_umap": Baseline("UMAP of H", "h", "umap-learn", _BY_DESCENT, umap_map, "umap"),
}
