"""A list of near-duplicates to leave out of the next run: one of each set of copies stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from dimred.data.table_join import excluded_names
from dimred.errors import InputError
from dimred.files import csv_file, expanded, shell_word
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.folder import RunFolder

_COLUMNS = ("row", "index", "source", "class", "split", "kept")


@dataclass(frozen=True)
class Exclusions:
    """What `leave_out_near_duplicates` has written.

    images: number of images in the list. kept: of those that they are near-duplicates of.
    other_class: of the images in the list that are of another class than the one kept.
    earlier: images that the run had left out by its own list, which are in the new one too.
    """

    images: int
    kept: int
    other_class: int
    earlier: int


def check_has_files(run: FinishedRun) -> None:
    """Raise InputError for a run whose images a list cannot name."""
    known = {spec.name for spec in fields(run.config.dataset)}
    if run.map.sources is None or "exclude" not in known:
        raise InputError(
            f"--keep-one: the images of {run.record.data} are no files of a folder, which a list "
            "could name"
        )


def leave_out_near_duplicates(
    run: FinishedRun, folder: RunFolder, pairs: Sequence[Mapping[str, Any]]
) -> Exclusions:
    """Write inspect/exclude.csv for `dataset.exclude`. Each image in it is a near-duplicate of one
    that is not, and no two of those that are not are near-duplicates; what the run left out by such
    a list stays in it. A training image is kept before a test image, then the one of the larger
    file, then the first by name.

    pairs: the lines of near_duplicates.csv.
    Raises InputError for a run whose images are no files.
    """
    check_has_files(run)
    on, root, exclude = run.map, run.config.dataset.root, run.config.dataset.exclude  # type: ignore[attr-defined]
    assert on.sources is not None
    sources = on.sources

    def preference(row: int) -> tuple[bool, int, str]:
        return on.split[row] == "test", -_size(str(root), sources[row]), sources[row]

    kept_for = _left_out(pairs, preference)

    def line(row: int) -> dict[str, Any]:
        values = {"row": row, "index": int(on.index[row]), "source": sources[row]}
        if on.labels is not None:
            values["class"] = on.class_names[on.labels[row]]
        return {**values, "split": str(on.split[row]), "kept": sources[kept_for[row]]}

    table = [line(row) for row in sorted(kept_for)]
    earlier = [{"source": name} for name in excluded_names(str(root), exclude)] if exclude else []
    if table or earlier:
        folder.files.write(layout.EXCLUDED, csv_file(_COLUMNS, [*table, *earlier]))
    else:
        folder.files.remove(layout.EXCLUDED)
    labels = on.labels
    differ = labels is not None and sum(labels[a] != labels[b] for a, b in kept_for.items())
    return Exclusions(len(table), len(set(kept_for.values())), int(differ), len(earlier))


def _left_out(
    pairs: Sequence[Mapping[str, Any]], preference: Callable[[int], tuple[Any, ...]]
) -> dict[int, int]:
    """For each row that is left out the one that is kept, the row with the lowest preference of its
    copies that are not left out before."""
    equal: dict[int, list[int]] = {}  # by the first of them, which alone is paired with others
    similar: dict[int, list[int]] = {}
    for pair in pairs:
        a, b = pair["row"], pair["row_2"]
        if pair["kind"] == "identical":
            equal.setdefault(a, []).append(b)
        else:
            similar.setdefault(a, []).append(b)
            similar.setdefault(b, []).append(a)
    members = {first: sorted([first, *equal.get(first, [])], key=preference) for first in equal}
    members |= {row: [row] for row in similar if row not in members}
    kept_for: dict[int, int] = {}
    for first in sorted(members, key=lambda row: preference(members[row][0])):
        kept, *others = members[first]
        if kept not in kept_for:
            copies = [copy for other in similar.get(first, []) for copy in members[other]]
            for copy in (*others, *copies):
                kept_for.setdefault(copy, kept)
    return kept_for


def next_command(run: FinishedRun) -> str:
    """The command that trains the run's successor, without what the list names."""
    return " ".join(["dimred train", *map(shell_word, _words(run))])


def _words(run: FinishedRun) -> Iterator[str]:
    moved = () if run.root is None else ("dataset.root=",)
    for word in run.record.command:
        if not word.startswith(("dataset.exclude=", *moved)):
            yield word
    if run.root is not None:
        yield f"dataset.root={run.root}"
    yield f"dataset.exclude={run.path / layout.EXCLUDED}"


def _size(root: str, source: str) -> int:
    """Bytes of an image's file; 0 where it is not found."""
    try:
        return (expanded(root) / source).stat().st_size
    except (OSError, ValueError):
        return 0
