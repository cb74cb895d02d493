"""What two images share: the exact split of their product into positions of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.captions import number, with_colors
from dimred.analysis.looked_at import LookedAt
from dimred.errors import InputError
from dimred.models.positions import grid_of, highest
from dimred.models.splitting import shared, split
from dimred.plots.heat import Heated, heat_sheet
from dimred.run_folder.finished import FinishedRun
from dimred.steps import bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12
"""Images on the sheet, each with its map and that of the other image."""


@dataclass(frozen=True)
class Shared:
    """What n images share with another one.

    space: "Z" or "H", whose product with that of the other image is split. product: (n,).
    maps, other_maps: float32 (n, rows, columns), the part that each position of the image, and of
        the other, has in the product; each sums up to it. x, y: where columns and rows are in the
        image, in pixels.
    """

    run: FinishedRun
    images: LookedAt
    other: LookedAt
    space: str
    product: NDArray[np.float32]
    maps: NDArray[np.float32]
    other_maps: NDArray[np.float32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """Where each image has most of the product, x and y in pixels, (n, 2)."""
        return highest(self.maps, self.y.tolist(), self.x.tolist())

    def csv_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of points.csv: one for each image. row: of the run's own images."""
        for i, cells in enumerate(self.images.cells):
            x, y = self.points[i]
            yield {
                **cells,
                "with": self.other.names[0],
                "product": number(self.product[i]),
                "x": number(x),
                "y": number(y),
            }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The content of maps.npz."""
        return {
            **self.images.arrays(),
            "with": np.array(self.other.names[0]),
            "space": np.array(self.space),
            "product": self.product,
            "maps": self.maps,
            "with_maps": self.other_maps,
            "point": self.points,
            "x": self.x,
            "y": self.y,
        }

    def lines(self) -> list[str]:
        """What was split, in words."""
        n, rows, columns = self.maps.shape
        why = "" if self.space == "Z" else ", since the head between H and Z has a hidden layer"
        return [
            f"{n:,} image{'' if n == 1 else 's'} and {self.other.names[0]}: their products in "
            f"{self.space}, each split exactly into {rows}x{columns} positions{why}"
        ]

    def figure(self) -> Figure:
        """Some of the images and the other one, with the maps of both."""
        shown, of = self.images.drawn(SHOWN)
        y, x = self.y.tolist(), self.x.tolist()
        heated = []
        for i in shown:
            for images, at, heat in (
                (self.images, i, self.maps[i]),
                (self.other, 0, self.other_maps[i]),
            ):
                (point,), caption = highest(heat[None], y, x), f"product {self.product[i]:.3g}"
                picture = self.run.pictured(images.pixels[at])
                heated.append(Heated(images.names[at], picture, heat, y, x, point, caption))
        return heat_sheet(
            heated,
            f"{self.run.record.data}: what images share with {self.other.names[0]}",
            with_colors(f"{of}, each followed by the other one", self.run.colors),
            f"The product of both in {self.space}, split into positions: dark has nothing of it or "
            "takes from it, bright has most; ring: the position with most.",
        )


def locate_shared(run: FinishedRun, images: LookedAt, other: LookedAt) -> Shared:
    """What images share with another one, `other`, by the run's encoder.

    Raises InputError for an encoder without an exact split (see `splitting.split`), and where
    `other` is not one image.
    """
    if len(other) != 1:
        raise InputError(f"--with {other.name}: must be one image, not {other.total:,}")
    compute = run.compute()
    encoder = compute.placed(run.encoder()).eval()

    def terms_of(pixels: torch.Tensor) -> Any:
        batch = pixels.to(compute.device).float().div_(255)
        return split(encoder, batch.contiguous(memory_format=compute.memory_format))

    reference = terms_of(torch.from_numpy(other.pixels))
    batches = torch.split(torch.from_numpy(images.pixels), run.config.eval.batch_size)
    parts = []
    for batch in bar(batches, len(batches), "splitting"):
        terms = terms_of(batch)
        of_images = shared(terms.values, reference.whole[0])
        of_other = torch.stack([shared(reference.values, one)[0] for one in terms.whole])
        parts.append((terms.whole @ reference.whole[0], of_images, of_other))
    product, maps, other_maps = (torch.cat(it).cpu().numpy() for it in zip(*parts, strict=True))
    channels, height, width = images.pixels.shape[1:]
    grid = grid_of(encoder.backbone, channels, (height, width))
    x, y = np.array(grid.x), np.array(grid.y)
    return Shared(run, images, other, reference.space, product, maps, other_maps, x, y)
