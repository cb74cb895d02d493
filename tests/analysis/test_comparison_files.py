"""What a comparison writes, and what `dimred view` makes of it."""

import base64
import csv
import io
import json
import re
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
from command import SMOKE, dimred, only_run
from PIL import Image
from undrawn import without_figures

from dimred.analysis import compared_rows, comparison_files
from dimred.analysis.comparison_files import betraying, checked_name, not_written, write
from dimred.analysis.comparison_islands import islands
from dimred.analysis.map_page import MapView
from dimred.analysis.placed_rows import placed_rows
from dimred.errors import InputError
from dimred.evaluation.two_samples import Labelings, space_test
from dimred.run_folder.finished import FinishedRun

N, N_A, N_B = 120, 30, 40
FILES = {"result.json", "scores.csv", "islands.csv", "betray.png", "map.png", "images.npz"}


@dataclass(frozen=True)
class Side:
    name: str
    names: tuple
    files: tuple
    items: np.ndarray
    rows: np.ndarray
    pixels: np.ndarray | None
    z: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Comparison:
    a: Side
    b: Side
    tests: dict
    labelings: Labelings
    leading: str = "z"
    alpha: float = 0.05
    sentence: str = "different: <b>so</b>"
    options: tuple = ()

    @property
    def groups(self):
        return self.labelings.groups

    def result(self):
        return {"sentence": self.sentence, "options": dict(self.options), "notes": ["one"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on digits, and images from elsewhere in a file."""
    cwd = tmp_path_factory.mktemp("compared")
    with without_figures():
        dimred(cwd, *SMOKE, f"dataset.limit={N}", "eval.linear=none")
    pixels = np.random.default_rng(0).integers(0, 256, (N_B, 8, 8), dtype=np.uint8)
    np.savez(cwd / "new photos.npz", images=pixels)
    return only_run(cwd), cwd / "new photos.npz"


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are made, but not drawn."""
    monkeypatch.setattr(comparison_files, "to_png", lambda _: b"picture")


@pytest.fixture
def run(made, tmp_path):
    return FinishedRun(shutil.copytree(made[0], tmp_path / "run"))


def own(run, rows, name="RUN:train"):
    n, on = len(rows), run.map
    pixels = np.full((n, 1, 8, 8), 7, np.uint8)
    names = tuple(f"row {row}" for row in rows)
    return Side(name, names, ("",) * n, np.full(n, -1), rows, pixels, on.z[rows], on.labels[rows])


def elsewhere(run, file, name, n=N_B, far=50.0):
    pixels = np.full((n, 1, 8, 8), 200, np.uint8)
    names = tuple(f"{name}[{i}]" for i in range(n))
    where = (str(file),) * n, np.arange(n), np.full(n, -1)
    z = run.map.z[:n] + np.float32(far)
    return Side(name, names, *where, pixels, z, np.full(n, -1))


def compared(a, b, permutations=19, groups=None, **values):
    n_a, n_b = len(a.names), len(b.names)
    labelings = Labelings(np.arange(n_a + n_b) >= n_a, groups, permutations=permutations)
    points = np.concatenate([a.z, b.z])
    tests = {space: space_test(points * scale, labelings) for space, scale in (("h", 3), ("z", 1))}
    return Comparison(a, b, tests, labelings, **values)


@pytest.fixture
def of_two_kinds(run, made):
    """The run's first images against images from elsewhere."""
    groups = np.arange(N_A + N_B)
    groups[5] = 4
    return compared(own(run, np.arange(N_A)), elsewhere(run, made[1], "new photos.npz"), 99, groups)


def table(file):
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))


def view(run):
    page = MapView.of(run, place=run.path)
    content = page.content
    told = json.loads(re.search(rb'id="about">(.*?)</script>', content)[1])
    return page, told


def column(page, name):
    found = re.search(rf'id="array-column-{name}">(.*?)</script>'.encode(), page.content)
    return np.frombuffer(base64.b64decode(found[1]), "<u2")


def test_all_is_written_and_says_the_same(run, of_two_kinds, made):
    folder = write(of_two_kinds, run)
    assert folder == run.path / "compared" / "train-vs-new-photos"
    assert {path.name for path in folder.iterdir()} == FILES
    rows = table(folder / "scores.csv")
    assert [row["set"] for row in rows] == ["A"] * N_A + ["B"] * N_B
    assert [row["image"] for row in rows[-2:]] == ["new photos.npz[38]", "new photos.npz[39]"]
    assert rows[3]["row"] == "3"
    assert rows[3]["index"] == str(run.map.index[3])
    last = rows[-1]
    assert (last["file"], last["item"], last["row"], last["index"]) == (str(made[1]), "39", "", "")
    for space, test in of_two_kinds.tests.items():
        scores = [float(row[f"score_{space}"]) for row in rows]
        np.testing.assert_allclose(scores, test.scores, rtol=1e-5)
        shares = [float(row[f"nearest_b_{space}"]) for row in rows]
        np.testing.assert_allclose(shares, test.nearest_b, atol=1e-6)
    assert rows[4]["group"] == rows[5]["group"] != rows[6]["group"]
    on = islands(run, of_two_kinds.a, of_two_kinds.b, of_two_kinds.labelings.labels)
    assert [row["island"] for row in rows] == [on.names[i] for i in on.of]
    counts = {row["island"]: (int(row["count_a"]), int(row["count_b"])) for row in on.rows()}
    written = table(folder / "islands.csv")
    assert {r["island"]: (int(r["count_a"]), int(r["count_b"])) for r in written} == counts
    assert all(0 < float(row["p"]) <= float(row["q"]) <= 1 for row in written)
    result = json.loads((folder / "result.json").read_text())
    assert (result["sentence"], result["notes"]) == (of_two_kinds.sentence, ["one"])
    assert set(result["unequal_islands"]) == {r["island"] for r in written if float(r["q"]) <= 0.05}
    for name in ("betray.png", "map.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 200


def test_the_images_that_betray_a_set_are_its_own_and_rightly_judged():
    rng = np.random.default_rng(0)
    scores, is_b = rng.normal(size=300), rng.random(300) < 0.5
    of_a, of_b = betraying(scores, is_b)
    naive_a = sorted(
        (i for i in range(300) if not is_b[i] and scores[i] < 0), key=lambda i: scores[i]
    )
    naive_b = sorted((i for i in range(300) if is_b[i] and scores[i] > 0), key=lambda i: -scores[i])
    assert len(naive_a) > 50 < len(naive_b)
    assert (of_a.tolist(), of_b.tolist()) == (naive_a[:50], naive_b[:50])
    of_a, of_b = betraying(np.array([1.0, 0.0, -1.0, 0.0]), np.array([False, False, True, True]))
    assert not len(of_a)
    assert not len(of_b)


@pytest.mark.usefixtures("undrawn")
def test_the_sheet_shows_them_with_score_name_and_class(run, of_two_kinds, monkeypatch):
    seen = []
    monkeypatch.setattr(comparison_files, "betraying_sheet", lambda *given: seen.extend(given))
    folder = write(of_two_kinds, run)
    assert (folder / "betray.png").read_bytes() == b"picture"
    scores = of_two_kinds.tests["z"].scores
    of_a, of_b = betraying(scores, np.arange(N_A + N_B) >= N_A)
    assert min(len(of_a), len(of_b)) > 3
    for pictures, chosen, gray in zip(seen[0], (of_a, of_b), (7, 200), strict=True):
        assert [lines[0] for _, lines in pictures] == [f"{scores[i]:+.2f}" for i in chosen]
        assert all((image == gray).all() for image, _ in pictures)
    class_name = run.map.class_names[run.map.labels[of_a[0]]]
    assert seen[0][0][0][1][1:] == (f"row {of_a[0]}", class_name)
    assert seen[0][1][0][1][1:] == (f"new photos.npz[{of_b[0] - N_A}]",)
    assert seen[1] == (
        f"A: RUN:train – {len(of_a)} of {N_A} that betray it most",
        f"B: new photos.npz – {len(of_b)} of {N_B} that betray it most",
    )


@pytest.mark.usefixtures("undrawn")
def test_without_pixels_there_is_no_sheet_and_that_is_said(run, of_two_kinds):
    folder = write(of_two_kinds, run)
    assert not not_written(of_two_kinds)
    a, b = of_two_kinds.a, of_two_kinds.b
    half = replace(of_two_kinds, a=replace(a, pixels=None))
    assert not_written(half) == ("betray.png shows one set: the images of RUN:train are gone",)
    assert "betray.png" in {path.name for path in write(half, run).iterdir()}
    gone = replace(half, b=replace(b, pixels=None))
    assert write(gone, run, folder.name) == folder
    assert {path.name for path in folder.iterdir()} == FILES - {"betray.png"}
    said = json.loads((folder / "result.json").read_text())["notes"]
    assert said == ["one", *not_written(gone)]
    assert "are gone" in said[1]


@pytest.mark.usefixtures("undrawn")
def test_another_comparison_of_the_same_name_gets_a_number(run, made):
    a = own(run, np.arange(N_A))
    names = []
    for b in (own(run, np.arange(40, 70), "RUN:test"), own(run, np.arange(50, 80), "RUN:test")):
        for options in ((), (("within", "class"),)):
            names.append(write(compared(a, b, options=options), run).name)
            assert write(compared(a, b, options=options), run).name == names[-1]
    assert names == ["train-vs-test", "train-vs-test-2", "train-vs-test-3", "train-vs-test-4"]
    (run.path / "compared/train-vs-test/result.json").write_text("{")
    assert write(compared(a, b), run).name == "train-vs-test-3"
    (run.path / "compared/train-vs-test-3/result.json").write_text("[]")
    assert write(compared(a, b), run).name == "train-vs-test-5"
    assert write(compared(a, b), run, "mine").name == "mine"


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("name", "of_run", "expected"),
    [
        ("outputs/a-b:class=cat", True, "class=cat"),
        ("RUN:angle<90", True, "angle-90"),
        ("RUN:test,class=a/b", True, "b"),
        ("photos/July 2026/", False, "July-2026"),
        ("x/ünï.v2/b.PNG", False, "b"),
        ("v1.5", False, "v1.5"),
        ("..//", False, None),
        ("?", False, "images"),
        ("y" * 300, False, "y" * 60),
    ],
)
def test_folders_are_named_after_the_sets(run, made, monkeypatch, tmp_path, name, of_run, expected):
    (tmp_path / "in" / "side").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in" / "side")
    a = elsewhere(run, made[1], name) if not of_run else own(run, np.arange(N_A), name)
    b = own(run, np.arange(40, 70), "RUN:test")
    folder = write(compared(a, b), run)
    assert folder.name == f"{expected or 'in'}-vs-test"
    assert folder.parent == run.path / "compared"


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a\\b", "-x", "a\nb", "y" * 201])
def test_names_that_are_none_are_refused(name):
    with pytest.raises(InputError, match="must be the name of a folder") as error:
        checked_name(name)
    assert str(error.value).startswith("out=")
    assert "\n" not in str(error.value)
    assert checked_name("July, é") == "July, é"


@pytest.mark.usefixtures("undrawn")
def test_links_are_not_followed(run, of_two_kinds, tmp_path):
    (tmp_path / "out").mkdir()
    (run.path / "compared").symlink_to(tmp_path / "out")
    with pytest.raises(InputError, match="is a link"):
        write(of_two_kinds, run)
    assert not list((tmp_path / "out").iterdir())
    assert view(run)[1]["placed"] is None


@pytest.mark.usefixtures("undrawn")
def test_the_page_has_a_column_findings_and_the_images_from_elsewhere(run, of_two_kinds):
    name = write(of_two_kinds, run).name
    page, told = view(run)
    assert not page.notes
    of = told["columns"][-1]
    assert (of["title"], of["kind"]) == (f"compared {name}", "category")
    assert of["names"] == ["none", "A: RUN:train", "B: new photos.npz"]
    assert of_two_kinds.sentence in of["help"]
    assert column(page, f"compared-{name}").tolist() == [1] * N_A + [0] * (N - N_A)
    assert told["columns"][0]["name"] == "class"
    of_a = betraying(of_two_kinds.tests["z"].scores, np.arange(N_A + N_B) >= N_A)[0]
    assert [(f["title"], f["groups"][0]["rows"]) for f in told["findings"]] == [
        (f"betray A, {name}", of_a.tolist())
    ]
    scores = of_two_kinds.tests["z"].scores
    assert told["findings"][0]["notes"][str(of_a[0])] == f"score {scores[of_a[0]]:+.2f}"
    placed = told["placed"]
    assert placed["names"] == list(of_two_kinds.b.names)
    assert set(placed["sets"]) == {f"{name}: B: new photos.npz"}
    z = re.search(rb'id="array-placed-z">(.*?)</script>', page.content)[1]
    z = np.frombuffer(base64.b64decode(z), "<f4").reshape(N_B, -1)
    assert np.allclose(z, of_two_kinds.b.z)


@pytest.mark.usefixtures("undrawn")
def test_only_the_last_comparisons_are_on_the_page(run, made):
    dimred(run.path, "embed", str(run.path), str(made[1]))
    for last in (60, 61, 62, 63):
        a, b = own(run, np.arange(N_A)), own(run, np.arange(40, last), "RUN:test")
        write(compared(a, b), run, f"until {last}")
    page, told = view(run)
    titles = [of["title"] for of in told["columns"] if of["title"].startswith("compared")]
    assert titles == ["compared until 63", "compared until 62", "compared until 61"]
    assert page.notes == ("not marked: comparisons before the last 3: until 60",)
    assert told["placed"]["n"] == N_B  # those of `dimred embed` alone


@pytest.mark.usefixtures("undrawn")
def test_of_more_images_than_there_is_room_for_some_are_drawn(run, of_two_kinds, monkeypatch):
    write(of_two_kinds, run)
    monkeypatch.setattr(compared_rows, "MAX_PLACED", 9)
    page, told = view(run)
    assert told["placed"]["n"] == 9
    assert "9 of 40 images from elsewhere are drawn" in page.notes[0]
    assert told["placed"]["names"][::8] == ["new photos.npz[0]", "new photos.npz[39]"]
    monkeypatch.setattr(compared_rows, "MAX_PLACED", 0)
    assert view(run)[1]["placed"] is None


@pytest.mark.usefixtures("undrawn")
def test_damaged_files_are_said_and_skipped(run, of_two_kinds):
    folder = write(of_two_kinds, run)
    write(of_two_kinds, run, "sound")
    n = N_A + N_B
    damages = [
        ("z", np.zeros((n, 9), np.float32)),
        ("z", np.full((n, 2), np.nan)),
        ("row", np.full(n, N)),
        ("row", np.full(n, -2)),
        ("row", np.zeros(3, int)),
        ("set", np.full(n, "C")),
        ("score", np.full(n, np.inf)),
        ("set_names", np.array(["one"])),
        ("source_file", np.zeros(n)),
    ]
    with np.load(folder / "images.npz") as content:
        arrays = dict(content)
    for name, values in damages:
        np.savez(folder / "images.npz", **arrays | {name: values})
        of = compared_rows.compared_rows(run, placed_rows(run))
        assert [column.title for column in of.columns] == ["compared sound"]
        assert len(of.placed) == N_B
        (note,) = of.placed.skipped
        assert note.startswith(f"not marked: {folder / 'images.npz'}: array '{name}' ")
        assert "\n" not in note
    (folder / "images.npz").write_bytes(b"nothing")
    page, told = view(run)
    assert told["columns"][-1]["title"] == "compared sound"
    assert told["placed"]["n"] == N_B
    assert "images.npz: holds no arrays of a run" in page.notes[0]
    (folder / "images.npz").unlink()
    assert "images.npz: is missing" in view(run)[0].notes[0]
