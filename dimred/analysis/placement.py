"""Placing new images on the map of a finished run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.new_images import Images, NewImage, NewImages
from dimred.errors import InputError
from dimred.evaluation.knn import majority
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.novelty import Novelty, rough_fence, roughness
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun

if TYPE_CHECKING:
    from dimred.run_folder.finished import Embedder

_MAX_REFERENCE = 5_000  # training images that new ones are compared with in H


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
        new = NewImages(self.run, images)
        of, h, z, rough = self._embedded(new)
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
            files=tuple(image.file for image in of),
            items=np.array([image.item for image in of], dtype=np.int64),
            left_out=tuple(new.left_out),
            converted=tuple(new.converted),
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
        self, new: NewImages
    ) -> tuple[list[NewImage], NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """Names and places, H, Z and roughness of the images that can be read."""
        names: list[NewImage] = []
        parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        rough: list[NDArray[np.float64]] = []
        for some, pixels in new.batches():
            names += some
            parts.append(self._embed(pixels))
            rough.append(roughness(pixels.numpy()))
        if not names:
            n, (path, reason) = len(new.left_out), new.left_out[0]
            raise InputError(f"none of the {n} images can be placed; the first, {path!r}: {reason}")
        h, z = (np.concatenate(part) for part in zip(*parts, strict=True))
        if z.shape[1] != self.run.map.z.shape[1] or not np.isfinite(z).all():
            raise InputError(f"{self.run.path}: its weights are not those of its embedding.npz")
        return names, h, z, np.concatenate(rough)

    @cached_property
    def _embed(self) -> Embedder:
        return self.run.embedder(self.run.compute())
