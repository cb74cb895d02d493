"""Run folders of a stranger: no command writes outside, believes nonsense or shows a traceback."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from command import SMOKE, dimred, refused

from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder
from dimred.training.checkpoint import Position

WORDS = [
    *SMOKE,
    *("dataset.limit=100", "schedule.batch_size=32", "model.widths=[4,8]", "eval.linear=none"),
    *("schedule.epochs_scale=0.1", "eval.every=0", "device=cpu", "run_dir=run", "eval.k=[3]"),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("done")
    dimred(cwd, *WORDS)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8), dtype=np.uint8)
    np.savez(cwd / "new.npz", images=images)
    return cwd


@pytest.fixture
def cwd(done, tmp_path):
    """A copy of the run beside a folder of the user, which stays as it is."""
    shutil.copytree(done, tmp_path / "cwd")
    home = tmp_path / "home"
    home.mkdir()
    (home / "precious").write_text("mine")
    yield tmp_path / "cwd"
    assert [path.name for path in home.iterdir()] == ["precious"]
    assert (home / "precious").read_text() == "mine"


def pointed_out(cwd, name):
    """Replace a file or folder of the run by a link to the user's file or folder."""
    path = cwd / "run" / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    folder = "." not in name
    path.symlink_to(cwd.parent / "home" / ("" if folder else "precious"))


EMBED, BASELINES = ("embed", "run", "new.npz"), ("baselines", "run", "--only", "z")


@pytest.mark.parametrize(
    ("command", "link"),
    [
        *((EMBED, name) for name in ("embedded", "weights.safetensors", "summary.json")),
        *((("inspect", "run"), name) for name in ("inspect", ".lock", "embedding.npz")),
        *((BASELINES, name) for name in ("baselines", "plots", "baselines.json")),
        *((("view", "run"), name) for name in ("config.yaml", "inspect/findings.json")),
        (("plot", "loss", "run"), "metrics.jsonl"),
        *((WORDS, name) for name in ("summary.json", "environment.json", ".lock")),
    ],
)
def test_a_link_out_of_the_run_is_refused(cwd, command, link):
    pointed_out(cwd, link)
    line = refused(cwd, *command)
    assert link.split("/")[0] in line


@pytest.mark.parametrize(
    ("command", "made"),
    [
        (("view", "run"), "map.html"),
        (("view", "run", "--out", "run/map.html"), "map.html"),
        (("inspect", "run"), "inspect/outliers.csv"),
        (EMBED, "embedded/new.csv"),
    ],
)
def test_what_is_written_replaces_a_link_and_not_what_it_leads_to(cwd, command, made):
    pointed_out(cwd, made)
    dimred(cwd, *command)
    assert not (cwd / "run" / made).is_symlink()
    assert (cwd / "run" / made).stat().st_size > 10


def test_a_pipe_is_never_waited_for(cwd):
    for name, command in (
        (layout.METRICS, ("plot", "loss", "run")),
        (layout.WEIGHTS, EMBED),
        (layout.EMBEDDING, ("plot", "norms", "run")),
        (layout.CHECKPOINT, WORDS),
        (layout.SUMMARY, WORDS),
    ):
        if name == layout.CHECKPOINT:
            (cwd / "run" / layout.SUMMARY).unlink()
        (cwd / "run" / name).unlink(missing_ok=True)
        os.mkfifo(cwd / "run" / name)
        assert f"{name}: " in refused(cwd, *command)


def test_a_flipped_bit_of_the_weights_is_noticed(cwd):
    file = cwd / "run/weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 2
    file.write_bytes(content)
    for command in (EMBED, ("inspect", "run"), BASELINES):
        assert "weights.safetensors: holds no weights of this run (their SHA-256" in refused(
            cwd, *command
        )


def test_weights_larger_than_those_of_the_network_are_not_read(cwd):
    with (cwd / "run/weights.safetensors").open("ab") as file:
        file.truncate(2**36)
    assert "weights.safetensors: has 68,719,476,736 bytes" in refused(cwd, *EMBED)


def test_a_summary_that_leads_nowhere_is_no_unfinished_run(cwd):
    (cwd / "run/summary.json").unlink()
    (cwd / "run/summary.json").symlink_to("nowhere")
    before = (cwd / "run/embedding.npz").stat()
    assert "summary.json" in refused(cwd, *WORDS)
    assert (cwd / "run/embedding.npz").stat() == before


def test_weights_that_are_not_finite_are_said(cwd):
    change(cwd, "summary.json", lambda summary: summary.pop("weights_sha256"))  # as before
    dimred(cwd, *EMBED)
    file = cwd / "run/weights.safetensors"
    weights = safetensors.torch.load(file.read_bytes())
    weights["readout.weight"][0, 0] = torch.nan
    file.write_bytes(safetensors.torch.save(weights))
    assert "some are not finite" in refused(cwd, *EMBED)


def change(cwd, name, act):
    file = cwd / "run" / name
    content = json.loads(file.read_text())
    act(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset", ""),
        ("stages", 1e308),
        ("lle", None),
        ("linear", -1),
        ("linear", {"accuracy": 0.5}),
        ("headline", None),
        ("measures", []),
        ("training_seconds", None),
        ("dataset.chance", "x"),
        ("dataset.classes", {"a": "b"}),
        ("dataset.images", 10**99),
        ("dataset.unreadable", {}),
        ("final", {"loss": "x"}),
        ("references", {"knn3_pixels_random": None}),
    ],
)
def test_a_summary_of_other_kinds_is_refused_by_all(cwd, key, value):
    def set_value(summary):
        part, _, name = key.rpartition(".")
        (summary[part] if part else summary)[name] = value

    change(cwd, "summary.json", set_value)
    line = refused(cwd, *WORDS)
    assert "summary.json" in line
    dimred(cwd, "table", "baselines", "--outputs", ".")


def test_a_checkpoint_of_a_state_that_the_run_never_has_is_refused(cwd):
    (cwd / "run/summary.json").unlink()
    folder = RunFolder(cwd / "run")
    sound = folder.read_checkpoint()
    for position, rows in (
        (Position(0, 0, 1_000_000), []),
        (Position(0, 10**6, 0), sound.rows),
        (Position(9, 0, 0), sound.rows),
        (Position(0, 0, 1), sound.rows),
    ):
        folder.write_checkpoint(replace(sound, position=position, rows=rows))
        assert "checkpoint.pt: holds" in refused(cwd, *WORDS)
    for changes in ({"out_dim": 7}, {"encoder": {}}, {"encoder": {"w": torch.zeros(2)}}):
        folder.write_checkpoint(replace(sound, **changes))
        assert "checkpoint.pt: holds" in refused(cwd, *WORDS)
    folder.write_checkpoint(sound)
    dimred(cwd, *WORDS)
