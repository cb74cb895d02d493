"""The index of a packed file of images: lines of JSON, each with its digest, which are added as the
images are, so that packing can go on after it was stopped anywhere."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

import numpy as np

from dimred.data.image_decoding import Decoded

_FORMAT = 2
_DIGEST = 16  # bytes
_NONE = np.empty((0, 0, 0), dtype=np.uint8)
_ABOUT = tuple(name for name in Decoded._fields if name != "pixels")
# What lines raise that are torn, or were not written here.
_OF_OTHER_HANDS = (AttributeError, KeyError, TypeError, ValueError, RecursionError)
_KINDS = get_type_hints(Decoded)


@dataclass(frozen=True)
class PackedBlock:
    """A block of a source in a packed file.

    first, stop: its positions in the source. count: number of images of it that are in the file.
    checksum: CRC-32 of their bytes. problems, about: as of `Block`. state: of the files before they
    were read, as of `PixelSource`.
    """

    first: int
    stop: int
    count: int
    checksum: int
    problems: dict[int, str]
    about: list[Decoded] | None
    state: str


@dataclass(frozen=True)
class Index:
    """What an index says.

    blocks: those that are packed. lengths: bytes of the lines of the first 0, 1, ... of them.
    is_complete: whether these are all images, and no line is torn or damaged.
    """

    blocks: list[PackedBlock]
    lengths: list[int]
    is_complete: bool


def first_line(key: bytes, count: int, shape: tuple[int, int, int]) -> bytes:
    """The first line of the index of `count` images."""
    head = {"format": _FORMAT, "key": key.hex(), "images": count, "shape": shape, "about": _ABOUT}
    return _line(head)


def block_line(block: PackedBlock) -> bytes:
    """The line of a block."""
    about: list[list[Any]] | None = None
    if block.about is not None:
        about = [[getattr(image, name) for name in _ABOUT] for image in block.about]
    content = {
        "first": block.first,
        "stop": block.stop,
        "checksum": block.checksum,
        "problems": {str(i - block.first): problem for i, problem in block.problems.items()},
        "about": about,
        "state": block.state,
    }
    return _line(content)


def last_line(lines_before: bytes) -> bytes:
    """The line that says that these are all."""
    return _line({"complete": _digest(lines_before)})


def checksum(content: bytes, before: int = 0) -> int:
    """CRC-32, which finds every changed bit, at about 2 GB a second. before: of what precedes."""
    return zlib.crc32(content, before)


def read_index(content: bytes, head: bytes, spans: Sequence[tuple[int, int]]) -> Index | None:
    """What the lines say, up to the first that is torn or damaged; None where the first line is
    another than `head`. spans: the blocks of the source."""
    if not content.startswith(head):
        return None
    blocks: list[PackedBlock] = []
    lengths = [len(head)]
    while (end := content.find(b"\n", lengths[-1]) + 1) > 0:
        try:
            said = _said(content[lengths[-1] : end])
            if len(blocks) == len(spans):
                whole = said == {"complete": _digest(content[: lengths[-1]])}
                return Index(blocks, lengths, whole and end == len(content))
            block = _block(said)
        except _OF_OTHER_HANDS:
            break
        if (block.first, block.stop) != spans[len(blocks)]:
            break
        blocks.append(block)
        lengths.append(end)
    return Index(blocks, lengths, False)


def _block(said: dict[str, Any]) -> PackedBlock:
    first, stop = int(said["first"]), int(said["stop"])
    problems = {first + int(i): str(problem) for i, problem in said["problems"].items()}
    if not set(problems) <= set(range(first, stop)):
        raise ValueError("problems of other images")
    count = stop - first - len(problems)
    about = said["about"]
    if about is not None:
        about = [_decoded(image) for image in about]
        if len(about) != count:
            raise ValueError("about other images")
    return PackedBlock(
        first, stop, count, int(said["checksum"]), problems, about, str(said["state"])
    )


def _decoded(values: list[Any]) -> Decoded:
    named = dict(zip(_ABOUT, map(_tupled, values), strict=True))
    if not all(_is(value, _KINDS[name]) for name, value in named.items()):
        raise TypeError(f"about an image: {named}")
    return Decoded(pixels=_NONE, **named)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, which may be of tuples, such as tuple[int, int]."""
    parts = get_args(kind)
    if not parts:
        return type(value) is kind
    return type(value) is tuple and len(value) == len(parts) and all(map(_is, value, parts))


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _line(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    return _digest(text).encode() + b" " + text + b"\n"


def _said(line: bytes) -> dict[str, Any]:
    """What a line says. Raises ValueError for one that is torn."""
    digest, _, text = line.rstrip(b"\n").partition(b" ")
    if digest.decode("latin-1") != _digest(text):
        raise ValueError("a torn line")
    said: dict[str, Any] = json.loads(text)
    return said


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST).hexdigest()
