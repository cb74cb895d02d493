"""Where a run looks in images: for classes, for what holds them at their places, or for what they
share with another image."""

from __future__ import annotations

from dataclasses import dataclass

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
        row of one of the run's own as digits.
    """

    side: float | None = None
    fill: float | None = None
    other: Images | None = None

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
    for name, value in (("--side", options.side), ("--fill", options.fill)):
        low = "above 0" if name == "--side" else "from 0"
        if value is not None and not (0 <= value <= 1 and (value > 0 or name == "--fill")):
            raise InputError(f"{name} {value:g}: must be {low} to 1")


def located(run: FinishedRun, images: LookedAt, options: LocateOptions) -> Located | Held | Shared:
    """Where the run looks in images.

    Raises InputError as `check_options`, `looked_at` and the functions that locate.
    """
    check_options(run, options)
    if has_score_maps(run):
        return locate(run, images)
    if options.other is None:
        return locate_holding(run, images, options.side or SHARE, options.fill)
    if isinstance(options.other, str) and options.other.isdecimal():
        return locate_shared(run, images, own_row(run, int(options.other)))
    return locate_shared(run, images, looked_at(run, options.other, 2))
