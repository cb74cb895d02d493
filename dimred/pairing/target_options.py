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


@register("pairing", "class_target")
@dataclass
class ClassTarget(PairingOptions):
    """The target of each image is its class: for classifiers."""

    provides: ClassVar[PairFormat] = PairFormat.classes

    shift_x: int = option(
        0,
        "Largest random horizontal shift of training images in pixels, both ways.",
        at_least=0,
        at_most=10_000,
    )
    shift_y: int = option(
        0, "Largest random vertical shift in pixels, both ways.", at_least=0, at_most=10_000
    )

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        from dimred.pairing import FixedTargets

        samples, classes, count = scope.class_targets()
        return FixedTargets(samples, classes, device, count, (self.shift_x, self.shift_y))


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
