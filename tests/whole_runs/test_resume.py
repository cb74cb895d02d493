"""A run stopped at any checkpoint goes on to exactly the result of one that never stopped."""

import dataclasses
import json

import numpy as np
import pytest
from crash import Crash, crash_after

from dimred.config import RunConfig
from dimred.config.run import run_schema
from dimred.data.options import Digits
from dimred.errors import InputError
from dimred.evaluation.measurement import Measurement
from dimred.losses.options import SimCLR, TSimCNE
from dimred.measures.knn import KnnCurves
from dimred.measures.linear import LinearProbe
from dimred.models.options import ConvNet
from dimred.pairing.options import Augmentation
from dimred.run.measuring import Measuring
from dimred.run.train import run
from dimred.training.device import DeviceName, DeviceOptions
from dimred.training.schedule import Anneal, ScheduleOptions, StageOptions, Trainable

pytestmark = pytest.mark.usefixtures("no_figures_here")

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
        eval=run_schema()().eval.__class__(every=1, linear=LinearProbe.none, references=False),
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
    with pytest.raises(InputError, match=r"checkpoint\.pt: is missing.*restart=true"):
        again(tmp_path / "run", save_h=True)
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*.*") if p.is_file()} == before
    assert again(tmp_path / "run").finished_before


def test_a_run_whose_measuring_again_is_cut_short_stays_finished(tmp_path, monkeypatch):
    path = tmp_path / "run"
    first = again(path)
    before = {p: p.read_bytes() for p in path.rglob("*.*") if p.is_file()}

    def crash(*_):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Measuring, "finish", crash)
        with pytest.raises(Crash):
            again(path, save_h=True)
    assert {p: p.read_bytes() for p in path.rglob("*.*") if p.is_file()} == before
    assert again(path).finished_before
    second = again(path, save_h=True)
    assert not second.finished_before
    assert second.summary["stages"] == first.summary["stages"]
    assert "h" in np.load(path / "embedding.npz")


def test_what_only_costs_memory_or_is_no_number_measures_nothing_again(tmp_path):
    path = tmp_path / "run"
    again(path)
    assert again(path, batch_size=7, every=2).finished_before


def test_other_neighbors_are_measured_without_training_again(tmp_path):
    path = tmp_path / "run"
    first = again(path).summary
    assert "knn15_z_official" in first["final"]
    second = again(path, k=[3], random_test=20)
    assert not second.finished_before
    assert second.summary["headline"] == "knn3_z_official"
    assert {"knn3_z_official", "knn3_h_random"} < set(second.summary["final"])
    # What was measured on other splits does not stand beside it.
    assert not any("knn15" in key for key in second.summary["final"])
    assert not any("knn" in key for key in second.summary["stages"]["pretrain"])
    kept = (path / "metrics.jsonl").read_text().splitlines()
    assert "knn15_z_official" in json.loads(kept[0])
    assert second.summary["dataset"]["splits"]["random"] == "random stratified 80/20, seed 0"
    assert second.summary["training_seconds"] == first["training_seconds"]
    assert again(path, k=[3], random_test=20).finished_before


def test_a_finished_run_is_measured_again_where_a_measure_is_new(tmp_path):
    path = tmp_path / "run"
    summary = again(path).summary
    del summary["measures"]  # as runs of before measures were named
    summary["eval"].pop("linear_batch_size")
    (path / "summary.json").write_text(json.dumps(summary))
    assert again(path).finished_before
    summary["measures"] = {"taken": ["knn"]}
    (path / "summary.json").write_text(json.dumps(summary))
    assert not again(path).finished_before
    assert again(path).finished_before


def test_a_measure_that_fails_is_left_out_and_the_run_is_finished(tmp_path, monkeypatch, capsys):
    def fail(self, embedding):
        yield Measurement(1.0, "half")
        raise KeyError("a fault of the measure")

    monkeypatch.setattr(KnnCurves, "measure", fail)
    outcome = again(tmp_path / "run")
    reason = "KeyError: 'a fault of the measure'"
    assert f"the measure knn_curves is left out: {reason}" in capsys.readouterr().out
    (place,) = outcome.summary["measures"]["left_out"].values()
    assert place.startswith(f"{reason} (test_resume.py, line ")
    assert outcome.summary["knn_curves"] == {}
    # Typed again, it is tried again, and nothing else changes.
    monkeypatch.undo()
    second = again(tmp_path / "run")
    assert not second.finished_before
    assert second.summary["measures"]["left_out"] == {}
    assert second.summary["stages"] == outcome.summary["stages"]
    assert again(tmp_path / "run").finished_before


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
