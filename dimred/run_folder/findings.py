"""inspect/findings.json: what `dimred inspect` found in a run, by kind.

    {"near_duplicates": {"groups": [{"title": "group 1: 2 images", "rows": [0, 3]}, ...],
                         "notes": {"3": "..."}}, ...}

Rows are those of embedding.npz.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dimred.errors import InputError

KINDS = ("near_duplicates", "outliers", "label_issues", "clusters")
# What runs of before call a kind.
_CALLED_BEFORE = {"clusters": "islands", "label_issues": "label_conflicts"}


@dataclass(frozen=True)
class RowGroup:
    """Rows that belong together. title: what users read, "" where a kind has one group only."""

    title: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Findings:
    """What was found of one kind, the surest first. notes: why, by row."""

    groups: tuple[RowGroup, ...] = ()
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[int]:
        """All rows in the order of the groups."""
        return [row for group in self.groups for row in group.rows]

    def __bool__(self) -> bool:
        return bool(self.groups)


def single_rows(notes: Mapping[int, str]) -> Findings:
    """Findings of single rows, in one group without a title; of none without rows."""
    return Findings((RowGroup("", tuple(notes)),) if notes else (), dict(notes))


def as_json(findings: Mapping[str, Findings]) -> dict[str, Any]:
    """What findings.json holds."""
    return {
        kind: {
            "groups": [{"title": group.title, "rows": list(group.rows)} for group in found.groups],
            "notes": {str(row): note for row, note in found.notes.items()},
        }
        for kind, found in findings.items()
    }


def read_findings(file: Path, n: int) -> dict[str, Findings]:
    """What findings.json says, by kind, in the order of KINDS; {} where there is no such file.

    n: rows of embedding.npz.
    Raises InputError for a file that cannot be read or names rows that are not there.
    """
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text())
        found = {kind: _read(kind, content) for kind in KINDS}
        rows = [row for each in found.values() for row in (*each.rows, *each.notes)]
        if not all(type(row) is int and 0 <= row < n for row in rows):
            raise ValueError("a row that the map does not have")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{file}: cannot be read ({error}); run dimred inspect again") from error
    return found


def _read(kind: str, content: Mapping[str, Any]) -> Findings:
    found = content.get(kind, content.get(_CALLED_BEFORE.get(kind, kind), ()))
    if isinstance(found, dict):
        groups = [RowGroup(str(group["title"]), tuple(group["rows"])) for group in found["groups"]]
        notes = found["notes"]
    else:
        notes = content.get("notes", {}).get(kind, {})
        groups = list(_groups_of_before(kind, found))
    return Findings(tuple(groups), {int(row): str(note) for row, note in notes.items()})


def _groups_of_before(kind: str, found: Sequence[Any]) -> Iterator[RowGroup]:
    """The groups as runs of before wrote them: a list of lists of rows (near-duplicates), of
    {"rows", "said"} (clusters), or of rows."""
    if kind == "near_duplicates":
        for number, rows in enumerate(found, start=1):
            yield RowGroup(f"group {number}: {len(rows)} images", tuple(rows))
    elif kind == "clusters":
        for cluster in found:
            yield RowGroup(f"cluster {cluster['said']}", tuple(cluster["rows"]))
    elif found:
        yield RowGroup("", tuple(found))
