"""Options of the datasets that are a user's own: folders of images and files of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dimred.data.options import DatasetOptions, SelectedFiles, beside
from dimred.files import expanded
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.data.image_set import ImageSet


class Pages(Enum):
    """What the pages of a TIFF are."""

    channels = "channels"
    images = "images"


class Store(Enum):
    """Where pixels are kept while a run goes on."""

    auto = "auto"
    memory = "memory"
    disk = "disk"


@dataclass
class OwnImages(DatasetOptions):
    """Base of the datasets that are a user's own."""

    of_user: ClassVar[bool] = True
    window: Any = option(
        "auto",
        "Values that become 0 and 255: auto takes the 0.1 and 99.9 percentiles of each channel and "
        "type over up to 1,000 training images, at most 4,096 values of each (floats within [0, 1] "
        "that reach 0.5 keep these), and leaves bytes as they are; type takes the range of the "
        "type, of floats [0, 1]; [low,high], or a list of ranges, one a channel, is of all values.",
        also=("percentiles", "contrast", "levels", "bit_depth", "range"),
        form="auto, type, [low,high], or a list of such ranges",
    )
    store: Store = option(
        Store.auto,
        "Where pixels are kept: in memory, or on disk in a packed file; auto takes the disk for "
        "more than half of the memory that is free, if it can be written there.",
        changes_result=False,
        also=("memmap", "cache", "lazy"),
    )
    store_folder: str | None = option(
        None,
        "Folder of the packed files; null = .dimred-cache beside the data.",
        changes_result=False,
        is_path=True,
    )

    def check_own(self) -> None:
        """Raise InputError for a window or a folder of packed files that is none."""
        from dimred.data.window import check_window
        from dimred.errors import InputError

        check_window(self.window)
        if self.store_folder == "":
            raise InputError(
                "dataset.store_folder='': must be a folder, or null for .dimred-cache beside the "
                "data"
            )

    @property
    def location_key(self) -> str | None:
        paths = (spec.name for spec in fields(self) if spec.metadata.get("is_path"))
        return next(name for name in paths if name != "store_folder")

    @property
    def pack_folder(self) -> Path | None:
        """The folder of the packed files; None for data without a place."""
        return expanded(self.store_folder) if self.store_folder else self.cache


@register("dataset", "image_folder")
@dataclass
class ImageFolder(SelectedFiles, OwnImages):
    """Any folder of images: class sub-folders give labels, train/ and test/ give the split."""

    root: str | None = option(
        None,
        "The folder; must be given.",
        changes_result=False,
        is_path=True,
        also=("folder", "dir", "data_dir", "path", "images", "photos"),
        common=True,
    )
    image_size: int = option(
        32,
        "Side in pixels that images are resized and center-cropped to, whatever their own sizes. "
        "They are turned as EXIF says; transparent parts are white; palettes and CMYK become red, "
        "green and blue, and gray among colors too; images with other channels than most are left "
        "out.",
        at_least=4,
        at_most=2**14,
        also=("resolution", "img_size"),
        common=True,
    )
    pages: Pages | None = option(
        None,
        "What the pages of TIFFs are (their axes Z, T and others that are no channels): channels "
        "of one image, or images, called file.tif[0] and so on. null refuses such files. Of "
        "animations the first frame is read.",
        also=("frames", "stack", "z_stack", "multipage"),
        form="channels, images or null",
    )
    strict: bool = option(
        False,
        "Stop at the first unreadable file, and where rows of a table and images do not fit "
        "together, instead of leaving these out.",
        changes_result=False,
    )
    table: str | None = option(
        None,
        "CSV file with the columns file, class (or classes: several an image) and split, or some "
        "of these, and further ones to color the map by; looked for here and in the folder.",
        changes_result=False,
        is_path=True,
    )
    exclude: str | None = option(
        None,
        "CSV file with a column source, file or path of images to leave out, such as "
        "RUN/inspect/exclude.csv of dimred inspect --keep-one.",
        changes_result=False,
        is_path=True,
    )

    def check_place(self) -> None:
        from dimred.data.image_paths import image_paths, table_path
        from dimred.errors import InputError

        self.check_own()
        if self.root is None:
            raise InputError("dataset.root=null: give the folder of images, dataset.root=FOLDER")
        for key, file in (("table", self.table), ("exclude", self.exclude)):
            if file is not None and table_path(self.root, file) is None:
                raise InputError(
                    f"dataset.{key}={file!r}: no such file, here or in {self.root!r}; must be a "
                    "CSV file"
                )
        next(image_paths(str(expanded(self.root)), f"dataset.root={self.root!r}"), None)

    def has_more_files(self, count: int) -> bool:
        from dimred.data.image_paths import image_paths

        if self.root is None or self.classes is not None:  # which may be left as they were
            return False
        paths = image_paths(str(expanded(self.root)), f"dataset.root={self.root!r}")
        return next(islice(paths, count, None), None) is not None

    def load_files(self, select: Callable[[ImageSet], ImageSet]) -> ImageSet:
        from dimred.data.folder_pixels import HowRead
        from dimred.data.image_folder import load_image_folder

        self.check_place()
        assert self.root is not None
        pages = None if self.pages is None else self.pages.value
        how = HowRead(self.window, pages, self.store, self.pack_folder, self.fit_classes)
        return load_image_folder(
            self.root, self.image_size, self.strict, select, self.table, self.exclude, how
        )


@register("dataset", "npz")
@dataclass
class Npz(OwnImages):
    """An .npz file with arrays `images` and, if known, `labels` (a matrix where images show several
    classes, with `boxes`) and `split`; or an .npy file of images alone."""

    path: str | None = option(
        None, "The file; must be given.", changes_result=False, is_path=True, also=("file",)
    )

    def check_place(self) -> None:
        from dimred.errors import InputError
        from dimred.files import open_regular

        self.check_own()
        if self.path is None:
            raise InputError("dataset.path=null: give the file, dataset.path=FILE.npz or FILE.npy")
        try:
            open_regular(expanded(self.path)).close()
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise InputError(f"dataset.path={self.path!r}: {reason}") from error

    def read(self, seed: int) -> ImageSet:
        from dimred.data.npz import load_npz

        self.check_place()
        assert self.path is not None
        return load_npz(self.path, self.window, self.store, self.pack_folder, self._learned)

    def _learned(self, images: ImageSet) -> NDArray[np.int64]:
        """The positions of the images that are learned from, of all in the file without pixels."""
        from dimred.data.selection import learned_rows

        chosen = self.select(images)
        return chosen.index[learned_rows(chosen, self.fit_classes)]

    @property
    def cache(self) -> Path | None:
        return beside(str(Path(self.path).parent)) if self.path else None
