"""Any folder of images."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.errors import InputError
from dimred.files import expanded, printable

READ = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".ppm", ".pgm"),
)
# Image formats that cannot be read here: reported as unreadable instead of ignored.
_NOT_READ = (".heic", ".heif", ".avif", ".jp2", ".jxl")
SUFFIXES = (*READ, *_NOT_READ)

# Pillow's decoders for the suffixes in READ. Pillow chooses one by the content of a file, and some
# of its other decoders run another program (EPS).
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_CHUNK = 256  # files a thread takes at a time
_ORIENTATION = 0x0112  # EXIF
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = {_TRANSPOSE[orientation] for orientation in (5, 6, 7, 8)}


@dataclass(frozen=True)
class _File:
    """A file: its path below the root, with "/" between parts, and the split and class from it."""

    path: str
    is_test: bool
    class_name: str | None

    @property
    def name(self) -> str:
        """The path as text."""
        return printable(self.path)


def load_image_folder(
    root: str,
    image_size: int,
    strict: bool,
    select: Callable[[ImageSet], ImageSet] = lambda images: images,
) -> ImageSet:
    """The images of a folder, uint8 (N, C, image_size, image_size); C = 1 if all are gray, else 3.

    Split: where root holds folders `train` and `test` (in any case) with images, these are the
        split, and no images may lie beside them. Where it holds only one of the two, there is no
        split, and that folder is read as if it were the root.
    Labels: a sub-folder of the root (of `train` and `test`, where there is a split) is a class, and
        everything below it belongs to it. A folder without sub-folders has no labels. Images beside
        class folders are refused, as their class is not known.
    Order: train before test, each sorted by path. Hidden files and folders and links that lead
        back into a folder above are ignored, as are files with other suffixes than SUFFIXES.
    Pixels: turned as EXIF says, transparency over white, 16-bit gray scaled to 8 bits (32-bit
        integers too, unless all are below 256), the first frame of animations. The largest central
        square is resized, which is what resizing the shorter side and then cropping gives.

    root: the folder; `~` is expanded.
    strict: refuse a file that cannot be read, instead of leaving it out and listing its name in
        `unreadable`. Such are damaged files, links to nothing, floating-point images and those of
        more pixels than Pillow takes for a decompression bomb.

    select: chooses the images to read; it receives all of them without their pixels, and only
        those it returns are opened.

    mean and std are those of the selected training images. Raises InputError for a folder that is
    missing, has no readable image, or has another layout.
    """
    folder = str(expanded(root))
    everything = _layout(root, image_paths(folder, f"dataset.root={root!r}"))
    index = select(_outline(everything)).index
    files = [everything[i] for i in index]
    pixels, is_gray, problems = _decode_all(folder, files, image_size, strict)
    readable = np.flatnonzero([problem is None for problem in problems])
    if not len(readable):
        raise InputError(
            f"dataset.root={root!r}: none of its {len(files)} images can be read; the first, "
            f"{files[0].name!r}: {problems[0]}"
        )
    if len(readable) < len(files):
        pixels, is_gray = pixels[readable], is_gray[readable]
    images = torch.from_numpy(pixels[:, :1].copy() if is_gray.all() else pixels)
    kept = [files[i] for i in readable]
    is_test = np.array([file.is_test for file in kept])
    if is_test.all():
        is_test = np.zeros_like(is_test)
    n_test = int(is_test.sum())
    split_name = f"train/ and test/ folders, {len(kept) - n_test:,}/{n_test:,}" if n_test else ""
    mean, std = channel_statistics(images, is_test)
    return ImageSet(
        images=images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=split_name,
        labels=_labels(kept),
        index=index[readable],
        sources=tuple(file.name for file in kept),
        unreadable=tuple(
            file.name for file, problem in zip(files, problems, strict=True) if problem is not None
        ),
    )


def _outline(files: Sequence[_File]) -> ImageSet:
    """All files as images without pixels."""
    return ImageSet(
        images=torch.empty(len(files), 1, 0, 0, dtype=torch.uint8),
        mean=(0.0,),
        std=(1.0,),
        is_test=np.array([file.is_test for file in files]),
        split_name="",
        labels=_labels(files),
        index=np.arange(len(files), dtype=np.int64),
    )


def image_paths(folder: str, named: str) -> Iterator[str]:
    """Paths of all image files below `folder`, relative to it, in arbitrary order.

    named: how error messages begin. Raises InputError for a folder that cannot be listed.
    """
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while pending:
        inside, above = pending.pop()
        path = Path(folder, inside)
        try:
            status = path.stat()
            entries = list(os.scandir(path))
        except OSError as error:
            below = f", folder {printable(inside)!r}" if inside else ""
            raise InputError(
                f"{named}{below}: {error.strerror}; must be a folder of images"
            ) from error
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                pending.append((f"{inside}{entry.name}/", above | {identity}))
            elif entry.name.lower().endswith(SUFFIXES) and _is_openable(entry):
                yield inside + entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_openable(entry: os.DirEntry[str]) -> bool:
    """False for entries other than files, such as a pipe, where opening would block."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry).exists())
    except OSError:
        return False


def _layout(root: str, paths: Iterator[str]) -> list[_File]:
    """Split and class of every path, in their order."""
    parts = [path.split("/") for path in paths]
    if not parts:
        raise InputError(
            f"dataset.root={root!r}: no images there; image files end in {' '.join(READ)}"
        )
    beside = [path for path in parts if not _is_split_folder(path)]
    has_split = len(beside) < len(parts)
    if has_split and beside:
        raise InputError(
            f"dataset.root={root!r}: {printable('/'.join(min(beside)))!r} lies beside the split "
            "folders train/ and test/; put all images, or all class folders, inside these two"
        )
    files = []
    for path in parts:
        inside = path[1:] if has_split else path
        class_name = printable(inside[0]) if len(inside) > 1 else None
        is_test = has_split and path[0].lower() == "test"
        files.append(_File("/".join(path), is_test, class_name))
    files.sort(key=lambda file: (file.is_test, file.path.split("/")))
    loose = next((file.name for file in files if file.class_name is None), None)
    classed = next((file.name for file in files if file.class_name is not None), None)
    if loose is not None and classed is not None:
        raise InputError(
            f"dataset.root={root!r}: {loose!r} is in no class folder but {classed!r} is in one; "
            "put every image into a class folder, or none"
        )
    return files


def _is_split_folder(parts: Sequence[str]) -> bool:
    return len(parts) > 1 and parts[0].lower() in ("train", "test")


def _labels(files: Sequence[_File]) -> LabelSet | None:
    class_names = [file.class_name for file in files if file.class_name is not None]
    if not class_names:
        return None
    names, values = np.unique(np.array(class_names, dtype=object), return_inverse=True)
    return LabelSet(values.astype(np.int64), tuple(names))


def _decode_all(
    folder: str, files: Sequence[_File], size: int, strict: bool
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], list[str | None]]:
    """`decode_files` for files below `folder`. strict: raise InputError for an unreadable file."""

    def refuse(i: int, problem: str) -> None:
        raise InputError(
            f"dataset.root={folder!r}: {files[i].name!r} cannot be read: {problem}; "
            "dataset.strict=false leaves such files out"
        )

    paths = [f"{folder}/{file.path}" for file in files]
    try:
        return decode_files(paths, (size, size), refuse if strict else None)
    except MemoryError as error:
        raise InputError(
            f"dataset.image_size={size}: {len(files)} such images need "
            f"{len(files) * 3 * size**2 / 2**30:,.0f} GiB of memory; set a smaller size"
        ) from error


def decode_files(
    paths: Sequence[str],
    size: tuple[int, int],
    refuse: Callable[[int, str], None] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], list[str | None]]:
    """Decode image files as `load_image_folder` describes.

    Returns pixels (N, 3, height, width), with three equal channels for gray images and undefined
    for unreadable files; whether each image is gray (N,); and for each the reason why it cannot be
    read, or None.

    size: (height, width); the largest central part of that shape is resized to it.
    refuse: called with the position of a file that cannot be read, and the reason.
    Raises MemoryError where the pixels do not fit in memory.
    """
    try:
        pixels = np.empty((len(paths), 3, *size), dtype=np.uint8)
    except ValueError as error:  # more bytes than an array can have
        raise MemoryError from error
    is_gray = np.zeros(len(paths), dtype=np.bool_)

    def decode_chunk(start: int) -> list[str | None]:
        problems: list[str | None] = []
        for i in range(start, min(start + _CHUNK, len(paths))):
            problem = None
            try:
                pixels[i], is_gray[i] = _decode(paths[i], size)
            except Exception as error:  # damaged files make Pillow raise many kinds
                problem = _reason(error)
                if refuse:
                    refuse(i, problem)
            problems.append(problem)
        return problems

    Image.init()
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and large images
        chunks = pool.map(decode_chunk, range(0, len(paths), _CHUNK))
        problems = [problem for chunk in chunks for problem in chunk]
    return pixels, is_gray, problems


def _reason(error: Exception) -> str:
    """One line that says why a file cannot be read."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _decode(path: str, size: tuple[int, int]) -> tuple[NDArray[np.uint8], bool]:
    """Pixels (1 or 3, height, width) of a file, and whether it is gray."""
    with Image.open(path, formats=_FORMATS) as image:
        # The JPEG decoder shrinks large images at little cost; the final resizing is precise.
        image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        plain = _gray_or_rgb(image)
        # After load(), as TIFF images are turned while they are loaded.
        transpose = _TRANSPOSE.get(_orientation(image))
    height, width = reversed(size) if transpose in _ON_ITS_SIDE else size
    inside_width = min(plain.width, plain.height * width / height)
    inside_height = min(plain.height, plain.width * height / width)
    left, top = (plain.width - inside_width) / 2, (plain.height - inside_height) / 2
    box = (left, top, left + inside_width, top + inside_height)
    part = plain.resize((width, height), Image.Resampling.BILINEAR, box, reducing_gap=3.0)
    if transpose is not None:
        part = part.transpose(transpose)
    pixels: NDArray[np.uint8] = np.asarray(part)
    if plain.mode == "L":
        return pixels[np.newaxis], True
    return pixels.transpose(2, 0, 1), False


def _orientation(image: Image.Image) -> int:
    try:
        orientation: int = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels are usable even if the metadata is damaged
        return 1
    return orientation


def _gray_or_rgb(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB. Raises ValueError for pixels whose range is not known."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("its integers are not in 0..65535")
        if image.mode == "I" and values.max() <= 255:
            return Image.fromarray(values.astype(np.uint8))
        return Image.fromarray(np.rint(values / 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("the range of its floating-point pixels is not known")
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque)
    return image if image.mode == mode else image.convert(mode)
