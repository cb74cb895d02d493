"""Every key of `dimred options` with values that nobody should type: each command line must end by
itself, with exit code 0, or 2 and one line.

    python scripts/fuzz_options.py --seed 0 --count 300

Draws that many pairs of a key and a value. Each is given to `dimred options`, and where that takes
it, to `dimred train` on a few small images, in a process of its own with a limit on time and
memory, as the campaigns do (scripts/campaigns). Prints counts by outcome, and every case that ends
otherwise: a traceback, a hang, another exit code, or a refusal of more than one line. The exit code
is 1 if there are any.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "campaigns"))
from campaign import Campaign, Result, make_images
from warm import MIB, run

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
    "unseen classes": ["experiment=smoke", "dataset=cub200"],
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
MEMORY = 3072 * MIB
CAMPAIGN = Campaign(__doc__, 300)
KEYS: list[tuple[str, str]] = []


def keys(runs: Sequence[str] = tuple(RUNS)) -> dict[str, str]:
    """Every key of these runs, and the groups; with the first run that has it."""
    from dimred.config.compose import composed
    from dimred.options.option import walk

    found: dict[str, str] = {}
    for name in runs:
        for key, _, _ in walk(composed([*RUNS[name], *SMALL])):
            for part in (key, key.rpartition(".")[0]):
                if part:
                    found.setdefault(part, name)
    return found


def words_of(name: str, key: str, kind: str) -> list[str]:
    """A key of one of RUNS with one of VALUES."""
    return [*RUNS[name], *SMALL, f"{key}={VALUES[kind]}"]


def prepare() -> None:
    """The keys; sixty images as an .npz file and as a folder of classes."""
    KEYS.extend(keys().items())
    make_images(CAMPAIGN.base / "images", each=20)
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(CAMPAIGN.base / "images.npz", images=images, labels=np.arange(60) % 3)


def case(number: int, random: Random, folder: Path) -> Result:
    """A key and a value. In a round of all keys, each kind of value is drawn as often as others."""
    turn, place = divmod(number, len(KEYS))
    draw = Random(f"{CAMPAIGN.args.seed}/{turn}")
    key, name = draw.sample(KEYS, len(KEYS))[place]
    kind = draw.sample(list(VALUES), len(VALUES))[place % len(VALUES)]
    result = Result("", what=f"{name}: {key}={VALUES[kind][:60]} ({kind})")
    work = folder / "work"
    CAMPAIGN.lay_out(work)
    for command in ("options", "train"):
        words = [command, *words_of(name, key, kind)]
        # HOME is of ~ and ${oc.env:HOME}.
        outcome = run(words, work, SECONDS, memory=MEMORY, env={"HOME": str(folder)})
        sound = result.judge(outcome)
        ended = ("refused" if outcome.code else "taken") if sound else "a fault"
        result.kind = f"{command}: {ended}"
        if ended != "taken":
            break
    return result


if __name__ == "__main__":
    CAMPAIGN.run(case, prepare)
