"""Options of the group `pairing`: which images of a batch are similar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from dimred.data.augmentation_options import AugmentationOptions
from dimred.options.option import option
from dimred.options.registry import Choice, register
from dimred.pairing.formats import PairFormat

if TYPE_CHECKING:
    import torch

    from dimred.data.augmentation import BatchAugmentation
    from dimred.data.image_set import ImageSet
    from dimred.pairing import Pairing, PairingScope


@dataclass
class PairingOptions(Choice):
    """Options of every pairing.

    provides: the format of the pairs or targets that it gives to a loss. n_labels: for pairings
    with labeled pairs, the number of labels of a pair, in words.
    """

    group: ClassVar[str] = "pairing"
    builder: ClassVar[str] = "build"
    provides: ClassVar[PairFormat] = PairFormat.positive_pairs
    n_labels: ClassVar[str] = "1"

    name: str = option("", "Which pairing this is; set by pairing=NAME.")

    @property
    def components(self) -> int:
        """Number of labels of a pair."""
        return 1

    def samples(self, images: ImageSet) -> ImageSet:
        """Every image and its transformed variants, if this pairing has any, image by image."""
        return images

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        """The pairing of the images that the map is learned from."""
        raise NotImplementedError

    def group_sizes(self, scope: PairingScope) -> list[int] | None:
        """Sizes of the groups of dimensions that have a target each; None for pairings without."""
        return None

    def problems(self) -> Iterator[str]:
        """One line for each contradiction among the options."""
        return iter(())

    def geometric(self) -> BatchAugmentation:
        """The augmentation that only moves pixels, which linear evaluation trains on (t-SimCNE
        paper: crops and flips): without changes of colors, blur, noise and erasing."""
        from dimred.data.augmentation import BatchAugmentation

        return BatchAugmentation(AugmentationOptions(jitter=0.0, grayscale=0.0))


@dataclass
class AugmentedOptions(AugmentationOptions, PairingOptions):
    """Options of every pairing that augments images."""

    def problems(self) -> Iterator[str]:
        for line in self.range_problems():
            yield f"pairing.{line}"

    def geometric(self) -> BatchAugmentation:
        names = ("jitter", "grayscale", "noise", "blur", "erase", "channel_drop")
        off: dict[str, Any] = dict.fromkeys(names, 0.0)
        return replace(self, **off)._augmentation()

    def _augmentation(self, is_rgb: bool = True) -> BatchAugmentation:
        """The augmentation of training images. is_rgb: as of `BatchAugmentation`."""
        from dimred.data.augmentation import BatchAugmentation

        return BatchAugmentation(self, is_rgb)


# Values of those with a suffix: conf/pairing/.
@register(
    "pairing",
    "augmentation",
    "augmentation_digits",
    "augmentation_microscopy",
    "augmentation_photos",
)
@dataclass
class Augmentation(AugmentedOptions):
    """Two augmented views of each image are similar, all others of the batch dissimilar."""

    provides: ClassVar[PairFormat] = PairFormat.positive_pairs

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        import torch

        from dimred.pairing import TwoViews

        return TwoViews(torch.from_numpy(scope.positions), self._augmentation(scope.samples.is_rgb))
