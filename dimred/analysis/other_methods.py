"""Baseline methods that map pixels or H, to compare with a run's map."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet
from dimred.evaluation.classical import lle, opentsne_map, umap_map
from dimred.evaluation.imagenet import imagenet_features, imagenet_weights
from dimred.evaluation.neighbors import as_float
from dimred.evaluation.principal import principal_components
from dimred.files import can_be_written, expanded, private_cache

# LLE and trustworthiness grow with the square of the number of images.
MAX_LLE_IMAGES = 5_000
MAX_OPTIMIZED_IMAGES = 100_000  # by t-SNE and UMAP
_UMAP_WARM_UP = 4_500  # from 4,096 points on it compiles another search

Map = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Baseline:
    """A baseline method.

    label: its name in tables.
    space: its input: "pixels" in [0, 1] or "h", (n, d); or "images", uint8 (n, C, h, w).
    library: the distribution that implements it, given with its version in results.
    places: whether it can place new images on a finished map, as text for tables.
    place: (points, seed, threads) -> coordinates (n, e), on the CPU.
    missing: function of the images that returns why the method cannot be used on them, such as what
        must be installed; "" where it can.
    max_images: maximum number of images; of more, a random selection with the same shares of
        classes and splits.
    warm_up: number of images in an untimed first call, which imports and compiles everything.
    """

    label: str
    space: str
    library: str
    places: str
    place: Callable[[NDArray[Any], int, int], Map]
    missing: Callable[[ImageSet], str] = lambda _: ""
    max_images: int | None = None
    warm_up: int = 50

    @property
    def version(self) -> str:
        """Library and version."""
        return f"{self.library} {version(self.library)}"


def _unchanged(points: NDArray[Any], seed: int, threads: int) -> Map:
    return as_float(points)


def _pca(points: NDArray[Any], seed: int, threads: int) -> Map:
    return principal_components(points, min(2, *points.shape), seed).coordinates


def _lle(points: NDArray[Any], seed: int, threads: int) -> Map:
    return lle(points, 2)


def _umap(points: NDArray[Any], seed: int, threads: int) -> Map:
    return umap_map(points, seed)


def _not_installed(module: str) -> Callable[[ImageSet], str]:
    hint = "not installed; pip install -e '.[baselines]' in dimred's clone"
    return lambda _: "" if find_spec(module) else hint


def _imagenet(images: NDArray[Any], seed: int, threads: int) -> Map:
    return imagenet_features(images)


def _imagenet_missing(images: ImageSet) -> str:
    channels = images.images.shape[1]
    if channels != 1 and not (channels == 3 and images.is_rgb):
        return f"needs gray or RGB images, and these have {channels} channels of their own"
    file = imagenet_weights()
    return "" if file.exists() else f"no weights; put torchvision's {file.name} into {file.parent}"


_COMPILED = ("pynndescent", "umap")


def provide_compile_cache() -> None:
    """Let t-SNE and UMAP be imported anywhere: numba, which compiles them, refuses to without a
    folder to keep the results in. Where there is none, it gets one by its environment variable."""
    if "NUMBA_CACHE_DIR" in os.environ or _packages_can_be_written() or _home_can_be_written():
        return
    with suppress(OSError):  # then these methods are left out
        os.environ["NUMBA_CACHE_DIR"] = str(private_cache("numba"))


def _home_can_be_written() -> bool:
    # numba takes an unknown home for a folder called "~".
    caches = Path(os.environ.get("XDG_CACHE_HOME") or expanded("~/.cache"))
    return caches.is_absolute() and can_be_written(caches / "numba")


def _packages_can_be_written() -> bool:
    specs = [spec for spec in map(find_spec, _COMPILED) if spec and spec.origin]
    return all(can_be_written(Path(str(spec.origin)).parent / "__pycache__") for spec in specs)


_SKLEARN = "scikit-learn"
_BY_DESCENT = "yes, each by optimization"
_NEEDS_TSNE, _NEEDS_UMAP = _not_installed("openTSNE"), _not_installed("umap")

BASELINES = {
    "pixels": Baseline("raw pixels", "pixels", "numpy", "yes", _unchanged),
    "pixels_pca": Baseline("PCA of pixels", "pixels", _SKLEARN, "yes", _pca),
    "pixels_lle": Baseline(
        "LLE of pixels", "pixels", _SKLEARN, "yes", _lle, max_images=MAX_LLE_IMAGES
    ),
    "pixels_tsne": Baseline(
        "t-SNE of pixels",
        "pixels",
        "openTSNE",
        _BY_DESCENT,
        opentsne_map,
        _NEEDS_TSNE,
        MAX_OPTIMIZED_IMAGES,
    ),
    "pixels_umap": Baseline(
        "UMAP of pixels",
        "pixels",
        "umap-learn",
        _BY_DESCENT,
        _umap,
        _NEEDS_UMAP,
        MAX_OPTIMIZED_IMAGES,
        warm_up=_UMAP_WARM_UP,
    ),
    "h_pca": Baseline("PCA of H", "h", _SKLEARN, "yes", _pca),
    "h_tsne": Baseline(
        "t-SNE of H",
        "h",
        "openTSNE",
        _BY_DESCENT,
        opentsne_map,
        _NEEDS_TSNE,
        MAX_OPTIMIZED_IMAGES,
    ),
    "h_umap": Baseline(
        "UMAP of H",
        "h",
        "umap-learn",
        _BY_DESCENT,
        _umap,
        _NEEDS_UMAP,
        MAX_OPTIMIZED_IMAGES,
        warm_up=_UMAP_WARM_UP,
    ),
    "imagenet": Baseline(
        "ResNet-18 of ImageNet", "images", "torchvision", "yes", _imagenet, _imagenet_missing
    ),
}
