"""Where the pixels of an image set come from, before they are kept in memory or in a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dimred.data.image_decoding import Decoded
    from dimred.data.known_digests import KnownDigests


@dataclass(frozen=True)
class Block:
    """Images read from a source.

    pixels: uint8 (m, C, H, W) of those that can be read, in order.
    problems: the reason why an image cannot be read, by its position in the source.
    about: what else is known of each of the m images (without pixels); None for arrays.
    """

    pixels: NDArray[np.uint8]
    problems: dict[int, str] = field(default_factory=dict)
    about: list[Decoded] | None = None


class PixelSource(Protocol):
    """N images that are read in blocks, in any order and from any thread, always to the same bytes.

    shape: channels, height and width of each image, the same of all.
    """

    shape: tuple[int, int, int]

    def __len__(self) -> int: ...

    def read(self, first: int, stop: int) -> Block:
        """The images at first to stop - 1."""
        ...

    def key(self, known: KnownDigests | None = None) -> bytes:
        """What the pixels depend on, 32 bytes: the content of the files and their order, the size,
        the window and how this version reads; not where the files lie. Takes as long as reading
        the files whose digests are not known."""
        ...

    def state(self, first: int, stop: int) -> str:
        """What the files of the images at first to stop - 1 are found as now, without being read:
        another text once one has changed. "" where `read` raises for files that have."""
        ...
