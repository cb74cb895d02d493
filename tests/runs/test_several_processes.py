"""Runs that several processes share, through torchrun and the command."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command import SMOKE, dimred, rows, summary

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def start(cwd, *words):
    return subprocess.Popen(
        [*TORCHRUN, "-m", "dimred", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def torchrun(cwd, *words):
    process = start(cwd, *words)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    path = tmp_path_factory.mktemp("alone")
    dimred(path, *SMOKE, "run_dir=run")
    return path / "run"


def test_a_shared_run_is_the_run_of_one_process(alone, tmp_path):
    code, out, err = torchrun(tmp_path, *SMOKE, "run_dir=run")
    assert code == 0, out + err
    assert "2 processes" in out
    assert out.count("run folder") == 1
    ours, theirs = rows(tmp_path / "run"), rows(alone)
    assert [row["loss"] for row in ours] == pytest.approx([row["loss"] for row in theirs], rel=1e-3)
    z, expected = (np.load(run / "stages/pretrain.npz")["z"] for run in (tmp_path / "run", alone))
    np.testing.assert_allclose(z, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())

    code, out, err = torchrun(tmp_path, *SMOKE, "run_dir=run")
    assert code == 0, out + err
    assert "finished before" in out


def test_an_interrupted_shared_run_goes_on_in_one_process(tmp_path):
    long = [*SMOKE, "run_dir=run", "schedule.stages.pretrain.epochs=40", "checkpoint_every=0"]
    process = start(tmp_path, *long)
    checkpoint = tmp_path / "run/checkpoint.pt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "saved to run; the same command goes on from there" in err, out + err
    out, _ = dimred(tmp_path, *long)
    assert "continuing in stage pretrain" in out
    assert summary(tmp_path / "run")["stages"]["pretrain"]["epoch"] == 40


def test_bad_input_is_said_once(tmp_path):
    code, _, err = torchrun(tmp_path, *SMOKE, "schedule.batch_size=1000")
    assert code != 0
    assert err.count("dimred: schedule.batch_size=1000") == 1, err
    assert not (tmp_path / "outputs").exists()
