"""The memory that is free for an image set, and the refusal of one that would not fit."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from dimred.errors import InputError
from dimred.files import memory

_PROCESS = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes that this process can still allocate: the least of what the machine has available, what
    its control group (of a container or a batch job) leaves, and what its limits on the address
    space (ulimit -v) and on data (ulimit -d) leave. Where the system does not say what is available
    (it is Linux that does), the machine's memory."""
    return max(0, min((memory(), *_left())))


def require_memory(n_bytes: int, named: str, advice: str) -> None:
    """Raise InputError where an array would not fit in the free memory.

    named: what needs it, such as "dataset.image_size=224: 90,000 such images". advice: what can be
        done.
    """
    free = free_memory()
    if n_bytes > free:
        need, have = (gibibytes(size) for size in (n_bytes, free))
        raise InputError(f"{named} need {need} of memory, and {have} are free; {advice}")


def require_address_space(n_bytes: int, named: str) -> None:
    """Raise InputError where a file could not be mapped, as a limit on the address space leaves too
    little. named: as of `require_memory`."""
    for left in _left_of_limit(resource.RLIMIT_AS, "VmSize:"):
        if n_bytes > left:
            need, have = (gibibytes(size) for size in (n_bytes, max(left, 0)))
            raise InputError(
                f"{named} need {need} of address space, on disk too, and its limit (ulimit -v) "
                f"leaves {have}; raise the limit, or make them smaller"
            )


def gibibytes(n_bytes: int) -> str:
    """A size as text, such as "1.4 GiB", or "14 MiB" below half a GiB."""
    if n_bytes < 2**29:
        return f"{max(n_bytes / 2**20, 0.1):,.{0 if n_bytes >= 10 * 2**20 else 1}f} MiB"
    return f"{n_bytes / 2**30:,.1f} GiB"


def _left() -> Iterator[int]:
    available = _numbers(_PROCESS / "meminfo").get("MemAvailable:")
    if available is not None:
        yield available * 1024
    yield from _left_of_limit(resource.RLIMIT_AS, "VmSize:")
    yield from _left_of_limit(resource.RLIMIT_DATA, "VmData:")
    yield from _left_of_groups()


def _left_of_limit(kind: int, used: str) -> Iterator[int]:
    """What a limit of the process leaves, where there is one. used: how the system calls what is
    used of it."""
    limit, _ = resource.getrlimit(kind)
    if limit != resource.RLIM_INFINITY:
        yield limit - _numbers(_PROCESS / "self/status").get(used, 0) * 1024


def _left_of_groups() -> Iterator[int]:
    """What each control group that the process is in leaves, of version 2 and of version 1."""
    for line in _lines(_PROCESS / "self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = _GROUPS, ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            root = _GROUPS / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        limit, usage, prefix = names
        place = Path(path.lstrip("/"))
        for folder in (root / place, *(root / parent for parent in place.parents)):
            most, used = (next(_lines(folder / name), "") for name in (limit, usage))
            if most.isdecimal() and used.isdecimal():
                # Pages of files are given up for data.
                pages = _numbers(folder / "memory.stat")
                kinds = (f"{prefix}{kind}_file" for kind in ("active", "inactive"))
                yield int(most) - int(used) + sum(pages.get(kind, 0) for kind in kinds)


def _numbers(file: Path) -> dict[str, int]:
    """The first number of each line, by its first word."""
    words = (line.split() for line in _lines(file))
    return {line[0]: int(line[1]) for line in words if len(line) > 1 and line[1].isdecimal()}


def _lines(file: Path) -> Iterator[str]:
    """The lines of a file of the system, none where it has no such file."""
    if os.access(file, os.R_OK) and file.is_file():
        yield from file.read_text(encoding="utf-8").splitlines()
