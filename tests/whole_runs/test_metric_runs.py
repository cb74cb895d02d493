"""Whole runs of the losses of deep metric learning, in this process."""

import numpy as np
import pytest
import torch
from command import dimred, rows, summary
from crash import Crash, crash_after
from safetensors.numpy import load_file

from dimred.config import RunConfig
from dimred.config.run import run_schema
from dimred.data.options import Digits
from dimred.losses.metric_options import ProxyNCA
from dimred.measures.linear import LinearProbe
from dimred.models.options import ConvNet
from dimred.pairing.class_batch_options import ClassBatch
from dimred.run.train import run
from dimred.run_folder.folder import RunFolder
from dimred.training.device import DeviceName, DeviceOptions
from dimred.training.schedule import OptimizerName, OptimizerOptions, ScheduleOptions, StageOptions

pytestmark = pytest.mark.usefixtures("no_figures_here")

SMALL = [
    "model.widths=[4,8]",
    "model.hidden_dim=16",
    "eval.references=false",
    "eval.linear=none",
    "device=cpu",
    "device.threads=1",
    "view=false",
]
UNSEEN = ["dataset=digits", "dataset.limit=300", "dataset.fit_classes=[0-4]"]


@pytest.mark.parametrize(
    "words",
    [
        ["loss=triplet"],
        ["loss=triplet", "loss.mining=distance_weighted", "loss.squared=false"],
        ["loss=n_pair"],
        ["loss=contrastive"],
        ["loss=lifted_structure"],
        ["loss=proxy_nca"],
    ],
    ids=lambda words: "_".join(word.split("=")[1] for word in words[:2]),
)
def test_a_run_learns_from_some_classes_and_measures_the_others(tmp_path, words):
    dimred(
        tmp_path,
        "train",
        *UNSEEN,
        "pairing=class_batches",
        *words,
        "schedule=smoke",
        "schedule.batch_size=40",
        "schedule.optimizer.name=adamw",
        "model=convnet",
        *SMALL,
        "run_dir=run",
    )
    found = summary(tmp_path / "run")
    assert found["headline"] == "knn15_z_unseen"
    assert 0 < found["final"]["knn15_z_unseen"] <= 1
    assert found["dataset"]["splits"]["unseen"].startswith("classes not learned from, ")
    losses = [row["loss"] for row in rows(tmp_path / "run") if row["stage"] == "pretrain"]
    assert np.isfinite(losses).all()
    assert losses[1] < losses[0]
    with np.load(tmp_path / "run" / "stages" / "finetune.npz") as content:
        kept = np.isfinite(content["loss"])
    with np.load(tmp_path / "run" / "embedding.npz") as content:
        learned = content["label"] < 5
    assert np.array_equal(kept, learned)


def test_a_batch_that_the_classes_cannot_fill_is_refused_before_training(tmp_path):
    _, err = dimred(
        tmp_path,
        "train",
        *UNSEEN,
        "pairing=class_batches",
        "loss=triplet",
        "schedule=smoke",
        "schedule.batch_size=47",
        *SMALL,
        code=2,
    )
    assert err.startswith("dimred: schedule.batch_size=47: cannot be divided into 2 to 5 classes")


# Proxies

STAGES = {
    "first": StageOptions(epochs=2, out_dim=6, warmup_epochs=0),
    "second": StageOptions(epochs=1, out_dim=6, warmup_epochs=0, lr_scale=0.5),
    "third": StageOptions(epochs=1, out_dim=2, warmup_epochs=0),
}


def config(path):
    return RunConfig(
        dataset=Digits(limit=100, fit_classes=["0-4"]),
        pairing=ClassBatch(),
        model=ConvNet(widths=[3, 4], hidden_dim=8),
        loss=ProxyNCA(),
        schedule=ScheduleOptions(
            batch_size=20, stages=STAGES, optimizer=OptimizerOptions(name=OptimizerName.adamw)
        ),
        device=DeviceOptions(name=DeviceName.cpu),
        eval=run_schema()().eval.__class__(every=1, linear=LinearProbe.none, references=False),
        run_dir=str(path),
        checkpoint_every=0,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run, and copies of what its checkpoints hold of the proxies, by their place."""
    path, kept = tmp_path_factory.mktemp("proxies") / "run", {}
    with pytest.MonkeyPatch.context() as patch:
        real = RunFolder.write_checkpoint

        def save(folder, checkpoint):
            real(folder, checkpoint)
            kept[tuple(checkpoint.position)] = checkpoint.loss["proxies"].clone()

        patch.setattr(RunFolder, "write_checkpoint", save)
        run(config(path), [])
    return path, kept


def test_proxies_are_trained_and_go_on_to_the_next_stage_of_the_same_dimension(whole):
    _, kept = whole
    first, end, second, third = (
        kept[place] for place in ((0, 0, 1), (1, 0, 0), (1, 0, 1), (2, 0, 1))
    )
    assert not torch.equal(first, end)
    # A step of AdamW moves a number by little; those drawn anew would differ by about 1.
    assert 0 < (second - end).abs().max() < 0.05
    # In another dimension they begin anew.
    assert (first.shape, third.shape) == ((5, 6), (5, 2))


def files(path):
    stages = {p.name: p.read_bytes() for p in (path / "stages").iterdir()}
    return (path / "embedding.npz").read_bytes(), stages


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_crash_after_any_checkpoint_does_not_show_in_the_result(
    whole, tmp_path, monkeypatch, count
):
    path, kept = whole
    with monkeypatch.context() as patch:
        crash_after(patch, count)
        with pytest.raises(Crash):
            run(config(tmp_path / "run"), [])
    run(config(tmp_path / "run"), [])
    assert files(tmp_path / "run") == files(path)
    last = RunFolder(tmp_path / "run").read_checkpoint()
    assert torch.equal(last.loss["proxies"], kept[max(kept)])


def test_proxies_are_no_part_of_the_exported_encoder(whole):
    names = load_file(whole[0] / "weights.safetensors")
    assert names
    assert not [name for name in names if "prox" in name or "loss" in name]
