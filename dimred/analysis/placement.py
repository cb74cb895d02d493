"""Placing new images on the map of a finished run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.image_folder import decode_files
from dimred.data.image_paths import READ, SUFFIXES, image_paths
from dimred.data.npz import image_tensor, npz_images
from dimred.errors import InputError
from dimred.evaluation.knn import majority
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.novelty import Novelty, rough_fence, roughness
from dimred.files import FORMULA, expanded, printable
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun

if TYPE_CHECKING:
    from dimred.run_folder.finished import Embedder

_MAX_REFERENCE = 5_000  # training images that new ones are compared with in H
_MAX_BYTES = 2**28  # of pixels decoded at a time

Source = str | os.PathLike[str]
Images = Source | Sequence[Source] | NDArray[Any] | Tensor


@dataclass(frozen=True)
class Placed:
    """N new images on the map of a run, in the order of the input.

    paths: the file of each image, or FILE.npz[0], ... for images in a file of arrays, or images[0],
        ... for images in memory.
    z: float32 (N, d). h: float32 (N, h).
    neighbors: int64 (N, k), the training images nearest in Z, nearest first, as rows of the run's
        embedding.npz. neighbor_index: int64 (N, k), their positions in the whole data set (`index`
        there).
    neighbor_sources: their files (N, k), None where images have none.
    neighbor_labels: int64 (N, k), positions in class_names. votes: int64 (N,), the class of most
        neighbors, the smallest among ties. vote_shares: float64 (N,), the share of neighbors of
        that class, in (0, 1]. All three are None for a run without labels.
    distances: float64 (N,), the distance to the 5th nearest training image in the space `space`
        ("H", or "Z" for a run that kept no H), over the median among training images. far: (N,),
        whether it is above `fence`, or the image far rougher than those: it is far from everything
        that the run learned from.
    files: (N,), the absolute path of each image's file, "" in memory; items: int64 (N,), its
        position in a file of arrays, -1 for others.
    left_out: (path, reason) for each image that could not be placed.
    converted: the paths of images in color that were made gray, as the run learned from gray ones.
    """

    paths: tuple[str, ...]
    z: NDArray[np.float32]
    h: NDArray[np.float32]
    neighbors: NDArray[np.int64]
    neighbor_index: NDArray[np.int64]
    neighbor_sources: NDArray[np.object_] | None
    neighbor_labels: NDArray[np.int64] | None
    votes: NDArray[np.integer] | None
    vote_shares: NDArray[np.float64] | None
    class_names: tuple[str, ...]
    distances: NDArray[np.float64]
    far: NDArray[np.bool_]
    fence: float
    space: str
    files: tuple[str, ...]
    items: NDArray[np.int64]
    left_out: tuple[tuple[str, str], ...]
    converted: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        n, d = self.z.shape
        k, far = self.neighbors.shape[1], int(self.far.sum())
        left_out = f", {len(self.left_out)} left out" if self.left_out else ""
        return (
            f"<Placed: {n:,} images in {d} dimensions, {far:,} far from everything, "
            f"{k} neighbors each{left_out}>"
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of FILE.npz."""
        arrays: dict[str, NDArray[Any]] = {
            "path": np.array(self.paths),
            "z": self.z,
            "neighbors": self.neighbors,
            "neighbor_index": self.neighbor_index,
            "distance": self.distances,
            "far": self.far,
            "fence": np.array([self.fence]),
            "space": np.array([self.space]),
            "source_file": np.array(self.files),
            "item": self.items,
        }
        if self.neighbor_labels is not None and self.votes is not None:
            assert self.vote_shares is not None
            arrays["neighbor_label"] = self.neighbor_labels
            arrays["vote"] = self.votes
            arrays["vote_share"] = self.vote_shares
            arrays["class_names"] = np.array(self.class_names)
        return arrays

    def rows(self) -> Iterator[dict[str, Any]]:
        """The row of FILE.csv for each image; neighbors by their `index`, the nearest first."""
        names = self.class_names
        for i, path in enumerate(self.paths):
            row: dict[str, Any] = {"path": path}
            # The shortest text of the float32; as a float64 it would have twice the digits.
            row |= {f"z{j}": float(str(value)) for j, value in enumerate(self.z[i], start=1)}
            if self.votes is not None and self.vote_shares is not None:
                row |= {"vote": names[self.votes[i]], "vote_share": float(self.vote_shares[i])}
            row |= {"distance": round(float(self.distances[i]), 3)}
            row |= {"far": "yes" if self.far[i] else "no"}
            row["neighbors"] = " ".join(map(str, self.neighbor_index[i].tolist()))
            if self.neighbor_sources is not None:
                row["nearest"] = self.neighbor_sources[i, 0]
            yield row


class Placement:
    """Places new images on the map of a finished run; reusable."""

    def __init__(self, run: FinishedRun):
        self.run = run

    def place(self, images: Images, k: int | None = None) -> Placed:
        """See `LoadedRun.place`."""
        on = self.run.map
        training = on.training_images
        max_k = len(training)
        if k is not None and not 1 <= k <= max_k:
            raise InputError(
                f"k={k}: must be from 1 to the {max_k} training images of {self.run.path}"
            )
        k = min(self.run.config.eval.k[0], max_k) if k is None else k
        left_out: list[tuple[str, str]] = []
        self._converted: list[str] = []
        of, h, z, rough = self._embedded(images, left_out)
        distances, fence, space = self._distances(h, z)
        near = training[nearest(on.z[training], z, k)]
        votes, shares = (None, None) if on.labels is None else majority(on.labels, near)
        return Placed(
            paths=tuple(image.name for image in of),
            z=z,
            h=h,
            neighbors=near,
            neighbor_index=on.index[near],
            neighbor_sources=None if on.sources is None else on.sources[near],
            neighbor_labels=None if on.labels is None else on.labels[near],
            votes=votes,
            vote_shares=shares,
            class_names=on.class_names,
            distances=distances,
            far=(distances > fence) | (rough > self._rough_fence),
            fence=fence,
            space=space,
            files=tuple(image.path and os.path.abspath(image.path) for image in of),  # noqa: PTH100
            items=np.array([image.item for image in of], dtype=np.int64),
            left_out=tuple(left_out),
            converted=tuple(self._converted),
        )

    def _distances(
        self, h: NDArray[np.float32], z: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], float, str]:
        """The distance of each image to the run's, the fence, and the space: H, or Z for a run
        without any H, which knows less."""
        novelty, space = self._novelty
        points = h if space == "H" else z
        if points.shape[1] != len(novelty.mean):
            file = self.run.path / layout.FEATURES
            raise InputError(f"{file}: array 'h' is not of this run's network")
        return novelty.distances(points), novelty.fence, space

    @cached_property
    def _rough_fence(self) -> float:
        kept = self.run.roughness()
        return math.inf if kept is None else rough_fence(kept)

    @cached_property
    def _novelty(self) -> tuple[Novelty, str]:
        features, space = self.run.features(), "H"
        if features is None:
            on = self.run.map
            features, space = on.z[on.training_images], "Z"
        if len(features) > _MAX_REFERENCE:
            drawn = np.random.default_rng(0).choice(len(features), _MAX_REFERENCE, replace=False)
            features = features[np.sort(drawn)]
        return Novelty(features, self.run.compute().device), space

    def _embedded(
        self, images: Images, left_out: list[tuple[str, str]]
    ) -> tuple[list[_Image], NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """Names and places, H, Z and roughness of images; others are added to `left_out`."""
        names: list[_Image] = []
        parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        rough: list[NDArray[np.float64]] = []
        for some, pixels in self._batches(images, left_out):
            names += some
            parts.append(self._embed(pixels))
            rough.append(roughness(pixels.numpy()))
        if not names:
            path, reason = left_out[0]
            raise InputError(
                f"none of the {len(left_out)} images can be placed; the first, {path!r}: {reason}"
            )
        h, z = (np.concatenate(part) for part in zip(*parts, strict=True))
        if z.shape[1] != self.run.map.z.shape[1] or not np.isfinite(z).all():
            raise InputError(f"{self.run.path}: its weights are not those of its embedding.npz")
        return names, h, z, np.concatenate(rough)

    @cached_property
    def _embed(self) -> Embedder:
        return self.run.embedder(self.run.compute())

    def _batches(
        self, images: Images, left_out: list[tuple[str, str]]
    ) -> Iterator[tuple[list[_Image], Tensor]]:
        """Names, places and pixels, uint8 (b, C, H, W), of the images that can be placed, in order;
        others are added to `left_out`."""
        if isinstance(images, Tensor):
            images = images.numpy(force=True)
        if isinstance(images, np.ndarray):
            pixels = image_tensor(images, lambda problem: InputError(f"images: {problem}"))
            yield _numbered(_File("images", ""), len(pixels)), self._fitting(pixels, "images")
            return
        sources = [images] if isinstance(images, str | os.PathLike) else images
        files = [file for source in sources for file in _files(source)]
        if not files:
            raise InputError("images=[]: name image files, folders or .npz files")
        at_a_time = max(_MAX_BYTES // (3 * math.prod(self.run.shape[1:])), 1)
        for are_arrays, group in groupby(files, key=lambda file: file.holds_arrays):
            some = list(group)
            if are_arrays:
                for file in some:
                    pixels = npz_images(file.path, file.name)
                    yield _numbered(file, len(pixels)), self._fitting(pixels, file.name)
                continue
            for start in range(0, len(some), at_a_time):
                names, pixels = self._decoded(some[start : start + at_a_time], left_out)
                if names:
                    yield names, pixels

    def _fitting(self, pixels: Tensor, name: str) -> Tensor:
        """Images of an array with the channels of the run. Raises InputError for another size."""
        channels, height, width = self.run.shape
        n, c, h, w = pixels.shape
        if (h, w) != (height, width):
            raise InputError(
                f"{name}: array 'images' has images of {h}x{w} pixels; {self.run.path} needs "
                f"{height}x{width}"
            )
        if c > channels:
            is_color = (pixels != pixels[:, :1]).flatten(1).any(dim=1).numpy()
            self._converted += [f"{name}[{i}]" for i in np.flatnonzero(is_color)]
            pixels = torch.from_numpy(_gray(pixels.numpy()))
        return pixels.expand(n, channels, h, w)

    def _decoded(
        self, files: Sequence[_File], left_out: list[tuple[str, str]]
    ) -> tuple[list[_Image], Tensor]:
        channels, height, width = self.run.shape
        decoded_files = decode_files([file.path for file in files], (height, width))
        pixels, is_gray, problems = decoded_files[:3]
        for i in np.flatnonzero(~is_gray).tolist() if channels == 1 else ():
            # Gray may be stored as three equal channels.
            if problems[i] is None and (pixels[i] != pixels[i, :1]).any():
                pixels[i, :1] = _gray(pixels[i][None])[0]
                self._converted.append(files[i].name)
        decoded = list(zip(files, problems, strict=True))
        left_out += [(file.name, problem) for file, problem in decoded if problem is not None]
        names = [_Image(*file) for file, problem in decoded if problem is None]
        kept = np.array([problem is None for problem in problems])
        return names, torch.from_numpy(pixels[kept, :channels])


class _Image(NamedTuple):
    """An image to place: its name for the user, the path of its file, "" in memory, and its
    position in a file of arrays, -1 for others."""

    name: str
    path: str
    item: int = -1


class _File(NamedTuple):
    """A file to place: its name for the user, and its path."""

    name: str
    path: str

    @property
    def holds_arrays(self) -> bool:
        return self.path.lower().endswith(".npz")


def _files(source: Source) -> list[_File]:
    """A file, or the image files below a folder, sorted. Raises InputError for anything else."""
    named = os.fspath(source)
    if not named:
        raise InputError("images='': name image files, folders or .npz files")
    path = str(expanded(named))
    # In a CSV file, spreadsheets would take such a name for a formula.
    name = printable(f"./{named}" if named.startswith(FORMULA) else named)
    if Path(path).is_file() and path.lower().endswith((*SUFFIXES, ".npz")):
        return [_File(name, path)]
    if not Path(path).exists():
        raise InputError(f"{name}: does not exist")
    if not Path(path).is_dir():
        if not Path(path).is_file():
            raise InputError(f"{name}: is a pipe or device; must be a regular file")
        raise InputError(
            f"{name}: must be an image ({' '.join(READ)}), a folder of images or an .npz file"
        )
    if (Path(path) / layout.EMBEDDING).exists():
        raise InputError(f"{name}: is a run folder; name one run, then images")
    inside = sorted(image_paths(path, name), key=lambda file: file.split("/"))
    if not inside:
        raise InputError(f"{name}: no images there; image files end in {' '.join(READ)}")
    name = name.rstrip("/")
    return [_File(f"{name}/{printable(file)}", f"{path}/{file}") for file in inside]


def _numbered(file: _File, n: int) -> list[_Image]:
    return [_Image(f"{file.name}[{i}]", file.path, i) for i in range(n)]


def _gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images in color, uint8 (n, 3, H, W), as Pillow's mode L has them, (n, 1, H, W)."""
    weights = np.array([19_595, 38_470, 7_471], dtype=np.uint32)
    luma = np.einsum("nchw,c->nhw", pixels.astype(np.uint32), weights) + 2**15
    gray: NDArray[np.uint8] = (luma[:, None] >> 16).astype(np.uint8)
    return gray
