"""Several processes that share each step, against one process."""

import os
import socket
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import torch
from shared_steps import CASES, train

from dimred.training.device import DeviceName, DeviceOptions
from dimred.training.processes import ALONE, Processes

SCRIPT = Path(__file__).with_name("shared_steps.py")


def free_port():
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What this process, and each of two others, make of the same three steps."""
    folder = tmp_path_factory.mktemp("processes")
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
    shared["GLOO_SOCKET_IFNAME"] = "lo"  # whatever name the machine has
    running = [
        subprocess.Popen(
            [sys.executable, SCRIPT, folder / rank], env={**os.environ, **shared, "RANK": rank}
        )
        for rank in "01"
    ]
    try:
        assert [process.wait(timeout=120) for process in running] == [0, 0]
    finally:
        for process in running:
            process.kill()
    compute = DeviceOptions(name=DeviceName.cpu).compute(ALONE)
    alone = {name: train(compute, name) for name in CASES}
    return {"alone": alone, **{rank: torch.load(folder / rank) for rank in "01"}}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("what", ["losses", "weights", "gradients"])
def test_two_processes_equal_one(trained, case, what):
    alone, first, second = (trained[name][case][what] for name in ("alone", "0", "1"))
    tolerance = {"rtol": 0.03, "atol": 0.03} if case == "bf16" else {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(first, alone, **tolerance)
    torch.testing.assert_close(second, first, rtol=0, atol=0)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("rows", [8, 9, 31])
def test_parts_cover_all_rows_once(size, rows):
    numbers = list(range(rows))
    parts = [numbers[Processes(rank, size).part(rows)] for rank in range(size)]
    assert list(chain(*parts)) == numbers
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
