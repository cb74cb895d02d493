"""Every key of `dimred options` with values that nobody should type: each command line must end by
itself, with exit code 0, or 2 and one line.

    python scripts/fuzz_options.py --seed 0 --count 300

Draws that many pairs of a key and a value. Each is given to `dimred options`, and where that takes
it, to `dimred train` on a few small images, in a process of its own with a limit on time and
memory. Prints counts by outcome, and every case that ends otherwise: a traceback, a hang, another
exit code, or a refusal of more than one line. The exit code is 1 if there are any.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from dimred.commands.main import main
from dimred.config.compose import composed
from dimred.options.option import walk

SHORT = "schedule.epochs_scale=0.01"
# Small runs that between them have every key of the datasets that need no download.
RUNS = {
    "smoke": ["experiment=smoke"],
    "shifts": ["experiment=generalized_digits_shifts", SHORT],
    "classes": [
        *("experiment=smoke", "pairing=class_target", "loss=cross_entropy"),
        *("schedule=classifier", SHORT),
    ],
    "factors": ["experiment=regression_digits_shifts", SHORT],
    "neighbors": ["experiment=drlim_digits_shifts_naive", SHORT],
    "labels": ["experiment=drlim_digits", "pairing=class_label", SHORT],
    "views": ["experiment=drlim_turntable", "eval.lle=null", SHORT],
    "npz": ["experiment=smoke", "dataset=npz", "dataset.path=images.npz"],
    "folder": [
        *("experiment=smoke", "dataset=image_folder", "dataset.root=images"),
        "dataset.image_size=8",
    ],
    "infonce": ["experiment=smoke", "loss=infonce"],
    "resnet": ["experiment=smoke", "model=resnet18"],
    "norb": ["experiment=smoke", "dataset=norb_small"],
}
SMALL = ["device=cpu", "device.threads=1", "eval.references=false", "eval.linear=none"]
SMALL += ["schedule.batch_size=16", "checkpoint_every=1000"]

VALUES = {
    "negative": "-1",
    "zero": "0",
    "half": "0.5",
    "one": "1",
    "thousand": "1000",
    "NaN": "NaN",
    "infinite": "inf",
    "beyond float64": "1e400",
    "beyond float32": "1e300",
    "tiny": "1e-300",
    "beyond int32": "2147483648",
    "beyond int64": "9" * 30,
    "hundreds of digits": "9" * 400,
    "thousands of digits": "9" * 5000,
    "underscore": "1_0",
    "empty": "",
    "blank": "' '",
    "long": "x" * 5000,
    "not ASCII": "caf\u00e9",
    "not UTF-8": "caf\udce9",
    "newline": "a\nb",
    "quote": "it's",
    "parent": "../x",
    "home": "~",
    "percent": "%j",
    "truth": "true",
    "list of one": "[1]",
    "empty list": "[]",
    "list": "[1,2]",
    "long list": f"[{','.join(['1'] * 2000)}]",
    "list of lists": "[[1],[2]]",
    "deep list": "[" * 300 + "]" * 300,
    "list of null": "[null]",
    "open list": "[1",
    "empty map": "{}",
    "map": "{a: 1}",
    "null": "null",
    "variable": "${oc.env:HOME}",
    "no variable": "${oc.env:NOT_THERE}",
    "itself": "${seed}",
    "open variable": "${",
    "missing": "???",
    "sweep": "1,2",
    "function": "range(1,3)",
}
SECONDS = 120  # a run takes 5; a busy machine is slower
MEMORY = 3 << 30


@dataclass(frozen=True)
class Case:
    """A key of a small run with a value.

    run: one of RUNS. kind: one of VALUES.
    """

    run: str
    key: str
    kind: str

    @property
    def words(self) -> list[str]:
        """The overrides of the command line."""
        return [*RUNS[self.run], *SMALL, f"{self.key}={VALUES[self.kind]}"]

    def __str__(self) -> str:
        return f"{self.run}: {self.key}={VALUES[self.kind][:60]} ({self.kind})"


def keys(runs: Sequence[str]) -> dict[str, str]:
    """Every key of these runs, and the groups; with the first run that has it."""
    found: dict[str, str] = {}
    for run in runs:
        for key, _, _ in walk(composed([*RUNS[run], *SMALL])):
            for part in (key, key.rpartition(".")[0]):
                if part:
                    found.setdefault(part, run)
    return found


def cases(seed: int, count: int, runs: Sequence[str] = tuple(RUNS)) -> list[Case]:
    """Cases drawn at random; each kind of value is drawn equally often, and each key."""
    draw = random.Random(seed)
    found = list(keys(runs).items())
    drawn: list[Case] = []
    while len(drawn) < count:
        draw.shuffle(found)
        kinds = draw.sample(list(VALUES), len(VALUES))
        for (key, run), number in zip(found, range(count - len(drawn)), strict=False):
            drawn.append(Case(run, key, kinds[number % len(kinds)]))
    return drawn


def fault(code: object, errors: str) -> str | None:
    """What is wrong with the end of a command; None if nothing is."""
    if "Traceback" in errors:
        return "traceback"
    if code == 0:
        return None
    lines = errors.splitlines()
    if code != 2:
        return f"exit {code}"
    if len(lines) != 1 or not lines[0].startswith("dimred: ") or len(lines[0]) > 3000:
        return "refused, but not in one line"
    return None


def options(case: Case) -> tuple[int, str]:
    """Exit code and errors of `dimred options`, called in this process."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            code = main(["options", *case.words])
        except Exception:
            traceback.print_exc()
            code = 1
    return code, errors.getvalue()


def train(case: Case, folder: Path) -> tuple[int | None, str]:
    """Exit code and errors of `dimred train` in a forked process; None if it does not end."""
    log = folder / "log"
    child = os.fork()
    if not child:
        code = 70
        try:
            os.chdir(folder)
            file = log.open("w")
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout, sys.stderr = Path(os.devnull).open("w"), file  # noqa: SIM115
            resource.setrlimit(resource.RLIMIT_AS, (_size() + MEMORY,) * 2)
            code = main(["train", *case.words, "restart=true"])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            errors = log.read_text(errors="replace") if log.exists() else ""
            return os.waitstatus_to_exitcode(status), errors
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, ""


def _size() -> int:
    """Bytes of address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def outcomes(drawn: Sequence[Case], folder: Path) -> Iterator[tuple[Case, str, str]]:
    """The outcome of each case, and where it is a fault, the errors."""
    for case in drawn:
        code, errors = options(case)
        command = "options"
        if code == 0:
            command = "train"
            trained, errors = train(case, folder)
            if trained is None:
                yield case, "train: a hang", ""
                continue
            code = trained
        wrong = fault(code, errors)
        outcome = {0: "taken", 2: "refused"}.get(code, "") if wrong is None else wrong
        yield case, f"{command}: {outcome}", errors if wrong else ""


def _images(folder: Path) -> None:
    """Sixty images as an .npz file and as a folder of classes."""
    from PIL import Image

    random_images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 3
    np.savez(folder / "images.npz", images=random_images, labels=labels)
    for number, (image, label) in enumerate(zip(random_images, labels, strict=True)):
        place = folder / "images" / f"class{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    args = parser.parse_args()
    import_module("dimred.run.train")  # once, with PyTorch, before processes are forked
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HOME"] = name  # for ~ and ${oc.env:HOME}
        _images(folder)
        counts: Counter[str] = Counter()
        faults = 0
        for case, outcome, errors in outcomes(cases(args.seed, args.count), folder):
            counts[outcome] += 1
            if outcome not in ("options: refused", "train: refused", "train: taken"):
                faults += 1
                print(f"{case}\n    {outcome}\n    {errors[-1500:]}", flush=True)
    for outcome, number in sorted(counts.items()):
        print(f"{number:6} {outcome}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(_main())
