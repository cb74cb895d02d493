"""Which figures a run gets besides its maps: thumbnails, transformations, factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet
from dimred.plots.factors import (
    factor_figure,
    lines_figure,
    thumbnail_figure,
)
from dimred.plots.rotation import rotating_gif
from dimred.plots.style import to_png
from dimred.run_folder.folder import RunFolder


def write_figures(
    folder: RunFolder, items: ImageSet, n_images: int, z: NDArray[np.float32], title: str
) -> None:
    """Write the figures of a map of 2 or 3 dimensions: `thumbnails`, and where the images vary by
    known factors `factors`, `lines_FACTOR` for transformations, and `rotating.gif` in 3-D.

    items: the n_images images in all transformations, image-major; z: (items, d).
    """
    if z.shape[1] not in (2, 3):
        return
    images = items.images.numpy()
    every = len(items) // n_images
    subtitle = f"{len(z):,} images, some of them shown where the map places them"
    figure = thumbnail_figure(z, images, title, subtitle, labels=items.labels)
    folder.write_plot("thumbnails", to_png(figure))
    if not items.factors:
        return
    figure = factor_figure(z, items.factors, title, f"{len(z):,} images by what they vary in")
    folder.write_plot("factors", to_png(figure))
    if every > 1:
        groups = np.arange(len(items)) // every
        for name, factor in items.factors.items():
            figure = lines_figure(
                z,
                images,
                groups,
                factor.values,
                title,
                f"a line for each of some images, through its copies by {name}",
                axes=(0, z.shape[1] - 1),
                order_name=f"{name} ({factor.unit})",
            )
            folder.write_plot(f"lines_{name}", to_png(figure))
    if z.shape[1] == 3:
        name, factor = next(iter(items.factors.items()))
        folder.write_picture("rotating.gif", rotating_gif(z, name, factor))
