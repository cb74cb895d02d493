"""TIFF files of any type and number of channels and pages, by tifffile."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPage

from dimred.data.reading import CHANNELS, Header, Values, check_size, check_values
from dimred.data.window import range_of_type, type_name

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _YCBCR = 0, 1, 2, 6  # photometric interpretations
_UNCOMPRESSED, _JPEG = 1, 7
_SIGNED, _FLOAT = 2, 3  # sample formats
_ASSOCIATED = 1  # of transparency: colors are multiplied by it
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
    is_deep: whether its values have more than 8 bits.
    """

    def __init__(self, file: TiffFile, pages: str | None):
        self._file = file
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
        self._check_chain()
        self._check_segments()
        self._sizes = dict(zip(series.axes, series.shape, strict=True))
        if len(self._sizes) < len(series.axes):
            raise ValueError(f"its axes are {series.axes}, some of them twice")
        self._further = "".join(axis for axis in series.axes if axis not in "CSYX")
        self.pages = math.prod(self._sizes[axis] for axis in self._further)
        self._joined = pages == CHANNELS and self.pages > 1
        samples = self._sizes.get("S", 1)
        channels = self._sizes.get("C", 1) * (self.pages if self._joined else 1)
        extra = tuple(map(int, self._page.extrasamples))
        base = 3 if self._page.photometric in (_RGB, _YCBCR) else 1
        self._alpha = extra[0] if len(extra) == 1 and extra[0] in _TRANSPARENCY else 0
        if channels > 1 or samples != base + 1:
            self._alpha = 0
        colors = samples - bool(self._alpha)
        self.type, self.is_deep = _type_of(self._page), _bits(self._page) > 8
        self.header = Header(
            channels * colors,
            base == 3 and channels * colors == 3,
            "uint8" if _bits(self._page) < 8 else self.type,
            1 if self._joined else self.pages,
            "" if self._joined else self._further,
        )
        single = self.pages == 1 and channels == 1
        self.by_pillow = single and _is_of_pillow(self._page, self.type, colors == base)
        is_read = self._page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        is_read |= self._page.photometric == _YCBCR and self._page.compression == _JPEG
        if not self.by_pillow and not is_read:
            kind = getattr(self._page.photometric, "name", self._page.photometric)
            raise ValueError(f"a TIFF of several pages or channels in {kind}, which is not read")

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
        samples = self.header.channels + bool(self._alpha)
        check_size(width, height, height * width * samples * self._series.dtype.itemsize)
        try:
            values = self._read(page)
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

    def _read(self, page: int | None) -> NDArray[Any]:
        """(C, H, W) of the image at a page, or of all pages."""
        series, inner = self._series, self._page.axes
        outer = series.axes.removesuffix(inner)
        sizes = [self._sizes[axis] for axis in outer]
        of_pages = [axis for axis in outer if axis in self._further]
        if outer + inner == series.axes and not set(inner) & set(self._further):
            numbers = np.arange(math.prod(sizes)).reshape(sizes)
            order = [*of_pages, *(axis for axis in outer if axis not in of_pages)]
            numbers = numbers.transpose([outer.index(axis) for axis in order])
            numbers = numbers.reshape(self.pages, -1)
            key = numbers.ravel() if page is None else numbers[page]
            values = self._file.asarray(key=key.tolist(), series=0, maxworkers=1)
            values = values.reshape(len(key), *self._page.shape)
            axes = "C" + inner.replace("C", "c")
        else:
            values, axes = self._file.asarray(series=0, maxworkers=1), series.axes
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

    def _upright(self, values: NDArray[Any]) -> Values:
        bits = _bits(self._page)
        if bits < 8:
            values = values.astype(np.uint8) * np.uint8(255 // (2**bits - 1))
        check_values(values)
        full = 255.0 if bits < 8 else _full(self.type)
        alpha = None
        if self._alpha:
            alpha = (values[-1] / full).astype(np.float32)
            values = values[:-1]
            if self._alpha == _ASSOCIATED:
                values = values / np.maximum(alpha, np.finfo(np.float32).tiny)
        if self._page.photometric == _WHITE_IS_ZERO:
            values = full - values.astype(np.float64)
        channels = "" if len(values) == 1 else f", {len(values)} channels"
        tag = self._page.tags.get(_ORIENTATION)
        return Values(
            values,
            self.header.type,
            self.header.is_color,
            f"TIFF {self.type}{' RGB' if self.header.is_color else channels}",
            alpha,
            self.several,
            1 if tag is None or not isinstance(tag.value, int) else int(tag.value),
        )

    def _check_segments(self) -> None:
        """Raise ValueError where the strips or tiles are not all there, of which tifffile makes
        black, or where one of them would need far more memory than the file."""
        page, itemsize = self._page, self._series.dtype.itemsize
        for height, width in ((page.imagelength, page.imagewidth), page.chunks[:2]):
            check_size(width, height, height * width * itemsize)
        counts = page.databytecounts
        is_short = 0 < len(counts) < math.prod(page.chunked)
        is_compressed = page.compression != _UNCOMPRESSED
        if is_short or (is_compressed and max(counts, default=0) > self._file.filehandle.size):
            raise ValueError("claims more pixels than the file holds: it is damaged")

    def _check_chain(self) -> None:
        """Raise ValueError where the last page names a next one beyond the end of the file."""
        format_, file = self._file.tiff, self._file.filehandle
        offset = self._file.pages[-1].offset
        file.seek(offset)
        count = int.from_bytes(file.read(format_.tagnosize), _order(format_.byteorder))
        file.seek(offset + format_.tagnosize + count * format_.tagsize)
        following = file.read(format_.offsetsize)
        if int.from_bytes(following, _order(format_.byteorder)) >= file.size:
            raise ValueError("its pages end too early: it is damaged")


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


def _order(mark: str) -> Any:
    return "little" if mark == "<" else "big"


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
    is_compressed = page.compression != _UNCOMPRESSED
    return name == _PACKED_OF_PILLOW or (is_compressed and name in _DEEP_OF_PILLOW)
