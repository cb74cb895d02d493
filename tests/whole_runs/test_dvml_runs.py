"""Runs of Deep Variational Metric Learning: two phases, resumed, measured, and in their table."""

import json

import numpy as np
import pytest
import torch
from command import dimred, only_run, refused, rows, summary
from crash import Crash, crash_after
from safetensors.numpy import load_file

from dimred.measures.protocol import When
from dimred.measures.variational import Variational

DVML = [
    *("train", "experiment=metric_mnist", "dataset=digits", "dataset.limit=400", "loss=dvml"),
    *("loss.samples=2", "loss.decoder_dim=8", "model.widths=[4,8]", "schedule.batch_size=40"),
    *("schedule.stages.phase1.epochs=2", "schedule.stages.phase2.epochs=2", "device=cpu"),
    *("schedule.stages.phase1.out_dim=6", "schedule.stages.phase2.out_dim=6", "view=false"),
    *("eval.linear=none", "eval.references=false", "eval.retrieval=false", "checkpoint_every=0"),
]
# A loss within that has parameters of its own.
PROXIES = [*DVML, "loss@loss.metric=proxy_nca"]

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    dimred(path, *PROXIES)
    return only_run(path)


def loss_state(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)["loss"]


def files(run):
    kept = ["embedding.npz", "weights.safetensors", "stages/phase1.npz", "stages/phase2.npz"]
    return {name: (run / name).read_bytes() for name in kept}


@pytest.mark.parametrize("count", [3, 9, 10, 13])  # in phase 1, at its end, in phase 2
def test_a_run_cut_short_goes_on_to_the_same_result(whole, tmp_path, monkeypatch, count):
    with monkeypatch.context() as patch:
        saved = crash_after(patch, count)
        with pytest.raises(Crash):
            dimred(tmp_path, *PROXIES)
    assert [position.stage for position in saved][-1] == int(count > 9)
    dimred(tmp_path, *PROXIES)
    run = only_run(tmp_path)
    assert files(run) == files(whole)
    for name, part in loss_state(run).items():
        assert torch.equal(part, loss_state(whole)[name]), name
    terms = [{k: v for k, v in row.items() if k.startswith("loss")} for row in rows(run)]
    assert terms == [{k: v for k, v in row.items() if k.startswith("loss")} for row in rows(whole)]


def test_the_loss_is_kept_with_the_run_and_is_no_part_of_the_encoder(whole):
    parts = {"mean_head", "log_variance_head", "decoder", "metric"}
    assert parts <= {name.partition(".")[0] for name in loss_state(whole)}
    assert loss_state(whole)["metric.proxies"].shape == (5, 6)
    assert not parts & {name.partition(".")[0] for name in load_file(whole / "weights.safetensors")}


def test_the_second_phase_goes_on_with_what_the_first_has_learned(tmp_path, monkeypatch):
    """One step of no learning rate in phase 2 leaves the loss as phase 1 has."""
    saved = crash_after(monkeypatch, -1)
    words = [*PROXIES, "schedule.stages.phase2.lr_scale=1e-30", "schedule.stages.phase2.epochs=1"]
    dimred(tmp_path, *words)
    assert [position.stage for position in saved].count(2) == 1
    run = only_run(tmp_path)
    states = loss_state(run)
    with monkeypatch.context() as patch:
        patch.setattr("dimred.run.stages.carry", lambda loss, before: None)
        dimred(tmp_path, *words, "run_dir=anew")
    anew = loss_state(tmp_path / "anew")
    phase1 = [*PROXIES, "~schedule.stages.phase2", "run_dir=first"]
    dimred(tmp_path, *phase1)
    first = loss_state(tmp_path / "first")
    weight = "decoder.0.weight"
    torch.testing.assert_close(states[weight], first[weight])
    assert not torch.allclose(anew[weight], first[weight])


def test_the_variance_part_is_measured_from_what_the_loss_has_learned(whole):
    found, state = summary(whole)["variational"], loss_state(whole)
    dimred(whole.parent.parent, *PROXIES, "eval.save_h=true")  # measured again, from the checkpoint
    assert summary(whole)["variational"] == found
    with np.load(whole / "embedding.npz") as content:
        h, z = content["h"].astype(np.float64), content["z"].astype(np.float64)
    mean, log_variance = (
        h @ state[f"{head}.weight"].double().numpy().T + state[f"{head}.bias"].double().numpy()
        for head in ("mean_head", "log_variance_head")
    )
    variance = np.exp(log_variance)
    kl = 0.5 * (mean**2 + variance - log_variance - 1).sum(1)
    assert found["kl"] == pytest.approx(kl.mean(), rel=1e-4)
    assert found["sigma"] == pytest.approx(np.sqrt(variance).mean(), rel=1e-5)
    assert found["active_dims"] == (mean.var(0) > 0.01).sum()
    assert found["length_z"] == pytest.approx(np.sqrt((z**2).sum(1).mean()), rel=1e-5)
    length = np.sqrt((mean**2 + variance).sum(1).mean())
    assert found["length_z_v"] == pytest.approx(length, rel=1e-5)


def test_the_terms_of_the_loss_are_in_the_metrics(whole):
    for row, weights in zip(
        rows(whole), [[1, 1, 0.1, 1]] * 2 + [[0.8, 1, 0.2, 0.8]] * 2, strict=True
    ):
        terms = [row[f"loss.{name}"] for name in ("kl", "reconstruction", "synthesized", "metric")]
        assert row["loss"] == pytest.approx(np.dot(weights, terms), rel=1e-5)


def test_a_collapsed_posterior_is_said():
    assert Variational.when is When.end
    results = {"kl": 0.01, "sigma": 0.99, "active_dims": 0.0, "dims": "6", "length_z": 9.0,
               "length_z_v": 2.4}  # fmt: skip
    first, second = Variational.lines(results)
    assert "0 of 6 dimensions active" in first
    assert "collapsed" in second
    assert len(Variational.lines(results | {"active_dims": 2.0})) == 1
    assert Variational.lines({}) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss.metric=n_pair"], "is set by loss@loss.metric=n_pair"),
        (["+loss@loss.metric=n_pair"], "is set by loss@loss.metric=n_pair"),
        (["loss@loss.metric=drlim"], "loss.metric=drlim: must be a loss of classes"),
        (["loss@loss.metric=dvml"], "loss.metric=dvml: must be a loss of classes"),
        (["loss.metric.name=n_pair"], "the name follows the choice"),
        (["loss.metric.margin=-1"], "loss.metric.margin=-1"),
        (["loss.metric.marginn=1"], "did you mean loss.metric.margin=1"),
        (["loss.weights=[1,1,1]"], "loss.weights=[1.0, 1.0, 1.0]: must be 4 numbers"),
        (["loss.later_weights=[1,1,1,0]"], "the last one, of the loss of z_I, must be above 0"),
        (["loss.variance_dim=7"], "loss.variance_dim=7: must be at most the dimension of Z"),
        (["loss.metric_samples=3"], "loss.metric_samples=3: must be at most loss.samples=2"),
        (["loss.metric.normalize=false", "loss.metric.mining=distance_weighted"],
         "loss.metric.mining=distance_weighted: is for embeddings of length 1"),
    ],
)  # fmt: skip
def test_refusals(tmp_path, words, said):
    assert said in refused(tmp_path, *DVML, *words)


def test_a_loss_that_is_around_none_says_so(tmp_path):
    line = refused(tmp_path, "train", "experiment=metric_mnist", "loss@loss.metric=n_pair")
    assert "only a loss that is around another one has this: loss=dvml" in line


def test_the_table_is_made_and_shown(tmp_path):
    small = ["model.widths=[4,8]", "dataset.limit=400", "loss.samples=2", "eval.linear=none"]
    dimred(
        tmp_path, "reproduce", "dvml", "--budget", "smoke", "--rows", "mnist_dvml_n_pair", *small
    )
    out, _ = dimred(tmp_path, "table", "dvml", "--format", "csv")
    lines = [line.split(",") for line in out.splitlines()]
    measured = {(line[1], line[4]): line[5] for line in lines if line[3] == "measured"}
    run = summary(only_run(tmp_path))
    assert float(measured["mnist_dvml_n_pair", "r1"]) == pytest.approx(
        100 * run["retrieval"]["recall1_z"]
    )
    assert ("mnist_dvml_n_pair", "kl") in measured
    pixels = {column for row, column in measured if row == "mnist_pixels"}
    assert {"r1", "nmi", "map_at_r"} <= pixels
    assert not pixels & {"kl", "sigma", "active"}
    assert float(measured["mnist_pixels", "r1"]) == pytest.approx(
        100 * run["retrieval"]["recall1_pixels"]
    )
    published = {(line[1], line[4]): line[8] for line in lines if line[3] == "published"}
    assert published["cars196_dvml_n_pair", "r1"] == "80.4"
    listed = json.dumps([line for line in lines if line[1] == "cub200_n_pair"])
    assert "experiment=metric_cub200" in listed
