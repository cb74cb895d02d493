"""Choosing the window of a set of image files, `dataset.window`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.channels import Channels
from dimred.data.found import counted_word
from dimred.data.image_decoding import reason_of, resized_values
from dimred.data.reading import Header, Reading, is_seen
from dimred.data.window import (
    BYTES,
    TYPE,
    Range,
    Sample,
    Window,
    given_window,
    range_of_type,
    sampled,
)
from dimred.steps import step

_CHUNK = 64  # images whose values are held at a time


def choose_window(
    given: Any,
    paths: Sequence[str],
    headers: Sequence[Header],
    learned: NDArray[np.bool_],
    channels: Channels,
    size: tuple[int, int],
    reading: Reading,
) -> Window | None:
    """The window of N image files; None where all of them are of bytes that stay as they are.

    given: `dataset.window`. headers: of the files. learned: (N,), which are learned from: those
        that `auto` looks at, at most 1,000 of each type, evenly spaced, in their final size. Of a
        type that none of these has (`notes_on_others`), it looks at the others.
    Raises InputError for ranges that do not fit the channels.
    """
    window = given_window(given, channels.count)
    types = sorted({header.type for header in headers} - {BYTES})
    if window is not None or not types:
        return window
    by_type: dict[str, tuple[Range, ...]] = {}
    for name in types:
        if given == TYPE:
            ranges = _of_type(name)
        else:
            of_type = _of(name, headers)
            rows = of_type & learned if (of_type & learned).any() else of_type
            chosen = [paths[i] for i in sampled(np.flatnonzero(rows))]
            ranges = _of_sample(name, chosen, channels, size, reading)
        if ranges:
            by_type[name] = ranges
    return Window(by_type) if by_type else None


def notes_on_others(headers: Sequence[Header], learned: NDArray[np.bool_]) -> Iterator[str]:
    """What to say of types, but bytes, of which no file is learned from. headers, learned: as of
    `choose_window`."""
    for name in sorted({header.type for header in headers} - {BYTES}):
        of_type = _of(name, headers)
        if not (of_type & learned).any():
            images = counted_word(int(of_type.sum()), "image", "images")
            yield f"the window of {name} is from {images} not learned from: no others have it"


def _of(name: str, headers: Sequence[Header]) -> NDArray[np.bool_]:
    """Whether each file is of a type, (N,)."""
    return np.array([header.type == name for header in headers])


def _of_type(name: str) -> tuple[Range, ...]:
    try:
        return (range_of_type(name),)
    except ValueError:  # why such files are not read is said of each
        return ()


def _of_sample(
    name: str, paths: Sequence[str], channels: Channels, size: tuple[int, int], reading: Reading
) -> tuple[Range, ...]:
    sample = Sample(channels.count, name)

    def values(path: str) -> NDArray[np.float64] | None:
        """Of an image, or of the part of it that is seen."""
        try:
            found = resized_values(path, size, reading)
        except Exception as error:  # why a file cannot be read is said where it is left out
            reason_of(error, path)
            return None
        if found is None or found.alpha is None:
            return None if found is None else found.values
        seen = found.values[:, is_seen(found.alpha)]
        return seen[:, None] if seen.size else None

    with step(f"values of {len(paths):,} images"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), _CHUNK):
            for image in pool.map(values, paths[start : start + _CHUNK]):
                if image is not None and len(image) in (1, channels.count):
                    sample.add(image)
    return sample.ranges() if len(sample) else ()
