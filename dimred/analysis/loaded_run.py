"""A finished run from Python: `dimred.load_run`.

Importing it and reading a run's map take NumPy alone; PyTorch is imported when images are read,
embedded or searched, and left as the caller has it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.errors import InputError
from dimred.files import expanded
from dimred.run_folder.findings import Findings
from dimred.run_folder.finished import FinishedRun

if TYPE_CHECKING:
    from dimred.analysis.map_page import MapView
    from dimred.analysis.onnx import Exported
    from dimred.analysis.placement import Images, Placed, Placement
    from dimred.config import RunConfig
    from dimred.data.image_set import ImageSet
    from dimred.models import Encoder


def load_run(path: str | os.PathLike[str], root: str | None = None) -> LoadedRun:
    """A finished run, to look at and to place new images on its map.

    path: its folder.
    root: where its images are now, if they have moved; needed only for what reads them.
    Raises InputError for a folder that holds no finished run.
    """
    return LoadedRun(FinishedRun(expanded(path), root))


class LoadedRun:
    """A finished run: its map and what is known of its images.

    The map has N rows, one for each image, or, where the run learned from transformed images, one
    for each image in each of its `n_variants` transformations, image by image, the image itself
    first. Rows are numbered as in embedding.npz, here and wherever the run is shown.

    finished: the run as the commands read it.
    """

    def __init__(self, finished: FinishedRun):
        self.finished = finished

    def __len__(self) -> int:
        return len(self.z)

    def __repr__(self) -> str:
        data, (n, d) = self.finished.record.data, self.z.shape
        return f"<LoadedRun {self.path}: {data}, Z of {n:,} rows in {d} dimensions>"

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.finished.path

    @property
    def config(self) -> RunConfig:
        """Its configuration. Raises InputError for one of another version of dimred."""
        return self.finished.config

    @property
    def summary(self) -> dict[str, Any]:
        """Its summary.json: sizes, measures, seconds."""
        return self.finished.record.summary

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of its metrics.jsonl, one an epoch; `pandas.DataFrame(run.metrics())` takes
        them."""
        return self.finished.metrics()

    @property
    def z(self) -> NDArray[np.float32]:
        """The map Z, float32 (N, d)."""
        return self.finished.map.z

    def h(self) -> NDArray[np.float32]:
        """The features H before the projection head, float32 (N, h): as the run kept them
        (eval.save_h=true), else computed from its images."""
        return self._h

    @cached_property
    def _h(self) -> NDArray[np.float32]:
        kept = self.finished.map.h
        if kept is not None:
            return kept
        return self.finished.embeddings(self._samples, self.finished.compute())[0]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """int64 (N,), positions in `class_names`; None for a run without labels."""
        return self.finished.map.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """One a class; () without labels."""
        return self.finished.map.class_names

    @property
    def index(self) -> NDArray[np.int64]:
        """int64 (N,), the position of each row's image in the whole data set."""
        return self.finished.map.index

    @property
    def split(self) -> NDArray[np.str_]:
        """(N,), "train" or "test"."""
        return self.finished.map.split

    @property
    def sources(self) -> NDArray[np.object_] | None:
        """(N,), the file of each row's image; None where images have no files."""
        return self.finished.map.sources

    @property
    def n_variants(self) -> int:
        """Rows of each image: itself and its transformations."""
        return self.finished.n_variants

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of its images."""
        return self.finished.shape

    def images(self) -> NDArray[np.uint8]:
        """Its images, read from where the run had them, uint8 (N, C, height, width).

        Raises InputError where they are gone or have changed since.
        """
        return self._samples.images.numpy()

    @cached_property
    def _samples(self) -> ImageSet:
        return self.finished.samples(self.finished.images())

    def encoder(self) -> Encoder:
        """The trained encoder, a torch.nn.Module on the CPU: pixels in [0, 1], float32
        (N, C, height, width), to H (N, h) and Z (N, d).

        Raises InputError for weights that are gone or bad.
        """
        return self.finished.encoder()

    def place(self, images: Images, k: int | None = None) -> Placed:
        """Embed images with the run's weights and find their neighbors among those it learned.

        images: image files, folders (all images below, sorted) and .npz files with an array
            `images`; or such an array: uint8, or floats in [0, 1], (N, H, W), (N, C, H, W) or
            (N, H, W, C). Files are cropped and resized as a folder of images is for training.
        k: neighbors; None for the first of the run's eval.k.
        Raises InputError for what is not there, is no image, or does not fit the run.
        """
        return self._placement.place(images, k)

    @cached_property
    def _placement(self) -> Placement:
        from dimred.analysis.placement import Placement

        return Placement(self.finished)

    def neighbors(
        self,
        of: Placed | Sequence[int] | NDArray[np.integer] | None = None,
        k: int = 15,
        *,
        space: str = "z",
    ) -> NDArray[np.int64]:
        """The nearest rows by Euclidean distance, nearest first, int64 (n, k).

        of: n rows of the run, None for all; a row is not its own neighbor. Or n images that `place`
            has placed, whose neighbors are the run's training images.
        space: "z" for the map, "h" for the features.
        Raises InputError for rows that are not there, more neighbors than there are, or another
        space.
        """
        from dimred.evaluation.neighbors import nearest

        if space not in ("z", "h"):
            raise InputError(f"space={space!r}: must be 'z' or 'h'")
        points = self.z if space == "z" else self.h()
        rows = None if hasattr(of, "paths") else self._checked_rows(of)
        among = np.arange(len(self)) if rows is not None else self.finished.map.training_images
        most = len(among) - (rows is not None)
        if not 1 <= k <= most:
            raise InputError(f"k={k}: must be from 1 to {most}")
        device = self.finished.compute().device
        if rows is None:
            return among[nearest(points[among], getattr(of, space), k, device)]
        if len(rows) == len(self) and of is None:
            return nearest(points, None, k, device)
        near = nearest(points, points[rows], k + 1, device)
        others = near != rows[:, None]
        others[others.all(axis=1), -1] = False  # of more equal points than were asked for
        found: NDArray[np.int64] = near[others].reshape(len(rows), k)
        return found

    def _checked_rows(self, rows: Any) -> NDArray[np.int64]:
        if rows is None:
            return np.arange(len(self))
        found = np.asarray(rows)
        known = found.ndim == 1 and found.dtype.kind in "iu" and len(found)
        if not known or found.min() < 0 or found.max() >= len(self):
            raise InputError(
                f"rows {rows}: must be whole numbers from 0 to {len(self) - 1}, or what `place` "
                "returned"
            )
        return found.astype(np.int64)

    def inspect(self) -> dict[str, Findings]:
        """Look for what deserves a look, as `dimred inspect` does, and write it to the run's
        folder. Returns `findings()`. Raises InputError where the images are gone."""
        from dimred.analysis.inspection import inspect
        from dimred.run_folder.folder import RunFolder

        with RunFolder(self.path) as folder:
            for _ in inspect(self.finished, folder):
                pass
        return self.findings()

    def findings(self) -> dict[str, Findings]:
        """What was found by `inspect` or `dimred inspect`: near_duplicates, outliers,
        label_issues and clusters, each with its rows, in groups, and a note on some of them.

        Raises InputError where the run has not been inspected.
        """
        found = self.finished.findings()
        if not found:
            raise InputError(
                f"{self.path}: has not been inspected; inspect() or dimred inspect does"
            )
        return found

    def columns(self) -> dict[str, NDArray[Any]]:
        """What is known of each row, by name, each (N,): index, split, class and source where there
        are any, z1 to zd, and what else the run wrote, such as the angles of its images."""
        on = self.finished.map
        found: dict[str, NDArray[Any]] = {"index": on.index, "split": on.split}
        if on.labels is not None:
            found["class"] = np.array(on.class_names, dtype=object)[on.labels]
        if on.sources is not None:
            found["source"] = on.sources
        found |= {f"z{j}": column for j, column in enumerate(on.z.T, start=1)}
        return found | on.extra_columns

    def to_dataframe(self) -> Any:
        """`columns` as a pandas.DataFrame of N rows. Raises ImportError without pandas."""
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise ImportError("to_dataframe wants pandas: pip install pandas") from error
        return pandas.DataFrame(self.columns())

    def view(self, thumbnail: int | None = None, height: int = 700) -> MapView:
        """The map as a page to look into, which a notebook shows: what `dimred view` writes.

        thumbnail: the longer side of its images in pixels; None for theirs, less where they are
            many. height: of the page in a notebook, in pixels.
        Raises InputError where the images are gone or have changed.
        """
        from dimred.analysis.map_page import MapView

        return MapView.of(self.finished, thumbnail, height)

    def export_onnx(self, file: str | os.PathLike[str]) -> Exported:
        """Write the encoder as an ONNX file, held against PyTorch as `dimred export` does.

        Raises InputError without the packages of the extra `onnx`, where ONNX Runtime computes
        something else, and for a file that would replace what the run wrote.
        """
        from dimred.analysis.onnx import export

        return export(self.finished, expanded(file), f"export_onnx({os.fspath(file)!r})")
