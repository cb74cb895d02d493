"""What can be done about new images that do not fit a finished run, whose window and pages hold."""

from __future__ import annotations

import re

from dimred.data.reading import Reading
from dimred.data.window import BYTES

_OF_TRAINING = re.compile(r"; (?:set )?dataset\.(window|pages)=.*")


def for_run(problem: str, reading: Reading) -> str:
    """Why an image cannot be read, without keys of `dimred train`, which cannot be set for new
    images.

    reading: of the run. A problem with other advice, or none, stays as it is.
    """
    return _OF_TRAINING.sub(lambda found: f"; {_advice(found[1], reading)}", problem)


def _advice(option: str, reading: Reading) -> str:
    if option == "pages":
        return (
            "the run's files are of one image each: save each page as a file, or train a run with "
            "dataset.pages=images"
        )
    if reading.whole_type:
        return "the run's window is the whole range of a type: save it with values in that range"
    types = ", ".join(reading.window.by_type if reading.window else (BYTES,))
    return f"the run learned from {types}: save it so"
