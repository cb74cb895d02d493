"""Where a run looks in images: for classes, for what holds them at their places, or for what they
share with another image."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from dimred.analysis.holding import Held, locate_holding
from dimred.analysis.locate import Located, has_score_maps, locate
from dimred.analysis.looked_at import LookedAt, looked_at, own_row
from dimred.analysis.new_images import Images
from dimred.analysis.sharing import Shared, locate_shared
from dimred.errors import InputError
from dimred.models.occlusion import SHARE
from dimred.run_folder.finished import FinishedRun


@dataclass(frozen=True)
class LocateOptions:
    """How a run without score maps of classes is looked into.

    side: of a square that is hidden, as a share of the shorter side of the image; None for a
        quarter. fill: its value, 0 black to 1 white; None for the mean color of the run's images.
    other: an image to split the product with, in place of hiding squares: as of `looked_at`, or the
        row of one of the run's own, as a number or its digits.
    """

    side: float | None = None
    fill: float | None = None
    other: Images | int | None = None

    @property
    def given(self) -> list[str]:
        """Those that are not left to their defaults, as options of the command."""
        values = {"--side": self.side, "--fill": self.fill, "--with": self.other}
        return [name for name, value in values.items() if value is not None]


def check_options(run: FinishedRun, options: LocateOptions) -> None:
    """Raise InputError for options that a run has no use for, or that contradict one another."""
    given = options.given
    if given and has_score_maps(run):
        raise InputError(
            f"{given[0]}: is for maps; {run.path} has score maps of classes, which say where "
            "these are"
        )
    if "--with" in given and len(given) > 1:
        raise InputError(f"--with: is a split without squares; leave {given[0]} out")
    values: dict[str, Any] = {"--side": options.side, "--fill": options.fill}
    for name, value in values.items():
        low = "above 0" if name == "--side" else "from 0"
        if value is None:
            continue
        if not isinstance(value, Real):
            raise InputError(f"{name} {value!r}: must be a number, {low} to 1")
        share = float(value)
        if not (0 <= share <= 1 and (share > 0 or name == "--fill")):
            raise InputError(f"{name} {share:g}: must be {low} to 1")


def located(run: FinishedRun, images: LookedAt, options: LocateOptions) -> Located | Held | Shared:
    """Where the run looks in images.

    Raises InputError as `check_options`, `looked_at` and the functions that locate.
    """
    check_options(run, options)
    if has_score_maps(run):
        return locate(run, images)
    other: Any = options.other
    if other is None:
        return locate_holding(run, images, options.side or SHARE, options.fill)
    if isinstance(other, str) and other.isdecimal():
        other = int(other)
    if isinstance(other, Real):
        if not isinstance(other, Integral):
            raise InputError(f"--with {other!r}: must be an image, or a row of the run's map")
        return locate_shared(run, images, own_row(run, int(other)))
    return locate_shared(run, images, looked_at(run, other, 2))
