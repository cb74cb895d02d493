"""Whole runs through the real compiler, and without one."""

import copy
import shutil

import pytest
import torch
from command import SMOKE, dimred, refused
from safetensors.torch import load_file

from dimred.run.recorder import RunRecorder


@pytest.mark.usefixtures("no_figures")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_smoke_compiled_moves_every_parameter_and_is_the_plain_run(tmp_path, monkeypatch):
    seen = []
    after_stage = RunRecorder.after_stage

    def noting(recorder, trainer):
        after_stage(recorder, trainer)
        seen.append((trainer.mode, copy.deepcopy(trainer.encoder.state_dict())))

    monkeypatch.setattr(RunRecorder, "after_stage", noting)
    words = ["train", "experiment=smoke", "eval.references=false", "eval.linear=none"]
    for choice in ("false", "true"):
        dimred(tmp_path, *words, f"device.compile={choice}", f"run_dir={choice}")
    modes = [mode for mode, _ in seen]
    assert modes == [None] * 3 + ["default"] * 3
    plain, compiled = ([weights for _, weights in seen[i : i + 3]] for i in (0, 3))
    for by_hand, by_compiler in zip(plain, compiled, strict=True):
        torch.testing.assert_close(by_compiler, by_hand, rtol=1e-3, atol=1e-3)
    names = load_file(tmp_path / "true/weights.safetensors").keys() - {"mean", "std"}
    learned = [name for name in names if "running" not in name and "tracked" not in name]
    assert len(learned) == 22
    _, readout, finetune = compiled
    assert [name for name in learned if torch.equal(readout[name], finetune[name])] == []


def test_compiling_without_a_compiler_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("nosuch",))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    line = refused(tmp_path, *SMOKE, "device.compile=true")
    assert "device.compile=true: cannot compile here" in line
    assert "nosuch" in line
