"""What the reader of an image set has found in its files, and how it is counted in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_MAX_NAMED = 5
_MAX_REASONS = 10
_MAX_REASONS_PRINTED = 8


@dataclass(frozen=True)
class Unreadable:
    """Files that cannot be read for one reason.

    reason: that of the first. count: of the files. first: names of the first few.
    """

    reason: str
    count: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What the reader of a set has found in its files.

    files: number of image files, readable or not, before any selection; None without files.
    kinds: number of files read by format and mode, such as "PNG RGB".
    sizes: (width, height) of the smallest and of the largest image; None if all are as stored.
    grounds: number of files with transparent parts by what these were laid over.
    several_frames: number of files with several frames, of which the first is read.
    further_series: number of images from TIFFs with further series of images, which are not
        read.
    read_with_8_bits: number of files of more than 8 bits, of which the upper 8 are read, by kind.
    unreadable: the files that cannot be read, by reason.
    other_files: number of files that are no images by their suffix, by suffix.
    in_system_folders: number of image files by the system folder they lie in, such as "@eaDir".
    hidden: number of hidden image files and hidden folders.
    links: number of links that are not followed, as they lead back or out.
    notes: what is worth saying.
    """

    files: int | None = None
    kinds: dict[str, int] = field(default_factory=dict)
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    grounds: dict[str, int] = field(default_factory=dict)
    several_frames: int = 0
    further_series: int = 0
    read_with_8_bits: dict[str, int] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    other_files: dict[str, int] = field(default_factory=dict)
    in_system_folders: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    links: int = 0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values for summary.json; none without files."""
        if self.files is None:
            return {}
        return {
            "files": self.files,
            "kinds": self.kinds,
            "sizes": [list(size) for size in self.sizes or ()],
            "transparency_over": self.grounds,
            "several_frames": self.several_frames,
            "further_series": self.further_series,
            "read_with_8_bits": self.read_with_8_bits,
            "unreadable": [
                {"reason": part.reason, "count": part.count, "first": list(part.first)}
                for part in self.unreadable
            ],
            "passed_over": {
                "other_files": self.other_files,
                "in_system_folders": self.in_system_folders,
                "hidden": self.hidden,
                "links": self.links,
            },
        }


def grouped(unreadable: dict[str, str]) -> tuple[Unreadable, ...]:
    """Files and the reasons why they cannot be read, by reason, the most frequent first; the
    numbers in it do not count, but those of channels."""
    groups: dict[str, list[str]] = {}
    for name, reason in unreadable.items():
        groups.setdefault(re.sub(r"\d+(?!\d| channel)", "0", reason), []).append(name)
    ordered = sorted(groups.values(), key=len, reverse=True)
    parts = [
        Unreadable(unreadable[names[0]], len(names), tuple(names[:_MAX_NAMED])) for names in ordered
    ]
    rest = [name for names in ordered[_MAX_REASONS:] for name in names]
    if rest:
        other = Unreadable("other reasons", len(rest), tuple(rest[:_MAX_NAMED]))
        return (*parts[:_MAX_REASONS], other)
    return tuple(parts)


def reasons(unreadable: tuple[Unreadable, ...]) -> str:
    """Why files cannot be read: the most frequent reasons, each with its number and first file."""
    parts = [
        f"{part.reason} ({part.count:,}, {part.first[0]!r}{' first' if part.count > 1 else ''})"
        for part in unreadable[:_MAX_REASONS_PRINTED]
    ]
    more = sum(part.count for part in unreadable[_MAX_REASONS_PRINTED:])
    return "; ".join([*parts, f"and {more:,} for other reasons"] if more else parts)


def counted(counts: dict[str, int]) -> str:
    """Numbers of things by name, such as files by suffix, the most frequent first, as text."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count:,} {name or 'without suffix'}" for name, count in ordered[:_MAX_NAMED]]
    more = sum(count for _, count in ordered[_MAX_NAMED:])
    return ", ".join([*shown, f"{more:,} others"] if more else shown)


def counted_word(count: int, one: str, more: str) -> str:
    """A number of things as text, such as "1 file" or "2 files"."""
    return f"{count:,} {one if count == 1 else more}"
