"""A run stopped at any checkpoint goes on to exactly the result of one that never stopped."""

import dataclasses

import numpy as np
import pytest
from crash import Crash, crash_after

from dimred.config import RunConfig
from dimred.config.device import DeviceName, DeviceOptions
from dimred.config.run import EvalOptions, LinearProbe
from dimred.config.schedule import Anneal, ScheduleOptions, StageOptions, Trainable
from dimred.data.options import Digits
from dimred.errors import InputError
from dimred.losses.options import SimCLR, TSimCNE
from dimred.models.options import ConvNet
from dimred.pairing.options import Augmentation
from dimred.run.results import Results
from dimred.run.train import run

STAGES = {
    "pretrain": StageOptions(epochs=2, out_dim=6, warmup_epochs=1, loss=SimCLR()),
    "readout": StageOptions(
        epochs=1, out_dim=2, warmup_epochs=0, anneal=Anneal.none, trainable=Trainable.readout
    ),
    "finetune": StageOptions(epochs=2, out_dim=2, warmup_epochs=0, lr_scale=0.1),
}


def config(path):
    return RunConfig(
        dataset=Digits(limit=100),
        pairing=Augmentation(),
        model=ConvNet(widths=[3, 4], hidden_dim=8),
        loss=TSimCNE(),
        schedule=ScheduleOptions(batch_size=40, stages=STAGES),
        device=DeviceOptions(name=DeviceName.cpu),
        eval=EvalOptions(every=1, linear=LinearProbe.none, references=False),
        run_dir=str(path),
        checkpoint_every=0,
    )


def results(path):
    with np.load(path / "embedding.npz") as content:
        arrays = {name: content[name].tobytes() for name in content.files}
    stages = {p.name: p.read_bytes() for p in (path / "stages").iterdir()}
    return (path / "embedding.npz").read_bytes(), arrays, stages


def again(path, **eval_options):
    options = config(path)
    for key, value in eval_options.items():
        setattr(options.eval, key, value)
    return run(options, [])


def test_a_finished_run_without_its_checkpoint_is_not_trained_again(tmp_path):
    again(tmp_path / "run")
    (tmp_path / "run/checkpoint.pt").unlink()
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*.*") if p.is_file()}
    with pytest.raises(InputError, match=r"checkpoint\.pt: is gone.*restart=true"):
        again(tmp_path / "run", save_h=True)
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*.*") if p.is_file()} == before
    assert again(tmp_path / "run").finished_before


def test_a_run_whose_measuring_again_is_cut_short_is_not_called_finished(tmp_path, monkeypatch):
    again(tmp_path / "run")
    expected = (tmp_path / "run/embedding.npz").read_bytes()

    def crash(*_):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Results, "_references", crash)
        with pytest.raises(Crash):
            again(tmp_path / "run", save_h=True)
    assert not again(tmp_path / "run").finished_before
    assert (tmp_path / "run/embedding.npz").read_bytes() == expected


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        saved = crash_after(patch, -1)
        outcome = run(config(path), ["test"])
    return path, outcome.summary, saved


def test_there_is_a_checkpoint_after_every_step_and_stage(whole):
    _, _, saved = whole
    steps = {(s, e, k) for s, n in enumerate((2, 1, 2)) for e in range(n) for k in (1, 2)}
    assert steps <= set(saved)
    assert {(1, 0, 0), (2, 0, 0), (3, 0, 0)} <= set(saved)


@pytest.mark.parametrize("count", range(1, 17))
def test_a_crash_after_any_checkpoint_does_not_show_in_the_result(
    whole, tmp_path, monkeypatch, count
):
    path, summary, saved = whole
    assert len(saved) == 16
    with monkeypatch.context() as patch:
        crash_after(patch, count)
        with pytest.raises(Crash):
            run(config(tmp_path / "run"), ["test"])
    outcome = run(config(tmp_path / "run"), ["test"])
    assert results(tmp_path / "run") == results(path)

    def timeless(summary):
        times = ("seconds", "images_per_s")
        stages = summary["stages"].values()
        return [{k: v for k, v in stage.items() if k not in times} for stage in stages]

    assert timeless(outcome.summary) == timeless(summary)


def test_a_checkpoint_is_refused_when_the_configuration_changed(whole):
    path, _, _ = whole
    other = dataclasses.replace(config(path), seed=5)
    with pytest.raises(ValueError, match="seed is 0 there, 5 here"):
        run(other, ["test"])
