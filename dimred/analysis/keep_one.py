"""A list of near-duplicates to leave out of the next run: all but one of each group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from dimred.data.table_join import excluded_names
from dimred.errors import InputError
from dimred.files import csv_file, expanded, shell_word
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.folder import RunFolder

_COLUMNS = ("row", "index", "source", "class", "split", "group", "kept")


@dataclass(frozen=True)
class Exclusions:
    """What `leave_out_near_duplicates` has written.

    images: number of images in the list. groups: of near-duplicates; two_classes: of them with
    images of more than one class. earlier: images that the run had left out by its own list, which
    are in the new one too.
    """

    images: int
    groups: int
    two_classes: int
    earlier: int


def check_has_files(run: FinishedRun) -> None:
    """Raise InputError for a run whose images a list cannot name."""
    known = {spec.name for spec in fields(run.config.dataset)}
    if run.map.sources is None or "exclude" not in known:
        raise InputError(
            f"--keep-one: the images of {run.record.data} are no files of a folder, which a list "
            "could name"
        )


def leave_out_near_duplicates(run: FinishedRun, folder: RunFolder) -> Exclusions:
    """Write inspect/exclude.csv: all but one image of each group of near-duplicates that
    `dimred inspect` has found, for `dataset.exclude`. What the run left out by such a list stays in
    it. Of a group, a training image is kept before a test image, then the one of the largest file,
    then the first by name.

    Raises InputError for a run whose images are no files.
    """
    check_has_files(run)
    on, root, exclude = run.map, run.config.dataset.root, run.config.dataset.exclude  # type: ignore[attr-defined]
    assert on.sources is not None
    sources = on.sources

    def preference(row: int) -> tuple[bool, int, str]:
        return on.split[row] == "test", -_size(str(root), sources[row]), sources[row]

    def line(row: int) -> dict[str, Any]:
        values = {"row": row, "index": int(on.index[row]), "source": sources[row]}
        if on.labels is not None:
            values["class"] = on.class_names[on.labels[row]]
        return {**values, "split": str(on.split[row])}

    findings = run.findings().get("near_duplicates")
    groups = [group.rows for group in findings.groups] if findings else []
    table = []
    for number, rows in enumerate(groups, start=1):
        kept, *others = sorted(rows, key=preference)
        further = {"group": number, "kept": sources[kept]}
        table += [line(row) | further for row in others]
    earlier = [{"source": name} for name in excluded_names(str(root), exclude)] if exclude else []
    if table or earlier:
        folder.files.write(layout.EXCLUDED, csv_file(_COLUMNS, [*table, *earlier]))
    else:
        folder.files.remove(layout.EXCLUDED)
    classes = [set() if on.labels is None else set(on.labels[list(rows)]) for rows in groups]
    two = sum(len(of_group) > 1 for of_group in classes)
    return Exclusions(len(table), len(groups), two, len(earlier))


def next_command(run: FinishedRun) -> str:
    """The command that trains the run's successor, without what the list names."""
    return " ".join(["dimred train", *map(shell_word, _words(run))])


def _words(run: FinishedRun) -> Iterator[str]:
    moved = () if run.root is None else ("dataset.root=",)
    for word in run.record.command:
        if not word.startswith(("dataset.exclude=", "restart=", *moved)):
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
