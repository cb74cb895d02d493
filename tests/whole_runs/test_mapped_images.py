"""A run on images that are mapped from a file and larger than the memory it may take."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PLUGIN = Path(__file__).parents[1] / "plugins" / "mapped.py"
COUNT, SIDE = 6_000, 192
ROOM = 3 * COUNT * SIDE**2 // 4  # bytes besides those that PyTorch and the like have taken

# Trains, inspects, views, with a limit on what a process may allocate; mapped pages do not count.
CHILD = f"""
import resource, sys
from pathlib import Path
import dimred.analysis.inspection, dimred.analysis.map_page, dimred.run.train, dimred.plots
import dimred.evaluation.near_duplicates as search
from dimred.commands.main import main
search._VALUES_IN_BLOCK = 2**19
before = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
room = int(before.split()[1]) * 1024 + {ROOM}
resource.setrlimit(resource.RLIMIT_DATA, (room, room))
plugin = ["--plugin", {str(PLUGIN)!r}]
for words in (
    ["train", *plugin, *sys.argv[1:], "run_dir=run"],
    ["inspect", *plugin, "run"],
    ["view", *plugin, "run", "--folder", "--thumbnail", "32"],
):
    code = main(words)
    if code:
        sys.exit(code)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, and what the commands have said."""
    cwd = tmp_path_factory.mktemp("mapped")
    rng = np.random.default_rng(0)
    whole = np.lib.format.open_memmap(cwd / "many.npy", "w+", np.uint8, (COUNT, SIDE, SIDE))
    kinds = rng.integers(20, size=COUNT)
    for kind in range(20):  # a pattern each, with noise
        rows = np.flatnonzero(kinds == kind)
        pattern = rng.integers(0, 200, (SIDE, SIDE), dtype=np.uint8)
        whole[rows] = pattern + rng.integers(0, 50, (len(rows), SIDE, SIDE), dtype=np.uint8)
    whole.flush()
    np.save(cwd / "many.labels.npy", kinds)
    words = [f"dataset=mapped dataset.file={cwd / 'many.npy'} dataset.fit_on=train model=patches"]
    words += ["pairing=class_batches loss=triplet schedule=single_2d schedule.batch_size=100"]
    words += ["schedule.stages.train.epochs=1 schedule.stages.train.warmup_epochs=0"]
    words += ["model.width=16 model.side=64 eval.batch_size=100 device=cpu device.threads=1"]
    words += ["eval.linear=none eval.knn_curves=false view=false"]
    command = [sys.executable, "-c", CHILD, *" ".join(words).split()]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return cwd / "run", done.stdout


def test_it_is_measured_inspected_and_viewed(run):
    folder, said = run
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["dataset"]["images"] == COUNT
    assert summary["measures"]["failed"] == []
    assert "near_duplicates" in said
    assert len(list(folder.glob("map_files/*/*.webp"))) == -(-COUNT // 32**2)
