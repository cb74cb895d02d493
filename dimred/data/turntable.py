"""Renderings of a toy airplane on a turntable, in place of small NORB's photographs.

Hadsell, Chopra and LeCun (2006) map the 972 images of one small NORB airplane: 9 elevations of the
camera, 18 azimuths of the object and 6 lightings. These are as many views of our own 3-D model.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.image_set import Factor, ImageSet, LabelSet, channel_statistics
from dimred.data.turntable_render import (
    AZIMUTHS,
    ELEVATIONS,
    LIGHTINGS,
    SHAPE,
    render_turntable,
)
from dimred.errors import InputError
from dimred.files import expanded, open_regular, write_atomically

_FILE = "turntable-v1.npz"  # raise the version whenever the images change


def load_turntable(root: str, n_test: int, seed: int) -> ImageSet:
    """The images of `render_turntable`, uint8 (972, 1, 96, 96), of which `n_test` are drawn by
    `seed` as test images; Hadsell et al. (2006) train on 660 and test on 312.

    The images are cached in a file of the folder `root`; `~` is expanded. A missing or damaged file
    is made anew. Where it cannot be written, the images are rendered each time.

    extra_labels has "lighting", six classes; factors has "elevation" of the camera and "azimuth"
    of the airplane, in degrees.

    Raises InputError for `n_test` out of range.
    """
    n = SHAPE[0]
    if not 0 <= n_test < n:
        raise InputError(f"dataset.n_test={n_test}: must be from 0 to {n - 1}")
    images = torch.from_numpy(_images(root)).unsqueeze(1)
    index = np.arange(n, dtype=np.int64)
    is_test = np.isin(index, np.random.default_rng(seed).permutation(n)[:n_test])
    mean, std = channel_statistics(images, is_test)
    elevation, azimuth, lighting = np.meshgrid(
        ELEVATIONS, AZIMUTHS, np.arange(len(LIGHTINGS), dtype=np.int64), indexing="ij"
    )
    names = tuple(str(i) for i in range(len(LIGHTINGS)))
    return ImageSet(
        images=images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=f"random {n - n_test}/{n_test}, seed {seed}" if n_test else "",
        labels=None,
        index=index,
        extra_labels={"lighting": LabelSet(lighting.flatten(), names)},
        factors={
            "elevation": Factor(elevation.flatten(), "degrees"),
            "azimuth": Factor(azimuth.flatten(), "degrees", period=360.0),
        },
    )


def _images(root: str) -> NDArray[np.uint8]:
    """The images from the cache file, or rendered and then cached if possible."""
    path = expanded(root) / _FILE
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as content:
            kept: NDArray[np.uint8] = content["images"]
            if kept.shape == SHAPE and kept.dtype == np.uint8:
                return kept
    except Exception:  # zipfile, zlib and NumPy raise different classes
        pass
    images = render_turntable()
    content = io.BytesIO()
    np.savez_compressed(content, images=images)
    with contextlib.suppress(OSError):
        write_atomically(path, content.getbuffer())
    return images
