"""Digests of eight small runs, which a refactoring must not change.

    python scripts/golden.py before.json                          in the tree before the change
    python scripts/golden.py after.json --against before.json     in the tree after it

Trains with the dimred that this Python imports, one process per run, and writes digests of each
run's map, weights, maps and losses after each stage, and metrics without times. With --against it
names the differences and exits with 1 if there are any. Digests are comparable only on one machine
and one version of PyTorch, since the order of summation differs.
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
    """Make the runs and compare their digests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        digests = {name: make(Path(folder) / name) for name, make in RECIPES.items()}
    args.out.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")
    if args.against is not None:
        sys.exit(compare(json.loads(args.against.read_text()), digests))


def compare(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Print the differences; returns the exit code."""
    n_different = 0
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        other = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        print(f"{name:<12} {'differs: ' + ', '.join(other) if other else 'equal'}")
        n_different += bool(other)
    return int(n_different > 0)


def digests_of(run: Path) -> dict[str, str]:
    """The digests of a run's results, by file and array."""
    arrays = {f"weights/{key}": value for key, value in load_file(run / WEIGHTS).items()}
    for file in (run / "embedding.npz", *sorted((run / "stages").glob("*.npz"))):
        with np.load(file) as content:
            arrays |= {f"{file.stem}/{key}": content[key] for key in content.files}
    digests = {}
    for key, array in arrays.items():
        array = np.ascontiguousarray(array)
        head = f"{array.dtype.str} {array.shape}".encode()
        digests[key] = hashlib.sha256(head + array.tobytes()).hexdigest()[:16]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((run / "summary.json").read_text())
    kept = ("stages", "final", "linear", "references", "lle", "tsne", "errors", "headline")
    digests["metrics"] = _digest([_without_times(row) for row in rows])
    digests |= {f"summary/{key}": _digest(_without_times(summary.get(key))) for key in kept}
    return digests


WEIGHTS = "weights.safetensors"


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if key not in _TIMES}
        # Earlier versions spelled "neighbour" in the name of a measure.
        return {key.replace("bour", "bor"): _without_times(part) for key, part in kept.items()}
    return value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _environment() -> dict[str, str]:
    # One thread, since the order of summation depends on the number of threads.
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _train(command: Sequence[str], run: Path, overrides: Sequence[str]) -> None:
    subprocess.run(
        [*command, *overrides, *SMALL, f"run_dir={run}", f"output_dir={run.parent}"],
        check=True,
        env=_environment(),
        stdout=subprocess.DEVNULL,
    )


def _plain(name: str) -> Callable[[Path], dict[str, str]]:
    def make(run: Path) -> dict[str, str]:
        _train(COMMAND, run, RUNS[name])
        return digests_of(run)

    return make


def _two_processes(run: Path) -> dict[str, str]:
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    _train([*torchrun, "--standalone", "-m", "dimred", "train"], run, RUNS["views"])
    return digests_of(run)


def _resumed(run: Path) -> dict[str, str]:
    """The run `views`, stopped by SIGTERM after its first checkpoint, and continued."""
    command = [*COMMAND, *RUNS["views"], *SMALL, f"run_dir={run}", "checkpoint_every=0"]
    process = subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL)
    while not (run / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    if process.wait() != 143:
        raise SystemExit(f"resumed: the run was not stopped, but ended with {process.returncode}")
    _train(COMMAND, run, RUNS["views"])
    return digests_of(run)


RECIPES: dict[str, Callable[[Path], dict[str, str]]] = {
    **{name: _plain(name) for name in RUNS},
    "two-process": _two_processes,
    "resumed": _resumed,
}

if __name__ == "__main__":
    main()
