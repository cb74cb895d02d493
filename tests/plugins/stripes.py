"""A dataset and a network in one file."""

from dataclasses import dataclass

import numpy as np
import torch

from dimred.data import DatasetOptions, ImageSet, LabelSet, channel_statistics
from dimred.models import Backbone, ModelOptions
from dimred.options import option, register


@register("dataset", "stripes")
@dataclass
class Stripes(DatasetOptions):
    """Gray images of 8x8 pixels with one bright row, which is the class."""

    count: int = option(120, "How many images.", at_least=16)

    def read(self, seed):
        rng = np.random.default_rng(seed)
        classes = np.arange(self.count) % 8
        images = rng.integers(0, 100, (self.count, 1, 8, 8), dtype=np.uint8)
        images[np.arange(self.count), 0, classes] += 100
        pixels = torch.from_numpy(images)
        is_test = np.arange(self.count) % 5 == 0
        mean, std = channel_statistics(pixels, is_test)
        return ImageSet(
            pixels,
            mean,
            std,
            is_test=is_test,
            split_name="every fifth",
            labels=LabelSet(classes.astype(np.int64), tuple(f"row {row}" for row in range(8))),
            index=np.arange(self.count),
        )


class Flat(Backbone):
    """One linear layer."""

    def __init__(self, inputs, width):
        super().__init__()
        self.out_features = width
        self.layer = torch.nn.Linear(inputs, width)

    def forward(self, images):
        return self.layer(images.flatten(1))


@register("model", "flat")
@dataclass
class FlatOptions(ModelOptions):
    """One linear layer."""

    width: int = option(16, "The dimension of H.", at_least=1)

    def backbone(self, channels, image_size):
        return Flat(channels * image_size[0] * image_size[1], self.width)
