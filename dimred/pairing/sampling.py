"""From a relation to the labeled pairs of each training step."""

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


class _OfRelation:
    """What both samplings share.

    relation: over n images in T transformations each.
    samples: int64 (n * T,), where the relation's samples are among all samples.

    Raises InputError where a component has no dissimilar pair.

    Both aim at the balanced pair distribution: for each component, half of the weight lies on its
    similar pairs, each equally, and half on its dissimilar ones (all on the one label where the
    other does not occur), over all unordered pairs of different samples. So the expected loss is
    the same.
    """

    def __init__(self, relation: Relation, samples: Tensor, device: torch.device):
        self.relation = relation.to(device)
        self.samples = samples.to(device)
        self.anchors = torch.arange(relation.categories.n)
        self.same_size = False  # equal samples are embedded once
        totals = relation.totals()
        # What one dissimilar and one similar pair count in each component, (p, 2).
        for component, (dissimilar, _) in zip(relation.components, totals.tolist(), strict=True):
            if dissimilar == 0:
                raise InputError(
                    f"pairing: no two of the training images are dissimilar by {component}, so "
                    "that nothing would keep the map from collapsing; take more images or classes"
                )
        present = totals > 0
        target = present / present.sum(1, keepdim=True).clamp_min(1) / totals.clamp_min(1)
        self.target = target.to(device)

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """The images as they are, scaled to [0, 1]."""
        return images[part].float().div_(255)


class PairSampling(_OfRelation):
    """A step has as many random pairs as it is given anchors (of which only the number counts).

    The batches of Angel (2015): every component has its share of the pairs, half of them
    similar, and counts only its own. There is always at least one pair of each sort.
    """

    def __init__(self, relation: Relation, samples: Tensor, device: torch.device):
        super().__init__(relation, samples, device)
        # Here, since asking a device for its numbers in every step would wait for it.
        target = self.target.tolist()
        self.sorts = [
            (component, label)
            for component, of_label in enumerate(target)
            for label in (SIMILAR, DISSIMILAR)
            if of_label[label] > 0
        ]

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        p, draws = len(self.relation.components), self.sorts
        lefts, rights, similar, weight = [], [], [], []
        per_component = [sum(c == component for c, _ in draws) for component in range(p)]
        count = max(len(anchors), len(draws))
        ends = [count * (i + 1) // len(draws) for i in range(len(draws))]
        for (component, label), start, end in zip(draws, [0, *ends], ends, strict=False):
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


class InBatchSampling(_OfRelation):
    """A step has the anchors, their co-sampled neighbors, and all their transformations; each
    sample is embedded once, and every labeled pair among them counts.

    A pair's weight is its share in the balanced pair distribution divided by its inclusion
    probability, the probability that a random batch holds it: the Horvitz-Thompson estimator
    (Horvitz, Thompson 1952, https://doi.org/10.1080/01621459.1952.10483446). So the expected loss
    and gradient are those of the balanced distribution.

    batch_size: number of anchors in every step, a random part of all of them.
    max_samples: number of samples that are embedded at most; where the anchors have more, as many
        at random. More anchors with fewer samples of each say more for the same work.
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
        reach = min(batch_size * (1 + neighbors.shape[1]), n) * relation.n_transformations
        if min(reach, max_samples or reach) > _MAX_SAMPLES:
            raise InputError(
                f"schedule.batch_size={batch_size}: with neighbors and transformations that is up "
                f"to {reach:,} images a step and every pair among them; set "
                f"pairing.samples_per_step to at most {_MAX_SAMPLES:,}, or a smaller batch"
            )
        itself = torch.arange(n, device=device)[:, None]
        held = torch.cat((itself, distinct(neighbors)), dim=1)
        # The images that a batch holds for an anchor: itself in place of neighbors that it lacks.
        self.held = torch.where(held < 0, itself, held)
        # How many anchors a batch holds an image for, and how many both of two (or the same twice).
        self.n_holding = held[held >= 0].bincount(minlength=n)
        both = torch.cat(list(_pair_keys(held)))
        self.both_keys, self.both_counts = torch.unique(both, return_counts=True)
        self.absence = _absence(n, batch_size, 2 * int(self.n_holding.max())).to(device)

    def inclusion_probabilities(self, images: Tensor) -> Tensor:
        """Probability that a batch holds both of two images, float64 (m, m), for m sorted images;
        on the diagonal, that it holds the one."""
        single = self.n_holding[images]
        low, high = torch.minimum(images[:, None], images), torch.maximum(images[:, None], images)
        keys = low * self.relation.categories.n + high
        place = torch.searchsorted(self.both_keys, keys).clamp_max(len(self.both_keys) - 1)
        both = torch.where(self.both_keys[place] == keys, self.both_counts[place], 0)
        either = single[:, None] + single - both
        return 1 - self.absence[single][:, None] - self.absence[single] + self.absence[either]

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        relation, t = self.relation, self.relation.n_transformations
        held = torch.unique(self.held[anchors])
        total = len(held) * t
        count = min(total, self.max_samples or total)
        places = torch.randperm(total, generator=generator, device=anchors.device)[:count]
        samples = held[places // t] * t + places % t
        images, image = torch.unique(samples // t, return_inverse=True)
        left, right = torch.triu_indices(count, count, 1, device=samples.device)
        of_images = image[left] * len(images) + image[right]
        categories = relation.categories.category(images[:, None], images).flatten()[of_images]
        same_transformation = samples[left] % t == samples[right] % t
        labels = relation.table[categories, same_transformation.to(torch.int64)]
        share = torch.where(labels == SIMILAR, self.target[:, SIMILAR], self.target[:, DISSIMILAR])
        share = share * (labels != NOT_COMPARED)
        # A pair is here if both images are held and both samples are kept of all.
        kept = count * (count - 1) / (total * (total - 1))
        included = kept * self.inclusion_probabilities(images).flatten()[of_images]
        pairs = LabeledPairs(left, right, labels == SIMILAR, (share / included[:, None]).float())
        return StepBatch(self.samples[samples], count, pairs)


def _pair_keys(held: Tensor) -> Iterator[Tensor]:
    """For each anchor, low * n + high of every two images that a batch holds for it, and of each
    image with itself, in parts; images: int64 (n, k), -1 for none."""
    for first in range(held.shape[1]):
        one, other = held[:, first, None], held[:, first:]
        keys = torch.minimum(one, other) * len(held) + torch.maximum(one, other)
        yield keys[(one >= 0) & (other >= 0)]


def _absence(n: int, batch_size: int, max_anchors: int) -> Tensor:
    """Probability that none of a = 0..max_anchors given anchors is among batch_size of n, float64.

    The product over j < a of 1 - batch_size / (n - j), summed as logarithms near 0: differences of
    such probabilities are small numbers, which differences of factorials would lose.
    """
    j = torch.arange(max_anchors, dtype=torch.float64)
    share = (batch_size / (n - j).clamp_min(batch_size)).clamp_max(1.0)
    return torch.cat((torch.zeros(1, dtype=torch.float64), torch.log1p(-share).cumsum(0))).exp()
