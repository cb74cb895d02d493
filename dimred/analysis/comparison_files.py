"""What a comparison of two sets of images writes: RUN/compared/NAME/.

result.json   the answer and its numbers; written last
scores.csv    of each image how much it is like B, in each space
islands.csv   how many images of A and B each island of the map has
betray.png    the images that betray A and those that betray B
map.png       A and B on the map
images.npz    for `dimred view`: `image`, `source_file`, `item`, `row`, `z` and `set` ("A" or "B")
              of each image, its `score` in the leading space, `set_names` (2,), `sentence` (1,)
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.captions import number
from dimred.analysis.comparison_islands import NONE, Islands, islands
from dimred.data.image_paths import SUFFIXES
from dimred.errors import InputError
from dimred.files import csv_file, expanded, printable
from dimred.plots.style import to_png
from dimred.plots.two_sets import betraying_sheet, two_sets_figure
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.names import numbered
from dimred.steps import step

if TYPE_CHECKING:
    from dimred.analysis.compared_sets import ImageSide
    from dimred.analysis.comparison import Comparison

RESULT, SCORES, ISLANDS = "result.json", "scores.csv", "islands.csv"
BETRAY, MAP, IMAGES = "betray.png", "map.png", "images.npz"
MAX_BETRAYING = 50  # images of each set
SETS = ("A", "B")

_MAX_MARKS = 20  # islands whose numbers are on the map
_MAX_NAME, _MAX_PART = 200, 60  # bytes
_SAME = ("options", "images")  # of result.json: equal for the same comparison

Rows = NDArray[np.int64]


def write(
    comparison: Comparison, run: FinishedRun, name: str | None = None, on: Islands | None = None
) -> Path:
    """Write a comparison to RUN/compared/NAME/; returns that folder.

    name: of the folder, whose files are replaced; None to name it after the sets, with a number
        where that name is taken by another comparison.
    on: the islands, where they are known.
    Raises InputError for a bad name and where a link would have to be followed, OSError where
    nothing can be written.
    """
    if on is None:
        with step("islands of the map"):
            on = islands(run, comparison.a, comparison.b, comparison.labelings.labels)
    result = _result(comparison, on)
    folder = f"{layout.COMPARED}/{_free_name(comparison, run, result, name)}"
    scores, parts = list(_score_rows(comparison, run, on)), list(on.rows())
    with step("figures"):
        content: dict[str, bytes | memoryview] = {
            SCORES: csv_file(list(scores[0]), scores),
            ISLANDS: csv_file(list(parts[0]), parts),
            MAP: _map(comparison, run, on),
            IMAGES: _images(comparison),
        }
        betraying = _betraying_sheet(comparison, run)
    if betraying is not None:
        content[BETRAY] = betraying
    # Without it, what is there is not taken for a comparison while it is written.
    run.files.remove(f"{folder}/{RESULT}", f"{folder}/{BETRAY}")
    content[RESULT] = (json.dumps(result, indent=2, allow_nan=False) + "\n").encode()
    for file, its_content in content.items():
        run.write_output(run.path / folder / file, its_content)
    return run.path / folder


def checked_name(name: str, inside: str = layout.COMPARED) -> str:
    """The name of a folder in RUN/compared/ or `inside` another folder of RUN. Raises InputError
    for one that is none."""
    is_plain = name.isprintable() and not set(name) & set("/\\")
    is_plain = is_plain and len(os.fsencode(name)) <= _MAX_NAME
    if not is_plain or name[:1] in ("", ".", "-"):
        raise InputError(
            f"out={printable(name)!r}: must be the name of a folder in RUN/{inside}/, of "
            f"up to {_MAX_NAME} bytes, without a slash and not beginning with . or -"
        )
    return name


def betraying(scores: NDArray[np.floating], is_b: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """The images that betray A, and those that betray B: up to MAX_BETRAYING of each that are most
    surely, and rightly, taken for one of their set, the surest first.

    scores: (n,), below 0 for A, above 0 for B. is_b: (n,).
    """
    order = np.argsort(scores, kind="stable")
    of_a = order[~is_b[order] & (scores[order] < 0)][:MAX_BETRAYING]
    of_b = order[is_b[order] & (scores[order] > 0)][::-1][:MAX_BETRAYING]
    return of_a, of_b


def not_written(comparison: Comparison) -> tuple[str, ...]:
    """What `write` leaves out, a line each."""
    lost = [side.name for side in (comparison.a, comparison.b) if side.pixels is None]
    if not lost:
        return ()
    what = f"{BETRAY} is left out" if len(lost) == 2 else f"{BETRAY} shows one set"
    return (f"{what}: the images of {' and '.join(lost)} are gone",)


def set_titles(names: tuple[str, str]) -> tuple[str, str]:
    """What the sets are called where both are shown."""
    return f"A: {names[0]}", f"B: {names[1]}"


def _names(comparison: Comparison) -> tuple[str, str]:
    return comparison.a.name, comparison.b.name


def _is_b(comparison: Comparison) -> NDArray[np.bool_]:
    return np.repeat([False, True], [len(comparison.a.names), len(comparison.b.names)])


def _result(comparison: Comparison, on: Islands) -> dict[str, Any]:
    """The content of result.json. images: a digest of each set, by which a comparison of other
    images is told apart."""
    result = comparison.result()
    result["notes"] = [*result.get("notes", ()), *not_written(comparison)]
    result["unequal_islands"] = [on.names[i] for i in on.unequal(comparison.alpha)]
    sides = (comparison.a, comparison.b)
    result["images"] = dict(zip(SETS, map(_digest, sides), strict=True))
    content: dict[str, Any] = json.loads(json.dumps(result))
    return content


def _digest(side: ImageSide) -> str:
    """SHA-256 of which images a set has."""
    digest = hashlib.sha256()
    about = [side.name, side.names, side.files, side.items.tolist(), side.rows.tolist()]
    digest.update(json.dumps(about).encode())
    if side.pixels is not None:
        digest.update(np.ascontiguousarray(side.pixels).data)
    return digest.hexdigest()


def _free_name(
    comparison: Comparison, run: FinishedRun, result: dict[str, Any], name: str | None
) -> str:
    if name is not None:
        return checked_name(name)
    sides = (comparison.a, comparison.b)
    stem = "-vs-".join(file_name(side.name, bool((side.rows >= 0).all())) for side in sides)
    return next(one for one in numbered(stem) if _is_free(run, one, result))


def file_name(name: str, of_run: bool) -> str:
    """The name of images as part of a file name: of a selection of the run's what is selected, of a
    path its last part, without the suffix of a file. of_run: whether they are the run's."""
    if ":" in name and of_run:
        name = name.partition(":")[2]
    last = name.rstrip("/").rpartition("/")[2]
    if last in ("", ".", "..", "~"):
        last = expanded(name).resolve().name
    if last.lower().endswith((".npz", *SUFFIXES)):
        last = last.rpartition(".")[0]
    words = filter(None, re.split(r"[^\w.=]+", last))
    part = "-".join(words).strip(".").encode()[:_MAX_PART]
    return part.decode(errors="ignore") or "images"


def _is_free(run: FinishedRun, name: str, result: dict[str, Any]) -> bool:
    """Whether there is no such comparison, or it is this very one."""
    folder = f"{layout.COMPARED}/{name}"
    if not run.files.exists(folder):
        return True
    try:
        there = run.files.json(f"{folder}/{RESULT}")
    except (InputError, OSError):
        return False
    return isinstance(there, dict) and all(there.get(key) == result.get(key) for key in _SAME)


def _score_rows(comparison: Comparison, run: FinishedRun, on: Islands) -> Iterator[dict[str, Any]]:
    """The rows of scores.csv, A's images before B's. row, index: of the run's own images."""
    it, i = comparison, 0
    for letter, side in zip(SETS, (it.a, it.b), strict=True):
        for j, name in enumerate(side.names):
            of_run, item = int(side.rows[j]), int(side.items[j])
            row: dict[str, Any] = {"image": name, "file": side.files[j]}
            row |= {"item": "" if item < 0 else item, "set": letter}
            row |= {"row": "" if of_run < 0 else of_run}
            row |= {"index": "" if of_run < 0 else int(run.map.index[of_run])}
            for space, test in it.tests.items():
                row[f"score_{space}"] = number(test.scores[i])
                row[f"nearest_b_{space}"] = number(test.nearest_b[i])
            yield {**row, "group": int(it.groups[i]), "island": on.names[on.of[i]]}
            i += 1


def _map(comparison: Comparison, run: FinishedRun, on: Islands) -> bytes:
    it = comparison
    z, told = np.concatenate([it.a.z, it.b.z]), it.sentence
    numbers = [i for i in on.unequal(it.alpha) if on.names[i] != NONE][:_MAX_MARKS]
    if numbers and z.shape[1] > 1:
        told += f". Numbers: islands that A and B share unequally ({ISLANDS})"
    figure = two_sets_figure(
        run.map.z,
        it.a.z,
        it.b.z,
        set_titles(_names(it)),
        f"{run.record.data}: two sets of images",
        told,
        [(on.names[i], z[on.of == i]) for i in numbers],
    )
    return to_png(figure)


def _betraying_sheet(comparison: Comparison, run: FinishedRun) -> bytes | None:
    """betray.png; None where there are no images to show."""
    it = comparison
    scores, n_a = it.tests[it.leading].scores, len(it.a.names)
    of_a, of_b = betraying(scores, _is_b(it))
    pictures, titles = [], []
    for title, side, chosen, first in zip(
        set_titles(_names(it)), (it.a, it.b), (of_a, of_b), (0, n_a), strict=True
    ):
        titles.append(f"{title} – {len(chosen)} of {len(side.names):,} that betray it most")
        if side.pixels is None or not len(chosen):
            titles[-1] = f"{title} – no images" + ("" if len(chosen) else " betray it")
        shown = () if side.pixels is None else chosen
        pictures.append(
            [
                (run.pictured(side.pixels[i - first]), _lines(side, int(i - first), scores[i], run))
                for i in shown
                if side.pixels is not None
            ]
        )
    if not any(pictures):
        return None
    space = it.leading if it.leading == "pixels" else it.leading.upper()
    figure = betraying_sheet(
        (pictures[0], pictures[1]),
        (titles[0], titles[1]),
        f"{run.record.data}: what betrays two sets of images",
        it.sentence,
        f"The number is the score of the image by a linear classifier of {space} that does not "
        "know it: the lower, the more like A; the higher, the more like B."
        + (f" Shown: {run.colors}." if run.colors else ""),
    )
    return to_png(figure)


def _lines(side: ImageSide, i: int, score: float, run: FinishedRun) -> tuple[str, ...]:
    """The caption of image i of a set."""
    names, label = run.map.class_names, int(side.labels[i])
    of_class = (names[label],) if label >= 0 else ()
    return (f"{score:+.2f}", side.names[i].rpartition("/")[2] or side.names[i], *of_class)


def _images(comparison: Comparison) -> memoryview:
    a, b = comparison.a, comparison.b
    buffer = io.BytesIO()
    np.savez(
        buffer,
        image=np.array([*a.names, *b.names]),
        source_file=np.array([*a.files, *b.files]),
        item=np.concatenate([a.items, b.items]),
        row=np.concatenate([a.rows, b.rows]),
        z=np.concatenate([a.z, b.z]),
        set=np.where(_is_b(comparison), *SETS[::-1]),
        score=comparison.tests[comparison.leading].scores,
        set_names=np.array(_names(comparison)),
        sentence=np.array([comparison.sentence]),
    )
    return buffer.getbuffer()
