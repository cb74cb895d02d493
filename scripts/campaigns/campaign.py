"""What the campaigns share: numbered cases on several processes, their counts, tiny runs, and
comparisons of folders."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import stat
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import warm
from operations import logs
from PIL import Image
from warm import Outcome, run

SEEN = ("tracebacks", "hangs", "outside", "differing")
OTHER = "other"

NET = "model=convnet model.widths=[2,4] model.hidden_dim=8"
MEASURES = "eval.linear=none eval.references=false eval.k=[3]"
PLACE = "device=cpu device.threads=1 checkpoint_every=0 run_dir=run"
DIGITS = "dataset=digits dataset.limit=60 schedule.batch_size=20"
FOLDER = "dataset=image_folder dataset.root=data dataset.image_size=8 schedule.batch_size=8"
TINY = {
    "tsimcne": f"experiment=smoke {DIGITS} {NET}",
    "drlim": f"experiment=drlim_digits {DIGITS} schedule.epochs_scale=0.01",
    "generalized": f"experiment=generalized_digits_shifts {DIGITS} schedule.epochs_scale=0.01",
    "simclr": f"loss=simclr schedule=demo schedule.epochs_scale=0.01 {DIGITS} {NET}",
    "classifier": "pairing=class_target loss=cross_entropy schedule=classifier "
    f"schedule.epochs_scale=0.4 {DIGITS} {NET}",
    "knn": f"pairing=knn pairing.k=2 loss=drlim schedule=drlim_digits {FOLDER} {NET} "
    "schedule.epochs_scale=0.01",
    "folder": f"loss=tsimcne schedule=smoke {FOLDER} {NET}",
    "infonce": "loss=infonce loss.kernel=cosine loss.learn_temperature=true eval.every=1 "
    f"schedule=smoke {DIGITS} {NET}",
}
"""Eight runs of about a second, by name; two of them read the images of `make_images`."""


ON_A_RUN = {
    "view": ["view", "run"],
    "inspect": ["inspect", "run"],
    "embed": ["embed", "run", "new.npz"],
    "export": ["export", "run"],
}
"""Command lines that look at the finished run in the folder `run`."""


def words_of(name: str) -> list[str]:
    """The words that train a tiny run in the folder `run`."""
    return ["train", *TINY[name].split(), *MEASURES.split(), *PLACE.split()]


def make_images(folder: Path, classes: Iterable[str] = "abc", each: int = 8) -> None:
    """A folder of images of 8x8 random pixels, the same ones every time."""
    pixels = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            values = pixels.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(values).save(folder / name / f"{number}.png")


class Skipped(Exception):
    """Raised by a case that cannot be tried here; it is not counted."""


def sound(outcome: Outcome) -> Outcome:
    """A command line that must have ended well."""
    assert outcome.code == 0, f"{outcome}\n{outcome.out[-2000:]}"
    return outcome


class Whole(NamedTuple):
    """A command that nothing happened to.

    files: those it leaves, `stable`. operations: name and path of each.
    """

    files: dict[str, str]
    seconds: float
    operations: list[tuple[str, str]]


class Fault(NamedTuple):
    """What was wrong in a case: one of SEEN or OTHER, and the output."""

    kind: str
    text: str


@dataclass
class Result:
    """A case. tried: how many things were tried in it. faults: empty if all is well."""

    kind: str
    tried: int = 1
    faults: list[Fault] = field(default_factory=list)
    what: str = ""

    def wrong(self, kind: str, text: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(kind, text))

    def judge(self, outcome: Outcome, codes: Iterable[int] = (0, 2), one_line: bool = True) -> bool:
        """Note what is wrong with how a command line ended: it must be with one of these codes and,
        unless with 0, with one line that begins with "dimred:" and is not endless (sweeps print
        more). Returns whether all is well."""
        before = len(self.faults)
        line = outcome.err.strip()
        is_line = line.startswith("dimred:") and len(line.splitlines()) == 1 and len(line) <= 3000
        if outcome.code is None:
            self.wrong("hangs", str(outcome))
        elif "Traceback (most recent call last)" in outcome.out + outcome.err:
            self.wrong("tracebacks", str(outcome))
        elif outcome.code not in codes:
            self.wrong(OTHER, f"exit code not among {sorted(codes)}: {outcome}")
        elif one_line and outcome.code and not is_line:
            self.wrong(OTHER, f"not one line: {outcome}")
        return len(self.faults) == before


Case = Callable[[int, random.Random, Path], Result]


_current: Campaign


def _numbered(number: int) -> tuple[int, Result | None]:
    return _current.numbered(number)


class Campaign:
    """A script's command line, and its cases.

    prepare: called once, before processes are forked that share what it makes.
    case: called with the number of a case, its own random numbers, and an empty folder.
    top: the temporary folder. base: one in it, of which cases get copies.
    """

    args: argparse.Namespace
    top: Path
    base: Path

    def __init__(self, doc: str, count: int):
        self.parser = argparse.ArgumentParser(
            description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        add = self.parser.add_argument
        add("--count", type=int, default=count, help="number of cases (default: %(default)s)")
        add("--seed", type=int, default=0, help="of all that is drawn (default: 0)")
        add("--seconds", type=float, help="begin no case after so many seconds")
        add("--jobs", type=int, default=2, help="processes (default: 2)")
        add("--case", type=int, help="only the case of this number")
        add("--keep", action="store_true", help="keep the temporary folder")

    def make_base(self, each: int = 36) -> None:
        """Images to train with and five others."""
        make_images(self.base / "data", each=each)
        pixels = np.random.default_rng(1).integers(0, 256, (5, 8, 8), dtype=np.uint8)
        np.savez(self.base / "new.npz", images=pixels)

    def lay_out(self, folder: Path, fresh: bool = False) -> None:
        """Copy the base; fresh: without its run."""
        shutil.copytree(self.base, folder, symlinks=True, dirs_exist_ok=True)
        if fresh:
            shutil.rmtree(folder / "run")

    def whole(self, name: str, words: Sequence[str], lay_out: Callable[[Path], object]) -> Whole:
        """Run a command twice in folders laid out alike."""
        made, seconds, log = [], [], self.top / f"{name}.operations"
        for attempt in range(2):
            folder = self.top / f"good-{name}{attempt}"
            lay_out(folder)
            hook = logs(folder, log) if attempt else None
            seconds.append(sound(run(words, folder, 120, hook=hook)).seconds)
            made.append(contents(folder))
        lines = [line.partition(" ") for line in log.read_text().splitlines()]
        return Whole(stable(*made), seconds[0], [(what, path) for what, _, path in lines])

    def run(self, case: Case, prepare: Callable[[], None]) -> None:
        """Run the cases, print failures and counts, and exit."""
        global _current
        _current = self  # the forks know it by this name
        self.args = args = self.parser.parse_args()
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        warm.warm_up()
        self.top, self.case = Path(tempfile.mkdtemp(prefix="dimred-campaign-")), case
        self.base = self.top / "base"
        numbers = range(args.count) if args.case is None else [args.case]
        counts: dict[str, Counter[str]] = {}
        try:
            prepare()
            self.until = time.monotonic() + (args.seconds or float("inf"))
            with multiprocessing.get_context("fork").Pool(min(args.jobs, len(numbers))) as pool:
                for number, result in pool.imap_unordered(_numbered, numbers):
                    if result is not None:
                        self._count(counts, number, result)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            self._clear()
            os._exit(1)
        self._clear()
        for kind, count in sorted(counts.items()):
            print(_line(kind, count))
        every = sum(counts.values(), Counter())
        print(_line("all", every), flush=True)
        os._exit(int(every["failed"] > 0))  # without the complaints of libraries at the end

    def _clear(self) -> None:
        if self.args.keep:
            print(f"kept: {self.top}", flush=True)
        else:
            shutil.rmtree(self.top, ignore_errors=True)

    def numbered(self, number: int) -> tuple[int, Result | None]:
        """The number of a case and its result, None where there was no time or it was skipped."""
        if time.monotonic() > self.until:
            return number, None
        folder = self.top / f"case{number}"
        folder.mkdir()
        try:
            result = self.case(number, random.Random(f"{self.args.seed}/{number}"), folder)
        except Skipped:
            return number, None
        except Exception:
            result = Result("the campaign itself", faults=[Fault(OTHER, traceback.format_exc())])
        finally:
            if not self.args.keep:
                shutil.rmtree(folder, ignore_errors=True)
        return number, result

    def _count(self, counts: dict[str, Counter[str]], number: int, result: Result) -> None:
        count = counts.setdefault(result.kind, Counter())
        count["tried"] += result.tried
        count["failed"] += bool(result.faults)
        count.update({fault.kind for fault in result.faults})
        repeat = f"--seed {self.args.seed} --case {number}"
        for fault in result.faults:
            print(f"FAILED {result.kind}, {result.what} ({repeat}): {fault.kind}: {fault.text}")
        sys.stdout.flush()


def _line(kind: str, count: Counter[str]) -> str:
    seen = ", ".join(
        f"{label} {count[name]}"
        for name, label in zip(
            SEEN, ("tracebacks", "hangs", "writes outside", "differing"), strict=True
        )
    )
    return f"{kind}: tried {count['tried']}, failed {count['failed']} ({seen})"


def snapshot(folder: Path, allowed: Sequence[str] = ()) -> dict[str, tuple[int, int, str]]:
    """Mode, device and digest of all below a folder but what lies in the allowed ones. Times,
    order and dimred's own commit do not count in JSON; what is no file has no digest."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not any(name == part or name.startswith(f"{part}/") for part in allowed):
            status = path.lstat()
            digest = _digest(path) if stat.S_ISREG(status.st_mode) else ""
            seen[name] = (status.st_mode, status.st_rdev, digest)
    return seen


def contents(folder: Path) -> dict[str, str]:
    """The digest of each file in a snapshot."""
    return {name: digest for name, (*_, digest) in snapshot(folder).items() if digest}


def _digest(path: Path) -> str:
    size = path.stat().st_size
    if size > 1 << 30:  # sparse
        return f"{size} bytes"
    data = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        with contextlib.suppress(ValueError):
            lines = [data] if path.suffix == ".json" else data.splitlines()
            values = [_timeless(json.loads(line)) for line in lines]
            data = json.dumps(values, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _timeless(part)
            for key, part in value.items()
            if not key.endswith(("seconds", "images_per_s", "commit"))
        }
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def stable(first: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """What two equal command lines made; "" for files that differ between them, such as locks,
    checkpoints and environments, which hold times."""
    assert first.keys() == second.keys(), first.keys() ^ second.keys()
    return {name: digest if digest == second[name] else "" for name, digest in first.items()}


def differences(expected: dict[str, str], found: dict[str, str]) -> str:
    """The names in which a folder differs from a stable one; "" for none."""
    parts = {
        "missing": expected.keys() - found.keys(),
        "more": found.keys() - expected.keys(),
        "other": {
            name
            for name in expected.keys() & found.keys()
            if expected[name] not in ("", found[name])
        },
    }
    return "; ".join(
        f"{what}: {', '.join(sorted(names))}" for what, names in parts.items() if names
    )


def changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The names that differ between two snapshots; "" for none."""
    return ", ".join(
        name for name in sorted({*before, *after}) if before.get(name) != after.get(name)
    )
