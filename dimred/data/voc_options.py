"""Options of the PASCAL VOC challenge of 2012."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimred.data.options import SelectedFiles
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.data.image_set import ImageSet


@register("dataset", "voc2012")
@dataclass
class Voc2012(SelectedFiles):
    """PASCAL VOC 2012 from its original files, which are not fetched: photographs of objects of 20
    classes, several in one image, with boxes; its train and val images are training and test."""

    root: str = option(
        "data",
        "Folder that holds VOCdevkit/VOC2012, as VOCtrainval_11-May-2012.tar unpacks.",
        changes_result=False,
        is_path=True,
    )
    image_size: int = option(
        224,
        "Side in pixels of the square, black on both sides of the image, that the longer side of "
        "an image is made as small as; smaller images are not enlarged (Oquab et al. 2015: 500). "
        "The 11,540 of them take 11,540 x side x side x 3 bytes of memory: at 224 1.7 GB.",
        at_least=16,
        at_most=2**12,
    )

    def check_place(self) -> None:
        from dimred.data.voc import place_of

        place_of(self.root)

    def load_files(self, select: Callable[[ImageSet], ImageSet]) -> ImageSet:
        from dimred.data.voc import load_voc2012

        return load_voc2012(self.root, self.image_size, select)
