"""Losses, pairings, datasets and models from outside the package, through the command."""

import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch
from command import dimred, forget_plugins, refused, summary

from dimred import load_run
from dimred.config.compose import composed
from dimred.errors import InputError
from dimred.options import plugins, registry
from dimred.options.origin import file_module
from dimred.options.plugins import (
    load_installed_plugins,
    load_plugins,
    share_with_processes,
)
from dimred.pairing import PositivePairs

PLUGINS = Path(__file__).parent.parent / "plugins"
SMALL = [
    *["experiment=smoke", "model.hidden_dim=8", "dataset.limit=100", "schedule.batch_size=16"],
    *["eval.references=false", "eval.linear=none", "eval.k=[3]"],
]
TINY = [*SMALL, "model.widths=[4,8]"]


@pytest.fixture(autouse=True)
def no_plugins():
    yield
    forget_plugins()


def runs(cwd):
    return sorted(p for p in (cwd / "outputs").iterdir() if p.name != "sweeps")


def identity(run):
    return json.loads((run / "environment.json").read_text())["identity"]


def copied(name, cwd):
    """A plug-in in a working folder."""
    return Path(shutil.copy(PLUGINS / name, cwd))


@pytest.mark.usefixtures("no_figures")
def test_a_loss_is_one_file(tmp_path):
    file = copied("dcl.py", tmp_path)
    words = ["train", "--plugin", "dcl.py", "loss=dcl", "loss.temperature=0.2", *TINY]
    dimred(tmp_path, *words)
    (run,) = runs(tmp_path)
    (origin,) = identity(run)["plugins"].items()
    digest = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True)
    expected = {"name": "dcl.py", "version": None, "sha256": digest.stdout.split()[0]}
    assert origin == ("loss", expected)
    assert "finished before" in dimred(tmp_path, *words)[0]

    out, _ = dimred(tmp_path, "options", "--plugin", "dcl.py", "loss=dcl")
    assert "loss.temperature = 0.1\n    float, above 0\n    Temperature of" in out
    line = refused(tmp_path, *words, "loss.temprature=1")
    assert "loss.temprature=1: no such key; did you mean loss.temperature=1?" in line
    line = refused(tmp_path, *words, "pairing=knn")
    assert "loss=dcl goes with pairing=augmentation or augmentation_digits" in line

    # The same words with another source are another run.
    file.write_text(file.read_text().replace(" - positive", " - 1.5 * positive"))
    dimred(tmp_path, *words)
    assert len(runs(tmp_path)) == 2
    line = refused(tmp_path, *words, f"run_dir={run}")
    assert "the plugins of loss have changed since" in line
    # A run without the plug-in has nothing of it in its identity.
    dimred(tmp_path, "train", "--plugin", "dcl.py", *TINY)
    assert [sorted(identity(path)) for path in runs(tmp_path)].count(["config", "data"]) == 1

    # Nothing that looks at the run wants the loss.
    forget_plugins()
    assert "loss=dcl: no such choice" in refused(tmp_path, "train", "loss=dcl", *TINY)
    dimred(tmp_path, "view", str(run))
    dimred(tmp_path, "inspect", str(run))
    np.savez(tmp_path / "new.npz", images=np.zeros((3, 8, 8), dtype=np.uint8))
    dimred(tmp_path, "embed", str(run), "new.npz")
    assert load_run(run).place(np.zeros((2, 8, 8), dtype=np.uint8)).z.shape == (2, 2)


def test_the_loss_of_that_file_is_that_of_its_paper():
    spec = util.spec_from_file_location("dcl", PLUGINS / "dcl.py")
    module = util.module_from_spec(spec)
    sys.modules["dcl"] = module
    spec.loader.exec_module(module)
    registry.forget("dcl")
    z = np.random.default_rng(0).normal(size=(6, 3))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    partner = [3, 4, 5, 0, 1, 2]
    terms = []
    for i, j in enumerate(partner):
        others = [math.exp(unit[i] @ unit[k] / 0.3) for k in range(6) if k not in (i, j)]
        terms.append(-unit[i] @ unit[j] / 0.3 + math.log(sum(others)))
    pairs = PositivePairs(torch.tensor(partner))
    value = module.dcl_loss(torch.from_numpy(z), pairs, 0.3)
    assert value.item() == pytest.approx(np.mean(terms), rel=1e-12)
    rows = module.dcl_loss(torch.from_numpy(z), pairs, 0.3, reduction="none")
    assert rows.tolist() == pytest.approx(terms, rel=1e-12)


@pytest.mark.usefixtures("no_figures")
def test_a_pairing_is_one_file_and_its_data_are_part_of_the_run(tmp_path):
    pairs = np.random.default_rng(0).integers(0, 1_797, (1_500, 2))
    file = tmp_path / "my=odd,path~.csv"
    np.savetxt(file, pairs[pairs[:, 0] != pairs[:, 1]], fmt="%d", delimiter=",")
    plugin = str(PLUGINS / "listed.py")
    words = ["train", "--plugin", plugin, "pairing=listed", *TINY, "dataset.limit=600"]
    named = [*words, "pairing.file=my=odd,path~.csv", "pairing.flip=0"]
    dimred(tmp_path, *named)
    (run,) = runs(tmp_path)
    assert list(identity(run)["files"]) == ["pairing"]
    assert "finished before" in dimred(tmp_path, *named)[0]
    labeled = ["pairing=listed_labels", "loss=drlim", "pairing.file=my=odd,path~.csv"]
    dimred(tmp_path, *words, *labeled, "run_dir=labeled")
    numbers = summary(tmp_path / "labeled")["final"]
    assert "contrast_squared_hinge" in numbers
    # Not where the file lies decides, but what is in it.
    moved = file.rename(tmp_path / "moved.csv")
    assert (
        "finished before" in dimred(tmp_path, *words, f"pairing.file={moved}", "pairing.flip=0")[0]
    )
    moved.write_text(moved.read_text().partition("\n")[2])
    line = refused(tmp_path, *words, f"pairing.file={moved}", "pairing.flip=0", f"run_dir={run}")
    assert "the files of pairing have changed since" in line
    dimred(tmp_path, *words, f"pairing.file={moved}", "pairing.flip=0")
    assert len(runs(tmp_path)) == 2

    assert "gone.csv" in refused(tmp_path, *words, "pairing.file=gone.csv")
    assert "pairing.file=null: give the CSV" in refused(tmp_path, *words)
    # A page of untransformed images wants no pairing.
    forget_plugins()
    dimred(tmp_path, "view", str(run))


def test_images_and_network_of_a_plugin_are_wanted_where_they_are_used(tmp_path):
    plugin = ["--plugin", str(PLUGINS / "stripes.py")]
    dimred(tmp_path, "train", *plugin, *SMALL, "dataset=stripes", "model=flat")
    (run,) = runs(tmp_path)
    assert set(identity(run)["plugins"]) == {"dataset", "model"}
    assert summary(run)["dataset"]["images"] == 100, "dataset.limit holds for any dataset"
    np.savez(tmp_path / "new.npz", images=np.zeros((3, 8, 8), dtype=np.uint8))
    forget_plugins()
    line = refused(tmp_path, "view", str(run))
    assert "dataset=stripes: comes from the plug-in stripes.py" in line
    line = refused(tmp_path, "embed", str(run), "new.npz")
    assert "model=flat: comes from the plug-in stripes.py" in line
    assert "--plugin" in line
    dimred(tmp_path, "view", str(run), *plugin)
    dimred(tmp_path, "embed", str(run), "new.npz", *plugin)

    # An edited plug-in is another one, though it builds a network that fits the weights.
    forget_plugins()
    edited = tmp_path / "edited/stripes.py"
    edited.parent.mkdir()
    source = (PLUGINS / "stripes.py").read_text()
    edited.write_text(source.replace("self.layer(", "-self.layer("))
    for words in (["embed", str(run), "new.npz"], ["view", str(run)]):
        line = refused(tmp_path, *words, "--plugin", str(edited))
        assert f"the plug-in stripes.py, which has been edited since {run} was trained" in line
        then, now = (sha256(code.encode()).hexdigest()[:8] for code in (source, edited.read_text()))
        assert f"its SHA-256 was {then}, and that of the stripes.py loaded here is {now}" in line

    # What a run folder says is never imported.
    forget_plugins()
    evil = run / "evil.py"
    evil.write_text("from pathlib import Path\nPath('imported').touch()\n")
    record = json.loads((run / "environment.json").read_text())
    for origin in record["identity"]["plugins"].values():
        origin["name"] = str(evil)
    (run / "environment.json").write_text(json.dumps(record))
    assert str(evil) in refused(tmp_path, "view", str(run))
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("def f():\n    raise KeyError('no')\n\n\nf()\n", ["mine.py, line 2: KeyError: 'no'"]),
        ("x = (\n", ["mine.py, line 1: SyntaxError: '(' was never closed"]),
        ("import not_there\n", ["mine.py, line 1: ModuleNotFoundError"]),
        ("import sys\nsys.exit(3)\n", ["mine.py, line 2: SystemExit: 3"]),
        (
            "import torch\n\ntorch.ones(2).view(3)\n",
            ["mine.py, line 3: RuntimeError: shape '[3]' is invalid"],
        ),
        (
            "from dataclasses import dataclass\nfrom dimred.losses import LossOptions\n"
            "from dimred.options import register\n\n\n"
            '@register("loss", "mine")\n@dataclass\nclass Mine(LossOptions):\n    pass\n',
            ["mine.py, line 6: TypeError: Mine: needs a docstring"],
        ),
    ],
)
def test_what_goes_wrong_in_a_plugin_is_one_line_with_its_place(tmp_path, source, parts):
    (tmp_path / "mine.py").write_text(source)
    line = refused(tmp_path, "train", "--plugin", "mine.py", *TINY)
    for part in ["--plugin mine.py: ", *parts]:
        assert part in line
    assert not (tmp_path / "outputs").exists()


def test_a_plugin_that_is_not_there(tmp_path):
    assert "--plugin gone.py: No such file" in refused(tmp_path, "train", "--plugin", "gone.py")
    line = refused(tmp_path, "train", "--plugin", "not.there")
    assert "--plugin not.there: no such module; give a .py file" in line


def test_the_same_file_in_another_folder_takes_the_place_of_the_first(tmp_path):
    """In one Python session, such as a notebook."""
    (tmp_path / "other").mkdir()
    load_plugins([str(copied("dcl.py", tmp_path))])
    second = copied("dcl.py", tmp_path / "other")
    load_plugins([str(second)])
    assert type(composed(["loss=dcl"]).loss).__module__ == file_module(second)
    # Another file that registers the same name does not.
    first = tmp_path / "dcl.py"
    first.write_text(first.read_text() + "\n")
    line = f"DCL: loss=dcl is already that of the plug-in {second}, loaded before"
    with pytest.raises(InputError, match=re.escape(line)):
        load_plugins([str(first)])


def test_a_module_that_is_installed_is_a_plugin_too(tmp_path, monkeypatch):
    (tmp_path / "installed_dcl.py").write_text((PLUGINS / "dcl.py").read_text())
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins(["installed_dcl"])
    try:
        origin = type(composed(["loss=dcl"]).loss).origin
        assert (origin.name, origin.version) == ("installed_dcl.py", None)
    finally:
        registry.forget("installed_dcl")
        del sys.modules["installed_dcl"]


def test_installed_plugins_are_found_and_a_broken_one_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "found_dcl.py").write_text((PLUGINS / "dcl.py").read_text())
    (tmp_path / "found_broken.py").write_text("1 / 0\n")
    info = tmp_path / "found-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: found\nVersion: 1.5\n")
    (info / "top_level.txt").write_text("found_dcl\nfound_broken\n")
    (info / "entry_points.txt").write_text(
        "[dimred.plugins]\nbroken = found_broken\ndcl = found_dcl\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "_installed_loaded", False)
    try:
        origin = type(composed(["loss=dcl"]).loss).origin
        assert (origin.name, origin.version) == ("found_dcl.py", "1.5")
        line = capsys.readouterr().err
        assert line.startswith("dimred: plug-in broken of found 1.5: ")
        assert "found_broken.py, line 1: ZeroDivisionError" in line
        assert line.count("\n") == 1
        load_installed_plugins()
        assert capsys.readouterr().err == "", "each is loaded once"
    finally:
        registry.forget("found_dcl")


def test_jobs_in_other_processes_have_the_plugin_as_it_was_submitted(tmp_path, monkeypatch):
    for name in ("PYTHONPATH", "DIMRED_PLUGINS"):  # set by share_with_processes
        monkeypatch.setenv(name, os.environ.get(name, ""))
    file = copied("dcl.py", tmp_path)
    load_plugins([str(file)])
    config = composed(["loss=dcl", "loss.temperature=0.3"])
    share_with_processes(tmp_path / "copies")
    file.unlink()
    code = (
        "import pickle, sys; config = pickle.load(sys.stdin.buffer);"
        "import torch; from dimred.pairing import PositivePairs;"
        "loss = config.loss.build()(torch.eye(4), PositivePairs(torch.tensor([1, 0, 3, 2])));"
        "sys.stdout.buffer.write(pickle.dumps((config, config.loss.origin, float(loss))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(config), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # All similarities are 0, so the loss is log 2.
    expected = (config, type(config.loss).origin, pytest.approx(math.log(2)))
    assert pickle.loads(done.stdout) == expected
