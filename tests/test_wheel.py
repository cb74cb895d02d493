"""The wheel, installed alone in an empty folder, is enough."""

import os
import subprocess
import sys
from pathlib import Path

import dimred

ROOT = Path(dimred.__file__).parent.parent


def python(*words, **options):
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_alone_runs_the_smoke_experiment(tmp_path):
    python("-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    python("-m", "pip", "install", "--no-deps", "--quiet", "--target", site, wheel)
    alone = {"cwd": empty, "env": {**os.environ, "PYTHONPATH": str(site)}}
    where = python("-c", "import dimred; print(dimred.__file__)", **alone)
    assert where.strip() == str(site / "dimred" / "__init__.py")
    assert "table1_row* (9)" in python("-m", "dimred", "train", "--help", **alone)
    python("-m", "dimred", "train", "experiment=smoke", **alone)
    (run,) = (empty / "outputs").iterdir()
    assert (run / "summary.json").exists()
    page = {path.name for path in (site / "dimred" / "page").iterdir()}
    assert {"page.js", "page.css", "template.html"} <= page
    assert not {"node_modules", "src", "build.mjs", "package.json", "package-lock.json"} & page
    assert (site / "dimred" / "py.typed").exists()
