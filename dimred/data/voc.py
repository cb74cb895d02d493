"""The images of the PASCAL VOC challenge of 2012 (Everingham et al. 2015,
https://doi.org/10.1007/s11263-014-0733-5), with the classes that they show and boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.found import Found
from dimred.data.image_files import whole_pictures
from dimred.data.image_set import ImageSet, channel_statistics
from dimred.data.presence import Boxes, Presence
from dimred.errors import InputError
from dimred.files import expanded, printable, read_regular

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
_INSIDE = Path("VOCdevkit", "VOC2012")
_SIDES = ("train", "val")  # the labels of the test images are not published
_CHUNK = 512  # images decoded before they are copied


@dataclass(frozen=True)
class _Annotation:
    """What an annotation says of an image: width and height in pixels, and of each object that is
    not difficult its class and left, top, right and bottom as in `Boxes`; and how many are."""

    size: tuple[int, int]
    objects: list[tuple[int, tuple[float, float, float, float]]]
    difficult: int


def place_of(root: str) -> Path:
    """The folder VOC2012. Raises InputError where there is none."""
    place = expanded(root) / _INSIDE
    if not place.is_dir():
        raise InputError(
            f"dataset.root={root!r}: no {_INSIDE} there; unpack VOCtrainval_11-May-2012.tar into "
            "it, or set dataset.root=FOLDER to the folder that holds it"
        )
    return place


def load_voc2012(
    root: str, image_size: int, select: Callable[[ImageSet], ImageSet] = lambda images: images
) -> ImageSet:
    """The train images of VOC 2012, then its val images, which are the test images, uint8
    (N, 3, image_size, image_size), with `presence` of the 20 classes and `boxes`.

    The longer side of an image is made as small as image_size, and not enlarged; it lies in the
    middle, and the rest is black. Objects that are marked as difficult are left out, as by
    the measures of the challenge: an image that shows a class only so counts as not showing it.
    (The challenge leaves such images out of that class's measure.)

    root: the folder that holds VOCdevkit; `~` is expanded. select: chooses the images to read; it
        receives all of them without their pixels, and only those it returns are opened.
    Raises InputError for files that are missing or damaged.
    """
    from torchvision.datasets import VOCDetection

    place_of(root)
    parts = []
    for side in _SIDES:
        try:
            parts.append(VOCDetection(str(expanded(root)), year="2012", image_set=side))
        except OSError as error:
            raise InputError(
                f"dataset.root={root!r}: {printable(error.filename)!r}: {error.strerror}"
            ) from error
    paths = [path for part in parts for path in part.images]
    said = [_annotation(path) for part in parts for path in part.annotations]
    is_test = np.arange(len(paths)) >= len(parts[0].images)
    outline = _outline(paths, said, is_test, image_size)
    folder = expanded(root)
    sources = tuple(printable(Path(path).relative_to(folder).as_posix()) for path in paths)
    chosen = select(replace(outline, sources=sources))
    pixels = _pixels([paths[i] for i in chosen.index], [said[i] for i in chosen.index], image_size)
    images = torch.from_numpy(pixels)
    # All where only test images are chosen.
    mean, std = channel_statistics(images, chosen.is_test & ~chosen.is_test.all())
    n_test = int(chosen.is_test.sum())
    hard = sum(said[i].difficult for i in chosen.index)
    notes = (f"{hard:,} objects that are marked as difficult are left out",) if hard else ()
    return replace(
        chosen,
        images=images,
        mean=mean,
        std=std,
        split_name=f"VOC's train and val, {len(images) - n_test:,}/{n_test:,}" if n_test else "",
        found=Found(notes=notes),
    )


def _outline(
    paths: Sequence[str], said: Sequence[_Annotation], is_test: NDArray[np.bool_], side: int
) -> ImageSet:
    """The images without pixels."""
    n = len(paths)
    shown = np.zeros((n, len(VOC_CLASSES)), dtype=np.bool_)
    image, kind, corners = list[int](), list[int](), list[NDArray[np.float64]]()
    for i, about in enumerate(said):
        width, height = _shrunk(about.size, side)
        factors = np.tile(np.array([width, height]) / about.size, 2)
        corner = np.tile(_corner((width, height), side), 2)
        for number, box in about.objects:
            shown[i, number] = True
            image.append(i)
            kind.append(number)
            corners.append(np.array(box) * factors + corner)
    boxes = Boxes(
        np.array(image, np.int64), np.array(kind, np.int64), np.array(corners).reshape(-1, 4)
    )
    return ImageSet(
        images=torch.empty(n, 3, 0, 0, dtype=torch.uint8),
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        is_test=is_test,
        split_name="",
        labels=None,
        index=np.arange(n, dtype=np.int64),
        presence=Presence(shown, VOC_CLASSES),
        boxes=boxes,
    )


def _shrunk(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height as `whole_pictures` makes them."""
    scale = min(side / max(size), 1)
    width, height = (max(round(length * scale), 1) for length in size)
    return width, height


def _corner(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Left and top of an image of this width and height in the middle of a square, so that the
    center of the square is that of the image, or half a pixel beside it."""
    width, height = size
    return (side - width) // 2, (side - height) // 2


def _pixels(paths: Sequence[str], said: Sequence[_Annotation], side: int) -> NDArray[np.uint8]:
    try:
        pixels = np.zeros((len(paths), 3, side, side), dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        raise InputError(
            f"dataset.image_size={side}: {len(paths):,} such images need "
            f"{len(paths) * 3 * side**2 / 2**30:,.0f} GiB of memory; set a smaller size"
        ) from error
    for start in range(0, len(paths), _CHUNK):
        for i, picture in enumerate(whole_pictures(paths[start : start + _CHUNK], side), start):
            if picture is None:
                raise InputError(f"{printable(paths[i])!r}: is missing or cannot be read")
            width, height = _shrunk(said[i].size, side)
            if picture.shape[1:] != (height, width):
                raise InputError(
                    f"{printable(paths[i])!r}: is of another size than its annotation says, "
                    f"{said[i].size[0]}x{said[i].size[1]}"
                )
            left, top = _corner((width, height), side)
            pixels[i, :, top : top + height, left : left + width] = picture
    return pixels


def _annotation(path: str) -> _Annotation:
    """What an XML file of VOC says. Raises InputError for one that cannot be read."""
    try:
        tree = ElementTree.fromstring(read_regular(path))
        width, height = (int(_text(tree, f"size/{key}")) for key in ("width", "height"))
        objects, difficult = [], 0
        for entry in tree.iter("object"):
            if entry.findtext("difficult", "0").strip() == "1":
                difficult += 1
                continue
            kind = VOC_CLASSES.index(_text(entry, "name"))
            left, top, right, bottom = (
                float(_text(entry, f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax")
            )
            # Pixels count from 1, and the last one is inside.
            box = (max(left - 1, 0), max(top - 1, 0), min(right, width), min(bottom, height))
            if not (box[0] < box[2] and box[1] < box[3]):
                raise ValueError("a box without an area")
            objects.append((kind, box))
    except OSError as error:
        raise InputError(f"{printable(path)!r}: {error.strerror or 'cannot be read'}") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{printable(path)!r}: is no annotation of VOC ({error})") from error
    return _Annotation((width, height), objects, difficult)


def _text(element: ElementTree.Element, path: str) -> str:
    """The text of a part. Raises ValueError without one."""
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"no {path}")
    return text.strip()
