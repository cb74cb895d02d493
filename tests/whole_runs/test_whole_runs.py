"""Whole runs through the command, as a user types them."""

import json
import resource
import shutil
import signal

import numpy as np
import pytest
import safetensors.numpy
from command import SMOKE, dimred, only_run, refused, rows, start, summary, wait_for
from PIL import Image
from undrawn import without_figures

from dimred.run_folder.folder import RunFolder
from dimred.run_folder.state import state_of


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A finished smoke run, in its working folder."""
    cwd = tmp_path_factory.mktemp("smoke")
    out, _ = dimred(cwd, "train", "experiment=smoke")
    return cwd, only_run(cwd), out


def test_a_run_writes_everything_and_says_where(smoke):
    _, path, out = smoke
    for name in (
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "embedding.npz",
        "weights.safetensors",
        "checkpoint.pt",
        "summary.json",
        "plots/map_pretrain.png",
        "plots/map_readout.png",
        "plots/map_finetune.png",
        "plots/loss.png",
        "plots/knn.png",
        "stages/pretrain.npz",
    ):
        assert (path / name).stat().st_size > 0, name
    assert str(path.relative_to(path.parent.parent)) in out
    for png in (path / "plots").glob("*.png"):
        Image.open(png).verify()


def test_the_embedding_holds_every_image_with_label_split_and_index(smoke):
    _, path, _ = smoke
    with np.load(path / "embedding.npz") as content:
        assert content["z"].shape == (300, 2)
        assert content["z"].dtype == np.float32
        assert content["label"].shape == content["split"].shape == content["index"].shape == (300,)
        assert set(content["split"]) == {"train", "test"}
        assert len(np.unique(content["index"])) == 300
        assert list(content["class_names"]) == [str(digit) for digit in range(10)]
    with np.load(path / "stages/pretrain.npz") as content:
        assert content["z"].shape == (300, 16)


def test_metrics_and_summary_can_be_judged(smoke):
    _, path, out = smoke
    content = summary(path)
    assert sum(content["dataset"]["classes"].values()) == content["dataset"]["images"] == 300
    assert 0.09 < content["dataset"]["chance"] < 0.12
    assert set(content["dataset"]["splits"]) == {"official", "random"}
    assert list(content["stages"]) == ["pretrain", "readout", "finetune"]
    for values in content["stages"].values():
        # Two epochs make no map yet, but what a random network keeps of the digits tells many.
        for split in ("official", "random"):
            assert content["dataset"]["chance"] < values[f"knn15_z_{split}"] < 0.9
            assert 0.6 < values[f"knn15_h_{split}"] < 0.95
    assert content["references"]["knn15_pixels_official"] > 0.8
    assert 0.6 < content["linear"]["accuracy"] < 0.95
    assert [(row["stage"], row["epoch"]) for row in rows(path)] == [
        ("pretrain", 1),
        ("pretrain", 2),
        ("readout", 1),
        ("finetune", 1),
        ("finetune", 2),
    ]
    assert all("knn15_z_official" in row for row in rows(path))
    assert content["linear"]["method"] == "logistic"
    for word in ("chance", "linear accuracy", "pixels", "pca2", "300 images", "10 classes"):
        assert word in out


def test_the_record_says_what_the_run_was_made_with(smoke):
    _, path, _ = smoke
    record = json.loads((path / "environment.json").read_text())
    (session,) = record["sessions"]
    assert session["command"][-2:] == ["train", "experiment=smoke"]
    assert {"torch", "numpy", "device", "commit", "python"} <= set(session)
    assert record["seed"] == 0
    assert "temperature" not in (path / "config.yaml").read_text()


def test_weights_are_plain_tensors_that_hold_the_normalization(smoke):
    _, path, _ = smoke
    weights = safetensors.numpy.load_file(path / "weights.safetensors")
    assert weights["readout.weight"].shape == (2, 1024)
    assert weights["mean"].shape == (1, 1, 1)


def test_the_output_is_one_plain_line_an_epoch_when_it_is_no_terminal(smoke):
    _, _, out = smoke
    lines = [line for line in out.splitlines() if " epoch " in line]
    assert len(lines) == 5
    assert lines[0].startswith("stage 1/3 pretrain epoch 1/2: loss ")
    assert "images/s" in lines[0]
    assert "left" in lines[0]
    assert "\r" not in out


def test_a_finished_run_typed_again_does_nothing_and_says_so(smoke):
    cwd, path, _ = smoke
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
    out, _ = dimred(cwd, "train", "experiment=smoke")
    assert "finished before" in out
    after = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
    assert {p: t for p, t in after.items() if p.name != ".lock"} == {
        p: t for p, t in before.items() if p.name != ".lock"
    }


@pytest.mark.usefixtures("no_figures")
def test_the_same_seed_gives_the_same_bytes_and_restart_replaces(smoke, tmp_path):
    _, path, _ = smoke
    expected = (path / "embedding.npz").read_bytes()
    dimred(tmp_path, "train", "experiment=smoke", "run_dir=here")
    assert (tmp_path / "here/embedding.npz").read_bytes() == expected
    (tmp_path / "here/embedding.npz").write_bytes(b"")
    out, _ = dimred(tmp_path, "train", "experiment=smoke", "run_dir=here", "restart=true")
    assert "finished before" not in out
    assert (tmp_path / "here/embedding.npz").read_bytes() == expected


@pytest.mark.usefixtures("no_figures")
def test_what_is_measured_at_the_end_is_measured_again_without_training(smoke, tmp_path):
    _, path, _ = smoke
    again = tmp_path / "again"
    shutil.copytree(path, again)
    words = ["train", "experiment=smoke", f"run_dir={again}", "eval.save_h=true"]
    out, _ = dimred(tmp_path, *words, "eval.linear=none")
    assert " epoch " not in out
    with np.load(again / "embedding.npz") as content, np.load(path / "embedding.npz") as before:
        assert content["h"].shape == (300, 128)
        assert np.array_equal(content["z"], before["z"])
    assert summary(again)["linear"] is None
    out, _ = dimred(tmp_path, *words, "eval.linear=none")
    assert "finished before" in out


def test_another_configuration_is_refused_in_the_same_folder(smoke):
    cwd, path, _ = smoke
    line = refused(cwd, "train", "experiment=smoke", f"run_dir={path}", "seed=1")
    assert "seed is 0 there, 1 here" in line
    assert summary(path)["seed"] == 0


SLOW = [*SMOKE, "schedule.stages.pretrain.epochs=30", "checkpoint_every=0", "eval.every=0"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("uninterrupted")
    with without_figures():
        dimred(cwd, *SLOW)
    return only_run(cwd)


def same_result(path, expected):
    assert (path / "embedding.npz").read_bytes() == (expected / "embedding.npz").read_bytes()
    assert (path / "weights.safetensors").read_bytes() == (
        expected / "weights.safetensors"
    ).read_bytes()

    def timeless(run):
        return [
            {k: v for k, v in row.items() if k not in ("seconds", "images_per_s")}
            for row in rows(run)
        ]

    assert timeless(path) == timeless(expected)


@pytest.mark.usefixtures("no_figures")
def test_killed_and_told_to_stop_it_ends_with_the_result_of_an_uninterrupted_run(
    uninterrupted, tmp_path
):
    """And says how to go on; a second process is refused while the first one writes."""
    for number, sent in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGTERM), 1):
        # One that is killed goes on from its last checkpoint; a signal makes one.
        words = SLOW if sent == signal.SIGKILL else [*SLOW, "checkpoint_every=600"]
        process = start(tmp_path, *words)
        wait_for(process, lambda: [*tmp_path.glob("outputs/*/metrics.jsonl")])
        path = only_run(tmp_path)
        known = len(rows(path))
        wait_for(process, lambda path=path, known=known: len(rows(path)) >= known + 2)
        process.send_signal(signal.SIGSTOP)
        assert f"process {process.pid}" in refused(tmp_path, *words)
        process.send_signal(sent)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
        if sent == signal.SIGKILL:
            assert process.returncode == -sent
        else:
            assert process.returncode == 128 + sent
            how = "terminated" if sent == signal.SIGTERM else "interrupted"
            assert f"{how} in stage " in err
            assert "saved" in err
            assert "same command goes on" in err
            assert "Traceback" not in err
        record = json.loads((path / "environment.json").read_text())
        assert len(record["sessions"]) == number
    out, _ = dimred(tmp_path, *SLOW)
    assert "continuing" in out
    same_result(path, uninterrupted)


@pytest.mark.usefixtures("no_figures")
def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path):
    dimred(tmp_path, *SMOKE, "run_dir=run")
    (tmp_path / "run/summary.json").unlink()
    checkpoint = tmp_path / "run/checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    line = refused(tmp_path, *SMOKE, "run_dir=run")
    assert "checkpoint.pt" in line
    assert "corrupt" in line
    assert checkpoint.stat().st_size == 1000


@pytest.mark.parametrize("left", [100, 20_000])
def test_a_disk_that_is_full_is_one_line(tmp_path, left):
    """A limit on the size of files stands for the full disk; Python ignores its signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    try:
        line = refused(tmp_path, *SMOKE, "run_dir=run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in line
    assert not (tmp_path / "run/summary.json").exists()
    assert not list((tmp_path / "run").rglob("*.tmp"))
    dimred(tmp_path, *SMOKE, "run_dir=run")


@pytest.mark.usefixtures("no_figures")
def test_measures_that_the_images_or_options_do_not_allow_are_left_out(smoke, tmp_path):
    """And a finished run stays one."""
    again = tmp_path / "again"
    shutil.copytree(smoke[1], again)
    words = ["train", "experiment=smoke", f"run_dir={again}", "eval.linear=sgd"]
    out, _ = dimred(tmp_path, *words, "eval.k=[251]", "eval.linear_lr=1e38")
    assert "knn is left out: eval.k=[251]: must be at most 250 with these 300 images" in out
    assert "linear is left out: with eval.linear_lr=1e+38" in out
    assert set(summary(again)["measures"]["left_out"]) == {
        "knn",
        "linear",
        "references",
        "untrained",
    }
    assert "is left out" not in dimred(tmp_path, *words, "eval.linear=none")[0]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["schedule.batch_size=301"], ["schedule.batch_size=301", "300 images"]),
        (["device=cuda"], ["device=cuda", "no GPU"]),
        (["dataset.classes=[4,x]"], ["dataset.classes", "x"]),
        (["dataset=mnist", "dataset.root=nowhere"], ["nowhere", "dataset.download=true"]),
        (["dataset=image_folder"], ["dataset.root"]),
        (["dataset=image_folder", "dataset.root=nowhere"], ["nowhere"]),
        (["dataset=npz", "dataset.path=nowhere.npz"], ["nowhere.npz"]),
        (["loss=null"], ["loss=null"]),
        (["model.widths=[65536,65536]"], ["model.widths=[65536, 65536]", "parameters", "GiB"]),
        (["--foo"], ["--foo"]),
        (
            ["schedule.stages.pretrain.loss=simclr"],
            ["+loss@schedule.stages.pretrain.loss=simclr"],
        ),
    ],
)
def test_refuses_what_the_data_or_the_machine_do_not_allow(tmp_path, words, parts):
    line = refused(tmp_path, *SMOKE, *words)
    for part in parts:
        assert part in line
    assert not (tmp_path / "outputs").exists()


@pytest.mark.usefixtures("no_figures")
def test_infonce_with_its_defaults_is_tsimcne(tmp_path, smoke):
    dimred(tmp_path, "train", "experiment=smoke", "loss=infonce")
    found, expected = (
        safetensors.numpy.load_file(run / "weights.safetensors")
        for run in (only_run(tmp_path), smoke[1])
    )
    assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_a_mistyped_key_in_an_experiment_of_ones_own_is_named(tmp_path):
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/mine.yaml").write_text(
        "# @package _global_\nmodel:\n  width: [8]\n"
    )
    line = refused(tmp_path, "train", "--config-dir", "mine", "experiment=mine")
    assert "model.width: no such key; did you mean model.widths?" in line


@pytest.mark.usefixtures("no_figures")
def test_the_papers_linear_protocol_is_an_option(tmp_path):
    out, _ = dimred(tmp_path, *SMOKE, "eval.linear=sgd")
    content = summary(only_run(tmp_path))
    # Mirrored digits are hard, but not as hard as guessing.
    assert content["linear"]["accuracy"] > 1.5 * content["dataset"]["chance"]
    assert "(sgd, official split)" in out


def test_a_model_that_cannot_take_the_images_leaves_no_folder(tmp_path):
    line = refused(tmp_path, "train", "experiment=smoke", "model=lenet")
    assert "model=lenet: images of 8x8 pixels are too small" in line
    assert not (tmp_path / "outputs").exists()


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("batch_size", [64, 300])
def test_a_run_that_diverges_stops_and_keeps_the_last_good_checkpoint(tmp_path, batch_size):
    """With one batch an epoch, the weights are gone after the only step and no loss shows it."""
    words = [*SMOKE, "run_dir=run", f"schedule.batch_size={batch_size}", "checkpoint_every=0"]
    words += ["schedule.stages.pretrain.epochs=1", "schedule.stages.pretrain.warmup_epochs=0"]
    words += ["schedule.optimizer.lr_per_256=1e6", "schedule.stages.pretrain.lr_scale=1e-8"]
    words += ["schedule.stages.readout.lr_scale=1e-8", "schedule.stages.finetune.lr_scale=1e6"]
    line = refused(tmp_path, *words, code=1)
    assert "stage finetune, epoch 1" in line
    assert "; the last good checkpoint is kept; a smaller schedule.optimizer.lr_per_256 may" in line
    state = state_of(tmp_path / "run")
    assert state.state == "diverged"
    assert state.reason in line
    assert not (tmp_path / "run/summary.json").exists()
    kept = RunFolder(tmp_path / "run").read_checkpoint()
    assert all(tensor.isfinite().all() for tensor in kept.encoder.values())
    out, err = dimred(tmp_path, *words, code=1)
    assert f"this run has diverged ({state.reason}), and may well diverge again" in out
    assert err == line
