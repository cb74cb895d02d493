"""How strongly images are augmented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from dimred.options.option import option


class Outside(Enum):
    """The value of pixels outside the image."""

    fill = "fill"
    border = "border"


@dataclass
class AugmentationOptions:
    """Strengths and probabilities for `BatchAugmentation`; the defaults are those of the t-SimCNE
    paper (Boehm, Berens, Kobak 2022).

    An operation of probability or strength 0 is skipped. If both ranges of the crop are [1, 1],
    images are not cropped, even those that are not square. Strength s of brightness, contrast or
    saturation means a random factor from [max(0, 1 - s), 1 + s]; of images that are neither gray
    nor RGB, one for each channel, and saturation, hue and grayscale do not apply.
    """

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
    grayscale: float = option(0.2, "Probability of turning the image gray.", at_least=0, at_most=1)
    translate: float = option(0.0, "Largest shift as a share of the side.", at_least=0, at_most=1)
    rotate: float = option(0.0, "Largest rotation in degrees.", at_least=0, at_most=180)
    zoom: list[float] = option([1.0, 1.0], "Range of the magnification.", above=0)
    shear: float = option(0.0, "Largest shear in degrees.", at_least=0, below=90)
    noise: float = option(0.0, "Deviation of Gaussian pixel noise.", at_least=0)
    fill: float = option(
        0.0, "Value of the pixels outside the image, 0 black to 1 white.", at_least=0, at_most=1
    )

    vertical_flip: float = option(
        0.0,
        "Probability of a vertical flip, for images without an upright.",
        at_least=0,
        at_most=1,
        also=("flip_vertical", "upside_down", "vflip"),
    )
    quarter_turns: float = option(
        0.0,
        "Probability of a turn by 90, 180 or 270 degrees, one as likely as the other; images that "
        "are not square are turned by 180 only. For images without an upright.",
        at_least=0,
        at_most=1,
        also=("rot90", "right_angle", "orientation"),
    )
    outside: Outside = option(
        Outside.fill,
        "Value of pixels that a rotation, shift, shear or zoom brings in from outside the image, "
        "and of erased ones: fill = that of pairing.fill; border = the mean of the image's "
        "outermost pixels, of each channel.",
        also=("padding_mode", "background", "border_color"),
    )
    blur: float = option(
        0.0,
        "Probability of a Gaussian blur (SimCLR: 0.5 for photographs of 224 pixels).",
        at_least=0,
        at_most=1,
        also=("gaussian_blur", "defocus"),
    )
    blur_sigma: list[float] = option(
        [0.1, 2.0],
        "Range of the blur's deviation in pixels (SimCLR's, of 224 pixels). The time that it takes "
        "grows with the upper end.",
        above=0,
        at_most=10,
        unit="pixels",
    )
    erase: float = option(
        0.0,
        "Probability that a random rectangle is erased (Zhong et al. 2020: 0.5).",
        at_least=0,
        at_most=1,
        also=("random_erasing", "cutout"),
    )
    erase_area: list[float] = option(
        [0.02, 0.4],
        "Range of its area as a share of the image (Zhong et al. 2020).",
        above=0,
        at_most=1,
    )
    channel_drop: float = option(
        0.0,
        "Probability, for each channel, of being erased; one of an image always stays.",
        at_least=0,
        below=1,
        also=("channel_dropout",),
    )

    def range_problems(self) -> Iterator[str]:
        """One line for each invalid range."""
        for key in ("crop_scale", "crop_ratio", "zoom", "blur_sigma", "erase_area"):
            value = getattr(self, key)
            if len(value) != 2 or value[0] > value[1]:
                yield f"{key}={value}: must be two numbers, the smaller first"

    def in_words(self, channels: int = 3, is_rgb: bool = True) -> str:
        """What is on, such as "flip 0.5, blur 0.5 (0.1 to 2 pixels)", of what applies to images of
        so many channels. is_rgb: as of `BatchAugmentation`."""
        is_color = channels == 3 and is_rgb
        zoom, crop = self.zoom, [*self.crop_scale, *self.crop_ratio]
        named = {
            "crop": f"{_range(self.crop_scale)} of the area" if crop != [1.0] * 4 else "",
            "flip": _number(self.flip),
            "vertical flip": _number(self.vertical_flip),
            "quarter turns": _number(self.quarter_turns),
            "shift": _number(self.translate),
            "rotation": _number(self.rotate, " degrees"),
            "shear": _number(self.shear, " degrees"),
            "zoom": _range(zoom) if list(zoom) != [1.0, 1.0] else "",
            "jitter": self._jitter_in_words(is_color),
            "gray": _number(self.grayscale) if is_color else "",
            "blur": _number(self.blur, f" ({_range(self.blur_sigma)} pixels)"),
            "noise": _number(self.noise),
            "erasing": _number(self.erase, f" ({_range(self.erase_area)} of the area)"),
            "channels dropped": _number(self.channel_drop) if channels > 1 else "",
        }
        parts = [f"{name} {value}" for name, value in named.items() if value]
        if self.outside is Outside.border:
            parts.append("the border's color outside")
        return ", ".join(parts) or "nothing is changed"

    def _jitter_in_words(self, is_color: bool) -> str:
        names = ("brightness", "contrast", *(("saturation", "hue") if is_color else ()))
        on = [f"{name} {getattr(self, name):g}" for name in names if getattr(self, name)]
        return _number(self.jitter, f" ({', '.join(on)})") if on else ""


def _number(value: float, unit: str = "") -> str:
    return f"{value:g}{unit}" if value else ""


def _range(values: list[float]) -> str:
    return " to ".join(f"{value:g}" for value in values)
