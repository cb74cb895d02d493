"""Options of the pairing `class_batches`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.options.option import option
from dimred.options.registry import register
from dimred.pairing.formats import PairFormat
from dimred.pairing.options import AugmentedOptions

if TYPE_CHECKING:
    import torch

    from dimred.pairing import Pairing, PairingScope


@register("pairing", "class_batches")
@dataclass
class ClassBatch(AugmentedOptions):
    """Batches of c classes with m images of each: c * m is schedule.batch_size."""

    provides: ClassVar[PairFormat] = PairFormat.class_pairs

    images_per_class: int | None = option(
        None,
        "m, the images of each class in a batch; null = as few as the number of classes allows, at "
        "least 2.",
        at_least=2,
        also=("samples_per_class", "m_per_class"),
    )
    # Without augmentation, unlike the pairing of that name.
    crop_scale: list[float] = option(
        [1.0, 1.0], "Range of a crop's area as a share of the image.", above=0, at_most=1
    )
    crop_ratio: list[float] = option(
        [1.0, 1.0], "Range of a crop's width over its height.", above=0
    )
    flip: float = option(0.0, "Probability of a horizontal flip.", at_least=0, at_most=1)
    jitter: float = option(0.0, "Probability of the color jitter.", at_least=0, at_most=1)
    grayscale: float = option(0.0, "Probability of turning the image gray.", at_least=0, at_most=1)

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        """The pairing of the images that the map is learned from.

        Raises InputError for images without labels or of one class, and a batch that such images
        cannot fill.
        """
        from dimred.pairing.class_batches import ClassBatches

        samples, classes, n_classes = scope.classes_learned()
        count = self._images_per_class(batch_size, n_classes)
        augment = self._augmentation(scope.samples.is_rgb)
        return ClassBatches(samples, classes, count, augment, device)

    def _images_per_class(self, batch_size: int, n_classes: int) -> int:
        from dimred.errors import InputError

        key = f"schedule.batch_size={batch_size}"
        possible = _divided(batch_size, n_classes)
        if self.images_per_class is None and possible:
            return possible[0]
        if self.images_per_class in possible:
            return self.images_per_class
        if not possible:
            whole = batch_size - batch_size % (2 * n_classes)  # all classes in every batch
            fitting = whole or next(
                (b for b in range(batch_size, 3, -1) if _divided(b, n_classes)), 4
            )
            raise InputError(
                f"{key}: cannot be divided into 2 to {n_classes} classes with equally many images "
                f"of each, at least 2; there are {n_classes} classes to learn from; "
                f"schedule.batch_size={fitting} can"
            )
        raise InputError(
            f"pairing.images_per_class={self.images_per_class}: {key} must be a multiple of it, of "
            f"2 to {n_classes} times, the classes to learn from; here it can be "
            f"{', '.join(map(str, possible[:12]))}"
        )


def _divided(batch_size: int, n_classes: int) -> list[int]:
    """The numbers of images of each class by which a batch is divided into 2 to n_classes classes,
    from the smallest."""
    return [
        m
        for m in range(2, batch_size // 2 + 1)
        if batch_size % m == 0 and batch_size // m <= n_classes
    ]
