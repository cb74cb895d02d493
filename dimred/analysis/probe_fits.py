"""The classifiers of `dimred probe`: linear ones of features, and networks trained as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.probe_features import (
    KeptFeatures,
    classifier,
    embedded,
    saved_features,
)
from dimred.analysis.probe_target import Target
from dimred.data.resident import ResidentImages
from dimred.evaluation.linear import logistic_accuracy
from dimred.models import Encoder
from dimred.run_folder.finished import FinishedRun
from dimred.training.classifier import Budget, training
from dimred.training.seeds import derived_seed

TRAINED = {"finetune": True, "scratch": False}
"""Methods that train the whole network: whether it begins with the run's weights."""
EMBEDDED = {"probe": ("h", True), "random": ("h-random", False)}
"""Methods that are of H: the name of the files that keep it, and whether it is the run's."""

Rows = NDArray[np.int64]


class Fits:
    """Classifiers of a target's images.

    folder: in the run, for the H that is computed. budgets: of the methods of TRAINED.
    """

    def __init__(
        self,
        finished: FinishedRun,
        target: Target,
        folder: str,
        budgets: Mapping[str, Budget],
    ):
        self.finished, self.target = finished, target
        self.folder, self.budgets = folder, budgets
        self.compute = finished.compute()
        self._points: dict[str, NDArray[np.floating[Any]]] = {}
        self._kept: dict[str, KeptFeatures] = {}
        saved = saved_features(finished) if target.own else None
        if saved is not None:
            self._points["probe"] = saved

    def kept(self, method: str) -> KeptFeatures | None:
        """The H of a method that is computed; None for a method that needs none."""
        if method not in EMBEDDED or method in self._points:
            return None
        if method not in self._kept:
            stem, trained = EMBEDDED[method]
            encoder = self._classifier(trained, "weights")
            self._kept[method] = KeptFeatures(
                self.finished,
                f"{self.folder}/{stem}",
                encoder,
                self.target.images.images,
                self.target.fingerprint,
                self.compute,
            )
        return self._kept[method]

    def accuracy(self, method: str, rows: Rows, draw: int) -> float:
        """Accuracy on the test images.

        rows: int64 (n,), the labeled images; where a method is of H, it must be known of these and
            of the test images. draw: decides about random weights.
        """
        test, classes = self.target.test, self.target.classes
        if method not in TRAINED:
            points = self._features(method)
            return logistic_accuracy(points[rows], classes[rows], points[test], classes[test])
        encoder = self.new_network(method, draw)
        for _ in self.steps(method, encoder, rows, draw):
            pass
        return float((self.logits(encoder, test).argmax(axis=1) == classes[test]).mean())

    def logits(self, encoder: Encoder, rows: Rows) -> NDArray[np.float32]:
        """Z of images by a network on the device, (n, classes)."""
        images = self.target.images.images[torch.from_numpy(rows)]
        return embedded(self.finished, encoder, images, self.compute)[1]

    def width(self, method: str) -> int:
        """Dimensions of the features of a linear classifier."""
        kept = self.kept(method)
        points = self._features(method) if kept is None else kept.h
        return int(points.shape[1])

    def _features(self, method: str) -> NDArray[np.floating[Any]]:
        if method in self._kept:
            return self._kept[method].h
        if method not in self._points:  # pixels
            images = self.target.images.images
            self._points[method] = images.flatten(1).numpy().astype(np.float32) / 255
        return self._points[method]

    def new_network(self, method: str, draw: int) -> Encoder:
        """A network to train, on the device. The readout of a draw is the same in all methods."""
        return self._classifier(TRAINED[method], "probe", draw)

    def _classifier(self, trained: bool, *place: str | int) -> Encoder:
        encoder = classifier(self.finished, len(self.target.names), trained, *place)
        return self.compute.placed(encoder)

    def steps(self, method: str, encoder: Encoder, rows: Rows, draw: int) -> Iterator[None]:
        """The steps of training a network on labeled images by a method's budget."""
        images = self.target.images.images[torch.from_numpy(rows)]
        fraction = self.finished.config.device.memory_fraction
        resident = ResidentImages(images, self.compute.device, fraction)
        seed = derived_seed(self.finished.config.seed, "probe", draw)
        classes = self.target.classes[rows]
        budget = self.budgets[method]
        return training(encoder, resident, classes, budget, self.compute, seed)
