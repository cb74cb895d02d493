"""Digests of eight small runs, which a change of structure must not change.

    python scripts/golden.py before.json                          in the tree before the change
    python scripts/golden.py after.json --against before.json     in the tree after it

Runs the command of the interpreter's own dimred, one process a run, and writes for each run the
digests of its map, its weights, its maps and losses after each stage, its metrics without times.
With --against it names what differs and exits with 1. Digests hold on one machine and one PyTorch:
its kernels add up in an order of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

COMMAND = (sys.executable, "-m", "dimred", "train")
SMALL = ("device=cpu", "device.threads=1", "eval.every=1")
CONVNET = ("model.widths=[4,8]", "model.hidden_dim=16")
RUNS = {
    "views": ("experiment=smoke", *CONVNET),
    "pairs": ("experiment=drlim_digits", "pairing.sampling=pairs", "schedule.epochs_scale=0.02"),
    "generalized": ("experiment=generalized_digits_shifts", "schedule.epochs_scale=0.02"),
    "classifier": (
        "experiment=lenet_mnist_classifier",
        "dataset=digits",
        "model=convnet",
        *CONVNET,
        "dataset.limit=400",
        "schedule.batch_size=64",
        "schedule.epochs_scale=0.1",
        "eval.shifted_test=[1,1]",
        "eval.tsne=100",
    ),
    "drlim": ("experiment=drlim_digits_shifts_invariant", "schedule.epochs_scale=0.02"),
    "turntable": ("experiment=drlim_turntable", "schedule.epochs_scale=0.02", "eval.lle=400"),
}
_TIMES = ("seconds", "images_per_s", "training_seconds")


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        digests = {name: made(Path(folder) / name) for name, made in RECIPES.items()}
    given.out.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")
    if given.against is not None:
        sys.exit(compared(json.loads(given.against.read_text()), digests))


def compared(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Name what differs; the exit code."""
    wrong = 0
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        other = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        print(f"{name:<12} {'differs: ' + ', '.join(other) if other else 'equal'}")
        wrong += bool(other)
    return int(wrong > 0)


def digests_of(run: Path) -> dict[str, str]:
    """The digests of what a run wrote, by file and array."""
    arrays = {f"weights/{key}": value for key, value in load_file(run / WEIGHTS).items()}
    for file in (run / "embedding.npz", *sorted((run / "stages").glob("*.npz"))):
        with np.load(file) as content:
            arrays |= {f"{file.stem}/{key}": content[key] for key in content.files}
    found = {}
    for key, array in arrays.items():
        array = np.ascontiguousarray(array)
        head = f"{array.dtype.str} {array.shape}".encode()
        found[key] = hashlib.sha256(head + array.tobytes()).hexdigest()[:16]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((run / "summary.json").read_text())
    kept = ("stages", "final", "linear", "references", "lle", "tsne", "errors", "headline")
    found["metrics"] = _digest([_timeless(row) for row in rows])
    found |= {f"summary/{key}": _digest(_timeless(summary.get(key))) for key in kept}
    return found


WEIGHTS = "weights.safetensors"


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        # A measure's name was spelled otherwise before.
        kept = {key: part for key, part in value.items() if key not in _TIMES}
        return {key.replace("bour", "bor"): _timeless(part) for key, part in kept.items()}
    return value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _environment() -> dict[str, str]:
    # One thread: how many there are decides the order of sums.
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _train(command: Sequence[str], run: Path, words: Sequence[str]) -> None:
    subprocess.run(
        [*command, *words, *SMALL, f"run_dir={run}", f"output_dir={run.parent}"],
        check=True,
        env=_environment(),
        stdout=subprocess.DEVNULL,
    )


def _plain(name: str) -> Callable[[Path], dict[str, str]]:
    def made(run: Path) -> dict[str, str]:
        _train(COMMAND, run, RUNS[name])
        return digests_of(run)

    return made


def _two_processes(run: Path) -> dict[str, str]:
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    _train([*torchrun, "--standalone", "-m", "dimred", "train"], run, RUNS["views"])
    return digests_of(run)


def _resumed(run: Path) -> dict[str, str]:
    """The run of views, stopped by SIGTERM as soon as it has saved, and typed again."""
    words = [*COMMAND, *RUNS["views"], *SMALL, f"run_dir={run}", "checkpoint_every=0"]
    process = subprocess.Popen(words, env=_environment(), stdout=subprocess.DEVNULL)
    while not (run / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    if process.wait() != 143:
        raise SystemExit(f"resumed: the run was to be stopped and ended with {process.returncode}")
    _train(COMMAND, run, RUNS["views"])
    return digests_of(run)


RECIPES: dict[str, Callable[[Path], dict[str, str]]] = {
    **{name: _plain(name) for name in RUNS},
    "two-process": _two_processes,
    "resumed": _resumed,
}

if __name__ == "__main__":
    main()
