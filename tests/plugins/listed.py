"""Two pairings in one file: similar images as a CSV file lists them.

dimred train --plugin listed.py pairing=listed pairing.file=similar.csv
dimred train --plugin listed.py pairing=listed_labels pairing.file=similar.csv loss=drlim

Each line of the file has two numbers, the places of two similar images in the dataset. An image may
have any number of partners.
"""

from dataclasses import dataclass

import numpy as np
import torch

from dimred.errors import InputError
from dimred.files import expanded
from dimred.options import option, register
from dimred.pairing import (
    Augmentation,
    Neighbors,
    PositivePairs,
    RelationOptions,
    StepBatch,
    neighborhood,
)


def listed_pairs(file, index):
    """The pairs of a CSV file as positions in `index`, int64 (m, 2); those of other images are left
    out."""
    try:
        listed = np.loadtxt(expanded(file), delimiter=",", dtype=np.int64, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"pairing.file={file}: {error}") from error
    if listed.shape[1] != 2:
        raise InputError(f"pairing.file={file}: has {listed.shape[1]} columns; it must have two")
    place = {number: position for position, number in enumerate(index)}
    pairs = [[place[a], place[b]] for a, b in listed if a in place and b in place]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@dataclass
class Listed:
    """The option of both pairings."""

    # The content of the file decides the result (`data_files`), and not where it lies.
    file: str | None = option(None, "The CSV file.", is_path=True, changes_result=False)

    def data_files(self):
        if self.file is None:
            raise InputError("pairing.file=null: give the CSV file of similar images")
        return [self.file]


class TwoPartners:
    """Similar: the two images of a listed pair, each augmented. Dissimilar: all others of a batch.

    pairs: int64 (n, 2), positions of the images; an epoch passes over each pair once.
    """

    same_size = True

    def __init__(self, pairs, augment):
        self.anchors = torch.arange(len(pairs))
        self.pairs, self.augment = pairs, augment

    def select(self, anchors, generator):
        both = self.pairs.to(anchors.device)[anchors].T.flatten()
        partner = torch.arange(len(both), device=anchors.device).roll(len(anchors))
        return StepBatch(both, len(both), PositivePairs(partner))

    def views(self, images, generator, part=slice(None)):
        return self.augment(images, generator, part)


@register("pairing", "listed")
@dataclass
class ListedViews(Listed, Augmentation):
    """The two images of each listed pair are similar, augmented as by pairing=augmentation."""

    def build(self, scope, batch_size, device):
        pairs = scope.positions[listed_pairs(*self.data_files(), scope.index)]
        return TwoPartners(torch.from_numpy(pairs), self._augmentation())


@register("pairing", "listed_labels")
@dataclass
class ListedLabels(Listed, RelationOptions):
    """The two images of each listed pair are similar, any other two dissimilar."""

    def relation(self, scope):
        pairs = listed_pairs(*self.data_files(), scope.index)
        neighbors = Neighbors.from_pairs(pairs, len(scope.positions))
        return scope.related(neighborhood(neighbors, scope.n_variants))
