"""Accuracy of a linear classifier on H."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from dimred.measures.protocol import Detail, Embedding, LeftOut, Measure, Setting
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from dimred.evaluation.measurement import Measurement


class LinearProbe(Enum):
    """How linear accuracy in H is measured."""

    logistic = "logistic"
    sgd = "sgd"
    none = "none"


@register("measure", "linear")
@dataclass
class LinearAccuracy(Measure):
    """Linear accuracy in H on the official split, or on the random one without an official one;
    with dataset.fit_classes of the classes not learned from, among one another."""

    linear: LinearProbe = option(
        LinearProbe.logistic,
        "Linear accuracy in H at the end: logistic = scikit-learn's logistic regression, sgd = the "
        "t-SimCNE paper's softmax classifier (with the pairing's crops, flips and the like alone), "
        "none = off.",
    )
    linear_epochs: int = option(100, "Epochs of eval.linear=sgd.", at_least=1)
    linear_lr: float = option(30.0, "Learning rate of eval.linear=sgd.", above=0)
    linear_batch_size: int = option(1024, "Images in a batch of eval.linear=sgd.", at_least=1)

    def applies(self, setting: Setting) -> bool:
        return setting.splits is not None and self.linear is not LinearProbe.none

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Detail]:
        import numpy as np

        from dimred.evaluation.linear import logistic_accuracy
        from dimred.evaluation.measurement import Measurement

        splits = embedding.setting.splits
        assert splits is not None
        (train, test), y, h = splits.parts[splits.first], splits.labels.values, embedding.h
        if len(np.unique(y[train])) < 2:
            raise LeftOut(f"the {splits.first} split has training images of one class only")
        if self.linear is LinearProbe.logistic:
            accuracy = logistic_accuracy(h[train], y[train], h[test], y[test])
        else:
            accuracy = self._sgd(embedding, train, test)
        yield Detail("method", self.linear.value)
        yield Detail("split", splits.first)
        yield Measurement(accuracy, "accuracy")

    def _sgd(
        self, embedding: Embedding, train: NDArray[np.int64], test: NDArray[np.int64]
    ) -> float:
        import torch

        from dimred.evaluation.linear import sgd_softmax_accuracy

        setting, device = embedding.setting, embedding.setting.compute.device
        labels = setting.images.labels
        assert labels is not None
        try:
            return sgd_softmax_accuracy(
                partial(self._augmented, embedding, train),
                torch.from_numpy(embedding.h[test]).to(device),
                torch.from_numpy(labels.values[test]).to(device),
                len(labels.names),
                self.linear_epochs,
                self.linear_lr,
                setting.config.seed,
            )
        except ValueError as error:
            raise LeftOut(
                f"with eval.linear_lr={self.linear_lr:g} and eval.linear_epochs="
                f"{self.linear_epochs} the classifier does not stay finite ({error})"
            ) from error

    def _augmented(
        self, embedding: Embedding, train: NDArray[np.int64], epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """H of augmented training images, in eval mode, in batches, with their labels."""
        import torch

        from dimred.training.seeds import generator_at

        setting, encoder = embedding.setting, embedding.encoder
        labels, compute = setting.images.labels, setting.compute
        assert labels is not None
        augment = setting.config.pairing.geometric()
        generator = generator_at(compute.device, setting.config.seed, "linear", epoch)
        order = torch.from_numpy(train).to(compute.device)
        shuffled = torch.randperm(len(order), generator=generator, device=compute.device)
        order = order[shuffled]
        targets = torch.from_numpy(labels.values).to(compute.device)[order]
        size = self.linear_batch_size
        encoder.eval()
        batches = setting.resident.batches(torch.split(order * setting.n_variants, size))
        with torch.no_grad():
            for images, classes in zip(batches, torch.split(targets, size), strict=True):
                pixels = augment(images, generator)
                h, _ = encoder(pixels.contiguous(memory_format=compute.memory_format))
                yield h, classes

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        if "accuracy" not in results:
            return []
        method = f"({results['method']}, {results['split']} split)"
        return [f"linear accuracy in H  {results['accuracy']:.4f} {method}"]
