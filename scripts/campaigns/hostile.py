"""Lets every command read run folders and caches that a stranger has prepared.

    python scripts/campaigns/hostile.py --count 2640 --seed 0       each case once

A case is one file of a finished or stopped run (or the neighbor cache), one way to damage it
(damage.py), and one command that reads it. Wanted: exit 0, or exit 2 with one line; within 20
seconds; at most 1.5 GiB more memory; no file outside the run created or changed; other runs still
in tables; and no result other than the undamaged run gives, unless the command refuses. (A change
in a JSON or YAML file may change what is shown: there only the exit counts.)
"""

from __future__ import annotations

# ruff: noqa: SIM905  (names stand side by side)
import os
import shutil
import signal
from pathlib import Path
from random import Random
from typing import Any

from campaign import (
    ON_A_RUN,
    OTHER,
    Campaign,
    Result,
    Skipped,
    changed,
    contents,
    differences,
    make_images,
    snapshot,
    sound,
    stable,
    words_of,
)
from damage import bomb, damages
from warm import MIB, Child, run

LIMIT = 20
MEMORY = 1536 * MIB
TRAIN = [*words_of("knn"), "eval.tsne=100", "eval.every=1", "eval.k=[3,15]", "name=damaged"]
FIGURES = ("knn", "stages", "spectrum", "norms", "seeds", "loss")
READERS: dict[str, list[str]] = {
    "train": TRAIN,
    "measure": [*TRAIN, "eval.save_h=true"],
    "resume": TRAIN,
    "cached": [*TRAIN, "run_dir=run2"],
    **ON_A_RUN,
    "baselines": ["baselines", "run", "--only", "z", "--again"],
    "table": ["table", "baselines", "--outputs", "."],
    **{f: ["plot", f, "run", "--out", f"figures/{f}"] for f in FIGURES},
}
RECORDS = ("train", "view", "inspect", "embed", "baselines", "table", "norms", "resume")
CACHE = "data/.dimred-cache"
READ_BY: dict[str, tuple[str, ...]] = {
    "run/summary.json": RECORDS[:-1],
    "run/environment.json": RECORDS,
    "run/config.yaml": ("view", "inspect", "embed", "export", "baselines", "table", "norms"),
    "run/metrics.jsonl": ("loss", "train", "measure", "resume", "view", "table"),
    "run/embedding.npz": tuple("view inspect embed baselines norms seeds stages knn".split()),
    "run/stages/train.npz": ("view", "stages", "spectrum", "inspect"),
    "run/tsne.npz": ("view", "train", "inspect"),
    "run/weights.safetensors": ("embed", "export", "view", "inspect", "baselines"),
    "run/checkpoint.pt": ("resume", "resume", "measure"),
    "run/inspect/findings.json": ("view", "inspect"),
    "run/baselines.json": ("table", "baselines", "view"),
    "run/baselines/z.npz": ("baselines", "table"),
    "run/.lock": ("train", "inspect", "baselines", "resume"),
    "run/map.html": ("view",),
    "run/encoder.onnx": ("export",),
    "run/embedded/new.npz": ("embed",),
    "run/embedded/new.csv": ("embed",),
    "run/embedded": ("embed",),
    "run/inspect": ("inspect", "view"),
    "run/plots": ("baselines", "resume", "measure"),
    "run/baselines": ("baselines",),
    "run/stages": ("resume", "view", "measure"),
    CACHE: ("cached",),
    f"{CACHE}/neighbors.npz": ("cached",),
}
# Written by the command itself, or not meant to be the same.
WRITTEN = ("work/run", "work/run2", "work/figures", f"work/{CACHE}")
TEXTS = (".json", ".jsonl", ".yaml")
# What a run may be like, or what no reader needs to notice.
SOUND = (
    "bomb",
    "gone",
    "array gone",
    "a folder",
    "a dangling link",
    "rows turned",
    "3e38",
    "-3e38",
)

GOOD: dict[str, dict[str, str]] = {}
CASES: list[tuple[str, str, str]] = []
CAMPAIGN = Campaign(__doc__, 2640)
CAMPAIGN.parser.add_argument("--only", default="", help="cases with this text, such as .npz")


def prepare() -> None:
    """A finished run, the same one stopped in its midst, another in peace; what each command
    makes of the finished run."""
    CAMPAIGN.make_base()
    work = CAMPAIGN.base
    _stop(work)
    shutil.move(work / "run", CAMPAIGN.top / "stopped")
    other = [*words_of("classifier"), "run_dir=other", "name=survivor"]
    for words in (TRAIN, other, ["baselines", "run", "other", "--only", "z"]):
        sound(run(words, work, 120))
    for name in ("inspect", "view", "embed", "export"):
        sound(run(READERS[name], work, 120))
    for reader in READERS:
        made = []
        for attempt in range(2):
            folder = CAMPAIGN.top / f"good-{reader}{attempt}"
            _lay_out(folder, reader)
            for path in folder.rglob("*"):
                os.utime(path, (0, 0), follow_symlinks=False)
            sound(run(READERS[reader], folder / "work", 120))
            made.append(contents(folder / "work"))
        written = {n for n in made[0] if (folder / "work" / n).stat().st_mtime}
        GOOD[reader] = {n: d for n, d in stable(*made).items() if n in written and d}
    for name, readers in READ_BY.items():
        for damage in damages(name):
            CASES.extend((name, damage, reader) for reader in dict.fromkeys(readers))
    bomb()


def _stop(work: Path) -> None:
    """Train until the third checkpoint is in place."""

    def hook() -> None:
        real, left = os.replace, [3]

        def replace(source: Any, target: Any, **options: Any) -> None:
            real(source, target, **options)
            left[0] -= Path(target).name == "checkpoint.pt"
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = os.rename = replace

    outcome = Child(TRAIN, work, hook=hook).end(60)
    assert outcome.code == -signal.SIGKILL, outcome


def _lay_out(folder: Path, reader: str) -> None:
    """Copies of the runs, and a home with files that nobody may touch."""
    CAMPAIGN.lay_out(folder / "work", fresh=reader == "resume")
    if reader == "resume":
        shutil.copytree(CAMPAIGN.top / "stopped", folder / "work" / "run", symlinks=True)
    home = folder / "home"
    make_images(home / "photos", "x", 2)
    (home / "precious").write_text("precious\n")
    os.mkfifo(home / "pipe.npz")


def case(number: int, random: Random, folder: Path) -> Result:
    """One file, damaged in one way, and one command. Cases are drawn without repetition, until all
    have been tried."""
    cases = [each for each in CASES if CAMPAIGN.args.only in " ".join(each)]
    Random(f"{CAMPAIGN.args.seed}").shuffle(cases)
    name, damage, reader = cases[number % len(cases)]
    _lay_out(folder, reader)
    work = folder / "work"
    file = work / name
    if name.startswith(f"{CACHE}/"):
        (file,) = (work / CACHE).glob("*.npz")
    if not file.exists():  # in the run that was stopped
        raise Skipped
    kind = f"hostile {Path(name).name.replace('neighbors', 'cache')}"
    result = Result(kind, what=f"{damage}, {reader}")
    damages(name)[damage](file, random, folder / "home")
    before = snapshot(folder, WRITTEN)
    outcome = run(
        READERS[reader], work, LIMIT, memory=2 * MEMORY, env={"HOME": str(folder / "home")}
    )
    # A loss that is not finite is a run that failed.
    diverged = name.endswith("checkpoint.pt") and damage == "NaN"
    result.judge(outcome, (0, 1, 2) if diverged else (0, 2))
    touched = changed(before, snapshot(folder, WRITTEN))
    if touched:
        result.wrong("outside", f"{touched}: {outcome}")
    if outcome.grown > MEMORY:
        result.wrong(OTHER, f"{outcome.grown / MIB:.0f} MiB more memory: {outcome}")
    if reader == "table" and (outcome.code != 0 or "survivor" not in outcome.out):
        result.wrong(OTHER, f"the other run is not in the table: {outcome}")
    sound = damage.startswith(SOUND) and reader != "cached"
    sound = sound or name.endswith("embedded/new.npz")  # taken for that of other images, and kept
    if outcome.code == 0 and file.suffix not in (*TEXTS, "") and not sound:
        found = contents(work)
        other = differences(GOOD[reader], {n: d for n, d in found.items() if n in GOOD[reader]})
        if other:
            result.wrong("differing", f"{other}: {outcome}")
    return result


if __name__ == "__main__":
    CAMPAIGN.run(case, prepare)
