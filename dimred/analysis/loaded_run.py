"""A finished run in Python: `dimred.load_run`.

Importing it and reading a run's map need NumPy only. PyTorch is imported when images are read,
embedded or searched, and its global settings are not changed.
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
    from dimred.analysis.comparison import Comparison
    from dimred.analysis.holding import Held
    from dimred.analysis.locate import Located
    from dimred.analysis.map_page import MapView
    from dimred.analysis.new_images import Images
    from dimred.analysis.onnx import Exported
    from dimred.analysis.placement import Placed, Placement
    from dimred.analysis.sharing import Shared
    from dimred.config import RunConfig
    from dimred.data.image_set import ImageSet
    from dimred.data.options import DatasetOptions
    from dimred.models import Encoder
    from dimred.run_folder.probes import Probed


def load_run(path: str | os.PathLike[str], root: str | None = None) -> LoadedRun:
    """Load a finished run, to examine it and to place new images on its map.

    path: its folder.
    root: the current location of its images, if they have moved; used only where they are read.
    Raises InputError for a folder without a finished run.
    """
    return LoadedRun(FinishedRun(expanded(path), root))


class LoadedRun:
    """A finished run: its map, its images and data of these.

    The map has N rows: one for each image, or, where the run learned from transformed images, one
    for each of the `n_variants` variants of each image, image by image, the image itself first. Row
    numbers are those of embedding.npz, here and everywhere else.

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
        """Its configuration. Raises InputError for a configuration of another version of dimred."""
        return self.finished.config

    @property
    def summary(self) -> dict[str, Any]:
        """Its summary.json: sizes, measures, seconds."""
        return self.finished.record.summary

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of its metrics.jsonl, one per epoch, such as for
        `pandas.DataFrame(run.metrics())`."""
        return self.finished.metrics()

    @property
    def z(self) -> NDArray[np.float32]:
        """The map Z, float32 (N, d)."""
        return self.finished.map.z

    def h(self) -> NDArray[np.float32]:
        """The features H before the projection head, float32 (N, h): as saved by the run
        (eval.save_h=true), or computed from its images."""
        return self._h

    @cached_property
    def _h(self) -> NDArray[np.float32]:
        saved = self.finished.map.h
        if saved is not None:
            return saved
        return self.finished.embeddings(self._samples, self.finished.compute())[0]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """int64 (N,), positions in `class_names`; None for a run without labels."""
        return self.finished.map.labels

    @property
    def presence(self) -> NDArray[np.bool_] | None:
        """bool (N, K), which of `class_names` each image shows; None unless it may show several."""
        return self.finished.map.presence

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class; () without labels."""
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
    def class_split(self) -> NDArray[np.str_] | None:
        """(N,), "learned" or "unseen": whether the run learned from the class of each row's image
        (dataset.fit_classes); None for a run that learned from all classes."""
        return self.finished.map.class_split

    @property
    def sources(self) -> NDArray[np.object_] | None:
        """(N,), the file of each row's image; None where images have no files."""
        return self.finished.map.sources

    @property
    def n_variants(self) -> int:
        """Rows of each image: the image itself and its transformations."""
        return self.finished.n_variants

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of its images."""
        return self.finished.shape

    def images(self) -> NDArray[np.uint8]:
        """Its images, uint8 (N, C, height, width), read from where the run read them.

        Raises InputError where they are missing or have changed since.
        """
        return self._samples.images.numpy()

    @cached_property
    def _samples(self) -> ImageSet:
        return self.finished.samples(self.finished.images())

    def encoder(self) -> Encoder:
        """The trained encoder, a torch.nn.Module on the CPU: from pixels in [0, 1], float32
        (N, C, height, width), to H (N, h) and Z (N, d).

        Raises InputError for missing or damaged weights.
        """
        return self.finished.encoder()

    def place(self, images: Images, k: int | None = None) -> Placed:
        """Embed images with the run's weights and find their nearest training images on the map.

        images: image files, folders (all images below, sorted) and .npz files with an array
            `images`; or such an array: uint8, or floats in [0, 1], (N, H, W), (N, C, H, W) or
            (N, H, W, C). Files are cropped and resized as in training on a folder of images.
        k: number of neighbors; None for the first of the run's eval.k.
        Raises InputError for images that are missing, unreadable or do not fit the run.
        """
        return self._placement.place(images, k)

    def compare(self, a: Images, b: Images | None = None, **options: Any) -> Comparison:
        """Whether two sets of images are alike: classifier two-sample tests in pixels, H and Z
        (Lopez-Paz and Oquab, ICLR 2017), as `dimred compare` makes them; writes nothing.

        a, b: as of `place`, or a selector of the run's own images, such as "RUN:test" or
            "RUN:class=cat". b: None for what the run learned from.
        options: those of `dimred.analysis.comparison.CompareOptions`: spaces, permutations, most,
            alpha, within, group, nn, seed.
        Raises InputError for sets and options that cannot be used, such as a set of fewer than 20
        images, or an image that is in both.
        """
        from dimred.analysis.comparison import CompareOptions, compare

        return compare(self.finished, a, b, CompareOptions(**options))

    def locate(
        self,
        images: Images | None = None,
        most: int = 1_000,
        *,
        side: float | None = None,
        fill: float | None = None,
        other: Images | int | None = None,
        channels: Sequence[int] | None = None,
    ) -> Located | Held | Shared:
        """Where in images the run looks, as `dimred locate` says; writes nothing.

        With pairing=class_presence and a model.score_pool: where classes are, `Located`. Else what
        holds images at their places on the map, by hiding squares of them, `Held`; or, with
        `other`, what they share with that image, `Shared`.

        images: as of `place`, or a selector of the run's own images, such as "RUN:test"; None for
            its test images. most: how many are drawn where there are more.
        side: of a square, as a share of the shorter side of the image; None for a quarter. fill:
            its value, 0 black to 1 white; None for the mean color of the run's images.
        other: one image, named as `images`, or a row of the map, such as 17.
        channels: as in `view`, for the `figure` of the result.
        Raises InputError for images that cannot be used, and options that the run has no use for.
        """
        from dimred.analysis.locating import LocateOptions, check_options, located
        from dimred.analysis.looked_at import looked_at

        options, run = LocateOptions(side, fill, other), self.finished.showing(channels)
        check_options(run, options)
        return located(run, looked_at(run, images, most), options)

    def probe(
        self,
        dataset: DatasetOptions | None = None,
        *,
        labels: Sequence[int | str] | None = None,
        out: str | None = None,
        **options: Any,
    ) -> Probed:
        """Accuracy with few labels, as `dimred probe` measures it: makes what is not finished yet,
        and writes to the folder RUN/probed/. Returns all of its numbers, also
        those of earlier calls.

        dataset: of other images, such as `dimred.data.options.Torchvision("mnist", root="data")`;
            None for those of the run.
        labels: labeled images a class, such as [1, 10, "all"]; None for the command's. out: name of
            the folder in RUN/probed/; None for one made of the images' name.
        options: others of `dimred.analysis.probe.ProbeOptions`: draws, methods, steps, lr,
            scratch_lr.
        Raises InputError for options and images that cannot be used.
        """
        from dimred.data.options import DatasetOptions

        if not isinstance(dataset, DatasetOptions | None):
            raise InputError(
                f"dataset={dataset!r}: must be options of images, such as "
                f'dimred.data.options.Digits("digits"), or None for the run\'s own'
            )
        if isinstance(labels, str):
            raise InputError(f"labels={labels!r}: must be a list, as [{labels!r}]")
        from dimred.analysis.comparison_files import checked_name
        from dimred.analysis.probe import ProbeOptions, Prober, counts
        from dimred.run_folder import layout

        chosen = ProbeOptions(None if labels is None else counts(labels), **options)
        name = None if out is None else checked_name(out, layout.PROBED)
        prober = Prober(self.finished, chosen, dataset, name)
        for _ in prober.run():
            pass
        return prober.result

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
        distance: str | None = None,
    ) -> NDArray[np.int64]:
        """The nearest rows, nearest first, int64 (n, k).

        of: n rows of the run, None for all; a row is not its own neighbor. Or n new images, as
            returned by `place`, whose neighbors are the run's training images.
        space: "z" for the map, "h" for the features.
        distance: "cosine" or "euclidean"; None for the one that `eval.retrieval` measures by where
            it is not told otherwise: Euclidean in Z of up to 3 dimensions, else cosine.
        Raises InputError for invalid rows, k, space or distance.
        """
        from dimred.evaluation.neighbors import nearest, nearest_others
        from dimred.evaluation.unit_length import DISTANCES, as_compared

        if space not in ("z", "h"):
            raise InputError(f"space={space!r}: must be 'z' or 'h'")
        if distance not in (None, *DISTANCES):
            raise InputError(f"distance={distance!r}: must be 'cosine', 'euclidean' or None")
        points = self.z if space == "z" else self.h()
        rows = None if hasattr(of, "paths") else self._checked_rows(of)
        among = np.arange(len(self)) if rows is not None else self.finished.map.training_images
        max_k = len(among) - (rows is not None)
        if not 1 <= k <= max_k:
            raise InputError(f"k={k}: must be from 1 to {max_k}")
        device = self.finished.compute().device
        new = points if rows is not None else getattr(of, space)
        _, (points, new) = as_compared(space, distance, points, new)
        if rows is None:
            return among[nearest(points[among], new, k, device)]
        if len(rows) == len(self) and of is None:
            return nearest(points, None, k, device)
        return nearest_others(points, rows, k, device)

    def _checked_rows(self, rows: Any) -> NDArray[np.int64]:
        if rows is None:
            return np.arange(len(self))
        positions = np.asarray(rows)
        valid = positions.ndim == 1 and positions.dtype.kind in "iu" and len(positions)
        if not valid or positions.min() < 0 or positions.max() >= len(self):
            raise InputError(
                f"rows {rows}: must be whole numbers from 0 to {len(self) - 1}, or the result of "
                "`place`"
            )
        return positions.astype(np.int64)

    def inspect(self, channels: Sequence[int] | None = None) -> dict[str, Findings]:
        """Search for near-duplicates, outliers, label issues and clusters, as `dimred inspect`
        does, and write reports to the run's folder. Returns `findings()`.

        channels: as in `view`, for the sheets.
        Raises InputError where the images are missing, and for channels that they do not have.
        """
        from dimred.analysis.inspection import inspect
        from dimred.run_folder.folder import RunFolder

        with RunFolder(self.path) as folder:
            for _ in inspect(self.finished.showing(channels), folder):
                pass
        return self.findings()

    def findings(self) -> dict[str, Findings]:
        """The findings of the last `inspect` or `dimred inspect`: near_duplicates, outliers,
        label_issues and clusters, each with groups of rows, and notes on some rows.

        Raises InputError where the run has not been inspected.
        """
        findings = self.finished.findings()
        if not findings:
            raise InputError(
                f"{self.path}: has not been inspected; call inspect() or run dimred inspect"
            )
        return findings

    def columns(self) -> dict[str, NDArray[Any]]:
        """Data of each row, by name, each (N,): index, split, class_split, class and source where
        there are any, z1 to zd, and further columns of embedding.npz, such as angles."""
        on = self.finished.map
        columns: dict[str, NDArray[Any]] = {"index": on.index, "split": on.split}
        if on.class_split is not None:
            columns["class_split"] = on.class_split
        if on.labels is not None:
            columns["class"] = np.array(on.class_names, dtype=object)[on.labels]
        if on.sources is not None:
            columns["source"] = on.sources
        columns |= {f"z{j}": column for j, column in enumerate(on.z.T, start=1)}
        return columns | on.extra_columns

    def to_dataframe(self) -> Any:
        """`columns` as a pandas.DataFrame of N rows. Raises ImportError without pandas."""
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas: pip install pandas") from error
        return pandas.DataFrame(self.columns())

    def view(
        self,
        thumbnail: int | None = None,
        height: int = 700,
        heat: bool = False,
        channels: Sequence[int] | None = None,
    ) -> MapView:
        """The interactive page of the map that `dimred view` writes, shown by notebooks.

        thumbnail: longer side of the images on the page in pixels, at most that of the images; None
            for what suits their number. height: of the page in a notebook, in pixels. heat: also
            what holds images at their places, which may take long; it is kept in the run's folder.
        channels: up to 7, from 0, such as [0, 2, 3], to show as red, green, blue, cyan, magenta,
            yellow and white, two of them as green and magenta, one in gray; None for the first
            three. Files are read again for it.
        Raises InputError where images are missing or have changed of which the run kept nothing,
        and for channels that they do not have.
        """
        from dimred.analysis.map_page import MapView

        return MapView.of(self.finished.showing(channels), thumbnail, height, heat=heat)

    def export_onnx(self, file: str | os.PathLike[str]) -> Exported:
        """Write the encoder as an ONNX file and compare it with PyTorch, as `dimred export` does.

        Raises InputError without the packages of the extra `onnx`, where ONNX Runtime computes
        something else, and for a file that would replace a file of the run.
        """
        from dimred.analysis.onnx import export

        return export(self.finished, expanded(file), f"export_onnx({os.fspath(file)!r})")
