"""`dimred view` without a browser: what it writes, and what it refuses."""

import io
import json
import re
import shutil
from itertools import islice

import numpy as np
import pytest
from command import SMOKE, dimred, only_run, refused
from PIL import Image

from dimred import load_run
from dimred.run_folder.folder import RunFolder
from dimred.training.occlusion import occluded

pytestmark = pytest.mark.usefixtures("no_figures_here")

TINY = [*SMOKE, "dataset.limit=120", "eval.linear=none"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("view")
    dimred(cwd, *TINY)
    return only_run(cwd)


def test_the_page_is_written_where_it_says(run, tmp_path):
    out, _ = dimred(tmp_path, "view", str(run))
    assert (
        out == f"{run / 'map.html'}: {(run / 'map.html').stat().st_size / 1e6:.1f} MB; "
        "opens in any browser\n"
    )
    first = (run / "map.html").read_bytes()
    dimred(tmp_path, "view", str(run), "--out", "other/page.html")
    assert (tmp_path / "other" / "page.html").read_bytes() == first


def test_open_opens_it(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    dimred(tmp_path, "view", str(run), "--open", "--out", "a page.html")
    assert opened == [(tmp_path / "a page.html").as_uri()]


def test_thumbnails_are_as_large_as_asked_but_not_larger_than_the_images(run, tmp_path):
    said, about = {}, {}
    for side in ("4", "64"):
        said[side], _ = dimred(
            tmp_path, "view", str(run), "--thumbnail", side, "--out", "page.html"
        )
        about[side] = re.search(r'"atlas": {"width": (\d+)', (tmp_path / "page.html").read_text())
    assert (about["4"][1], about["64"][1]) == ("4", "8")
    assert "thumbnails have 8 pixels, as many as the images have" in said["64"]
    assert "thumbnails" not in said["4"]


def test_bad_words_are_refused(run, tmp_path):
    assert "outputs: holds no finished run" in refused(tmp_path, "view")
    assert "thumbnail=3: must be from 4 to 256" in refused(
        tmp_path, "view", str(run), "--thumbnail", "3"
    )
    assert "invalid int value: 'big'" in refused(tmp_path, "view", str(run), "--thumbnail", "big")
    assert "unrecognized arguments: --no" in refused(tmp_path, "view", str(run), "--no")
    assert "holds no finished run" in refused(tmp_path, "view", "nowhere")


def test_what_the_run_wrote_is_not_replaced(run, tmp_path):
    for command, name in (("view", "weights.safetensors"), ("view", "stages/x.html")):
        line = refused(tmp_path, command, str(run), "--out", str(run / name))
        assert "would replace what the run wrote" in line
    line = refused(tmp_path, "export", str(run), "--out", str(run / "summary.json"))
    assert "would replace what the run wrote" in line
    assert "are built in" in refused(tmp_path, "view", str(run), "--root", "data")


def test_a_run_is_called_by_its_folder(run):
    dimred(run, "view", ".")
    assert f"<h1>{run.name}</h1>" in (run / "map.html").read_text()


def test_losses_are_those_of_all_stages_or_of_none(run, tmp_path):
    file = run / "stages" / "pretrain.npz"
    before = file.read_bytes()
    try:
        with np.load(io.BytesIO(before)) as content:
            np.savez(file, z=content["z"])
        dimred(tmp_path, "view", str(run), "--out", "page.html")
    finally:
        file.write_bytes(before)
    assert "loss in this stage" not in (tmp_path / "page.html").read_text()
    dimred(tmp_path, "view", str(run), "--out", "page.html")
    assert "loss in this stage" in (tmp_path / "page.html").read_text()


def changed(file, **arrays):
    with np.load(file) as content:
        kept = {**content, **arrays}
    np.savez(file, **{name: array for name, array in kept.items() if array is not None})


NAN = np.full((120, 2), np.nan, np.float32)


@pytest.mark.parametrize(
    ("name", "arrays", "said"),
    [
        ("embedding.npz", {"z": None}, "array 'z' is missing"),
        ("embedding.npz", {"z": NAN}, "array 'z' has values that are not finite"),
        ("embedding.npz", {"z": NAN[:, 0]}, "array 'z' is float32 (120,)"),
        ("embedding.npz", {"h": np.zeros((5, 3), np.float32)}, "array 'h' has 5 rows, the run 120"),
        ("embedding.npz", {"h": NAN}, "array 'h' has values that are not finite"),
        ("stages/readout.npz", {"z": None}, "array 'z' is missing"),
        ("stages/readout.npz", {"z": np.zeros((5, 2), np.float32)}, "has 5 rows, the run 120"),
        ("stages/readout.npz", {"loss": np.zeros(5, np.float32)}, "'loss' has 5 rows, the run 120"),
    ],
)
def test_arrays_that_are_not_the_runs_are_refused(run, tmp_path, name, arrays, said):
    before = (run / name).read_bytes()
    try:
        changed(run / name, **arrays)
        for command in ("view", "inspect") if name == "embedding.npz" else ("view",):
            line = refused(tmp_path, command, str(run))
            assert f"{run / name}: " in line
            assert said in line
    finally:
        (run / name).write_bytes(before)


@pytest.mark.parametrize(
    ("key", "value"),
    [("headline", []), ("images", "many"), ("transformations", "x")],
)
def test_a_damaged_summary_is_refused(run, tmp_path, key, value):
    before = (run / "summary.json").read_text()
    content = json.loads(before)
    (content if key == "headline" else content["dataset"])[key] = value
    try:
        (run / "summary.json").write_text(json.dumps(content))
        assert "damaged" in refused(tmp_path, "view", str(run))
    finally:
        (run / "summary.json").write_text(before)


@pytest.mark.parametrize("name", ["embedding.npz", "stages/readout.npz"])
def test_damaged_arrays_are_refused(run, tmp_path, name):
    content = (run / name).read_bytes()
    try:
        (run / name).write_bytes(content[: len(content) // 2])
        assert str(run / name) in refused(tmp_path, "view", str(run))
    finally:
        (run / name).write_bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "[" * 100_000,
        {"outliers": [120]},
        {"outliers": [1.5]},
        {"outliers": [True]},
        {"islands": [[1]]},
        {"near_duplicates": [3]},
        {"clusters": {"groups": [{"rows": [120], "title": "1"}], "notes": {}}},
        {"clusters": {"groups": [{"rows": [1]}], "notes": {}}},
        {"outliers": {"groups": [], "notes": {"x": "far"}}},
    ],
)
def test_damaged_findings_are_refused(run, tmp_path, content):
    file = run / "inspect" / "findings.json"
    file.parent.mkdir(exist_ok=True)
    try:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        line = refused(tmp_path, "view", str(run))
        assert f"{file}: is damaged" in line
        assert "run dimred inspect again" in line
    finally:
        file.unlink()


def test_restart_takes_the_page_away(run, tmp_path):
    dimred(tmp_path, "view", str(run))
    dimred(tmp_path, *TINY, f"run_dir={run}", "restart=true")
    assert not (run / "map.html").exists()


def about_of(file):
    return json.loads(re.search(r'id="about">(.*)</script>', file.read_text())[1])


def kept(run):
    with np.load(run / "located/.heat.npz") as content:
        return content["z"]


def test_heat_is_computed_once_and_goes_on_from_what_is_kept(run, tmp_path):
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    about = about_of(tmp_path / "page.html")
    assert about["heat"]["k"] == 15
    assert {"heat-moved", "heat-step", "heat-unit"} <= set(about["arrays"])
    first, page = kept(run), (tmp_path / "page.html").read_bytes()
    assert first.shape == (120, 7, 7, 2)
    # What is kept is taken, and the rest computed.
    held = dict(np.load(run / "located/.heat.npz"))
    marked = first[:50] + 1
    np.savez(run / "located/.heat.npz", **{**held, "z": marked})
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    assert np.array_equal(kept(run)[:50], marked)
    np.testing.assert_allclose(kept(run)[50:], first[50:], atol=1e-5)
    np.savez(run / "located/.heat.npz", **held)
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    assert (tmp_path / "page.html").read_bytes() == page
    dimred(tmp_path, "view", str(run), "--out", "page.html")
    assert about_of(tmp_path / "page.html")["heat"] is None


def test_heat_is_of_maps_that_are_drawn(tmp_path):
    wide = [f"schedule.stages.{stage}.out_dim=5" for stage in ("readout", "finetune")]
    dimred(tmp_path, *TINY, *wide, "run_dir=wide")
    said = refused(tmp_path, "view", "wide", "--heat")
    assert "--heat: is of maps in 2 or 3 dimensions, and Z of wide has 5" in said


def test_heat_that_is_interrupted_keeps_what_is_done(run, tmp_path, monkeypatch, capsys):
    told = []

    def interrupted(encoder, images, *arguments):
        told.append(capsys.readouterr().out)
        yield from islice(occluded(encoder, images, *arguments), 2)
        if len(images) > 20:
            raise KeyboardInterrupt

    monkeypatch.setattr("dimred.training.occlusion.occluded", interrupted)
    monkeypatch.setattr("dimred.analysis.page_heat._BATCH", 20)
    (run / "located/.heat.npz").unlink(missing_ok=True)
    with pytest.raises(KeyboardInterrupt):
        load_run(run).view(heat=True)
    assert len(kept(run)) == 8 + 40
    before, after_eight = told
    assert before == ""
    assert "heat: 120 images, each below 49 squares of 2 pixels: about " in after_eight


def test_heat_that_is_interrupted_before_anything_is_done_keeps_nothing(run, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt
        yield

    (run / "located/.heat.npz").unlink(missing_ok=True)
    with monkeypatch.context() as patch:
        patch.setattr("dimred.training.occlusion.occluded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_run(run).view(heat=True)
    assert not (run / "located/.heat.npz").exists()
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    assert len(kept(run)) == 120


@pytest.mark.parametrize("damage", ["none", "torn", "text", "nan", "wide", "unnamed", "unsaid"])
def test_heat_that_is_damaged_is_computed_again(run, tmp_path, damage):
    file = run / "located/.heat.npz"
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    sound, content = kept(run), file.read_bytes()
    if damage in ("torn", "text"):
        file.write_bytes(content[: len(content) // 2] if damage == "torn" else b"text")
    else:
        held = dict(np.load(file))
        if damage == "unsaid":
            del held["weights"], held["z"]
        wrong = {
            "none": sound[:0],
            "unsaid": sound + 1,
            "nan": np.full_like(sound, np.nan),
            "wide": sound[:, :3],
        }
        wrong = {"z": wrong[damage]} if damage in wrong else {"y": held["y"]}
        kept_on = {} if damage == "unnamed" else held
        np.savez(file, **{**kept_on, **wrong})
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    assert np.array_equal(kept(run), sound)


@pytest.mark.parametrize(("name", "value"), [("weights", "0" * 64), ("side", 3), ("x", np.ones(7))])
def test_heat_of_other_weights_or_squares_is_computed_again(run, tmp_path, name, value):
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    sound, file = kept(run), run / "located/.heat.npz"
    np.savez(file, **{**np.load(file), "z": sound + 1, name: value})
    dimred(tmp_path, "view", str(run), "--heat", "--out", "page.html")
    assert np.array_equal(kept(run), sound)


def sheets(folder):
    """The files below a folder."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_thumbnails_lie_in_a_folder_beside_the_page(run, tmp_path):
    out, _ = dimred(tmp_path, "view", str(run), "--folder", "--out", "page.html")
    assert "and page_files beside it, 0.0 MB; opens in any browser" in out
    url = re.search(r'"folder": "(page_files/[0-9a-f]{16}/)"', (tmp_path / "page.html").read_text())
    (sheet,) = sheets(tmp_path / url[1])
    assert sheet == "0.webp"
    with Image.open(tmp_path / url[1] / sheet) as image:
        assert image.format == "WEBP"
    assert "img-src data: blob: file: 'self';" in (tmp_path / "page.html").read_text()


def test_the_folder_of_an_earlier_page_is_replaced_and_nothing_else(run, tmp_path):
    folder = tmp_path / "page_files"
    dimred(tmp_path, "view", str(run), "--folder", "--out", "page.html")
    (folder / "notes.txt").write_text("mine")
    (first,) = [name for name in sheets(folder) if name != "notes.txt"]
    dimred(tmp_path, "view", str(run), "--folder", "--out", "page.html", "--thumbnail", "4")
    (second,) = [name for name in sheets(folder) if name != "notes.txt"]
    assert first != second
    dimred(tmp_path, "view", str(run), "--out", "page.html")
    assert sheets(folder) == ["notes.txt"]


def test_what_no_page_has_written_stays(run, tmp_path):
    saved = tmp_path / "page_files/deadbeefdeadbeef"  # as a browser might name what it saves
    saved.mkdir(parents=True)
    (saved / "7.webp").write_text("mine")
    (tmp_path / "page.html").write_text('"folder": "other_files/deadbeefdeadbeef/"')
    (tmp_path / "empty_files").mkdir()
    (tmp_path / "empty.html").write_text("mine")
    for name in ("page.html", "empty.html"):
        for words in ([], ["--folder"], []):
            dimred(tmp_path, "view", str(run), "--out", name, *words)
    assert sheets(tmp_path / "page_files") == ["deadbeefdeadbeef/7.webp"]
    (tmp_path / "new_files").mkdir()
    dimred(tmp_path, "view", str(run), "--out", "new.html")
    assert (tmp_path / "new_files").is_dir()


def test_pages_of_one_stem_keep_their_own_sheets(run, tmp_path):
    for name in ("page.html", "page.htm"):
        dimred(tmp_path, "view", str(run), "--out", name, "--folder")
    first, second = (
        re.search(r'"folder": "(page_files/\w+)/"', (tmp_path / name).read_text())[1]
        for name in ("page.html", "page.htm")
    )
    assert first != second
    dimred(tmp_path, "view", str(run), "--out", "page.htm")
    assert sheets(tmp_path) == ["page.htm", "page.html", f"{first}/0.webp"]
    dimred(tmp_path, "view", str(run), "--out", "page.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.htm", "page.html"]


def test_of_very_many_small_thumbnails_the_folder_is_named(run, tmp_path, monkeypatch):
    for module in ("dimred.page.atlas", "dimred.analysis.map_page"):
        monkeypatch.setattr(f"{module}.thumbnail_side", lambda count, longest: 6)
    out, _ = dimred(tmp_path, "view", str(run), "--out", "page.html")
    said = "thumbnails have 6 pixels, so that they fit into one file; with --folder they have 8, "
    assert f"{said}and lie beside it\n" in out
    out, _ = dimred(tmp_path, "view", str(run), "--out", "page.html", "--folder")
    assert "thumbnails have" not in out
    assert '"atlas": {"width": 8,' in (tmp_path / "page.html").read_text()
    view = load_run(run).view()
    assert not any("--folder" in note for note in view.notes)
    view.save(tmp_path / "saved.html")
    assert '"folder": null' in (tmp_path / "saved.html").read_text()


def test_a_folder_that_cannot_be_is_refused(run, tmp_path):
    (tmp_path / "page_files").write_text("mine")
    said = refused(tmp_path, "view", str(run), "--folder", "--out", "page.html")
    assert "page_files is there and is no folder; name another file" in said
    said = refused(tmp_path, "view", str(run), "--folder", "--out", "/dev/null")
    assert "--folder: nothing can be beside /dev/null" in said
    assert (tmp_path / "page_files").read_text() == "mine"


def test_removal_knows_of_the_folder(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    dimred(tmp_path, "view", str(copy), "--folder")
    assert (copy / "map_files").is_dir()
    with RunFolder(copy) as folder:
        folder.clear()
    assert {path.name for path in copy.iterdir()} == {".lock"}
