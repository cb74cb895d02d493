"""The arrays of an .npz file, or the one of an .npy file, checked before they are read."""

from __future__ import annotations

import math
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dimred.array_files import NPY, Header, content_of, header_of, read_header
from dimred.data.file_version import version_of
from dimred.data.free_memory import require_memory
from dimred.data.known_digests import DIGEST, KnownDigests
from dimred.data.stored_array import Rows, StoredArray, checksum
from dimred.errors import InputError
from dimred.files import expanded, open_regular

IMAGES = "images"
SINGLE = ("axes", "rgb")
"""Arrays of one value."""
_ONE_AN_IMAGE = ("labels", "split")
_ADVICE = "save fewer or smaller images, or uncompressed"


class ArrayFile:
    """The arrays of a file that have a known name; that of an .npy file is called `images`.

    images: its array of images, None where there is none: in the file still, where it lies there
        uncompressed and image after image, else in memory. all_names: of its arrays.
    named: how error messages begin. known: digests of files, which an array that stays in its file
        need not be read for, to know that it is sound.

    What an array claims to be is known from its header before it is read, and refused where the
    file does not hold as much, or the machine could not. Raises InputError for such, and for a file
    that is missing, damaged or of another kind.
    """

    def __init__(
        self,
        path: str,
        named: str,
        known_names: tuple[str, ...],
        known: KnownDigests | None = None,
    ):
        self.named, self.known_names, self.known = named, known_names, known
        self.path = str(expanded(path))
        self.images: Rows | None = None
        self.arrays: dict[str, NDArray[Any]] = {}
        try:
            with open_regular(self.path) as opened:  # NumPy would leave a damaged file open
                self._version = version_of(opened)
                self.all_names = self._read(opened)
        except OSError as error:
            raise self.error(error.strerror or "cannot be read") from error

    def error(self, problem: str) -> InputError:
        return InputError(f"{self.named}: {problem}")

    def get(self, name: str, n: int | None = None) -> NDArray[Any] | None:
        """An array but the images, with bytes decoded to strings, or None. n: require (n,)."""
        array = self.arrays.get(name)
        if array is None:
            return None
        if n is not None:
            self._check_shape(name, array.shape, n)
        if array.dtype.kind == "S":
            try:
                return np.char.decode(array, "utf-8")
            except UnicodeDecodeError as error:
                raise self.error(f"array '{name}' has bytes that are not UTF-8") from error
        return array

    def scalar(self, name: str, kinds: str) -> Any:
        """The only value of an array of some kinds of NumPy's types. None where there is no such
        array: others may have that name by chance."""
        array = self.arrays.get(name)
        if array is None or array.dtype.kind not in kinds:
            return None
        value = self.get(name)
        return None if value is None else value.item()

    def _check_shape(self, name: str, shape: tuple[int, ...], n: int) -> None:
        # One column alone may be meant as the class of each image.
        is_matrix = name == "labels" and len(shape) == 2 and shape[0] == n and shape[1] > 1
        if shape != (n,) and not is_matrix:
            matrix = f", or ({n}, K), K at least 2" if name == "labels" else ""
            raise self.error(f"array '{name}' has shape {shape}; {n} images need ({n},){matrix}")

    def _read(self, file: BinaryIO) -> list[str]:
        """Read the arrays with a known name, and return the names of all."""
        is_single = file.read(len(NPY)) == NPY
        file.seek(0)
        if is_single:
            self.images = self._single(file)
            return [IMAGES]
        try:
            content = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise self.error("neither an .npz nor an .npy file, or damaged") from error
        names = list(content)
        for name in self.known_names:
            if name == IMAGES and name in names:
                self.images = self._array(file, content, name)
            elif name in names:
                array = self._array(file, content, name)
                if array is not None:
                    assert isinstance(array, np.ndarray)
                    self.arrays[name] = array
        return names

    def _single(self, file: BinaryIO) -> Rows:
        size = file.seek(0, 2)
        file.seek(0)
        try:
            header = header_of(file, size, IMAGES)
            assert header is not None
        except Exception as error:  # NumPy raises different classes
            raise self._damaged(IMAGES) from error
        self._check_header(IMAGES, header)
        if self._stays(header):
            return self._stored(header, header.start)
        file.seek(0)
        return self._in_memory(IMAGES, header, lambda: np.load(file, allow_pickle=False))

    def _array(self, file: BinaryIO, content: Any, name: str) -> Rows | None:
        try:
            archive = content.zip
            member = archive.NameToInfo.get(f"{name}.npy") or archive.getinfo(name)
            header = read_header(archive, member)
        except Exception as error:  # zipfile, zlib and NumPy raise different classes
            raise self._damaged(name) from error
        if header is None:  # NumPy returns other members of a zip as bytes
            raise self.error(f"'{name}' is no array; write the file with numpy.savez")
        if name in SINGLE and math.prod(header.shape) != 1:
            return None  # and may be large
        self._check_header(name, header)
        if name == IMAGES and member.compress_type == zipfile.ZIP_STORED and self._stays(header):
            start = content_of(file, member)
            if self._checksum(file, start, member.file_size) != member.CRC:
                raise self._damaged(name)
            return self._stored(header, start + header.start)
        return self._in_memory(name, header, lambda: content[name])

    def _check_header(self, name: str, header: Header) -> None:
        if name in _ONE_AN_IMAGE and self.images is not None and self.images.shape:
            self._check_shape(name, header.shape, len(self.images))
        if header.n_bytes > header.held:
            raise self.error(
                f"array '{name}' claims the shape {header.shape}, but the file holds "
                f"{header.held:,} bytes of it instead of {header.n_bytes:,}"
            )

    def _checksum(self, file: BinaryIO, start: int, size: int) -> int:
        def read() -> bytes:
            found = checksum(file, start, size).to_bytes(DIGEST)
            with open_regular(self.path) as now:  # whose digest becomes known
                if version_of(now) != self._version:
                    raise self.error("has changed while it was read")
            return found

        if self.known is None:
            return int.from_bytes(read())
        return int.from_bytes(self.known.of(self.path, f"CRC-32 of {size} from {start}", read))

    @staticmethod
    def _stays(header: Header) -> bool:
        """Whether rows of an array can be read from the file."""
        return header.in_c_order and len(header.shape) > 1 and header.n_bytes > 0

    def _stored(self, header: Header, start: int) -> StoredArray:
        return StoredArray(self.path, start, header.shape, header.dtype, self.named, self._version)

    def _in_memory(self, name: str, header: Header, read: Any) -> NDArray[Any]:
        what = f"{self.named}: array '{name}' of shape {header.shape}"
        require_memory(header.n_bytes, what, _ADVICE)
        try:
            array: NDArray[Any] = read()
        except MemoryError as error:
            raise self.error(
                f"array '{name}' needs more memory than there is; {_ADVICE}"
            ) from error
        except Exception as error:  # zipfile, zlib and NumPy raise different classes
            raise self._damaged(name) from error
        return array

    def _damaged(self, name: str) -> InputError:
        return self.error(
            f"array '{name}' is damaged, or of Python objects; write it with a plain dtype"
        )
