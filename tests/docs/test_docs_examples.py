"""The Python in the documentation runs, on a small run where it trains one."""

import importlib.util
import json
import re
import sys

import pytest
from pages import ROOT, Page

from dimred.commands.main import main
from dimred.options import plugins, registry

TINY = (
    '"experiment=smoke", "model.widths=[4,8]", "model.hidden_dim=8", "dataset.limit=100", '
    '"schedule.batch_size=16", "eval.linear=none", "eval.references=false", "eval.k=[3]"'
)
PLUGINS = ROOT / "tests" / "plugins"


def examples(page):
    return [b for b in Page(ROOT / "docs" / page).blocks if b.language == "python"]


def test_the_examples_of_the_python_api_run_one_after_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, blocks = {}, examples("python.md")
    assert len(blocks) >= 4
    for block in blocks:
        if "pandas" in block.text and importlib.util.find_spec("pandas") is None:
            continue
        exec(block.text.replace('"experiment=demo"', TINY), names)
    assert names["run"].z.shape == (100, 2)
    assert names["placed"].z.shape == (10, 2)
    assert names["loss"].isfinite()


def test_files_of_extending_are_those_that_whole_runs_are_made_with():
    titled = {}
    for block in examples("extending.md"):
        name = re.match(r"title=\"(\S+)\"", block.title)[1]
        titled[name] = block.text + "\n"
    files = {name: text for name, text in titled.items() if not name.startswith("test_")}
    assert files == {path.name: path.read_text() for path in PLUGINS.glob("*.py")}


def test_the_test_of_extending_passes(tmp_path, monkeypatch):
    (block,) = (b for b in examples("extending.md") if "test_dcl.py" in b.title)
    monkeypatch.syspath_prepend(PLUGINS)
    names = {}
    try:
        exec(block.text, names)
        (test,) = (value for name, value in names.items() if name.startswith("test_"))
        test()
        names["dcl_loss"] = lambda *arguments: 2 * sys.modules["dcl"].dcl_loss(*arguments)
        with pytest.raises(AssertionError):
            test()
    finally:
        sys.modules.pop("dcl", None)
        registry.forget("dcl")


def test_a_measure_is_one_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["train", "--plugin", str(PLUGINS / "silhouette.py"), *re.findall(r'"(.+?)"', TINY)]
    try:
        assert main([*words, "eval.silhouette=true"]) == 0
        assert re.search(r"silhouette h +-?0\.\d{4}", capsys.readouterr().out)
        (run,) = tmp_path.glob("outputs/smoke-*")
        summary = json.loads((run / "summary.json").read_text())
        assert -1 <= summary["silhouette"]["silhouette_h"] <= 1
        assert main([*words, "eval.silhoutte=true"]) == 2
        assert "did you mean eval.silhouette=true?" in capsys.readouterr().err
    finally:
        for name in plugins._files:
            registry.forget(name)
        plugins._files.clear()
