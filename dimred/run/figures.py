"""Figures of a run besides its maps: thumbnails, transformations, factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dimred.data.composite import in_words
from dimred.data.image_set import ImageSet
from dimred.plots.factors import (
    factor_figure,
    lines_figure,
    thumbnail_figure,
)
from dimred.plots.rotation import rotating_gif
from dimred.plots.style import to_png
from dimred.run.class_split import with_unseen_named
from dimred.run_folder.folder import RunFolder


def write_figures(
    folder: RunFolder, samples: ImageSet, n_images: int, z: NDArray[np.float32], title: str
) -> None:
    """Write the figures of a 2-D or 3-D map: `thumbnails`; for images with known factors of
    variation also `factors`, with transformations `lines_FACTOR`, and in 3-D `rotating.gif`.

    samples: the n_images images in all transformations, image-major. z: (samples, d).
    """
    if z.shape[1] not in (2, 3):
        return
    images = samples.images.numpy()
    n_variants = len(samples) // n_images
    colors = in_words(None, images.shape[1], samples.is_rgb)
    in_colors = f"; {colors}" if colors else ""
    subtitle = f"{len(z):,} images, some of them shown where the map places them{in_colors}"
    labels = with_unseen_named(samples)
    figure = thumbnail_figure(z, images, title, subtitle, labels=labels)
    folder.write_plot("thumbnails", to_png(figure))
    if not samples.factors:
        return
    figure = factor_figure(z, samples.factors, title, f"{len(z):,} images by factor of variation")
    folder.write_plot("factors", to_png(figure))
    if n_variants > 1:
        groups = np.arange(len(samples)) // n_variants
        for name, factor in samples.factors.items():
            figure = lines_figure(
                z,
                images,
                groups,
                factor.values,
                title,
                f"each line connects the copies of one image, by {name}{in_colors}",
                axes=(0, z.shape[1] - 1),
                order_name=f"{name} ({factor.unit})",
            )
            folder.write_plot(f"lines_{name}", to_png(figure))
    if z.shape[1] == 3:
        name, factor = next(iter(samples.factors.items()))
        folder.write_picture("rotating.gif", rotating_gif(z, name, factor))
