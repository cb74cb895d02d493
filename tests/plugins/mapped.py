"""Images mapped from a file, larger than memory perhaps, and a network that is quick on them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dimred.data import DatasetOptions, ImageSet, LabelSet, channel_statistics
from dimred.models import Backbone, ModelOptions
from dimred.options import option, register


@register("dataset", "mapped")
@dataclass
class Mapped(DatasetOptions):
    """Gray images FILE.npy, uint8 (N, H, W), with classes FILE.labels.npy, as of textures.py."""

    file: str = option("???", "The file.")
    first: int = option(10**9, "How many of its images.", at_least=16)
    names: bool = option(False, "Whether images have the names of files.")

    def read(self, seed):
        file = Path(self.file)
        # Shared with the file, so that it is no memory of the process.
        pixels = np.load(file, mmap_mode="r+")[: self.first, None]
        classes = np.load(file.with_suffix(".labels.npy"))[: self.first]
        images = torch.from_numpy(pixels)
        n = len(images)
        is_test = np.arange(n) % 10 == 0
        some = torch.from_numpy(pixels[:1_000])
        mean, std = channel_statistics(some, is_test[:1_000])
        return ImageSet(
            images,
            mean,
            std,
            is_test=is_test,
            split_name="every tenth",
            labels=LabelSet(classes, tuple(f"texture {kind}" for kind in range(20))),
            index=np.arange(n),
            sources=tuple(f"texture/{i:07d}.png" for i in range(n)) if self.names else None,
        )


class Patches(Backbone):
    """The mean of what patches are mapped to."""

    def __init__(self, channels, side, width):
        super().__init__()
        self.out_features = width
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(channels, width, side, side),
            torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
        )

    def forward(self, images):
        return self.layers(images)


@register("model", "patches")
@dataclass
class PatchesOptions(ModelOptions):
    """One convolution as wide as its stride, and the mean."""

    width: int = option(128, "The dimension of H.", at_least=1)
    side: int = option(16, "Of patches in pixels.", at_least=1)

    def backbone(self, channels, image_size):
        return Patches(channels, self.side, self.width)
