"""The classifiers of `dimred probe`: linear ones of features, and networks trained as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.probe_features import KeptFeatures, classifier, saved_features
from dimred.analysis.probe_target import Target
from dimred.data.resident import ResidentImages
from dimred.evaluation.linear import logistic_accuracy
from dimred.models import Encoder
from dimred.run_folder.finished import FinishedRun
from dimred.training.classifier import Budget, training
from dimred.training.embed import embed
from dimred.training.seeds import derived_seed

TRAINED = {"finetune": True, "scratch": False}
"""Methods that train the whole network: whether it begins with the run's weights."""
EMBEDDED = {"probe": ("h", True), "random": ("h-random", False)}
"""Methods that are of H: the name of the files that keep it, and whether it is the run's."""

PIXELS = "pixels"
"""The method that is of the images as they are."""

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
            points, of_test = self._features(method, rows), self._features(method, test)
            return logistic_accuracy(points, classes[rows], of_test, classes[test])
        encoder = self.new_network(method, draw)
        for _ in self.steps(method, encoder, rows, draw):
            pass
        return float((self.logits(encoder, test).argmax(axis=1) == classes[test]).mean())

    def logits(self, encoder: Encoder, rows: Rows) -> NDArray[np.float32]:
        """Z of images by a network on the device, (n, classes)."""
        size = self.finished.config.eval.batch_size
        return embed(encoder, self._resident, size, self.compute, rows)[1]

    def width(self, method: str) -> int:
        """Dimensions of the features of a linear classifier."""
        if method == PIXELS:
            return self.target.images.images[0].numel()
        kept = self.kept(method)
        return int((self._points[method] if kept is None else kept.h).shape[1])

    def _features(self, method: str, rows: Rows) -> NDArray[np.floating[Any]]:
        """What a linear classifier is of, for some images, (n, d)."""
        if method == PIXELS:  # as float32 only those that are asked for
            points = self.target.images.images[torch.from_numpy(rows)].flatten(1).numpy()
            scaled: NDArray[np.float32] = np.divide(points, np.float32(255), dtype=np.float32)
            return scaled
        if method in self._kept:
            return self._kept[method].h[rows]
        return self._points[method][rows]

    @cached_property
    def _resident(self) -> ResidentImages:
        """All images, read in batches where they do not fit on the device."""
        fraction = self.finished.config.device.memory_fraction
        return ResidentImages(self.target.images.images, self.compute.device, fraction)

    def new_network(self, method: str, draw: int) -> Encoder:
        """A network to train, on the device. The readout of a draw is the same in all methods."""
        return self._classifier(TRAINED[method], "probe", draw)

    def _classifier(self, trained: bool, *place: str | int) -> Encoder:
        encoder = classifier(self.finished, len(self.target.names), trained, *place)
        return self.compute.placed(encoder)

    def steps(self, method: str, encoder: Encoder, rows: Rows, draw: int) -> Iterator[None]:
        """The steps of training a network on labeled images by a method's budget."""
        seed = derived_seed(self.finished.config.seed, "probe", draw)
        classes = self.target.classes[rows]
        budget = self.budgets[method]
        return training(encoder, self._resident, rows, classes, budget, self.compute, seed)
