"""Runs that begin with the backbone of another: what is taken over, recorded, refused, and that
they go on to the byte."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import safetensors.torch
import torch
from command import dimred, refused, rows, summary
from crash import Crash, crash_after

from dimred.run.recorder import RunRecorder
from dimred.run_folder.configuration import configuration_digest
from dimred.run_folder.record import read_record
from dimred.tables.compare import configuration_key
from dimred.training import kept_h

pytestmark = pytest.mark.usefixtures("no_figures_here")

CLASSIFIER = [
    *["train", "dataset=digits", "pairing=class_target", "loss=cross_entropy"],
    *["schedule=classifier", "schedule.batch_size=50", "schedule.stages.train.epochs=2"],
    *["schedule.stages.train.out_dim=5", "dataset.limit=240", "dataset.mean=[0.3]"],
    *["dataset.std=[0.4]", "model=convnet", "model.widths=[4,6]", "model.hidden_dim=8"],
    *["device=cpu", "eval.linear=none", "view=false"],
]
SOURCE = [*CLASSIFIER, "name=digits_0to4", "dataset.classes=[0,1,2,3,4]", "eval.references=false"]
TARGET = [*CLASSIFIER, "dataset.classes=[5,6,7,8,9]", "model.init_from=digits"]
HEAD = ["schedule.stages.train.trainable=head", "schedule.stages.train.frozen_batchnorm=freeze"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the run that others begin with."""
    cwd = tmp_path_factory.mktemp("transfer")
    dimred(cwd, *SOURCE)
    return cwd


@pytest.fixture
def cwd(trained, tmp_path):
    """A copy of it."""
    shutil.copytree(trained / "outputs", tmp_path / "outputs")
    return tmp_path


def found(cwd, name):
    (path,) = (cwd / "outputs").glob(f"{name}-seed*")
    return path


def weights(path):
    return safetensors.torch.load_file(path / "weights.safetensors")


def test_the_head_is_trained_on_the_backbone_of_a_run(cwd):
    out, _ = dimred(cwd, *TARGET, *HEAD, "name=digits_5to9")
    source, target = found(cwd, "digits_0to4"), found(cwd, "digits_5to9")
    begun = f"begins with the backbone of outputs/{source.name}; new: hidden, readout"
    assert begun in out.splitlines()
    there, here = weights(source), weights(target)
    for name in there:
        assert torch.equal(there[name], here[name]) is name.startswith(("backbone", "mean", "std"))
    digest = summary(source)["weights_sha256"]
    told = {"option": "model.init_from", "value": f"outputs/{source.name}", "sha256": digest}
    told["configuration"] = configuration_digest(read_record(source))
    assert summary(target)["begins_with"] == told
    identity = json.loads((target / "environment.json").read_text())["identity"]
    assert identity["files"] == {"model": [digest]}
    assert not any("init_from" in key for key in identity["config"])
    # Before training it was the network that it began with, and H is as it was.
    final, before = summary(target)["final"], summary(target)["untrained"]
    assert final["knn15_h_official"] == before["knn15_untrained_h_official"]
    assert "begins_with" not in summary(source)


def test_an_interrupt_ends_computing_h_and_the_same_command_goes_on(cwd, monkeypatch):
    def interrupted(batches, *_):
        for batch in batches:
            os.kill(os.getpid(), signal.SIGINT)
            yield batch
            pytest.fail("another batch was computed")

    with monkeypatch.context() as patch:
        patch.setattr(kept_h, "bar", interrupted)
        _, err = dimred(cwd, *TARGET, *HEAD, "name=target", code=130)
    assert "interrupted before stage train; the same command goes on" in err
    dimred(cwd, *TARGET, *HEAD, "name=target", "eval.references=false")
    assert summary(found(cwd, "target"))["stages"]


def test_the_same_command_finds_its_run_again_though_both_are_called_alike(cwd):
    first, _ = dimred(cwd, *TARGET, "name=digits_5to9")
    again, _ = dimred(cwd, *TARGET, "name=digits_5to9")
    assert "finished before" not in first
    assert "finished before" in again
    listed, _ = dimred(cwd, *TARGET, "name=digits_5to9", "--list")
    assert "finished" in listed


def test_classes_are_said_to_be_unseen_by_this_training_where_it_began_with_another(cwd):
    split = [*CLASSIFIER, "dataset.fit_classes=[5-9]", "schedule.stages.train.out_dim=10"]
    for words, seen in ((["name=new"], False), (["model.init_from=digits", "name=begun"], True)):
        out, _ = dimred(cwd, *split, *words)
        said = " by this training" if seen else ""
        assert out.count(f"measured on 5 classes never seen{said} (") == 2  # before and after


def test_a_kept_head_is_taken_over_and_said_to_be(cwd):
    slow = "schedule.optimizer.lr_per_256=1e-12"
    out, _ = dimred(cwd, *TARGET, "name=kept", "model.init_head=kept", slow)
    source = found(cwd, "digits_0to4")
    assert f"begins with the backbone of outputs/{source.name}; and its head" in out
    there, here = weights(source), weights(found(cwd, "kept"))
    for name in ("hidden.weight", "readout.weight", "readout.bias"):
        torch.testing.assert_close(here[name], there[name])


def test_runs_that_began_otherwise_are_not_taken_for_seeds_of_one(cwd):
    dimred(cwd, *TARGET, "name=target", "eval.references=false")
    scratch = [word for word in TARGET if "init_from" not in word]
    dimred(cwd, *scratch, "name=target", "eval.references=false")
    folders = (cwd / "outputs").glob("target-*")
    begun, new = sorted(map(read_record, folders), key=lambda it: "begins_with" not in it.summary)
    digest = configuration_digest(read_record(found(cwd, "digits_0to4")))
    assert begun.values["model.init_from"] == f"digits_0to4-{digest[:8]}"
    assert configuration_key(begun) != configuration_key(new)
    out, _ = dimred(cwd, "runs", "target", "--format", "csv")
    assert "init_from=digits" in out


def test_other_weights_make_another_run(cwd):
    dimred(cwd, *TARGET, "name=target", "eval.references=false")
    source, (first,) = found(cwd, "digits_0to4"), (cwd / "outputs").glob("target-*")
    file = source / "weights.safetensors"
    changed = weights(source)
    changed["backbone.layers.0.weight"] += 0.01
    safetensors.torch.save_file(changed, file)
    line = refused(cwd, *TARGET, "name=target", f"run_dir={first}", "eval.references=false")
    assert "holds another run (the files of model have changed since)" in line
    out, _ = dimred(cwd, *TARGET, "name=target", "eval.references=false")
    assert "finished before" not in out
    assert len(list((cwd / "outputs").glob("target-*"))) == 2


@pytest.mark.parametrize("gone", [True, False])
def test_a_source_that_vanishes_or_changes_during_training_does_no_harm(cwd, monkeypatch, gone):
    source = found(cwd, "digits_0to4")
    digest, after_epoch = summary(source)["weights_sha256"], RunRecorder.after_epoch

    def harmed(*args):
        shutil.rmtree(source, ignore_errors=True)
        if not gone:
            source.mkdir()
            (source / "weights.safetensors").write_bytes(b"others")
        after_epoch(*args)

    monkeypatch.setattr(RunRecorder, "after_epoch", harmed)
    dimred(cwd, *TARGET, "name=target")  # the network before training is measured at the end
    assert summary(found(cwd, "target"))["begins_with"]["sha256"] == digest


def test_a_run_needs_its_source_to_be_trained_and_not_to_be_used(cwd):
    dimred(cwd, *TARGET, "name=target")
    source, target = found(cwd, "digits_0to4"), found(cwd, "target")
    shutil.rmtree(source)
    line = refused(cwd, *TARGET, "name=target")
    assert line.startswith("dimred: model.init_from=digits: ")
    dimred(cwd, "view", str(target))
    dimred(cwd, "plot", "loss", str(target))
    np.savez(cwd / "more.npz", images=np.zeros((3, 8, 8), dtype=np.uint8))
    dimred(cwd, "embed", str(target), "more.npz")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["dataset.mean=[0.2]"], ["another mean", "dataset.mean=[0.3] dataset.std=[0.4]"]),
        (["model.widths=[4,8]"], ["another network than model=convnet", "(6, 4, 3, 3) there"]),
        (["model.init_from=nowhere"], ["holds no finished run", "no run below outputs"]),
        (["model.init_from=."], ["2 finished runs", "digits_0to4"]),
        (["model.weights=w.pt"], ["model.weights=w.pt: not beside model.init_from=digits"]),
        (["model.init_from=null", "model.weights=w.pt"], ["model.weights=w.pt: w.pt is no file"]),
    ],
)
def test_what_a_run_cannot_begin_with(cwd, words, parts):
    if words == ["model.init_from=."]:
        shutil.copytree(cwd / "outputs", cwd / "others")
    before = sorted((cwd / "outputs").iterdir())
    line = refused(cwd, *TARGET, "name=target", *words)
    for part in parts:
        assert part in line
    assert sorted((cwd / "outputs").iterdir()) == before


def test_a_run_does_not_begin_with_itself(cwd):
    source = found(cwd, "digits_0to4")
    before = weights(source)
    line = refused(cwd, *TARGET, f"run_dir={source}", "restart=true")
    assert "is the folder of this very run" in line
    assert all(torch.equal(part, before[name]) for name, part in weights(source).items())


STAGES = """
defaults: [/schema/schedule/stages@_here_, _self_]
name: two
batch_size: 50
stages:
  head:
    {epochs: 1, out_dim: 5, warmup_epochs: 0, trainable: head, frozen_batchnorm: freeze}
  most:
    {epochs: 1, out_dim: 5, warmup_epochs: 0, frozen_blocks: 1, backbone_lr_factor: 0.1}
"""


def test_a_run_that_began_with_another_goes_on_to_the_byte(cwd, monkeypatch):
    """Through a stage of the head, whose H is kept, and one that trains a part of the backbone."""
    (cwd / "own/schedule").mkdir(parents=True)
    (cwd / "own/schedule/two.yaml").write_text(STAGES)
    words = [word for word in TARGET if not word.startswith("schedule")]
    words += ["schedule=two", "--config-dir", "own", "checkpoint_every=0", "eval.references=false"]
    with monkeypatch.context() as patch:
        saved = crash_after(patch, -1)
        dimred(cwd, *words, "name=whole")
    whole = found(cwd, "whole")
    assert {(0, 0, 2), (1, 0, 0), (1, 0, 2)} <= set(saved)
    for place in ((0, 0, 2), (1, 0, 0), (1, 0, 2)):
        name = f"stopped{saved.index(place)}"
        with monkeypatch.context() as patch:
            crash_after(patch, saved.index(place) + 1)
            with pytest.raises(Crash):
                dimred(cwd, *words, f"name={name}")
        dimred(cwd, *words, f"name={name}")
        stopped = found(cwd, name)
        for file in ("embedding.npz", "stages/head.npz", "weights.safetensors"):
            assert (stopped / file).read_bytes() == (whole / file).read_bytes()
        assert [row["loss"] for row in rows(stopped)] == [row["loss"] for row in rows(whole)]
