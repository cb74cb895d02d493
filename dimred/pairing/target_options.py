"""Options of the group `pairing` that say what each image should become: no pairs at all."""

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
    """Each image is to become its class: for classifiers."""

    provides: ClassVar[PairFormat] = PairFormat.classes

    shift_x: int = option(
        0, "Largest random horizontal shift of training images in pixels, both ways.", at_least=0
    )
    shift_y: int = option(0, "Largest random vertical shift in pixels, both ways.", at_least=0)

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        from dimred.pairing import FixedTargets

        items, classes, count = scope.class_targets()
        return FixedTargets(items, classes, device, count, (self.shift_x, self.shift_y))


@register("pairing", "factor_target")
@dataclass
class FactorTarget(PairingOptions):
    """Each image is to become fixed values of its factors: the regression that generalized
    contrastive maps are compared with."""

    provides: ClassVar[PairFormat] = PairFormat.targets

    factors: list[str] = option(
        ["azimuth", "elevation"],
        "Groups of dimensions in their order, each the target of a factor: an angle all around as "
        "cosine and sine, others scaled to [-1, 1], `class` as 1 in the dimension of the class.",
    )
    transformations: TransformationOptions = nested(
        TransformationOptions, "What is done to every image."
    )

    def items(self, images: ImageSet) -> ImageSet:
        return self.transformations.of(images)

    def problems(self) -> Iterator[str]:
        yield from self.transformations.problems()
        if not self.factors or len(set(self.factors)) < len(self.factors):
            yield f"pairing.factors={self.factors}: name at least one factor, each once"

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        import torch

        from dimred.pairing import FixedTargets

        items, targets = scope.factor_targets(self.factors)
        return FixedTargets(items, torch.cat(targets, dim=1), device)

    def group_sizes(self, scope: PairingScope) -> list[int]:
        return [target.shape[1] for target in scope.factor_targets(self.factors)[1]]
