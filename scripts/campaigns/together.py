"""Several command lines at once on one run, one sweep or one cache; jobs of submitit and runs of
two processes (torchrun) that are killed in part or as a whole.

    python scripts/campaigns/together.py --count 120 --seed 0

Wanted: each ends with exit 0, or 2 with one line, in time; typed again, the files are those of a
command that ran alone, with no others and no stuck lock. One case in twelve is of submitit_local
(where hydra-submitit-launcher is installed) and one of torchrun: these start fresh Pythons and take
a minute each, the others a few seconds.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from campaign import (
    OTHER,
    Campaign,
    Result,
    Skipped,
    contents,
    differences,
    sound,
    stable,
    words_of,
)
from warm import Child, run

LIMIT = 120
LOST = 330  # processes of torchrun wait five minutes for one that is gone without a word
TRAIN = words_of("tsimcne")
CACHED = [word for word in words_of("knn") if not word.startswith("run_dir=")]
SWEEP = ["train", "-m", *(word for word in TRAIN[1:] if not word.startswith("run_dir="))]
ALL_SEEDS = [*SWEEP, "seed=0,1,2"]
LAUNCHER = "hydra/launcher=submitit_local"
SHARED = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
SHARED += ("-m", "dimred")
ON_ONE = (
    *(["view", "run"], ["inspect", "run"], ["embed", "run", "new.npz"], ["export", "run"]),
    *(["baselines", "run", "--only", "z"], ["plot", "norms", "run", "--out", "figures/norms"]),
    *(["baselines", "run", "--only", "pixels"], words_of("folder"), ["view", "run"]),
)
ENVIRONMENT = {"GLOO_SOCKET_IFNAME": "lo"}
GOOD: dict[str, dict[str, str]] = {}
SECONDS: dict[str, float] = {}
CAMPAIGN = Campaign(__doc__, 120)
SUBMITIT = importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is not None


def prepare() -> None:
    """A finished run; what each kind leaves when nothing happens to it."""
    if not SUBMITIT:
        print("hydra-submitit-launcher is not installed: no jobs of submitit")
    CAMPAIGN.make_base()
    sound(run(words_of("folder"), CAMPAIGN.base, LIMIT))
    lines = {
        "runs": [TRAIN],
        "commands": list(ON_ONE),
        "cache": [[*CACHED, f"run_dir=run{n}"] for n in range(4)],
        "sweeps": [ALL_SEEDS],
        "torchrun": [TRAIN],
    }
    if SUBMITIT:
        lines["submitit"] = [[*ALL_SEEDS, LAUNCHER]]
    for kind, all_words in lines.items():
        # Files with times are the same ones in runs of either kind, which spares a slow second one.
        alike = {"torchrun": "runs", "submitit": "sweeps"}.get(kind)
        made = []
        for attempt in range(1 if alike else 2):
            folder = CAMPAIGN.top / f"good-{kind}{attempt}"
            CAMPAIGN.lay_out(folder, fresh=kind != "commands")
            for words in all_words:
                SECONDS[kind] = sound(_start(kind, words, folder).end(2 * LIMIT)).seconds
            made.append(_results(folder))
        if alike:
            GOOD[kind] = {n: d if GOOD[alike].get(n) else "" for n, d in made[0].items()}
        else:
            GOOD[kind] = stable(*made)
    GOOD["runs"]["run/config.yaml"] = ""  # restart=true stands there


def _start(kind: str, words: Sequence[str], folder: Path) -> Child:
    program = {"torchrun": SHARED, "submitit": SHARED[:1] + SHARED[-2:]}.get(kind, ())
    return Child(words, folder, program=program, env=ENVIRONMENT)


def _results(folder: Path) -> dict[str, str]:
    """The files but those that a sweep notes of itself."""
    files = contents(folder)
    return {name: d for name, d in files.items() if not name.startswith("outputs/sweeps/")}


def _again(result: Result, kind: str, lines: Sequence[Sequence[str]], folder: Path) -> None:
    """Type the lines again, one after the other, and compare."""
    for words in lines:
        outcome = _start(kind, words, folder).end(2 * LIMIT)
        if not result.judge(outcome, [0]):
            return
    left = differences(GOOD[kind], _results(folder))
    if left:
        result.wrong("differing", left)


def _at_once(
    result: Result,
    lines: Sequence[Sequence[str]],
    folder: Path,
    random: Random,
    codes: Sequence[int],
) -> None:
    children = []
    for words in lines:
        children.append(_start(result.kind, words, folder))
        time.sleep(random.choice((0, random.uniform(0, SECONDS["runs"]))))
    for child in children:
        result.judge(child.end(LIMIT), codes, one_line="-m" not in child.words)


def runs(result: Result, folder: Path, random: Random) -> None:
    """Two to four times the same run, some of them from the start."""
    lines = [
        [*TRAIN, f"restart={str(random.random() < 0.3).lower()}"]
        for _ in range(random.randint(2, 4))
    ]
    _at_once(result, lines, folder, random, (0, 2))
    _again(result, "runs", [TRAIN], folder)


def commands(result: Result, folder: Path, random: Random) -> None:
    """Five commands on one run."""
    _at_once(result, random.sample(ON_ONE, 5), folder, random, (0, 2))
    _again(result, "commands", ON_ONE, folder)


def cache(result: Result, folder: Path, random: Random) -> None:
    """Four runs that want the same cache."""
    lines = [[*CACHED, f"run_dir=run{n}"] for n in range(4)]
    _at_once(result, lines, folder, random, (0,))
    _again(result, "cache", lines, folder)


def sweeps(result: Result, folder: Path, random: Random) -> None:
    """Three sweeps, equal or overlapping."""
    seeds = [random.choice(("0,1,2", "0,1", "1,2", "2,0")) for _ in range(3)]
    _at_once(result, [[*SWEEP, f"seed={s}"] for s in seeds], folder, random, (0, 2))
    _again(result, "sweeps", [ALL_SEEDS], folder)


def torchrun(result: Result, folder: Path, random: Random) -> None:
    """A run of two processes, killed in part or as a whole."""
    _killed(result, TRAIN, folder, random)


def submitit(result: Result, folder: Path, random: Random) -> None:
    """A sweep whose jobs are processes of their own, killed in part or as a whole."""
    if not SUBMITIT:
        raise Skipped
    _killed(result, [*ALL_SEEDS, LAUNCHER], folder, random)


def _killed(result: Result, words: Sequence[str], folder: Path, random: Random) -> None:
    child = _start(result.kind, words, folder)
    child.wait(random.uniform(0, SECONDS[result.kind]))
    there = _processes(folder)
    how = random.choice(("one", "some", "all"))
    chosen = there if how == "all" else random.sample(there, min(len(there), 1 + (how == "some")))
    result.what = f"{how} killed: {len(chosen)} of {len(there)}"
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if child.end(LOST).code is None:
        result.wrong("hangs", f"after {result.what}")
    until = time.monotonic() + LOST
    while (left := _processes(folder)) and time.monotonic() < until:
        time.sleep(0.1)
    if left:
        result.wrong(OTHER, f"{len(left)} processes go on after {result.what}")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    _again(result, result.kind, [words], folder)


def _processes(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            number = int(entry.name)
            inside = Path(os.readlink(entry / "cwd")).is_relative_to(folder)  # noqa: PTH115
            if inside and "State:\tZ" not in (entry / "status").read_text():
                found.append(number)
    return found


KINDS = (runs, commands, cache, sweeps, runs, commands, torchrun)
KINDS += (runs, commands, cache, sweeps, submitit)


def case(number: int, random: Random, folder: Path) -> Result:
    """Several command lines at once."""
    kind = KINDS[number % len(KINDS)]
    result = Result(kind.__name__)
    CAMPAIGN.lay_out(folder, fresh=kind is not commands)
    kind(result, folder, random)
    return result


if __name__ == "__main__":
    CAMPAIGN.run(case, prepare)
