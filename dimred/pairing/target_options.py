"""Options of the group `pairing` that give each image a target instead of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.options.option import nested, option
from dimred.options.registry import register
from dimred.pairing.formats import PairFormat
from dimred.pairing.labeled_options import TransformationOptions
from dimred.pairing.options import PairingOptions

if TYPE_CHECKING:
    import torch

    from dimred.data.image_set import ImageSet
    from dimred.pairing import Pairing, PairingScope


@dataclass
class ShiftedOptions(PairingOptions):
    """Options of pairings that shift training images at random."""

    shift_x: int = option(
        0,
        "Largest random horizontal shift of training images in pixels, both ways.",
        at_least=0,
        at_most=10_000,
    )
    shift_y: int = option(
        0, "Largest random vertical shift in pixels, both ways.", at_least=0, at_most=10_000
    )


@register("pairing", "class_target")
@dataclass
class ClassTarget(ShiftedOptions):
    """The target of each image is its class: for classifiers."""

    provides: ClassVar[PairFormat] = PairFormat.classes

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        from dimred.pairing import FixedTargets

        samples, classes, count = scope.class_targets()
        return FixedTargets(samples, classes, device, count, (self.shift_x, self.shift_y))


@register("pairing", "class_presence")
@dataclass
class ClassPresence(ShiftedOptions):
    """The target of each image is which classes it shows, any number of them: for classifiers of
    sets with several labels an image."""

    provides: ClassVar[PairFormat] = PairFormat.presence

    scales: list[float] = option(
        [1.0, 1.0],
        "Smallest and largest size of training images, as factors; every batch is resized by one "
        "drawn between them (Oquab et al. 2015: 0.7, 1.4). For networks that take images of any "
        "size.",
        at_least=0.05,
        at_most=16,
    )

    def problems(self) -> Iterator[str]:
        if len(self.scales) != 2 or self.scales[0] > self.scales[1]:
            yield f"pairing.scales={self.scales}: must be two numbers, the smaller first"

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        from dimred.pairing import FixedTargets

        samples, present = scope.presence_targets()
        shift, scales = (self.shift_x, self.shift_y), (self.scales[0], self.scales[1])
        return FixedTargets(samples, present, device, shift=shift, scales=scales)


@register("pairing", "factor_target")
@dataclass
class FactorTarget(PairingOptions):
    """The target of each image is given by its factors: a regression to compare generalized
    contrastive maps with."""

    provides: ClassVar[PairFormat] = PairFormat.targets

    factors: list[str] = option(
        ["azimuth", "elevation"],
        "Factors that give the target of each group of dimensions, in order: cyclic ones as cosine "
        "and sine, others scaled to [-1, 1], `class` as a one-hot vector.",
    )
    transformations: TransformationOptions = nested(
        TransformationOptions, "Transformations of every image."
    )

    def samples(self, images: ImageSet) -> ImageSet:
        return self.transformations.variants(images)

    def problems(self) -> Iterator[str]:
        yield from self.transformations.problems()
        if not self.factors or len(set(self.factors)) < len(self.factors):
            yield f"pairing.factors={self.factors}: name at least one factor, each once"

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        import torch

        from dimred.pairing import FixedTargets

        samples, targets = scope.factor_targets(self.factors)
        return FixedTargets(samples, torch.cat(targets, dim=1), device)

    def group_sizes(self, scope: PairingScope) -> list[int]:
        return [target.shape[1] for target in scope.factor_targets(self.factors)[1]]
