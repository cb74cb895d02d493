"""Options of the group `pairing`: which images of a batch are similar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

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
    """What every pairing has.

    provides: what a loss is told of a batch. n_labels: for pairings with labeled pairs, how many
    labels a pair has, in words.
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

    def items(self, images: ImageSet) -> ImageSet:
        """The images in all transformations that this pairing knows, T of each image."""
        return images

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        """The pairing of the images that the map is learned from."""
        raise NotImplementedError

    def group_sizes(self, scope: PairingScope) -> list[int] | None:
        """Sizes of the groups of dimensions that targets are given for; None for other pairings."""
        return None

    def problems(self) -> Iterator[str]:
        """One line for each contradiction among the options."""
        return iter(())

    def without_color(self) -> BatchAugmentation:
        """Random maps of the plane only: what linear evaluation trains on (t-SimCNE paper: crops
        and flips)."""
        from dimred.data.augmentation import BatchAugmentation

        return BatchAugmentation(jitter=0.0, grayscale=0.0)


# The values of augmentation_digits are in conf/pairing/.
@register("pairing", "augmentation", "augmentation_digits")
@dataclass
class Augmentation(PairingOptions):
    """Two augmented views of each image are similar, all others of the batch dissimilar."""

    provides: ClassVar[PairFormat] = PairFormat.positive_pairs

    crop_scale: list[float] = option(
        [0.2, 1.0], "Range of a crop's area as a share of the image.", above=0, at_most=1
    )
    crop_ratio: list[float] = option(
        [3 / 4, 4 / 3], "Range of a crop's width over its height.", above=0
    )
    flip: float = option(0.5, "Probability of a horizontal flip.", at_least=0, at_most=1)
    jitter: float = option(0.8, "Probability of the color jitter.", at_least=0, at_most=1)
    brightness: float = option(0.4, "Strength of the brightness jitter.", at_least=0)
    contrast: float = option(0.4, "Strength of the contrast jitter.", at_least=0)
    saturation: float = option(0.4, "Strength of the saturation jitter.", at_least=0)
    hue: float = option(
        0.1, "Strength of the hue jitter, in turns of the color circle.", at_least=0, at_most=0.5
    )
    grayscale: float = option(0.2, "Probability of taking the color away.", at_least=0, at_most=1)
    translate: float = option(0.0, "Largest shift as a share of the side.", at_least=0, at_most=1)
    rotate: float = option(0.0, "Largest rotation in degrees.", at_least=0, at_most=180)
    zoom: list[float] = option([1.0, 1.0], "Range of the magnification.", above=0)
    shear: float = option(0.0, "Largest shear in degrees.", at_least=0, below=90)
    noise: float = option(0.0, "Deviation of Gaussian pixel noise.", at_least=0)
    fill: float = option(
        0.0, "Value of the pixels outside the image, 0 black to 1 white.", at_least=0, at_most=1
    )

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        import torch

        from dimred.pairing import TwoViews

        return TwoViews(torch.from_numpy(scope.positions), self._augmentation())

    def problems(self) -> Iterator[str]:
        for key in ("crop_scale", "crop_ratio", "zoom"):
            value = getattr(self, key)
            if len(value) != 2 or value[0] > value[1]:
                yield f"pairing.{key}={value}: must be two numbers, the smaller first"

    def without_color(self) -> BatchAugmentation:
        return replace(self, jitter=0.0, grayscale=0.0, noise=0.0)._augmentation()

    def _augmentation(self) -> BatchAugmentation:
        from dimred.data.augmentation import BatchAugmentation

        # Not the further options of a subclass.
        keys = [spec.name for spec in fields(Augmentation) if spec.name != "name"]
        return BatchAugmentation(**{key: getattr(self, key) for key in keys})
