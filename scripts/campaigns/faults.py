"""Faults while a command runs: full and read-only disks, failing system calls, little memory,
signals. Then the same command again, without the fault.

    python scripts/campaigns/faults.py --count 600 --seed 0

A case is one command (train, view, inspect, embed, export, plot, baselines, table --out) and one
fault. Wanted: exit 2 with one line (for memory 1 or 2; 130 or 143 for signals; 0 where the fault
did not matter); nothing lost that was there; and, typed again, the files of a command that nothing
happened to, and no others. Full and read-only disks are small tmpfs, where mounting is allowed;
elsewhere these cases limit the size of files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from functools import cache
from pathlib import Path
from random import Random

from campaign import ON_A_RUN, Campaign, Result, Whole, contents, differences, sound, words_of
from operations import NAMES, Tear, intercept
from warm import MIB, Child, run

LIMIT = 90
SIZE = "size=64m"
COMMANDS: dict[str, list[str]] = {
    "train": [*words_of("simclr"), "name=own"],
    "train knn": [*words_of("knn"), "name=own"],
    **ON_A_RUN,
    "plot": ["plot", "norms", "run", "--out", "figures/norms"],
    "baselines": ["baselines", "run", "--only", "z"],
    "table": ["table", "baselines", "--outputs", ".", "--out", "tables/table.txt"],
}
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "ESTALE")

CAMPAIGN = Campaign(__doc__, 600)
WHOLE: dict[str, Whole] = {}


def prepare() -> None:
    """A finished run, what each command makes of it, and by which file operations."""
    mounts()
    CAMPAIGN.make_base()
    finished = [*words_of("folder"), "eval.k=[3,15]", "name=own"]
    for words in (finished, ["baselines", "run", "--only", "pixels"]):
        sound(run(words, CAMPAIGN.base, LIMIT))
    for command, words in COMMANDS.items():
        whole = CAMPAIGN.whole(command, words, lambda f, c=command: _lay_out(f, c))
        ours = [each for each in whole.operations if _is_of_command(each[1])]
        WHOLE[command] = Whole(_but_caches(whole.files), whole.seconds, ours)


@cache
def mounts() -> bool:
    """Whether a tmpfs can be mounted here."""
    place = CAMPAIGN.top / "mount"
    place.mkdir()
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        _mount(place)
        _unmount(place)
        return True
    print("no tmpfs can be mounted here: full and read-only disks become limits of file size")
    return False


def _mount(place: Path, *options: str) -> None:
    given = ",".join(options or (SIZE,))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", given, "none", str(place)], check=True, capture_output=True
    )


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)


def _but_caches(files: dict[str, str]) -> dict[str, str]:
    """A cache may be missing where it could not be written."""
    cache = "data/.dimred-cache/neighbors"
    return {n: d for n, d in files.items() if not (n.startswith(cache) and n.endswith(".npz"))}


def _lay_out(work: Path, command: str) -> None:
    CAMPAIGN.lay_out(work, fresh=command.startswith("train"))


def _is_of_command(path: str) -> bool:
    """Whether an operation counts: images that cannot be read are left out, which is no fault."""
    return "/data/" not in path or ".dimred-cache" in path


def operation(command: str, work: Path, random: Random, result: Result) -> None:
    """The n-th file operation fails, once or as all after it; a write may be half done before."""
    names = [name for name, _ in WHOLE[command].operations]
    kind = random.choice([name for name in NAMES if name in names])
    last = random.choice([n for n, name in enumerate(names) if name == kind])
    error, for_ever = random.choice(ERRORS), random.random() < 0.5
    share = random.choice((0.0, random.random()))
    result.what += f"{error} at {kind} {last}{' and after' if for_ever else ''}"
    seen = [0]

    def before(name: str, path: str, tear: Tear) -> None:
        if not _is_of_command(path):
            return
        seen[0] += 1
        # To read goes on where nothing can be written.
        hit = seen[0] == last + 1 or (for_ever and seen[0] > last and name != "open")
        if hit:
            tear(share)
            number = getattr(errno, error)
            # Calls that take a descriptor do not know its name.
            by_name = name in ("open", "replace", "mkdir", "unlink")
            raise OSError(number, os.strerror(number), *([path] if by_name else []))

    result.judge(run(COMMANDS[command], work, LIMIT, hook=lambda: intercept(work, before)))


def full_disk(command: str, work: Path, random: Random, result: Result) -> None:
    """A disk of a few pages."""
    free = int(4096 * 2 ** random.uniform(0, 8))
    result.what += f"{free} bytes free"
    if not mounts():
        result.judge(run(COMMANDS[command], work, LIMIT, file_size=free))
        return
    disk = os.statvfs(work)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    _mount(work, "remount", f"size={used + free}")
    result.judge(run(COMMANDS[command], work, LIMIT))
    _mount(work, "remount", SIZE)


def read_only(command: str, work: Path, random: Random, result: Result) -> None:
    """A disk that cannot be written, from the start."""
    if not mounts():
        full_disk(command, work, random, result)
        return
    _mount(work, "remount", "ro")
    result.judge(run(COMMANDS[command], work, LIMIT))
    _mount(work, "remount", "rw")


def file_size(command: str, work: Path, random: Random, result: Result) -> None:
    """A limit on the size of any file."""
    size = int(2 ** random.uniform(0, 18))
    result.what += f"{size} bytes"
    result.judge(run(COMMANDS[command], work, LIMIT, file_size=size))


def memory(command: str, work: Path, random: Random, result: Result) -> None:
    """A limit on the address space, some MiB more than there is before."""
    more = 2 ** random.uniform(0, 8)
    result.what += f"{more:.1f} MiB"
    result.judge(run(COMMANDS[command], work, LIMIT, memory=int(more * MIB)), (0, 1, 2))


def signals(command: str, work: Path, random: Random, result: Result) -> None:
    """One to five of SIGINT and SIGTERM."""
    read, write = os.pipe()
    child = Child(COMMANDS[command], work, begun=write)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    # A command that has only begun has no handlers yet, as any program.
    time.sleep(0.05 + random.uniform(0, 1.05 * WHOLE[command].seconds))
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4, 5))):
        number = random.choice((signal.SIGINT, signal.SIGTERM))
        result.what += f"{number.name} "
        if child.running():
            os.kill(child.pid, number)
        time.sleep(random.choice((0, random.uniform(0, 0.2))))
    outcome = child.end(LIMIT)
    # The second signal ends the process at once, without a word.
    result.judge(outcome, (0, 130, 143), one_line=bool(outcome.err))


KINDS = (operation, operation, full_disk, read_only, file_size, memory, signals, signals)


def case(number: int, random: Random, folder: Path) -> Result:
    """A command with a fault, and again without it."""
    fault = KINDS[number % len(KINDS)]
    # Training has most to lose.
    command = random.choice([*COMMANDS, "train", "train", "train knn"])
    result = Result(fault.__name__.replace("_", " "), what=f"{command}, ")
    good, work = WHOLE[command].files, folder / "work"
    work.mkdir()
    on_disk = fault in (full_disk, read_only) and mounts()
    if on_disk:
        _mount(work)
    try:
        _lay_out(work, command)
        before = contents(work)
        fault(command, work, random, result)
        left = contents(work)
        # Those that the command rewrites are compared at the end.
        kept = {name: d for name, d in before.items() if good.get(name) in ("", d)}
        lost = [
            name for name in kept if name not in left or (left[name] != kept[name] and good[name])
        ]
        if lost:
            result.wrong("differing", f"lost: {', '.join(lost)}")
        again = run(COMMANDS[command], work, LIMIT)
        if result.judge(again, [0]):
            other = differences(good, _but_caches(contents(work)))
            if other:
                result.wrong("differing", f"typed again: {other}; {again}")
    finally:
        if on_disk:
            _unmount(work)
    return result


if __name__ == "__main__":
    CAMPAIGN.run(case, prepare)
