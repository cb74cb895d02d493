"""All pairings, each with images to make batches of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions, Outside
from dimred.data.image_set import Factor, ImageSet, LabelSet
from dimred.data.presence import Presence
from dimred.options.registry import registered
from dimred.pairing import (
    Classes,
    FixedTargets,
    InBatchSampling,
    Neighbors,
    PairingScope,
    PairSampling,
    TwoViews,
    Viewpoints,
    azimuth_and_elevation,
    neighborhood,
    neighborhood_and_transformation,
    same_class,
)

CPU = torch.device("cpu")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


N, T, BATCH = 9, 3, 4
# Images with two, one and no neighbors; 8 names one twice.
RAGGED = np.array([[1, 2], [0, -1], [-1, 5], [-1, -1], [8, 3], [-1, -1], [7, 0], [-1, -1], [2, 2]])
GRAPH = (np.arange(N)[:, None] + np.arange(1, 3)) % N
CLASSES = np.arange(N) % 3
ANGLES = (np.arange(N) * 20.0, 30.0 + 5 * (np.arange(N) % 4))


@dataclass(frozen=True)
class PairingCase:
    """make: the pairing; n_samples: how many samples its positions are among."""

    make: Callable[[], Any]
    n_samples: int

    def images(self):
        shape = (self.n_samples, 3, 8, 8)
        generator = torch.Generator().manual_seed(3)
        return torch.randint(1, 256, shape, dtype=torch.uint8, generator=generator)


def sampled(sampling, relation):
    """Samples of the relation are among more, in no order."""
    count = relation.categories.n * relation.n_variants
    positions = torch.randperm(count + 5, generator=torch.Generator().manual_seed(9))[:count]
    return PairingCase(partial(sampling, relation, positions, CPU), count + 5)


def targets(values, **options):
    return PairingCase(partial(FixedTargets, torch.arange(3, 3 + N), values, CPU, **options), N + 4)


in_batch = partial(InBatchSampling, batch_size=BATCH)
RELATIONS = {
    "neighborhood": neighborhood(Neighbors(GRAPH), T),
    "ragged": neighborhood_and_transformation(Neighbors(RAGGED), 2),
    "classes": same_class(Classes(CLASSES), T),
    "viewpoints": azimuth_and_elevation(Viewpoints(*ANGLES)),
}
MORE = {
    **{"vertical_flip": 0.5, "quarter_turns": 0.5, "rotate": 20, "outside": Outside.border},
    **{"blur": 0.5, "erase": 0.5, "channel_drop": 0.3},
}
PAIRINGS = {
    "two_views": PairingCase(
        lambda: TwoViews(torch.arange(N), BatchAugmentation(AugmentationOptions(noise=0.1))), N
    ),
    "turned_and_blurred": PairingCase(
        lambda: TwoViews(torch.arange(N), BatchAugmentation(AugmentationOptions(**MORE))), N
    ),
    **{f"in_batch_{name}": sampled(in_batch, relation) for name, relation in RELATIONS.items()},
    "in_batch_at_most": sampled(partial(in_batch, max_samples=10), RELATIONS["neighborhood"]),
    **{f"pairs_{name}": sampled(PairSampling, relation) for name, relation in RELATIONS.items()},
    "class_targets": targets(torch.arange(N) % 3, n_classes=3, shift=(2, 1)),
    "resized_targets": targets(torch.eye(N), shift=(1, 2), scales=(0.5, 1.5)),
    "factor_targets": targets(torch.arange(2.0 * N).view(N, 2)),
}


def built(name):
    """What the options of a registered pairing build, for images with classes and factors."""
    count = 24
    azimuths, elevations = np.divmod(np.arange(count), 4)
    images = ImageSet(
        images=torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=seeded(1)),
        mean=(0.5,) * 3,
        std=(0.2,) * 3,
        is_test=np.zeros(count, dtype=bool),
        split_name="",
        labels=LabelSet(np.arange(count) % 3, ("a", "b", "c")),
        index=np.arange(count),
        factors={
            "azimuth": Factor(azimuths * 20.0, "degrees", period=360.0),
            "elevation": Factor(30.0 + 5 * elevations, "degrees"),
        },
    )
    if name == "class_presence":
        shown = Presence(np.arange(count)[:, None] % 4 < np.arange(3), ("a", "b", "c"))
        images = replace(images, labels=None, presence=shown)
    options = registered("pairing")[name]()
    samples = options.samples(images)
    scope = PairingScope(samples, len(samples) // count, np.arange(count), None)
    return PairingCase(partial(options.build, scope, BATCH, CPU), len(samples))


PAIRINGS |= {
    f"registered_{name}": built(name)
    for name, options in registered("pairing").items()
    if options.origin is None
}
each_pairing = pytest.mark.parametrize("case", PAIRINGS.values(), ids=PAIRINGS.keys())
