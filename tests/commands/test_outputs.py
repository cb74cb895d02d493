"""What all commands on a finished run share: names that are not UTF-8, places that cannot be
written, --out, and paths in commands to type."""

import errno
import io
import os
import resource
import shlex
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from command import SMOKE, dimred, refused
from PIL import Image

from dimred.analysis import onnx

LATIN = os.fsdecode(b"caf\xe9")  # as an old archive holds it
SHOWN = r"caf\xe9"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on a folder whose name is not UTF-8."""
    cwd = tmp_path_factory.mktemp("outputs")
    rng = np.random.default_rng(0)
    for number in range(24):
        file = cwd / LATIN / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(file)
    words = ["dataset=image_folder", f"dataset.root={cwd / LATIN}", "dataset.image_size=8"]
    words += ["dataset.limit=null", "schedule.batch_size=16", "eval.k=[3]", "eval.save_h=true"]
    dimred(cwd, *SMOKE, *words, "eval.linear=none", "run_dir=run", f"name={LATIN}")
    return cwd


@pytest.fixture
def no_export(monkeypatch):
    """Translating the encoder takes seconds; tests/commands/test_export.py does."""
    monkeypatch.setattr(onnx, "exported", lambda run, moved: onnx.Exported(b"1" * 99, {}, "", 1, 2))


COMMANDS = {
    "view": ["view", "{run}"],
    "inspect": ["inspect", "{run}"],
    "embed": ["embed", "{run}", LATIN],
    "export": ["export", "{run}"],
    "baselines": ["baselines", "{run}", "--only", "z"],
    "plot": ["plot", "loss", "{run}", "--out", "{out}"],
    "table": ["table", "baselines", "--outputs", "{run}", "--format", "csv", "--out", "{out}"],
}


def words(command, **values):
    return [word.format(**values) for word in COMMANDS[command]]


def files(folder):
    """The content of all files, without the lock, which stays."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: path.read_bytes() for path in paths}


@pytest.mark.parametrize("command", COMMANDS)
def test_names_that_are_not_utf8_are_shown_with_escapes(made, command, no_export):
    run = f"{LATIN}-run"
    if not (made / run).exists():
        shutil.copytree(made / "run", made / run)
    if command == "table":
        dimred(made, *words("baselines", run=run))
    out, err = dimred(made, *words(command, run=run, out=f"{LATIN}.out"))
    assert err == ""
    out.encode()  # as a terminal does
    assert SHOWN in out or command == "baselines"
    if command == "view":
        page = (made / run / "map.html").read_text(encoding="utf-8")
        assert f"<h1>{SHOWN}-run</h1>" in page
        assert f">{SHOWN}, 24 images" in page
    if command == "table":
        assert f'"{SHOWN}, 24 images: ' in (made / f"{LATIN}.out").read_text(encoding="utf-8")


def test_the_command_that_inspect_advises_can_be_typed(made):
    shutil.copytree(made / "run", made / "a run; it's")
    out, _ = dimred(made, "inspect", "a run; it's")
    advice = shlex.split(out.splitlines()[-1].partition("; dimred ")[2])
    assert advice[:2] == ["view", "a run; it's"]


@contextmanager
def files_of_at_most(size):
    """No file can be written beyond this size, as on a full disk or by a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_keeps_what_was_there(made, command, no_export):
    for name in ("map.html", "encoder.onnx", "baselines.json"):
        (made / "run" / name).touch()
    (made / "run/baselines.json").write_text("{}")
    (made / "x.out").write_text("before")
    before = files(made)
    with files_of_at_most(64):  # enough for the lock
        line = refused(made, *words(command, run="run", out="x.out"))
    assert "File too large; what was written before is kept" in line
    assert files(made) == before
    named = line.removeprefix("dimred: ").partition(": ")[0]
    assert named.startswith("x.out" if command in ("plot", "table") else "run/")


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES])
def test_a_write_that_fails_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, call, code):
    def fails(*_, **__):
        raise OSError(code, os.strerror(code))

    (tmp_path / "t.txt").write_text("before")
    before = files(tmp_path)
    monkeypatch.setattr(os, call, fails)
    line = refused(tmp_path, "table", "baselines", "--out", "t.txt")
    assert line.startswith(f"dimred: t.txt: {os.strerror(code)}")
    assert files(tmp_path) == before


@pytest.mark.parametrize("command", ["view", "embed", "export", "plot", "table"])
def test_out_names_a_file(made, command):
    given = [word for word in words(command, run="run", out="") if word not in ("--out", "")]
    for out in ("/", ".", "..", "run", "new/"):
        line = refused(made, *given, "--out", out)
        assert line == f"dimred: --out {out}: must name a file, not a folder\n"
    assert not (made / "new").exists()


def test_empty_words_are_refused(made):
    for words in (
        ("baselines", "run", "--only", ""),
        ("embed", "run", ""),
        ("table", "table1", "--measures", ""),
        ("view", "run", "--out", ""),
    ):
        assert "must not be empty" in refused(made, *words)


@contextmanager
def changed(file, content):
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(before)


def with_arrays(file, **changes):
    """The content of an .npz file with other arrays."""
    with np.load(file) as content:
        arrays = {**content, **changes}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")  # matplotlib 3.10
def test_a_map_as_large_as_float32_holds_is_drawn_searched_and_measured(made):
    z = np.random.default_rng(0).choice([-3e38, 3e38, 1e38], (24, 2)).astype(np.float32)
    embedding, stage = made / "run/embedding.npz", made / "run/stages/finetune.npz"
    with (
        changed(embedding, with_arrays(embedding, z=z, index=np.arange(24)[::-1])),
        changed(stage, with_arrays(stage, z=z)),
    ):
        for words in (["plot", "norms"], ["plot", "stages"], ["inspect"], ["view"]):
            dimred(made, *words, "run", *(["--out", "figure"] if words[0] == "plot" else []))


def test_a_stage_of_other_images_is_refused(made):
    file = made / "run/stages/finetune.npz"
    with changed(file, with_arrays(file, z=np.zeros((5, 2), np.float32))):
        said = refused(made, "plot", "stages", "run", "--out", "figure")
    assert "finetune.npz: array 'z' has 5 rows, the run 24" in said
