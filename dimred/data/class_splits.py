"""The data sets of deep metric learning: their files, and how many images and classes each side of
the papers' split by class has (Song et al. 2016, https://arxiv.org/abs/1511.06452, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dimred.errors import InputError
from dimred.files import expanded


@dataclass(frozen=True)
class Layout:
    """One way in which a set lies in a folder.

    lists: the files that list its images and classes. folders: what its images lie in.
    """

    lists: tuple[str, ...]
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassSplit:
    """A published set. The classes of the lower ids are learned, the others are unseen.

    title: its usual name. source: where it is found, for messages.
    folders: names that its folder may have in `dataset.root`, which may also be it.
    classes, images: how many the learned and the unseen side have.
    """

    title: str
    source: str
    folders: tuple[str, ...]
    layouts: tuple[Layout, ...]
    classes: tuple[int, int]
    images: tuple[int, int]


CLASS_SPLITS = {
    "cub200": ClassSplit(
        title="CUB-200-2011",
        source="https://www.vision.caltech.edu/datasets/cub_200_2011",
        folders=("CUB_200_2011",),
        layouts=(Layout(("images.txt", "image_class_labels.txt", "classes.txt"), ("images",)),),
        classes=(100, 100),
        images=(5864, 5924),
    ),
    "cars196": ClassSplit(
        title="Cars196",
        source="a copy of https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
        folders=("cars196", "stanford_cars"),
        layouts=(
            Layout(("cars_annos.mat",), ("car_ims",)),
            *(
                Layout(
                    ("devkit/cars_train_annos.mat", labels, "devkit/cars_meta.mat"),
                    ("cars_train", "cars_test"),
                )
                for labels in (
                    "devkit/cars_test_annos_withlabels.mat",
                    "cars_test_annos_withlabels.mat",
                )
            ),
        ),
        classes=(98, 98),
        images=(8054, 8131),
    ),
    "stanford_online_products": ClassSplit(
        title="Stanford Online Products",
        source="https://cvgl.stanford.edu/projects/lifted_struct",
        folders=("Stanford_Online_Products",),
        layouts=(Layout(("Ebay_train.txt", "Ebay_test.txt")),),
        classes=(11318, 11316),
        images=(59551, 60502),
    ),
}


@dataclass(frozen=True)
class Place:
    """Where a set lies. root: `dataset.root` as a path. below: the set's folder in it with a "/" at
    its end, "" where it is the root itself. layout: the layout that it has there."""

    root: Path
    below: str
    layout: Layout

    @property
    def lists(self) -> list[Path]:
        """The paths of the layout's lists."""
        return [self.root / f"{self.below}{name}" for name in self.layout.lists]


def place_of(name: str, root: str) -> Place:
    """Where the set called `name` in CLASS_SPLITS lies in the folder `root`; `~` is expanded.

    Raises InputError for a folder without all lists of one layout.
    """
    split, folder = CLASS_SPLITS[name], expanded(root)
    places = [
        Place(folder, below, layout)
        for below in ("", *(f"{inside}/" for inside in split.folders))
        for layout in split.layouts
    ]
    best = max(places, key=_completeness)  # the first of equal ones
    missing = [path for path in best.lists if not _is_there(path)]
    if missing:
        none = len(missing) == len(best.lists)
        raise InputError(
            f"dataset.root={root!r}: no {missing[0].relative_to(folder)} of {split.title} there"
            + (f", nor in a folder {' or '.join(split.folders)}" if none else "")
            + f"; fetch it from {split.source}, and set dataset.root=FOLDER to the folder that "
            "holds it"
        )
    return best


def _completeness(place: Place) -> tuple[bool, int]:
    """Orders places by how much of their layout is there: all lists and the fewest folders missing,
    else most of the lists."""
    lists = [_is_there(path) for path in place.lists]
    folders = [_is_there(place.root / f"{place.below}{name}") for name in place.layout.folders]
    return all(lists), -folders.count(False) if all(lists) else sum(lists)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # such as a folder that may not be entered
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
