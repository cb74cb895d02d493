"""Options of the data sets of deep metric learning, which are split by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimred.data.options import SelectedFiles
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.data.image_set import ImageSet


@register("dataset", "cub200", "cars196", "stanford_online_products")
@dataclass
class ClassSplitSet(SelectedFiles):
    """A set of deep metric learning from its original files, which are not fetched: the first half
    of the classes is learned, the others are unseen."""

    root: str = option(
        "data",
        "Folder of the set's original lists and images, or the folder that holds that one.",
        changes_result=False,
        is_path=True,
    )
    image_size: int = option(
        224,
        "Side in pixels that images are resized and center-cropped to. N of them take N x side x "
        "side x 3 bytes of memory: at 224, cub200 1.8 GB, cars196 2.4 GB, "
        "stanford_online_products 18 GB.",
        at_least=4,
        at_most=2**14,
    )
    partial: bool = option(
        False,
        "Take what is there of a set that lacks images or classes, and say what is missing.",
        changes_result=False,
    )

    def check_place(self) -> None:
        from dimred.data.class_splits import place_of

        place_of(self.name, self.root)

    def load_files(self, select: Callable[[ImageSet], ImageSet]) -> ImageSet:
        from dimred.data.class_split_images import load_class_split

        return load_class_split(self.name, self.root, self.image_size, self.partial, select)
