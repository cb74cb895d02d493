"""The command as tests call it."""

import io
import json
import os
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout

import torch

from dimred.commands.main import main
from dimred.options import plugins, registry

SMOKE = [
    "train",
    "experiment=smoke",
    "model.widths=[8,16]",
    "model.hidden_dim=32",
    "eval.references=false",
    "view=false",
]


def forget_plugins():
    """As in a process that has imported none."""
    for name in plugins._files:
        registry.forget(name)
    plugins._files.clear()
    plugins._modules.clear()


def start(cwd, *words, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "dimred", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error::UserWarning", **environment},
    )


def dimred(cwd, *words, code=0, **environment):
    """Call the command: in this process, which spares four seconds, or with another environment in
    a process of its own."""
    if environment:
        return in_a_process(cwd, *words, code=code, **environment)
    out, err = io.StringIO(), io.StringIO()
    threads = torch.get_num_threads()
    try:
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
            returned = main(list(words))
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
    assert returned == code, out.getvalue() + err.getvalue()
    return out.getvalue(), err.getvalue()


def in_a_process(cwd, *words, code=0, **environment):
    """Call the command in a process of its own."""
    process = start(cwd, *words, **environment)
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    return out, err


def refused(cwd, *words, code=2, **environment):
    """The one line of a refusal."""
    _, err = dimred(cwd, *words, code=code, **environment)
    assert err.startswith("dimred: ")
    assert err.count("\n") == 1, err
    return err


def only_run(cwd):
    (path,) = (p for p in (cwd / "outputs").iterdir() if p.name != "sweeps")
    return path


def summary(path):
    return json.loads((path / "summary.json").read_text())


def rows(path):
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def wait_for(process, condition, seconds=120):
    """Until a condition holds, while a process runs."""
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)  # a condition that reads files takes time of the process
