"""Runs that several processes share, through torchrun and the command."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import SMOKE, dimred, refused, rows, wait_for
from command import start as start_alone
from crash import Crash, crash_after

from dimred.commands.main import main
from dimred.run_folder.folder import RunFolder

pytestmark = pytest.mark.usefixtures("no_figures_here")

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def start(cwd, *words):
    return subprocess.Popen(
        [*TORCHRUN, "-m", "dimred", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )


def finished(process):
    """Exit code and output of a process, which is given some minutes."""
    try:
        out, err = process.communicate(timeout=150)
    finally:
        process.kill()
    return process.returncode, out, err


def torchrun(cwd, *words):
    return finished(start(cwd, *words))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    path = tmp_path_factory.mktemp("alone")
    dimred(path, *SMOKE, "run_dir=run")
    return path / "run"


def same_run(path, alone):
    """But for the order of sums."""
    ours, theirs = rows(path), rows(alone)
    assert [row["loss"] for row in ours] == pytest.approx([row["loss"] for row in theirs], rel=1e-3)
    z, expected = (np.load(run / "stages/pretrain.npz")["z"] for run in (path, alone))
    np.testing.assert_allclose(z, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_a_shared_run_is_the_run_of_one_process(alone, tmp_path):
    code, out, err = torchrun(tmp_path, *SMOKE, "run_dir=run")
    assert code == 0, out + err
    assert "2 processes" in out
    assert out.count("run folder") == 1
    same_run(tmp_path / "run", alone)


def test_several_processes_go_on_from_one_and_one_from_several(tmp_path, monkeypatch):
    """The run ends as if one process had made it, although it crashed and was interrupted."""
    monkeypatch.chdir(tmp_path)
    long = [*SMOKE, "schedule.stages.pretrain.epochs=20", "eval.every=0", "checkpoint_every=0"]
    dimred(tmp_path, *long, "run_dir=alone")
    with monkeypatch.context() as patch:
        crash_after(patch, 8)
        with pytest.raises(Crash):
            main([*long, "run_dir=run"])
    before = len(rows(tmp_path / "run"))
    process = start(tmp_path, *long, "run_dir=run")
    wait_for(process, lambda: len(rows(tmp_path / "run")) > before)
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert code != 0
    assert "continuing in stage pretrain" in out
    assert "saved to run; the same command goes on from there" in err, out + err
    out, _ = dimred(tmp_path, *long, "run_dir=run")
    assert "continuing in stage pretrain" in out
    same_run(tmp_path / "run", tmp_path / "alone")


def test_bad_input_is_said_once(tmp_path):
    code, _, err = torchrun(tmp_path, *SMOKE, "schedule.batch_size=1000")
    assert code != 0
    assert err.count("dimred: schedule.batch_size=1000") == 1, err
    assert not (tmp_path / "outputs").exists()


def test_where_one_process_is_killed_the_others_end(tmp_path):
    words = [*SMOKE, "run_dir=run", "schedule.stages.pretrain.epochs=2000", "checkpoint_every=0"]
    process = start(tmp_path, *words)
    wait_for(process, (tmp_path / "run/checkpoint.pt").exists)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[1]), signal.SIGKILL)
    code, out, err = finished(process)
    assert code != 0, out + err
    assert RunFolder(tmp_path / "run").read_checkpoint().position.stage == 0


def test_a_sweep_is_not_for_several_processes(tmp_path):
    err = refused(tmp_path, *SMOKE, "-m", "seed=0,1", WORLD_SIZE="2", RANK="0")
    assert "-m: torchrun starts the processes of one run" in err


def test_a_process_that_waits_for_the_others_hears_sigterm(tmp_path):
    with socket.socket() as one:
        one.bind(("localhost", 0))
        port = one.getsockname()[1]
    alone = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    process = start_alone(tmp_path, *SMOKE, **alone, GLOO_SOCKET_IFNAME="lo")

    def waits():
        with socket.socket() as caller:
            return caller.connect_ex(("localhost", port)) == 0

    wait_for(process, waits)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 143, err
    assert err == "dimred: terminated\n"


def test_processes_that_cannot_connect_are_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    err = refused(tmp_path, *SMOKE)
    assert "WORLD_SIZE=2" in err
    assert "torchrun" in err
