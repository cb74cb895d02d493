"""Relations and targets of a part of the images, such as the training images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.image_set import ImageSet, rows_of
from dimred.errors import InputError
from dimred.pairing.categories import Classes, Neighbors, Viewpoints
from dimred.pairing.neighbors import neighbor_graph
from dimred.pairing.relation import Relation, same_class


class RelationOfSamples(NamedTuple):
    """A relation, and the positions of its samples among all samples, int64 (samples,)."""

    relation: Relation
    samples: Tensor


@dataclass(frozen=True)
class PairingScope:
    """The images that a relation is over: the training images, or the test images.

    samples: all images of the run in all their variants: variant t of image i is at
        i * n_variants + t.
    n_variants: number of variants of each image, itself included.
    positions: int64 (n,), positions of the images in the scope.
    cache: a folder that caches neighbor graphs, or None.
    side: "training" or "test", for messages.
    """

    samples: ImageSet
    n_variants: int
    positions: NDArray[np.int64]
    cache: Path | None
    side: str = "training"

    def samplewise(self) -> PairingScope:
        """The same samples, each treated as a separate image."""
        return replace(self, n_variants=1, positions=self._samples().numpy())

    @property
    def index(self) -> NDArray[np.int64]:
        """The places of the n images in the dataset, int64 (n,)."""
        return self.samples.index[self.positions * self.n_variants]

    def related(self, relation: Relation) -> RelationOfSamples:
        """A relation among the n images, whose pair categories count them from 0."""
        return RelationOfSamples(relation, self._samples())

    def _samples(self) -> Tensor:
        t = self.n_variants
        return torch.from_numpy((self.positions[:, None] * t + np.arange(t)).ravel())

    def _classes(self) -> tuple[NDArray[np.int64], tuple[str, ...]] | None:
        labels = self.samples.labels
        if labels is None:
            return None
        return labels.values[self.positions * self.n_variants], labels.names

    def neighbors(
        self, k: int, within_class: bool, relation: Callable[[Neighbors, int], Relation]
    ) -> RelationOfSamples:
        """A relation by the k nearest neighbors of the untransformed images.

        within_class: search among images of the same class only.
        Raises InputError where a class has k images or fewer, and for within_class without labels.
        """
        labeling = self._classes()
        if within_class and labeling is None:
            raise InputError(
                "pairing.same_class=true: these images have no labels; set pairing.same_class=false"
            )
        classes, names = labeling if within_class and labeling else (None, ())
        images = rows_of(self.samples.images, self.positions * self.n_variants)
        graph = neighbor_graph(images, k, classes, names, self.cache, self.side)
        return self.related(relation(Neighbors(graph), self.n_variants))

    def viewpoints(self, relation: Callable[[Viewpoints], Relation]) -> RelationOfSamples:
        """A relation by azimuth and elevation. Raises InputError for images without them."""
        factors = self.samples.factors
        if not {"azimuth", "elevation"} <= set(factors):
            raise InputError(
                "pairing=viewpoint: these images have no azimuth and elevation; use "
                "dataset=turntable or dataset=norb_small"
            )
        for name in ("category", "instance", "camera"):
            labels = self.samples.extra_labels.get(name)
            if labels is not None and len(np.unique(labels.values)) > 1:
                raise InputError(
                    f"pairing=viewpoint: compares views of one object by one camera, but these "
                    f"images are of several ({name}); choose one with dataset.{name}="
                )
        places = self.positions * self.n_variants
        angles = [factors[name].values[places] for name in ("azimuth", "elevation")]
        return self.related(relation(Viewpoints(*angles)))

    def class_targets(self) -> tuple[Tensor, Tensor, int]:
        """Samples, their classes, int64, and the number of classes.

        Raises InputError for images without labels.
        """
        samples = self._samples()
        labels = self.samples.labels
        if labels is None:
            raise InputError(
                "pairing=class_target: these images have no labels for a classifier to learn"
                + ("; pairing=class_presence learns several" if self.samples.presence else "")
            )
        return samples, torch.from_numpy(labels.values)[samples], len(labels.names)

    def presence_targets(self) -> tuple[Tensor, Tensor]:
        """Samples, and whether each of K classes is present in each, float32 (samples, K), 0 or 1.

        Raises InputError for images that do not say so.
        """
        presence = self.samples.presence
        if presence is None:
            raise InputError(
                "pairing=class_presence: these images do not say which of several classes each "
                "shows; use a dataset.table with a column `classes`, dataset=npz with `labels` as "
                "a matrix of 0 and 1, dataset=voc2012 or dataset=canvases"
            )
        samples = self._samples()
        return samples, torch.from_numpy(presence.values)[samples].float()

    def classes_learned(self) -> tuple[Tensor, Tensor, int]:
        """Samples, their classes, int64, counted from 0 among those that have images here, and the
        number of these.

        Raises InputError for images without labels or of one class.
        """
        labeling = self._classes()
        if labeling is None:
            raise InputError("pairing=class_batches: these images have no labels to learn from")
        present, codes = np.unique(labeling[0], return_inverse=True)
        if len(present) < 2:
            raise InputError(
                f"pairing=class_batches: all images to learn from are of class "
                f"{labeling[1][present[0]]!r}; at least two classes are needed"
            )
        classes = torch.from_numpy(codes.astype(np.int64)).repeat_interleave(self.n_variants)
        return self._samples(), classes, len(present)

    def factor_targets(self, names: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
        """Samples and fixed values of each factor, float32 (samples, d) each.

        A cyclic factor becomes its cosine and sine, any other factor a number scaled to [-1, 1],
        and "class" a one-hot vector. Raises InputError for a factor that these images do not have.
        """
        samples = self._samples()
        return samples, [self._target(name)[samples].float() for name in names]

    def _target(self, name: str) -> Tensor:
        labels, factors = self.samples.labels, self.samples.factors
        if name == "class" and labels is not None:
            return torch.eye(len(labels.names))[torch.from_numpy(labels.values)]
        if name not in factors:
            available = [*(["class"] if labels else []), *factors]
            raise InputError(
                f"pairing.factors: {name!r} is not a factor of these images; their factors are "
                f"{', '.join(available) or 'none'}"
            )
        factor = factors[name]
        values = torch.from_numpy(factor.values)
        if factor.period is not None:
            angle = values * (2 * torch.pi / factor.period)
            return torch.stack((angle.cos(), angle.sin()), dim=1)
        low, high = values.min(), values.max()
        return (2 * (values - low) / (high - low).clamp_min(1e-12) - 1)[:, None]

    def classes(self) -> RelationOfSamples:
        """The relation by class. Raises InputError for images without labels."""
        labeling = self._classes()
        if labeling is None:
            raise InputError(
                "pairing=class_label: these images have no labels; without labels, use "
                "pairing=knn with pairing.same_class=false"
            )
        categories = Classes(labeling[0])
        return self.related(same_class(categories, self.n_variants))
