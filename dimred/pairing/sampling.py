"""From a relation to the labelled pairs of each training step."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.errors import InputError
from dimred.pairing.pairs import LabelledPairs
from dimred.pairing.relation import DISSIMILAR, NOT_COMPARED, SIMILAR, Relation
from dimred.pairing.strategy import ALL, Selection

_MOST_ITEMS = 4096  # whose pairs take about a gigabyte


class _OfRelation:
    """What both samplings share.

    relation: over n images in T transformations each.
    items: int64 (n * T,), where the pixels of the relation's items are among all images.

    Raises InputError where a component has no dissimilar pair.

    Both aim at the balanced pair distribution: for each component, half of the weight lies on its
    similar pairs, each equally, and half on its dissimilar ones (all on the one kind where there is
    no other), over all unordered pairs of different items. So the expected loss is the same.
    """

    def __init__(self, relation: Relation, items: Tensor, device: torch.device):
        self.relation = relation.to(device)
        self.items = items.to(device)
        self.anchors = torch.arange(relation.kinds.n)
        self.same_size = False  # equal items are embedded once
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

    The batches of the thesis (Angel 2015): every component has its share of the pairs, half of them
    similar, and counts only its own. There is always at least one pair of each sort.
    """

    def __init__(self, relation: Relation, items: Tensor, device: torch.device):
        super().__init__(relation, items, device)
        # Here, since asking a device for its numbers in every step would wait for it.
        target = self.target.tolist()
        self.sorts = [
            (component, label)
            for component, of_label in enumerate(target)
            for label in (SIMILAR, DISSIMILAR)
            if of_label[label] > 0
        ]

    def select(self, anchors: Tensor, generator: torch.Generator) -> Selection:
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
        items = torch.cat((*lefts, *rights))
        unique, rows = torch.unique(items, return_inverse=True)
        left, right = rows.view(2, -1)
        pairs = LabelledPairs(left, right, torch.cat(similar), torch.cat(weight))
        return Selection(self.items[unique], len(unique), pairs)


class InBatchSampling(_OfRelation):
    """A step has the anchors, the neighbours that the relation draws along with them, and all their
    transformations; each is embedded once, and every labelled pair among them counts.

    A pair's weight is its share in the balanced pair distribution divided by the probability that a
    random batch holds it, so that the expected gradient is that of the balanced distribution.

    batch_size: number of anchors in every step, a random part of all of them.
    most: number of items that are embedded at most; where the anchors bring more, as many at
        random. More anchors with fewer items of each say more for the same work.
    """

    def __init__(
        self,
        relation: Relation,
        items: Tensor,
        device: torch.device,
        batch_size: int,
        most: int | None = None,
    ):
        super().__init__(relation, items, device)
        self.most = most
        kinds = self.relation.kinds
        n, companions = kinds.n, kinds.companions
        reach = min(batch_size * (1 + companions.shape[1]), n) * relation.n_transformations
        if min(reach, most or reach) > _MOST_ITEMS:
            raise InputError(
                f"schedule.batch_size={batch_size}: with neighbours and transformations that is up "
                f"to {reach:,} images a step and every pair among them; set "
                f"pairing.items_per_step to at most {_MOST_ITEMS:,}, or a smaller batch"
            )
        brought = torch.cat((torch.arange(n, device=device)[:, None], companions), dim=1)
        # How many anchors bring an image, and how many bring both of two (or the same twice).
        self.bringers = brought.flatten().bincount(minlength=n)
        first, second = torch.triu_indices(brought.shape[1], brought.shape[1])
        both = torch.stack((brought[:, first], brought[:, second]))
        keys = (both.amin(0) * n + both.amax(0)).flatten()
        self.both_keys, self.both_counts = torch.unique(keys, return_counts=True)
        self.absent = _absence(n, batch_size, 2 * int(self.bringers.max())).to(device)

    def presence(self, images: Tensor) -> Tensor:
        """Probability that a batch holds both of two images, float64 (m, m), for m sorted images;
        on the diagonal, that it holds the one."""
        single = self.bringers[images]
        low, high = torch.minimum(images[:, None], images), torch.maximum(images[:, None], images)
        keys = low * self.relation.kinds.n + high
        place = torch.searchsorted(self.both_keys, keys).clamp_max(len(self.both_keys) - 1)
        both = torch.where(self.both_keys[place] == keys, self.both_counts[place], 0)
        either = single[:, None] + single - both
        return 1 - self.absent[single][:, None] - self.absent[single] + self.absent[either]

    def select(self, anchors: Tensor, generator: torch.Generator) -> Selection:
        relation, t = self.relation, self.relation.n_transformations
        brought = torch.unique(torch.cat((anchors, relation.kinds.companions[anchors].flatten())))
        total = len(brought) * t
        count = min(total, self.most or total)
        places = torch.randperm(total, generator=generator, device=anchors.device)[:count]
        items = brought[places // t] * t + places % t
        images, image = torch.unique(items // t, return_inverse=True)
        left, right = torch.triu_indices(count, count, 1, device=items.device)
        of_images = image[left] * len(images) + image[right]
        kinds = relation.kinds.kind(images[:, None], images).flatten()[of_images]
        labels = relation.table[kinds, (items[left] % t == items[right] % t).to(torch.int64)]
        share = torch.where(labels == SIMILAR, self.target[:, SIMILAR], self.target[:, DISSIMILAR])
        share = share * (labels != NOT_COMPARED)
        # A pair is here if both images are brought and both items are kept of all.
        kept = count * (count - 1) / (total * (total - 1))
        weight = share / (kept * self.presence(images).flatten()[of_images][:, None])
        pairs = LabelledPairs(left, right, labels == SIMILAR, weight.float())
        return Selection(self.items[items], count, pairs)


def _absence(n: int, batch_size: int, most: int) -> Tensor:
    """Probability that none of a = 0..most given anchors is among batch_size of n, float64.

    The product over j < a of 1 - batch_size / (n - j), summed as logarithms near 0: differences of
    such probabilities are small numbers, which differences of factorials would lose.
    """
    j = torch.arange(most, dtype=torch.float64)
    share = (batch_size / (n - j).clamp_min(batch_size)).clamp_max(1.0)
    return torch.cat((torch.zeros(1, dtype=torch.float64), torch.log1p(-share).cumsum(0))).exp()
