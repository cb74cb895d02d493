"""Where images move on the map when a part of them is hidden, for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 127  # of a movement's largest component, in a signed byte


@dataclass(frozen=True)
class Movement:
    """How N images move on the map of the last stage where a square of them is hidden.

    moved: (N, rows, columns, d), where to, from where they are. unit: (N,), the distance to the
        neighbor that is the `k`th nearest. y, x: the centers of rows and columns of squares, as
        shares of the image's height and width, evenly spaced to half a pixel, as those of
        `dimred.models.occlusion.squares`: the page draws them so.
    """

    moved: NDArray[np.floating]
    unit: NDArray[np.floating]
    y: tuple[float, ...]
    x: tuple[float, ...]
    k: int

    def about(self) -> dict[str, Any]:
        """For the script."""
        return {"y": list(self.y), "x": list(self.x), "k": self.k}

    def arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """For the script: movements in bytes, a step of each image's, and the units."""
        flat = self.moved.reshape(len(self.moved), -1).astype(np.float64)
        step = np.maximum(np.abs(flat).max(axis=1), np.finfo(np.float32).tiny) / _STEPS
        yield "heat-moved", np.rint(flat / step[:, None]).astype("<i1")
        yield "heat-step", step.astype("<f4")
        yield "heat-unit", self.unit.astype("<f4")
