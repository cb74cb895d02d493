"""Sets of images that `dimred compare` compared, for the page of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.comparison_files import IMAGES, SETS, betraying, set_titles
from dimred.analysis.placed_rows import MAX_PLACED, PlacedRows, newest_first
from dimred.errors import InputError
from dimred.files import printable
from dimred.page import Column, Finding
from dimred.run_folder import layout
from dimred.run_folder.arrays import RunArrays
from dimred.run_folder.finished import FinishedRun

MAX_COMPARED = 3
"""Comparisons on a page; of more, the last."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ComparedRows:
    """The last comparisons of a run.

    columns: the set that each row of the map was in, if any was. findings: the rows that betray
    either set. placed: images from elsewhere, with what is not shown.
    """

    columns: Sequence[Column]
    findings: Sequence[Finding]
    placed: PlacedRows


@dataclass(frozen=True)
class _Compared:
    """n images of a comparison, as `comparison_files.write` wrote them."""

    name: str
    titles: tuple[str, str]
    sentence: str
    names: NDArray[np.str_]
    files: NDArray[np.str_]
    items: Rows
    rows: Rows
    z: NDArray[np.float32]
    is_b: NDArray[np.bool_]
    scores: NDArray[np.float64]


def compared_rows(run: FinishedRun, placed: PlacedRows) -> ComparedRows:
    """The last comparisons in RUN/compared/, at most MAX_COMPARED, with the images that
    `dimred embed` has placed before those of comparisons.

    Of more images from elsewhere than there is room for, some are drawn.
    """
    columns, findings = list[Column](), list[Finding]()
    parts, skipped = [placed], list[str]()
    names = _names(run)
    if len(names) > MAX_COMPARED:
        older = ", ".join(printable(name) for name in names[MAX_COMPARED:])
        skipped.append(f"not marked: comparisons before the last {MAX_COMPARED}: {older}")
    for name in names[:MAX_COMPARED]:
        try:
            of = _read(run, name)
        except (InputError, OSError) as error:
            skipped.append(f"not marked: {error}")
            continue
        if (of.rows >= 0).any():
            columns.append(_column(of, len(run.map)))
            findings += _findings(of)
        elsewhere = np.flatnonzero(of.rows < 0)
        room = max(MAX_PLACED - sum(map(len, parts)), 0)
        if len(elsewhere) > room:
            skipped.append(
                f"{of.name}: {room:,} of {len(elsewhere):,} images from elsewhere are drawn, as at "
                f"most {MAX_PLACED:,} new images are"
            )
            evenly = np.linspace(0, len(elsewhere) - 1, room).astype(np.int64)
            elsewhere = elsewhere[evenly]
        parts.append(_placed(of, elsewhere))
    return ComparedRows(columns, findings, _joined(parts, skipped))


def _names(run: FinishedRun) -> list[str]:
    """The names of the folders in RUN/compared/, the last first."""
    folder = run.path / layout.COMPARED
    return newest_first(folder, lambda entry: entry.is_dir(follow_symlinks=False))


def _read(run: FinishedRun, name: str) -> _Compared:
    """A comparison. Raises InputError for one that is not as `dimred compare` writes it."""
    arrays = run.arrays(f"{layout.COMPARED}/{name}/{IMAGES}")
    names = arrays.get("image", "U")
    n, dims, most = len(names), run.map.z.shape[1], len(run.map)
    z, rows = arrays.get("z", "f", n, dims=2), arrays.get("row", "i", n)
    sets, scores = arrays.get("set", "U", n), arrays.get("score", "f", n)
    if z.shape[1] != dims:
        raise arrays.error("z", f"has other dimensions than the map, {dims}")
    if not -1 <= rows.min() <= rows.max() < most:
        raise arrays.error("row", f"must be from -1 to {most - 1}")
    if not np.isin(sets, SETS).all():
        raise arrays.error("set", f"must hold {' and '.join(SETS)} only")
    if not np.isfinite(scores).all():
        raise arrays.error("score", "has values that are not finite")
    first, second = _texts(arrays, "set_names", 2)
    return _Compared(
        name=printable(name),
        titles=set_titles((first, second)),
        sentence=_texts(arrays, "sentence", 1)[0],
        names=names,
        files=arrays.get("source_file", "U", n),
        items=arrays.get("item", "i", n),
        rows=rows,
        z=z.astype(np.float32),
        is_b=sets == SETS[1],
        scores=scores.astype(np.float64),
    )


def _texts(arrays: RunArrays, name: str, n: int) -> tuple[str, ...]:
    return tuple(printable(text) for text in arrays.get(name, "U", n).tolist())


def _column(of: _Compared, n: int) -> Column:
    """The set that each of n rows was in."""
    codes, own = np.zeros(n, np.int64), of.rows >= 0
    codes[of.rows[own]] = 1 + of.is_b[own]
    help = f"Two sets that dimred compare compared; none: in neither. The answer: {of.sentence}."
    name = f"compared-{of.name}"
    return Column(name, f"compared {of.name}", codes, ("none", *of.titles), help=help)


def _findings(of: _Compared) -> Iterator[Finding]:
    """The run's own rows among the images that betray A, and that betray B."""
    for letter, chosen in zip(SETS, betraying(of.scores, of.is_b), strict=True):
        own = chosen[of.rows[chosen] >= 0]
        rows = of.rows[own].tolist()
        notes = dict(zip(rows, (f"score {of.scores[i]:+.2f}" for i in own), strict=True))
        if rows:
            title = f"betray {letter}, {of.name}"
            yield Finding(f"betray-{letter}-{of.name}", title, [("", rows)], notes)


def _placed(of: _Compared, chosen: Rows) -> PlacedRows:
    """Some of the images."""
    titles = [f"{of.name}: {title}" for title in of.titles]
    return PlacedRows(
        names=of.names[chosen].tolist(),
        votes=[""] * len(chosen),
        shares=[0.0] * len(chosen),
        far=[False] * len(chosen),
        sets=[titles[int(is_b)] for is_b in of.is_b[chosen]],
        files=of.files[chosen].tolist(),
        items=of.items[chosen].tolist(),
        z=of.z[chosen],
        skipped=(),
    )


def _joined(parts: Sequence[PlacedRows], skipped: Sequence[str]) -> PlacedRows:
    """All images, in order. skipped: what is not shown besides."""

    def joined(key: str) -> list[str | float | bool]:
        return [value for part in parts for value in getattr(part, key)]

    lists = ("names", "votes", "shares", "far", "sets", "files", "items", "skipped")
    of = {key: joined(key) for key in lists}
    of["skipped"] += skipped
    return PlacedRows(**of, z=np.concatenate([part.z for part in parts]))  # type: ignore[arg-type]
