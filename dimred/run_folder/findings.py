"""inspect/findings.json: the findings of `dimred inspect` in a run, by kind.

    {"near_duplicates": {"groups": [{"title": "group 1: 2 images", "rows": [0, 3]}, ...],
                         "notes": {"3": "..."}}, ...}

Rows are those of embedding.npz.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dimred.run_folder import layout
from dimred.run_folder.files import RunFiles

KINDS = ("near_duplicates", "outliers", "label_issues", "clusters")
# Names of kinds in files of earlier versions.
_FORMER_KINDS = {"clusters": "islands", "label_issues": "label_conflicts"}


@dataclass(frozen=True)
class RowGroup:
    """Rows that belong together. title: shown to users, "" where a kind has one group only."""

    title: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Findings:
    """Findings of one kind, the most certain first. notes: the reason, by row."""

    groups: tuple[RowGroup, ...] = ()
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[int]:
        """All rows in the order of the groups."""
        return [row for group in self.groups for row in group.rows]

    def __bool__(self) -> bool:
        return bool(self.groups)


def single_rows(notes: Mapping[int, str]) -> Findings:
    """Findings of single rows, in one group without a title; no group if there are none."""
    return Findings((RowGroup("", tuple(notes)),) if notes else (), dict(notes))


def as_json(findings: Mapping[str, Findings]) -> dict[str, Any]:
    """The content of findings.json."""
    return {
        kind: {
            "groups": [
                {"title": group.title, "rows": list(group.rows)} for group in of_kind.groups
            ],
            "notes": {str(row): note for row, note in of_kind.notes.items()},
        }
        for kind, of_kind in findings.items()
    }


def read_findings(files: RunFiles, n: int) -> dict[str, Findings]:
    """The content of findings.json in a run's folder, by kind, in the order of KINDS; {} without
    such a file.

    n: number of rows of embedding.npz.
    Raises InputError for a file that cannot be read or names rows beyond n.
    """
    if not files.exists(layout.FINDINGS):
        return {}
    again = "; run dimred inspect again"
    content = files.json(layout.FINDINGS, again)
    with files.decoding(layout.FINDINGS, again):
        findings = {kind: _read(kind, content) for kind in KINDS}
        rows = [row for of_kind in findings.values() for row in (*of_kind.rows, *of_kind.notes)]
        if not all(type(row) is int and 0 <= row < n for row in rows):
            raise ValueError("a row that the map does not have")
    return findings


def _read(kind: str, content: Mapping[str, Any]) -> Findings:
    entry = content.get(kind, content.get(_FORMER_KINDS.get(kind, kind), ()))
    if isinstance(entry, dict):
        groups = [RowGroup(str(group["title"]), tuple(group["rows"])) for group in entry["groups"]]
        notes = entry["notes"]
    else:
        notes = content.get("notes", {}).get(kind, {})
        groups = list(_former_groups(kind, entry))
    return Findings(tuple(groups), {int(row): str(note) for row, note in notes.items()})


def _former_groups(kind: str, entry: Sequence[Any]) -> Iterator[RowGroup]:
    """The groups in the format of earlier versions: a list of lists of rows (near-duplicates), of
    {"rows", "said"} (clusters), or of rows."""
    if kind == "near_duplicates":
        for number, rows in enumerate(entry, start=1):
            yield RowGroup(f"group {number}: {len(rows)} images", tuple(rows))
    elif kind == "clusters":
        for cluster in entry:
            yield RowGroup(f"cluster {cluster['said']}", tuple(cluster["rows"]))
    elif entry:
        yield RowGroup("", tuple(entry))
