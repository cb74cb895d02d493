"""A dataset of images in five channels."""

from dataclasses import dataclass

import numpy as np
import torch

from dimred.data import DatasetOptions, ImageSet, LabelSet, channel_statistics
from dimred.options import option, register


@register("dataset", "spectra")
@dataclass
class Spectra(DatasetOptions):
    """Images of 8x8 pixels that are bright in one of their channels, which is the class."""

    count: int = option(100, "How many images.", at_least=16)
    channels: int = option(5, "Of each image.", at_least=1, at_most=16)

    def read(self, seed):
        rng = np.random.default_rng(seed)
        classes = rng.permutation(np.arange(self.count) % self.channels)
        images = rng.integers(0, 30, (self.count, self.channels, 8, 8), dtype=np.uint8)
        images[np.arange(self.count), classes] += 220
        pixels = torch.from_numpy(images)
        is_test = np.arange(self.count) % 3 == 0
        mean, std = channel_statistics(pixels, is_test)
        names = tuple(f"channel {number}" for number in range(self.channels))
        return ImageSet(
            pixels,
            mean,
            std,
            is_test=is_test,
            split_name="every third",
            labels=LabelSet(classes.astype(np.int64), names),
            index=np.arange(self.count),
            is_rgb=False,
        )
