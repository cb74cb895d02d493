"""Options of the group `dataset`: where images come from, and which of them are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dimred.data.image_paths import CACHE
from dimred.files import expanded
from dimred.options.option import option
from dimred.options.registry import Choice, register

if TYPE_CHECKING:
    from dimred.data.image_set import ImageSet


class FitOn(Enum):
    """Which images the map is learned from; all images are embedded in either case."""

    all = "all"
    train = "train"


@dataclass
class DatasetOptions(Choice):
    """Options of every dataset.

    of_user: whether the images are a user's own, and called after their folder or file.
    """

    group: ClassVar[str] = "dataset"
    builder: ClassVar[str] = "read"
    of_user: ClassVar[bool] = False

    name: str = option("", "Which dataset this is; set by dataset=NAME.")
    classes: list[str] | None = option(
        None,
        "Keep these classes only, by name or index, such as [4,9] or [0-4]; null keeps all.",
    )
    fit_classes: list[str] | None = option(
        None,
        "Learn from these classes only, by name or index, such as [0-4]; the others are what is "
        "measured: their test images with dataset.fit_on=train, else all of theirs. null learns "
        "from all, or from those that the dataset itself says.",
    )
    limit: int | None = option(
        None,
        "Keep at most this many images, the same share of every class and split, the same ones in "
        "every run; null keeps all. In a folder, unreadable files count towards the limit.",
        at_least=1,
        also=("n", "images", "samples", "subset"),
        common=True,
    )
    train_per_class: int | None = option(
        None,
        "Keep this many training images of each class, drawn by the run's seed; null keeps all.",
        at_least=1,
    )
    fit_on: FitOn = option(
        FitOn.all, "Learn from all images, as the t-SimCNE paper does, or from the train split."
    )
    mean: list[float] | None = option(
        None,
        "Pixel mean of each channel in [0, 1] for normalization; null takes the dataset's.",
        at_least=-100,
        at_most=100,
    )
    std: list[float] | None = option(
        None,
        "Pixel deviation of each channel; null takes the dataset's.",
        at_least=1e-4,
        at_most=100,
    )

    def load(self, seed: int) -> ImageSet:
        """The selected images, with the options' mean and deviation where given; without labels
        where these say nothing, as with one class.

        seed: of random draws, such as `train_per_class`.
        Raises InputError for data that is missing or broken.
        """
        from dimred.data.presence_labels import with_combinations
        from dimred.data.selection import (
            draw_training_images,
            with_learned_statistics,
            with_unseen_classes,
            without_meaningless_labels,
        )
        from dimred.errors import InputError

        images = self.selected(seed)
        if self.train_per_class is not None:
            images = draw_training_images(images, self.train_per_class, seed)
        if self.fit_classes is not None:
            images = with_unseen_classes(images, self.fit_classes)
            if self.of_user:  # no published constants
                images = with_learned_statistics(images)
        images = with_combinations(without_meaningless_labels(images))
        channels = images.images.shape[1]
        for key, value in (("mean", self.mean), ("std", self.std)):
            if value is not None and len(value) != channels:
                numbers = "1 number" if channels == 1 else f"{channels} numbers"
                raise InputError(
                    f"dataset.{key}={value}: must be {numbers}, one for each channel of the images"
                )
        return replace(
            images, mean=tuple(self.mean or images.mean), std=tuple(self.std or images.std)
        )

    def selected(self, seed: int) -> ImageSet:
        """Read the images and keep those that `classes` and `limit` select."""
        from dimred.data.check import check_image_set
        from dimred.options.trial import tried

        with tried(self, "read"):
            images = self.read(seed)
            check_image_set(self.name, images)
        return self.select(images)

    def select(self, images: ImageSet) -> ImageSet:
        """The given images that `classes` and `limit` select."""
        from dimred.data.presence_labels import refuse_single_classes
        from dimred.data.selection import limit, select_classes

        if images.presence is not None:
            keys = ("classes", "fit_classes", "train_per_class")
            refuse_single_classes({key: getattr(self, key) for key in keys})
        if self.classes is not None:
            images = select_classes(images, self.classes)
        return images if self.limit is None else limit(images, self.limit)

    def read(self, seed: int) -> ImageSet:
        """All images, with the dataset's own mean and deviation.

        seed: of random draws, such as a test split.
        """
        raise NotImplementedError

    def check_place(self) -> None:
        """Raise InputError where the data's location cannot hold them. Quick, and importing nothing
        heavy: reading them finds out the rest."""

    def read_only(self) -> Self:
        """The same dataset, read without downloading or writing anything but a packed file, which
        says so (`Pack`)."""
        offline: dict[str, Any] = {"download": False} if hasattr(self, "download") else {}
        return replace(self, **offline)

    def has_more_files(self, count: int) -> bool:
        """Whether the data's folder holds more than `count` image files, of which the images are
        chosen; found without reading them, and without listing many more. False where it is not
        known."""
        return False

    @property
    def location_key(self) -> str | None:
        """The option that holds the location of the data; None where they come with dimred."""
        return next((spec.name for spec in fields(self) if spec.metadata.get("is_path")), None)

    @property
    def cache(self) -> Path | None:
        """A folder beside the data that caches what is computed from them; None for data without
        a folder."""
        return beside(getattr(self, "root", None))


@dataclass
class SelectedFiles(DatasetOptions):
    """Base of datasets whose images are selected before their files are decoded."""

    def read(self, seed: int) -> ImageSet:
        return self.load_files(lambda images: images)

    def selected(self, seed: int) -> ImageSet:
        return self.load_files(self.select)

    def load_files(self, select: Callable[[ImageSet], ImageSet]) -> ImageSet:
        """The images that `select` returns of all of them, which it is given without pixels."""
        raise NotImplementedError


@register("dataset", "digits")
@dataclass
class Digits(DatasetOptions):
    """scikit-learn's 1,797 handwritten digits, 8x8 gray; ships with scikit-learn."""

    def read(self, seed: int) -> ImageSet:
        from dimred.data.digits import load_digits

        return load_digits()


@register("dataset", "mnist", "fashion_mnist", "cifar10", "cifar100")
@dataclass
class Torchvision(DatasetOptions):
    """A standard benchmark read through torchvision."""

    root: str = option(
        "data",
        "Folder that holds (or receives) torchvision's files.",
        changes_result=False,
        is_path=True,
    )
    download: bool = option(
        False, "Fetch the files into dataset.root when they are missing.", changes_result=False
    )

    def check_place(self) -> None:
        from dimred.errors import InputError

        if not self.download and not expanded(self.root).is_dir():
            raise InputError(
                f"dataset.root={self.root!r}: no such folder; set dataset.download=true to fetch "
                f"{self.name} into it, or dataset.root=FOLDER to the folder that holds it"
            )

    def read(self, seed: int) -> ImageSet:
        from dimred.data.torchvision_sets import load_torchvision

        return load_torchvision(self.name, self.root, self.download)


@register("dataset", "turntable")
@dataclass
class Turntable(DatasetOptions):
    """A rendered toy airplane, in place of DrLIM's airplane from small NORB: 9 elevations, 18
    azimuths and 6 lightings, 96x96 gray, made on first use."""

    root: str | None = option(
        "data",
        "Folder that keeps the rendered images; null = they are rendered each time.",
        changes_result=False,
        is_path=True,
    )
    n_test: int = option(
        312, "Test images of the 972, drawn by the run's seed.", at_least=0, at_most=971
    )

    def read(self, seed: int) -> ImageSet:
        from dimred.data.turntable import load_turntable

        return load_turntable(self.root, self.n_test, seed)

    def read_only(self) -> Self:
        from dimred.data.turntable import is_rendered

        return self if self.root and is_rendered(self.root) else replace(self, root=None)


@register("dataset", "norb_small")
@dataclass
class NorbSmall(DatasetOptions):
    """Small NORB from its original files: toys from 9 elevations and 18 azimuths in 6 lightings."""

    root: str = option(
        "data", "Folder that holds the .mat or .mat.gz files.", changes_result=False, is_path=True
    )
    category: str | None = option(
        "airplane", "animal, human, airplane, truck or car; null takes all."
    )
    instance: int | None = option(
        4, "Which toy of the category; null takes all.", at_least=0, at_most=9
    )
    camera: int | None = option(
        0, "0 = left, 1 = right; null takes the images of both.", at_least=0, at_most=1
    )
    n_test: int | None = option(
        312,
        "Number of test images, drawn by the run's seed (DrLIM: 660/312 images of one toy); null "
        "takes the official split, which is by toy.",
        at_least=0,
    )

    def read(self, seed: int) -> ImageSet:
        from dimred.data.norb_small import load_norb_small

        return load_norb_small(
            self.root, self.category, self.instance, self.camera, self.n_test, seed
        )


def beside(root: str | None) -> Path | None:
    """The folder beside data that caches what is computed from them; None without a root."""
    return expanded(root) / CACHE if root else None
