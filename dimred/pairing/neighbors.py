"""The graph of nearest neighbors in pixels."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.free_memory import require_memory
from dimred.errors import InputError
from dimred.files import open_regular, replace_file

_VERSION = b"1"
_VALUE = np.dtype(np.int64)
_FILE_OVERHEAD = 2**12  # bytes of a cache file besides the graph


def neighbor_graph(
    images: Tensor,
    k: int,
    classes: NDArray[np.int64] | None,
    names: tuple[str, ...],
    cache: Path | None,
    side: str = "training",
) -> NDArray[np.int64]:
    """The k nearest other images of each image by Euclidean distance of pixels, nearest first,
    int64 (n, k).

    The search is exact (scikit-learn's brute force, in blocks).

    images: uint8 (n, C, height, width).
    classes: int64 (n,), to search among images of the same class only, as in Angel (2015); None
        to search among all.
    names: names of the classes, and side: "training" or "test"; for messages.
    cache: a folder that keeps graphs, named by a hash of pixels and options; or None.
    Raises InputError where a class has k images or fewer.
    """
    groups = np.zeros(len(images), dtype=np.int64) if classes is None else classes
    for group, size in zip(*np.unique(groups, return_counts=True), strict=True):
        if size <= k:
            whose = "there are" if classes is None else f"class {names[group]!r} has"
            raise InputError(
                f"pairing.k={k}: {whose} {size} {side} image(s), too few for as many neighbors; "
                f"{f'set at most {size - 1}' if size > 1 else 'leave the class out'}"
            )
    pixels = images.flatten(1).numpy()
    digest = hashlib.sha256(_VERSION + repr((k, classes is None, pixels.shape)).encode())
    digest.update(pixels.data)
    digest.update(groups.tobytes())
    file = cache / f"neighbors-{digest.hexdigest()[:16]}.npz" if cache else None
    graph = _read(file, (len(pixels), k)) if file else None
    if graph is None:
        graph = _search(pixels, k, groups)
        if file:
            _write(file, graph)
    return graph


def _search(pixels: NDArray[np.uint8], k: int, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    from sklearn.neighbors import NearestNeighbors

    graph = np.empty((len(pixels), k), dtype=np.int64)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        # As floats, since differences of uint8 wrap around.
        n_bytes = 5 * len(members) * pixels.shape[1]
        what = f"pairing.k={k}: the pixels of {len(members):,} images to search neighbors among"
        require_memory(n_bytes, what, "set dataset.limit, or make the images smaller")
        points = pixels[members].astype(np.float32)
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
        graph[members] = members[search.kneighbors(return_distance=False)]
    return graph


def _read(file: Path, shape: tuple[int, int]) -> NDArray[np.int64] | None:
    """The cached graph, or None if the file is missing or invalid."""
    try:
        with open_regular(file, follow=False) as opened:
            content = opened.read(_FILE_OVERHEAD + _VALUE.itemsize * shape[0] * shape[1])
        with np.load(io.BytesIO(content)) as arrays:
            if str(arrays["sha256"]) != _digest(file, arrays["graph"]):
                return None
            graph: NDArray[np.int64] = arrays["graph"]
    except Exception:
        return None
    sound = graph.shape == shape and graph.dtype == _VALUE
    return graph if sound and graph.min() >= 0 and graph.max() < shape[0] else None


def _write(file: Path, graph: NDArray[np.int64]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, graph=graph, sha256=np.array(_digest(file, graph)))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.parent.is_symlink():
            replace_file(file, buffer.getbuffer())
    except OSError:
        pass  # training works without a cache


def _digest(file: Path, graph: NDArray[np.int64]) -> str:
    """A checksum of a graph and the images that it is of, which the file is named after."""
    return hashlib.sha256(file.stem.encode() + graph.tobytes()).hexdigest()
