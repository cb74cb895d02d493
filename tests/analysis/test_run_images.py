"""A run on photographs: what it keeps, and what is shown when files have changed since."""

import base64
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import SMOKE, dimred, refused, summary
from PIL import Image

from dimred.analysis import end_of_run
from dimred.analysis.map_page import MapView, ordered_columns
from dimred.analysis.run_images import RunImages
from dimred.errors import InputError
from dimred.page import Column
from dimred.run_folder.finished import FinishedRun

pytestmark = pytest.mark.usefixtures("no_figures_here")

N, RED = 40, 3
WORDS = ["dataset=image_folder", "dataset.root=photos", "dataset.image_size=8", "run_dir=run"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on pictures of 60x30 and 30x60 pixels, number RED being red, and what it printed."""
    cwd = tmp_path_factory.mktemp("photographs")
    (cwd / "photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(N):
        shape = (30, 60, 3) if i % 2 else (60, 30, 3)
        pixels = rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        pixels = np.array(Image.fromarray(pixels).resize(shape[1::-1]))
        if i == RED:
            pixels[:] = (250, 0, 0)
        Image.fromarray(pixels).save(cwd / f"photos/no {i:02d}.png")
    (cwd / "photos/broken.png").write_bytes(b"nothing")
    words = [*WORDS, "dataset.limit=null", "schedule.batch_size=20", "eval.k=[3]", "view=true"]
    return cwd, dimred(cwd, *SMOKE, *words)[0]


@pytest.fixture
def run(made, tmp_path):
    """A copy of it, to be changed, and of its pictures."""
    for name in ("run", "photos"):
        shutil.copytree(made[0] / name, tmp_path / name)
    return tmp_path / "run"


def finished(run):
    return FinishedRun(run, str(run.parent / "photos"))


def about(content):
    return json.loads(re.search(rb'id="about">(.*?)</script>', content)[1])


def array(content, name, dtype):
    raw = re.search(rf'id="array-{name}">(.*?)</script>'.encode(), content)[1]
    return np.frombuffer(base64.b64decode(raw), dtype)


def view(run):
    return MapView.of(finished(run), place=run)


def test_the_page_is_there_at_the_end_with_whole_pictures(made):
    cwd, out = made
    assert re.search(r"^page +run/map.html \(0.\d MB, opens in any browser\)$", out, re.M)
    content = (cwd / "run/map.html").read_bytes()
    size = array(content, "size", "u1").reshape(N, 2)
    assert size[:4].tolist() == [[30, 60], [60, 30]] * 2
    told = about(content)
    assert told["files"] == {"base": "../photos/", "absent": [], "windowed": False}
    assert (told["missing"], told["placed"]) == (None, None)
    assert told["verdict"] == {
        key: summary(cwd / "run")["verdict"][key] for key in ("word", "text", "advice")
    }
    assert [column["name"] for column in told["columns"]] == ["plain", "loss", "index"]
    assert all(column["help"] for column in told["columns"])


def test_viewing_and_inspecting_again_reads_no_pixels_of_what_was_kept(run, monkeypatch):
    monkeypatch.setattr("dimred.analysis.run_images.whole_pictures", None)
    monkeypatch.setattr(FinishedRun, "images", None)
    page = view(run)
    assert page.notes == ()
    assert about(page.content)["atlas"]["width"] == 60


def change(photos):
    """One gone, one with other content, one new."""
    (photos / f"no {RED:02d}.png").unlink()
    shutil.copy(photos / "no 06.png", photos / "no 05.png")
    shutil.copy(photos / "no 07.png", photos / "new.png")


def test_what_is_gone_changed_and_new_is_named_and_all_rows_are_drawn(run):
    before = view(run).content
    change(run.parent / "photos")
    page = view(run)
    (note,) = page.notes
    assert note == (
        "1 gone: no 03.png; 1 changed: no 05.png; 1 new: new.png (dimred embed places new images)"
    )
    told = about(page.content)
    assert told["missing"] == note
    assert told["files"]["absent"] == [3, 5]  # the picture now in the file is not that of the row
    for name in ("sheet-0", "array-near-h", "array-slot"):
        part = re.compile(rf'id="{name}">.*?</script>'.encode())
        assert part.search(page.content)[0] == part.search(before)[0]


def test_other_channels_are_read_again_and_what_is_gone_is_not_shown_in_those_of_before(run):
    images = RunImages(finished(run).showing("0"))
    (red,) = images.pictures(np.array([RED]), 20)
    assert red.shape == (1, 10, 20)
    assert (red == 250).all()
    change(run.parent / "photos")
    images = RunImages(finished(run).showing("0"))
    gone, there = images.pictures(np.array([RED, 0]), 20)
    assert gone is None
    assert there.shape == (1, 20, 10)
    assert MapView.of(finished(run).showing("0,1"), place=run).notes[0].startswith("1 gone")
    shutil.rmtree(run.parent / "photos")
    with pytest.raises(InputError, match="photos"):
        RunImages(finished(run).showing("0"))


def test_the_url_of_the_folder_holds_whatever_it_is_called(run):
    folder = run.parent / "my photos #1? 50% \u00e9"
    (run.parent / "photos").rename(folder)
    images = RunImages(FinishedRun(run, str(folder)))
    assert images.base(run) == "../my%20photos%20%231%3F%2050%25%20%C3%A9/"
    assert images.base(None) == folder.as_uri() + "/"


def test_what_is_gone_is_drawn_in_other_sizes_too(run):
    change(run.parent / "photos")
    images = RunImages(finished(run))
    red, there = images.pictures(np.array([RED, 0]), 20)
    assert red.shape == (3, 10, 20)
    assert np.abs(red.mean((1, 2)) - (250, 0, 0)).max() < 12
    assert there.shape == (3, 20, 10)


def test_images_that_are_all_there_are_read_whatever_else_is_new(run):
    shutil.copy(run.parent / "photos/no 07.png", run.parent / "photos/new.png")
    images = finished(run).images()
    assert images.fingerprint() == finished(run).record.fingerprint
    (run.parent / "photos/no 09.png").unlink()
    with pytest.raises(InputError, match=r"have changed .*\(1 gone: no 09.png; 1 new: new.png"):
        finished(run).images()


def test_inspect_goes_on_with_what_is_there(run, monkeypatch):
    shutil.copy(run.parent / "photos/no 30.png", run.parent / "photos/no 31.png")
    (run.parent / "photos/no 00.png").unlink()
    monkeypatch.chdir(run.parent)
    out, _ = dimred(run.parent, "inspect", "run")
    assert "images           38 of 40; the others: 1 gone: no 00.png; 1 changed: no 31.png" in out
    content = json.loads((run / "inspect/findings.json").read_text())
    rows = {row for kind in content.values() for group in kind["groups"] for row in group["rows"]}
    assert rows
    assert not rows & {0, 31}
    for line in (run / "inspect/outliers.csv").read_text("utf-8-sig").splitlines()[1:]:
        row, _, source, *_ = line.split(",")
        assert source == f"no {int(row):02d}.png"


def test_without_the_folder_the_page_is_drawn_and_inspect_says_why_not(run, monkeypatch):
    shutil.rmtree(run.parent / "photos")
    monkeypatch.chdir(run.parent)
    page = MapView.of(FinishedRun(run), place=run)
    assert "is not there (dataset.root='photos'" in page.notes[0]
    assert about(page.content)["files"] is None
    with pytest.raises(InputError, match="none of its images are there"):
        RunImages(FinishedRun(run)).learned_from()


def test_a_run_of_which_there_is_nothing_to_show_keeps_the_page_that_it_has(run, monkeypatch):
    (run / "kept.npz").unlink()
    monkeypatch.chdir(run.parent)
    before = (run / "map.html").read_bytes()
    with pytest.raises(InputError, match=r"dataset.root=.*give --root if the data have moved"):
        MapView.of(FinishedRun(run, "nowhere"), place=run)
    assert "nowhere" in refused(run.parent, "view", "run", "--root", "nowhere")
    assert (run / "map.html").read_bytes() == before


def test_a_run_that_kept_nothing_shows_the_files_that_are_there(run):
    (run / "kept.npz").unlink()
    change(run.parent / "photos")
    page = view(run)
    assert "1 gone: no 03.png; 1 new: new.png" in page.notes[0]
    assert "did not keep" in page.notes[0]
    told = about(page.content)
    assert "near-h" not in told["arrays"]
    assert array(page.content, "size", "u1").reshape(N, 2)[0].tolist() == [30, 60]
    shutil.copy(run.parent / "photos/no 06.png", run.parent / "photos/no 03.png")
    with pytest.raises(InputError, match="have changed since"):  # which ones nobody knows
        view(run)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("digest", np.zeros((N, 4), np.uint8)),
        ("grid", np.array([4096, 16])),
        ("slot", np.full(N, N, np.uint32)),
        ("size", np.full((N, 2), 200, np.uint8)),
        ("sheet0", np.frombuffer(b"RIFF....WEBP", np.uint8)),
        ("h", np.zeros((3, 5), np.float32)),
    ],
)
def test_what_was_kept_is_checked_before_it_is_used(run, name, value):
    with np.load(run / "kept.npz") as content:
        arrays = dict(content)
    np.savez(run / "kept.npz", **{**arrays, name: value})
    with pytest.raises(
        InputError, match=rf"kept.npz: array '{name if name != 'size' else 'slot'}'"
    ):
        view(run)


def test_new_images_are_on_the_page(run, monkeypatch):
    monkeypatch.chdir(run.parent)
    (run.parent / "others").mkdir()
    for name, pixels in {"a": (40, 20), "b": (10, 10)}.items():
        Image.new("RGB", pixels, (0, 0, 250)).save(f"others/{name}.png")
    dimred(run.parent, "embed", "run", "others")
    with np.load("run/embedded/others.npz") as content:
        arrays = {**content, "far": np.array([True, False])}
    np.savez("run/embedded/others.npz", **arrays)
    (run.parent / "others/b.png").unlink()
    np.savez("run/embedded/damaged.npz", path=np.array(["x"]))
    (run.parent / "elsewhere/others").mkdir(parents=True)
    Image.new("RGB", (7, 7)).save("elsewhere/others/a.png")  # is not what was placed
    monkeypatch.chdir(run.parent / "elsewhere")
    page = view(run)
    placed = about(page.content)["placed"]
    assert (placed["n"], placed["names"]) == (2, ["others/a.png", "others/b.png"])
    assert (placed["far"], placed["sets"], placed["votes"]) == (
        [True, False],
        ["others"] * 2,
        [""] * 2,
    )
    assert np.allclose(array(page.content, "placed-z", "<f4").reshape(2, 2), arrays["z"])
    near = array(page.content, "placed-near-z", "<u4").reshape(2, -1)
    assert (near[:, :3] == arrays["neighbors"][:, :3]).all()
    size = array(page.content, "size", "u1").reshape(N + 2, 2)
    assert size[N].tolist() == [40, 20]
    pixels = np.full((2, 90, 30, 3), 7, np.uint8)
    np.savez("many.npz", images=pixels)
    file, item = np.array([str(Path("many.npz").resolve())] * 2), np.array([1, 0])
    np.savez(run / "embedded/others.npz", **{**arrays, "source_file": file, "item": item})
    size = array(view(run).content, "size", "u1").reshape(N + 2, 2)
    assert size[N:].tolist() == [[20, 60]] * 2  # as small as the other thumbnails
    assert len(array(page.content, "slot", "<u4")) == N + 2
    assert any("damaged.npz" in note for note in page.notes)
    assert "1 of 2 new images have no thumbnail: no file there" in page.notes


def test_a_file_that_was_changed_while_the_run_trained_is_not_shown_for_its_row(run, monkeypatch):
    """What was written at the end is then written again, from what is in memory."""
    samples = finished(run).images()
    shutil.copy(run.parent / "photos/no 06.png", run.parent / f"photos/no {RED:02d}.png")
    monkeypatch.chdir(run.parent)
    (run / "kept.npz").unlink()
    end_of_run.write_page(run, samples, np.zeros((N, 4), np.float32), view=True)
    assert about((run / "map.html").read_bytes())["files"]["absent"] == [RED]
    page = view(run)
    assert page.notes == (f"1 changed: no {RED:02d}.png",)
    (red,) = RunImages(finished(run)).pictures(np.array([RED]), 60)
    assert red.shape == (3, 8, 8)  # what the run has learned from, of a file that is no more
    assert np.abs(red.mean((1, 2)) - (250, 0, 0)).max() < 25


def test_a_page_that_fails_does_not_fail_the_run(run, monkeypatch):
    samples = finished(run).images()
    monkeypatch.chdir(run.parent)
    monkeypatch.setattr(MapView, "of", lambda *_, **__: 1 / 0)
    (line,) = end_of_run.write_page(Path("run"), samples, np.zeros((N, 4), np.float32), view=True)
    assert line == "page                  could not be written: division by zero"
    (run / "map.html").unlink()
    monkeypatch.undo()
    monkeypatch.chdir(run.parent)
    assert end_of_run.write_page(Path("run"), samples, np.zeros((N, 4), np.float32), False) == []
    assert not (run / "map.html").exists()


def test_points_are_colored_at_first_by_what_is_known(run):
    samples = finished(run).images()
    label, cluster, loss = (
        Column(name, name, np.zeros(N)) for name in ("class", "cluster", "loss")
    )
    assert ordered_columns([label, loss], [cluster], samples)[0] is label
    assert ordered_columns([loss], [cluster], samples)[0] is cluster
    assert ordered_columns([loss], [], samples)[0].name == "plain"
