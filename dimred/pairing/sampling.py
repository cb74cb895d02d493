"""Sampling the labeled pairs of each training step from a relation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dimred.errors import InputError
from dimred.pairing.categories import distinct
from dimred.pairing.pairs import LabeledPairs
from dimred.pairing.protocol import ALL, StepBatch
from dimred.pairing.relation import DISSIMILAR, NOT_COMPARED, SIMILAR, Relation

_MAX_SAMPLES = 4096  # whose pairs take about a gigabyte


class _RelationSampling:
    """Base of both samplings.

    relation: over n images with n_variants variants each.
    samples: int64 (n * n_variants,), positions of the relation's samples among all samples.

    Raises InputError where a component has no dissimilar pair.

    Both samplings have the same expected loss, that of the balanced pair distribution over all
    unordered pairs of different samples: in each component, half of the weight is spread evenly
    over the similar pairs and half over the dissimilar ones (or all of it over one label where the
    other does not occur).
    """

    def __init__(self, relation: Relation, samples: Tensor, device: torch.device):
        self.relation = relation.to(device)
        self.samples = samples.to(device)
        self.anchors = torch.arange(relation.categories.n)
        self.same_size = False  # a sample drawn repeatedly is embedded once
        self.fixed_views = type(self).views is _RelationSampling.views  # no subclass's own
        totals = relation.totals()
        for component, (dissimilar, _) in zip(relation.components, totals.tolist(), strict=True):
            if dissimilar == 0:
                raise InputError(
                    f"pairing: no two of the training images are dissimilar by {component}, so "
                    "that nothing would keep the map from collapsing; take more images or classes"
                )
        present = totals > 0
        # The weight of one dissimilar and of one similar pair in each component, (p, 2).
        target = present / present.sum(1, keepdim=True).clamp_min(1) / totals.clamp_min(1)
        self.target = target.to(device)

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """The images as they are, scaled to [0, 1]."""
        return images[part].float().div_(255)


class PairSampling(_RelationSampling):
    """A step has as many random pairs as anchors; which anchors they are does not matter.

    The batches of Angel (2015): the pairs are divided equally among the components, half of them
    similar, and each pair has weight in its component only. There is at least one pair of each
    component and label.
    """

    def __init__(self, relation: Relation, samples: Tensor, device: torch.device):
        super().__init__(relation, samples, device)
        # Computed here, since reading from a device in every step would synchronize with it.
        target = self.target.tolist()
        self.cells = [
            (component, label)
            for component, weights in enumerate(target)
            for label in (SIMILAR, DISSIMILAR)
            if weights[label] > 0
        ]

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        p, cells = len(self.relation.components), self.cells
        lefts, rights, similar, weight = [], [], [], []
        per_component = [sum(c == component for c, _ in cells) for component in range(p)]
        count = max(len(anchors), len(cells))
        ends = [count * (i + 1) // len(cells) for i in range(len(cells))]
        for (component, label), start, end in zip(cells, [0, *ends], ends, strict=False):
            left, right = self.relation.draw(component, label, end - start, generator)
            lefts.append(left)
            rights.append(right)
            similar.append(torch.full((end - start, p), label == SIMILAR, device=left.device))
            weights = torch.zeros(end - start, p, device=left.device)
            weights[:, component] = 1 / per_component[component] / (end - start)
            weight.append(weights)
        samples = torch.cat((*lefts, *rights))
        unique, rows = torch.unique(samples, return_inverse=True)
        left, right = rows.view(2, -1)
        pairs = LabeledPairs(left, right, torch.cat(similar), torch.cat(weight))
        return StepBatch(self.samples[unique], len(unique), pairs)


class InBatchSampling(_RelationSampling):
    """A step has the anchors, their co-sampled neighbors, and all variants of these; each sample is
    embedded once, and every labeled pair among them is used.

    A pair's weight is its weight in the balanced pair distribution divided by its inclusion
    probability, the probability that a random batch includes it: the Horvitz-Thompson estimator
    (Horvitz, Thompson 1952, https://doi.org/10.1080/01621459.1952.10483446). So the expected loss
    and gradient are those of the balanced distribution.

    batch_size: number of anchors in every step, a random part of all of them.
    max_samples: maximum number of samples to embed; where there are more, a random selection. For
        the same work, more anchors with fewer samples each are more informative.
    """

    def __init__(
        self,
        relation: Relation,
        samples: Tensor,
        device: torch.device,
        batch_size: int,
        max_samples: int | None = None,
    ):
        super().__init__(relation, samples, device)
        self.max_samples = max_samples
        n, neighbors = relation.categories.n, relation.categories.co_sampled.to(device)
        reach = min(batch_size * (1 + neighbors.shape[1]), n) * relation.n_variants
        if min(reach, max_samples or reach) > _MAX_SAMPLES:
            raise InputError(
                f"schedule.batch_size={batch_size}: with neighbors and transformations that is up "
                f"to {reach:,} images a step and every pair among them; set "
                f"pairing.samples_per_step to at most {_MAX_SAMPLES:,}, or a smaller batch"
            )
        itself = torch.arange(n, device=device)[:, None]
        included = torch.cat((itself, distinct(neighbors)), dim=1)
        # The images that each anchor adds to a batch, padded with the anchor itself.
        self.images_of_anchor = torch.where(included < 0, itself, included)
        # Number of anchors that add an image to a batch; and that add both images of a pair.
        self.n_anchors = included[included >= 0].bincount(minlength=n)
        keys = torch.cat(list(_pair_keys(included)))
        self.pair_keys, self.n_anchors_of_pair = torch.unique(keys, return_counts=True)
        self.absence = _absence(n, batch_size, 2 * int(self.n_anchors.max())).to(device)

    def inclusion_probabilities(self, images: Tensor) -> Tensor:
        """Probability that a batch includes both images of a pair, float64 (m, m), for m sorted
        images; on the diagonal, that it includes the image."""
        single = self.n_anchors[images]
        low, high = torch.minimum(images[:, None], images), torch.maximum(images[:, None], images)
        keys = low * self.relation.categories.n + high
        place = torch.searchsorted(self.pair_keys, keys).clamp_max(len(self.pair_keys) - 1)
        both = torch.where(self.pair_keys[place] == keys, self.n_anchors_of_pair[place], 0)
        either = single[:, None] + single - both
        return 1 - self.absence[single][:, None] - self.absence[single] + self.absence[either]

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        relation, t = self.relation, self.relation.n_variants
        batch_images = torch.unique(self.images_of_anchor[anchors])
        total = len(batch_images) * t
        count = min(total, self.max_samples or total)
        places = torch.randperm(total, generator=generator, device=anchors.device)[:count]
        samples = batch_images[places // t] * t + places % t
        images, image = torch.unique(samples // t, return_inverse=True)
        left, right = torch.triu_indices(count, count, 1, device=samples.device)
        of_images = image[left] * len(images) + image[right]
        categories = relation.categories.category(images[:, None], images).flatten()[of_images]
        same_transformation = samples[left] % t == samples[right] % t
        labels = relation.table[categories, same_transformation.to(torch.int64)]
        share = torch.where(labels == SIMILAR, self.target[:, SIMILAR], self.target[:, DISSIMILAR])
        share = share * (labels != NOT_COMPARED)
        # A pair is included if the batch includes both images and the selection keeps both samples.
        kept = count * (count - 1) / (total * (total - 1))
        inclusion = kept * self.inclusion_probabilities(images).flatten()[of_images]
        pairs = LabeledPairs(left, right, labels == SIMILAR, (share / inclusion[:, None]).float())
        return StepBatch(self.samples[samples], count, pairs)


def _pair_keys(images: Tensor) -> Iterator[Tensor]:
    """The key low * n + high of every pair of images that an anchor adds to a batch, including each
    image with itself, for all anchors, in parts. images: int64 (n, k), -1 for none."""
    for first in range(images.shape[1]):
        one, other = images[:, first, None], images[:, first:]
        keys = torch.minimum(one, other) * len(images) + torch.maximum(one, other)
        yield keys[(one >= 0) & (other >= 0)]


def _absence(n: int, batch_size: int, max_anchors: int) -> Tensor:
    """Probability that a batch of batch_size of the n anchors contains none of a given ones, for
    each a = 0..max_anchors, float64 (max_anchors + 1,).

    The product over j < a of 1 - batch_size / (n - j), computed as a sum of logarithms, since
    differences of these probabilities can be too small for differences of factorials.
    """
    j = torch.arange(max_anchors, dtype=torch.float64)
    share = (batch_size / (n - j).clamp_min(batch_size)).clamp_max(1.0)
    return torch.cat((torch.zeros(1, dtype=torch.float64), torch.log1p(-share).cumsum(0))).exp()
