"""TIFF files of any type and number of channels and pages, by tifffile."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPage

from dimred.data.reading import CHANNELS, Header, Values, check_size, check_values, is_seen
from dimred.data.tiff_checks import (
    TOO_SHORT,
    UNCOMPRESSED,
    check_chain,
    check_planes,
    check_segments,
)
from dimred.data.window import range_of_type, type_name

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _YCBCR = 0, 1, 2, 6  # photometric interpretations
_JPEG = 7  # a compression
_PLANAR = 2  # one channel after the other
_SIGNED, _FLOAT = 2, 3  # sample formats
_UNSPECIFIED, _ASSOCIATED = 0, 1  # of further samples; the latter is of multiplied colors
_TRANSPARENCY = (_ASSOCIATED, 2)
_ORIENTATION = 274
# Of one sample a pixel, compressed: without the codecs that tifffile needs.
_DEEP_OF_PILLOW = ("uint16", "int16", "float32")
_PACKED_OF_PILLOW = "uint12"

_DAMAGED = "a TIFF of a kind that is not read, or damaged"

# What is wrong with a file is said where it is left out.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class Tiff:
    """The first series of images in an open TIFF, at full size.

    header: of its image. by_pillow: whether Pillow reads it, as all that has 8 bits and no pages.
    several: whether there are further series of images; smaller copies of the first are none.
    is_deep: whether its values have more than 8 bits. is_inverted: whether its 0 is white.
    is_padded: whether it has a fourth sample of no stated meaning beside red, green and blue of 8
        bits, which is not read.
    """

    def __init__(self, file: TiffFile, pages: str | None):
        self._file = file
        check_planes(file)
        try:
            all_series = file.series
            series, keyframe = all_series[0], all_series[0].keyframe
        except (OSError, MemoryError):
            raise
        except Exception as error:  # tifffile raises many kinds
            raise ValueError(_DAMAGED) from error
        if not isinstance(keyframe, TiffPage) or not {"Y", "X"} <= set(series.axes):
            raise ValueError("a TIFF of a kind that is not read")
        self._series, self.several = series, len(all_series) > 1
        self._page: TiffPage = keyframe
        check_chain(file)
        self._check_pages()
        check_segments(keyframe, keyframe, file)
        self._sizes = dict(zip(series.axes, series.shape, strict=True))
        if len(self._sizes) < len(series.axes):
            raise ValueError(f"its axes are {series.axes}, some of them twice")
        self._further = "".join(axis for axis in series.axes if axis not in "CSYX")
        self._outer = series.axes.removesuffix(keyframe.axes)
        # Of others, one plane of the file has values of several pages.
        self._by_plane = self._outer + keyframe.axes == series.axes
        self._by_plane &= not set(keyframe.axes) & set(self._further)
        self.pages = math.prod(self._sizes[axis] for axis in self._further)
        self._joined = pages == CHANNELS and self.pages > 1
        channels = self._sizes.get("C", 1) * (self.pages if self._joined else 1)
        self.is_inverted = self._page.photometric == _WHITE_IS_ZERO
        self.type, self.is_deep = _type_of(self._page), _bits(self._page) > 8
        base = 3 if self._page.photometric in (_RGB, _YCBCR) else 1
        self._last = self._kind_of_last(base) if channels == 1 else None
        self.is_padded = self._last == _UNSPECIFIED
        colors = self._sizes.get("S", 1) - (self._last is not None)
        is_plain = colors == base and not (self.is_padded and self._page.planarconfig == _PLANAR)
        self.header = Header(
            channels * colors,
            base == 3 and channels * colors == 3,
            "uint8" if _bits(self._page) < 8 else self.type,
            1 if self._joined else self.pages,
            "" if self._joined else self._further,
        )
        single = self.pages == 1 and channels == 1
        self.by_pillow = single and _is_of_pillow(self._page, self.type, is_plain)
        is_read = self._page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        is_read |= self._page.photometric == _YCBCR and self._page.compression == _JPEG
        if not self.by_pillow and not is_read:
            kind = getattr(self._page.photometric, "name", self._page.photometric)
            raise ValueError(f"a TIFF of several pages or channels in {kind}, which is not read")

    def _kind_of_last(self, base: int) -> int | None:
        """What the last sample is where it is no channel, as in TIFF's ExtraSamples. base: the
        number of those that are gray or color."""
        extra = tuple(map(int, self._page.extrasamples))
        if len(extra) != 1 or self._sizes.get("S", 1) != base + 1:
            return None
        # Many programs save color of 8 bits so, with nothing in the fourth sample.
        is_padding = self._page.photometric == _RGB and self.type == "uint8"
        is_no_channel = extra[0] in _TRANSPARENCY or (is_padding and extra[0] == _UNSPECIFIED)
        return extra[0] if is_no_channel else None

    def values(self, page: int | None) -> Values:
        """The values of its image, or of one of its pages.

        Raises ValueError where they cannot be read, or there is no such page.
        """
        if page is None and self.header.pages > 1:
            raise ValueError(
                f"has {self.header.pages} pages ({self.header.axes}); dataset.pages=images or "
                "channels says what they are"
            )
        if page is not None and not page < self.header.pages:
            raise ValueError(f"has no page {page}: they are 0 to {self.header.pages - 1}")
        height, width = self._sizes["Y"], self._sizes["X"]
        samples = self.header.channels + (self._last is not None)
        if not self._by_plane:
            samples *= self.header.pages  # which are read to have one
        check_size(width, height, height * width * samples * self._series.dtype.itemsize)
        planes = self._planes(page)
        self._check_there(planes)
        try:
            values = self._read(planes, page)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            if "imagecodecs" not in str(error):
                raise ValueError("its pixels cannot be read: it is damaged") from error
            how = getattr(self._page.compression, "name", self._page.compression)
            raise ValueError(
                f"its compression, {how}, needs imagecodecs; pip install -e '.[tiff]' in "
                "dimred's clone"
            ) from error
        return self._upright(values)

    def _planes(self, page: int | None) -> list[int]:
        """The numbers of the planes of the file that are read for a page, in the order of channels;
        those of all pages for None."""
        if not self._by_plane:
            return list(range(len(self._series)))
        sizes = [self._sizes[axis] for axis in self._outer]
        numbers = np.arange(math.prod(sizes)).reshape(sizes)
        of_pages = [axis for axis in self._outer if axis in self._further]
        order = [*of_pages, *(axis for axis in self._outer if axis not in of_pages)]
        numbers = numbers.transpose([self._outer.index(axis) for axis in order])
        numbers = numbers.reshape(self.pages, -1)
        return list((numbers.ravel() if page is None else numbers[page]).tolist())

    def _read(self, planes: list[int], page: int | None) -> NDArray[Any]:
        """(C, H, W) of the image at a page, or of all pages. planes: of the file, with it."""
        if self._by_plane:
            values = np.stack([self._plane(number) for number in planes])
            axes = "C" + self._page.axes.replace("C", "c")
        else:
            values, axes = self._whole, self._series.axes
            order = [*self._further, *(axis for axis in axes if axis not in self._further)]
            values = values.transpose([axes.index(axis) for axis in order])
            values = values.reshape(self.pages, *values.shape[len(self._further) :])
            axes = "Q" + "".join(axis for axis in axes if axis not in self._further)
            if page is not None:
                values, axes = values[page], axes[1:]
        order = [*(axis for axis in axes if axis not in "SYX"), *"SYX"]
        order = [axis for axis in order if axis in axes]
        values = values.transpose([axes.index(axis) for axis in order])
        return values.reshape(-1, *values.shape[-2:])

    @cached_property
    def _whole(self) -> NDArray[Any]:
        whole: NDArray[Any] = self._file.asarray(series=0, maxworkers=1)
        return whole

    def _plane(self, number: int) -> NDArray[Any]:
        """What a page of the file, as TIFF has pages, holds."""
        first, page = self._page, None if self._start is not None else self._series[number]
        if page is not None:
            return page.asarray(maxworkers=1).reshape(first.shape)
        assert self._start is not None
        type_ = self._file.byteorder + self._series.dtype.char
        at = self._start + number * first.nbytes
        return self._file.filehandle.read_array(type_, first.size, at).reshape(first.shape)

    def _upright(self, values: NDArray[Any]) -> Values:
        bits = _bits(self._page)
        if bits < 8:
            values = values.astype(np.uint8) * np.uint8(255 // (2**bits - 1))
        check_values(values)
        full = 255.0 if bits < 8 else _full(self.type)
        alpha = None
        if self._last is not None:
            last, values = values[-1], values[:-1]
            if self._last in _TRANSPARENCY:
                alpha = (last / full).astype(np.float32)
            if alpha is not None and self._last == _ASSOCIATED:
                # Light that is added where nothing is covered, which has no color of its own.
                colors = np.zeros(values.shape, np.result_type(values, np.float32))
                values = np.divide(values, alpha, out=colors, where=is_seen(alpha))
                if not self.type.startswith("float"):
                    values = values.clip(max=full)  # passed by rounding
                check_values(values)
        color = " RGBX" if self.is_padded else " RGB"
        channels = "" if len(values) == 1 else f", {len(values)} channels"
        tag = self._page.tags.get(_ORIENTATION)
        return Values(
            values,
            self.header.type,
            self.header.is_color,
            f"TIFF {self.type}{color if self.header.is_color else channels}",
            alpha,
            self.several,
            1 if tag is None or not isinstance(tag.value, int) else int(tag.value),
            self.is_inverted,
        )

    def _check_pages(self) -> None:
        """Raise ValueError where the file says that it has more pages than there are."""
        series, page, file = self._series, self._page, self._file
        planes = series.size // max(page.size, 1)
        self._start: int | None = None
        if planes <= min(len(series), len(file.pages)):
            return
        # A stack of more than 4 GB may have one page, with the values of all others behind it.
        self._start = series.dataoffset
        if self._start is None or self._start + series.nbytes > file.filehandle.size:
            raise ValueError(TOO_SHORT)

    def _check_there(self, planes: list[int]) -> None:
        """Raise ValueError where one of the planes that are to be read is not all there."""
        for number in planes if self._start is None else [0]:
            page = self._series[number]
            if page is None:
                raise ValueError("lacks some of its pages: they are in other files, or nowhere")
            check_segments(page, self._page, self._file)
            if not page.databytecounts or not all(page.databytecounts):
                raise ValueError("lacks some of its strips or tiles: it is damaged, or sparse")


@contextmanager
def opened_tiff(file: BinaryIO, pages: str | None) -> Iterator[Tiff]:
    """A TIFF in an open file. pages: what its pages are, as `Reading.pages`.

    Raises an exception of any class for one that cannot be read.
    """
    # Other files of the same series, which it may name, are left alone.
    try:
        tiff = TiffFile(file, name="a TIFF", _multifile=False)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # tifffile raises many kinds
        raise ValueError(_DAMAGED) from error
    with tiff:
        yield Tiff(tiff, pages)


def _bits(page: TiffPage) -> int:
    bits = page.bitspersample
    return int(bits if isinstance(bits, int) else min(bits))


def _type_of(page: TiffPage) -> str:
    bits = _bits(page)
    if page.dtype is None:
        raise ValueError(f"its values of {bits} bits are not read")
    if page.dtype.kind == "u" and bits not in (8, 16, 32, 64):
        return f"uint{bits}"
    return "uint1" if page.dtype.kind == "b" else type_name(page.dtype)


def _full(name: str) -> float:
    """The largest value of a type."""
    if name.endswith(("32", "64")) and not name.startswith("float"):
        return float(np.iinfo(name).max)
    return range_of_type(name)[1]


def _is_of_pillow(page: TiffPage, name: str, is_plain: bool) -> bool:
    """Whether Pillow reads a file of one image as it is.

    is_plain: whether its channels are gray or red, green and blue.
    """
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        return True  # palettes, CMYK and others that become colors
    if not is_plain:
        return False
    if _bits(page) <= 8 and page.sampleformat not in (_SIGNED, _FLOAT):
        return True
    if page.samplesperpixel > 1:
        return False
    is_black_zero = page.photometric == _BLACK_IS_ZERO
    is_little_endian = page.parent.byteorder == "<"
    if name == _PACKED_OF_PILLOW:
        return is_black_zero and is_little_endian
    # Of other compressed files Pillow swaps the bytes once more, or knows no such kind.
    deep = _DEEP_OF_PILLOW if is_black_zero and is_little_endian else ("uint16",)
    is_known = name in deep and (is_black_zero or is_little_endian)
    return is_known and page.compression != UNCOMPRESSED
