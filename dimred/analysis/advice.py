"""What can be done about new images that do not fit a finished run, whose window and pages hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dimred.data.found import grouped
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


def left_out_lines(left_out: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Which images are left out, with each reason once, as that of its first image.

    left_out: (name, reason) of each.
    """
    for part in grouped(dict(left_out)):
        first, *others = map(repr, part.first)
        yield f"{first} is left out: {part.reason}"
        if others:
            more = part.count - len(part.first)
            named = f"{', '.join(others)}{f' and {more:,} more' if more else ''}"
            yield f"so {'is' if part.count == 2 else 'are'} {named}"
