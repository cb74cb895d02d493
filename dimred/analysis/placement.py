"""New images on the map of a finished run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.image_folder import READ, SUFFIXES, decode_files, image_paths, printable
from dimred.data.npz import image_tensor, npz_images
from dimred.errors import InputError
from dimred.evaluation.knn import majority
from dimred.evaluation.neighbours import nearest
from dimred.files import FORMULA, expanded
from dimred.run_folder.finished import Embedder, FinishedRun, TrainingMap

_BYTES = 2**28  # of pixels decoded at a time
_FOLDER = "embedded"
_MOST_NAMED = 20  # images left out

Source = str | os.PathLike[str]
Images = Source | Sequence[Source] | NDArray[Any] | Tensor


def load_run(path: Source, root: str | None = None) -> LoadedRun:
    """A finished run, to place new images on its map.

    path: its folder.
    root: where its data are now, if they have moved; wanted only by runs of an early version, whose
        summary.json does not say the shape of their images.
    Raises InputError for a folder that holds no finished run.
    """
    return LoadedRun(expanded(path), root)


@dataclass(frozen=True)
class Placed:
    """N new images on the map of a run, in the order in which they were given.

    paths: N files; for images of an array FILE.npz[0] and on, of one in memory images[0] and on.
    z: float32 (N, d).
    neighbours: int64 (N, k), the training images nearest in Z, nearest first, as rows of the run's
        embedding.npz. neighbour_index: their positions in the whole data set (its `index`).
    neighbour_sources: their files (N, k), None where images have none.
    neighbour_labels: int64 (N, k), positions in class_names. votes: int64 (N,), the class of most
        neighbours, of equally many the smallest. vote_shares: float64 (N,), how many of them have
        it, in (0, 1]. All three are None for a run without labels.
    left_out: (path, reason) for each image that could not be placed.
    """

    paths: tuple[str, ...]
    z: NDArray[np.float32]
    neighbours: NDArray[np.int64]
    neighbour_index: NDArray[np.int64]
    neighbour_sources: NDArray[np.object_] | None
    neighbour_labels: NDArray[np.int64] | None
    votes: NDArray[np.integer] | None
    vote_shares: NDArray[np.float64] | None
    class_names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.paths)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What FILE.npz holds."""
        arrays: dict[str, NDArray[Any]] = {
            "path": np.array(self.paths),
            "z": self.z,
            "neighbours": self.neighbours,
            "neighbour_index": self.neighbour_index,
        }
        if self.neighbour_labels is not None and self.votes is not None:
            assert self.vote_shares is not None
            arrays["neighbour_label"] = self.neighbour_labels
            arrays["vote"] = self.votes
            arrays["vote_share"] = self.vote_shares
            arrays["class_names"] = np.array(self.class_names)
        return arrays

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row of FILE.csv for each image, by column; neighbour1 is the `index` of the nearest."""
        names, labels = self.class_names, self.neighbour_labels
        for i, path in enumerate(self.paths):
            row: dict[str, Any] = {"path": path}
            # The shortest text of a float32, as its float64 has twice the digits.
            row |= {f"z{j}": float(str(value)) for j, value in enumerate(self.z[i], start=1)}
            if self.votes is not None and self.vote_shares is not None:
                row |= {"vote": names[self.votes[i]], "vote_share": float(self.vote_shares[i])}
            for j, index in enumerate(self.neighbour_index[i].tolist()):
                row[f"neighbour{j + 1}"] = index
                if labels is not None:
                    row[f"neighbour{j + 1}_class"] = names[labels[i, j]]
                if self.neighbour_sources is not None:
                    row[f"neighbour{j + 1}_source"] = self.neighbour_sources[i, j]
            yield row


class LoadedRun(FinishedRun):
    """A finished run that places new images, as often as asked to."""

    def place(self, images: Images, k: int | None = None) -> Placed:
        """Embed images with the run's weights and find their neighbours among those it learned.

        images: image files, folders (all images below, sorted) and .npz files with an array
            `images`; or such an array: uint8, or floats in [0, 1], (N, H, W), (N, C, H, W) or
            (N, H, W, C). Files are cropped and resized as a folder of images is for training.
        k: neighbours; None for the first of the run's eval.k.
        Raises InputError for what is not there, is no image, or does not fit the run.
        """
        training = self._training
        most = len(training.rows)
        if k is not None and not 1 <= k <= most:
            raise InputError(f"k={k}: must be from 1 to the {most} training images of {self.path}")
        k = min(self.config.eval.k[0], most) if k is None else k
        left_out: list[tuple[str, str]] = []
        paths, z = self._embedded(images, left_out)
        near = nearest(training.z, z, k)
        labels, sources = training.labels, training.sources
        votes, shares = (None, None) if labels is None else majority(labels, near)
        return Placed(
            paths=tuple(paths),
            z=z,
            neighbours=training.rows[near],
            neighbour_index=training.index[near],
            neighbour_sources=None if sources is None else sources[near],
            neighbour_labels=None if labels is None else labels[near],
            votes=votes,
            vote_shares=shares,
            class_names=training.class_names,
            left_out=tuple(left_out),
        )

    def _embedded(
        self, images: Images, left_out: list[tuple[str, str]]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Names and Z of what can be placed; what cannot goes to `left_out`."""
        names: list[str] = []
        parts: list[NDArray[np.float32]] = []
        for some, pixels in self._batches(images, left_out):
            names += some
            parts.append(self._embed(pixels)[1])
        if not names:
            path, reason = left_out[0]
            raise InputError(
                f"none of the {len(left_out)} images can be placed; the first, {path!r}: {reason}"
            )
        z = np.concatenate(parts)
        if z.shape[1] != self._training.z.shape[1] or not np.isfinite(z).all():
            raise InputError(f"{self.path}: its weights are not those of its embedding.npz")
        return names, z

    @cached_property
    def _training(self) -> TrainingMap:
        return TrainingMap(self)

    @cached_property
    def _embed(self) -> Embedder:
        return self.embedder(self.compute())

    def _batches(
        self, images: Images, left_out: list[tuple[str, str]]
    ) -> Iterator[tuple[list[str], Tensor]]:
        """Names and pixels of what can be placed, uint8 (b, C, H, W), in the order given; what
        cannot goes to `left_out`."""
        if isinstance(images, Tensor):
            images = images.numpy(force=True)
        if isinstance(images, np.ndarray):
            pixels = image_tensor(images, lambda problem: InputError(f"images: {problem}"))
            yield _numbered("images", len(pixels)), self._fitting(pixels, "images")
            return
        given = [images] if isinstance(images, str | os.PathLike) else images
        files = [file for source in given for file in _files(source)]
        if not files:
            raise InputError("images=[]: name image files, folders or .npz files")
        at_a_time = max(_BYTES // (3 * math.prod(self.shape[1:])), 1)
        for are_arrays, group in groupby(files, key=lambda file: file.holds_arrays):
            some = list(group)
            if are_arrays:
                for file in some:
                    pixels = npz_images(file.path, file.name)
                    yield _numbered(file.name, len(pixels)), self._fitting(pixels, file.name)
                continue
            for start in range(0, len(some), at_a_time):
                names, pixels = self._decoded(some[start : start + at_a_time], left_out)
                if names:
                    yield names, pixels

    def _fitting(self, pixels: Tensor, name: str) -> Tensor:
        """Images of an array with the channels of the run. Raises InputError for others."""
        channels, height, width = self.shape
        n, c, h, w = pixels.shape
        if (h, w) != (height, width):
            raise InputError(
                f"{name}: array 'images' has images of {h}x{w} pixels; {self.path} wants "
                f"{height}x{width}"
            )
        if c > channels:
            raise InputError(
                f"{name}: array 'images' has images in colour; {self.path} learned from grey ones"
            )
        return pixels.expand(n, channels, h, w)

    def _decoded(
        self, files: Sequence[_File], left_out: list[tuple[str, str]]
    ) -> tuple[list[str], Tensor]:
        channels, height, width = self.shape
        pixels, is_grey, problems = decode_files([file.path for file in files], (height, width))
        for i in np.flatnonzero(~is_grey) if channels == 1 else ():
            # Grey may be stored as three equal channels.
            if problems[i] is None and (pixels[i] != pixels[i, :1]).any():
                problems[i] = "is in colour, and the run learned from grey images"
        found = list(zip(files, problems, strict=True))
        left_out += [(file.name, problem) for file, problem in found if problem is not None]
        names = [file.name for file, problem in found if problem is None]
        kept = np.array([problem is None for problem in problems])
        return names, torch.from_numpy(pixels[kept, :channels])


class _File(NamedTuple):
    """A file to place: its name as the user knows it, and where it is opened."""

    name: str
    path: str

    @property
    def holds_arrays(self) -> bool:
        return self.path.lower().endswith(".npz")


def _files(source: Source) -> list[_File]:
    """A file, or the image files below a folder, sorted. Raises InputError for anything else."""
    given = os.fspath(source)
    path = str(expanded(given))
    # A spreadsheet would take such a name for a formula.
    name = printable(f"./{given}" if given.startswith(FORMULA) else given)
    if Path(path).is_file() and path.lower().endswith((*SUFFIXES, ".npz")):
        return [_File(name, path)]
    if not Path(path).exists():
        raise InputError(f"{name}: is not there")
    if not Path(path).is_dir():
        raise InputError(
            f"{name}: must be an image ({' '.join(READ)}), a folder of images or an .npz file"
        )
    if (Path(path) / "embedding.npz").exists():
        raise InputError(f"{name}: is a run folder; name one run, and then images")
    inside = sorted(image_paths(path, name), key=lambda file: file.split("/"))
    if not inside:
        raise InputError(f"{name}: no images there; files count that end in {' '.join(READ)}")
    name = name.rstrip("/")
    return [_File(f"{name}/{printable(file)}", f"{path}/{file}") for file in inside]


def _numbered(name: str, n: int) -> list[str]:
    return [f"{name}[{i}]" for i in range(n)]
