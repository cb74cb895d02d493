"""Batches of a few classes with a few images of each, for losses of deep metric learning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor

from dimred.pairing.pairs import ClassPairs
from dimred.pairing.protocol import ALL, StepBatch

_FEW = 100  # batches, which cost little


class ClassBatches:
    """A step has some random classes, and as many random images of each of them, each once. A class
    with fewer images gives some of them repeatedly.

    The sampler of deep metric learning: "m per class" in pytorch-metric-learning and in Roth et al.
    2020, https://arxiv.org/abs/2002.08473. Which anchors a step is given does not matter, only how
    many they are. With two images of each class, their pairs are those of the N-pair loss (Sohn
    2016).

    samples: int64 (n,), positions of the images to learn from.
    classes: int64 (n,), the class of each, from 0, each of them with images.
    images_per_class: m, at least 2.
    augment: as in `TwoViews`.
    """

    def __init__(
        self,
        samples: Tensor,
        classes: Tensor,
        images_per_class: int,
        augment: Callable[[Tensor, torch.Generator, slice], Tensor],
        device: torch.device,
    ):
        self.anchors = torch.arange(len(samples))
        self.same_size = True
        self.images_per_class = images_per_class
        self.augment = augment
        sizes = torch.bincount(classes)
        self.n_classes = len(sizes)
        # Positions of the images of each class, (n_classes, size of the largest class).
        order = classes.argsort(stable=True)
        self.valid = torch.arange(int(sizes.max())) < sizes[:, None]
        members = torch.zeros(self.valid.shape, dtype=torch.int64)
        members[self.valid] = samples[order]
        self.members, self.sizes = members.to(device), sizes.to(device)
        self.valid = self.valid.to(device)

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        """As many images as anchors, at least two classes; rows of a class follow one another, and
        two and two are pairs."""
        m, device = self.images_per_class, self.members.device
        drawn = torch.randperm(self.n_classes, generator=generator, device=device)
        drawn = drawn[: self._classes_of(len(anchors))]
        keys = self._keys(drawn, generator)
        places = keys.topk(min(m, keys.shape[1]), largest=False).indices
        turns = torch.arange(m, device=device) % self.sizes[drawn, None].clamp_max(m)
        return self._batch(drawn, places.gather(1, turns))

    def covering(self, size: int, generator: torch.Generator) -> Iterator[StepBatch]:
        """Batches as `select` gives for `size` anchors, which together have every image. Where few
        classes have images left, others come again; where one class is much larger than the
        others, some of its images have no place in as many batches as three passes take."""
        most = max(3 * (len(self.anchors) // size + 1), _FEW)
        yield from islice(self._covering(size, generator), most)

    def _covering(self, size: int, generator: torch.Generator) -> Iterator[StepBatch]:
        m, device = self.images_per_class, self.members.device
        count = self._classes_of(size)
        order = self._keys(torch.arange(self.n_classes, device=device), generator).argsort(1)
        for first in range(0, int(self.sizes.max()), m):
            has_more = self.sizes > first
            keys = torch.rand(self.n_classes, generator=generator, device=device)
            classes = (keys - has_more.to(keys.dtype)).argsort()  # those that have more come first
            turns = torch.arange(first, first + m, device=device)
            for start in range(0, int(has_more.sum()), count):
                chosen = classes[min(start, self.n_classes - count) :][:count]
                yield self._batch(chosen, order[chosen].gather(1, turns % self.sizes[chosen, None]))

    def _classes_of(self, size: int) -> int:
        """How many classes a batch has."""
        return min(max(size // self.images_per_class, 2), self.n_classes)

    def _keys(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """Keys (c, size of the largest class) whose order is a random one of each class's images;
        those that it has not come last."""
        keys = torch.rand(self.valid[classes].shape, generator=generator, device=classes.device)
        return torch.where(self.valid[classes], keys, 2.0)

    def _batch(self, classes: Tensor, places: Tensor) -> StepBatch:
        """The batch of c classes with the images at m places in each (c, m)."""
        count, m = places.shape
        samples = self.members[classes].gather(1, places).flatten()
        rows = torch.arange(count * m, device=samples.device).view(count, m)
        left, right = rows[:, : m - 1 : 2], rows[:, 1::2]
        pairs = ClassPairs(classes.repeat_interleave(m), left.flatten(), right.flatten())
        return StepBatch(samples, count * m, pairs)

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """One augmented view of each image."""
        return self.augment(images, generator, part)
