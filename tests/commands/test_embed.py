"""New images on the map of a finished run, through the command and in Python."""

import csv
import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from command import SMOKE, dimred, refused, summary
from PIL import Image

import dimred as package
from dimred import load_run
from dimred.run_folder.folder import RunFolder

pytestmark = pytest.mark.usefixtures("no_figures_here")

SIZE = 12
TRAIN = [*SMOKE, "dataset.limit=null", "eval.every=0", "eval.linear=none"]
CLASSES = ("ants, <b>", "bees", "=cats")


def photograph(path, brightness, rng, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.normal(brightness, 60, (14, 17, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.fixture(scope="module")
def color(tmp_path_factory):
    """A run on a folder of color photographs with classes and a split."""
    cwd = tmp_path_factory.mktemp("color")
    rng = np.random.default_rng(0)
    for split, n in (("train", 40), ("test", 12)):
        for number, name in enumerate(CLASSES):
            for i in range(n):
                photograph(cwd / f"photos/{split}/{name}/{i:02d}.png", 100 + 25 * number, rng)
    words = ["dataset=image_folder", "dataset.root=photos", f"dataset.image_size={SIZE}"]
    dimred(cwd, *TRAIN, *words, "run_dir=run")
    return cwd


@pytest.fixture(scope="module")
def gray(tmp_path_factory):
    """A run on arrays of gray images that are not square, without labels."""
    cwd = tmp_path_factory.mktemp("gray")
    images = np.random.default_rng(1).integers(0, 256, (80, 10, 16), dtype=np.uint8)
    np.savez(cwd / "mine.npz", images=images)
    dimred(cwd, *TRAIN, "dataset=npz", "dataset.path=mine.npz", "run_dir=run", "eval.k=[5]")
    return cwd


@pytest.fixture
def copy(color, tmp_path):
    """The folder of the run on photographs, to be damaged."""
    return shutil.copytree(color / "run", tmp_path / "run")


def arrays(path):
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def rows(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_runs_own_files_are_placed_where_they_are(color, tmp_path):
    # Moved, as new images need no others.
    shutil.copytree(color / "run", tmp_path / "run")
    shutil.copytree(color / "photos", tmp_path / "elsewhere")
    out, err = dimred(tmp_path, "embed", "run", "elsewhere/train", "elsewhere/test")
    assert (out.splitlines()[0], err) == ("156 images placed", "")
    found, own = (
        arrays(tmp_path / "run/embedded/train-and-1-more.npz"),
        arrays(tmp_path / "run/embedding.npz"),
    )
    assert found["path"].tolist() == [f"elsewhere/{source}" for source in own["source"]]
    assert np.abs(found["z"] - own["z"]).max() < 1e-5
    # Its own nearest neighbor is each training image itself.
    assert found["neighbors"][:120, 0].tolist() == list(range(120))
    assert found["neighbor_index"].max() < 120


def test_an_npy_file_is_one_image_for_a_run_on_a_folder(color, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((20, 20, 3), np.uint8))
    out, _ = dimred(tmp_path, "embed", str(color / "run"), "x.npy", "--out", "x")
    assert out.startswith("1 image placed")
    assert arrays(tmp_path / "x.npz")["path"].tolist() == ["x.npy"]


def test_processes_of_torchrun_or_slurm_change_nothing(color, tmp_path, monkeypatch):
    """A command on a finished run is of one process, and joins no others."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    out, _ = dimred(tmp_path, "embed", str(color / "run"), str(color / "photos/test"), "--out", "x")
    assert "36 images placed" in out
    assert not torch.distributed.is_initialized()


def test_images_of_the_same_name_do_not_replace_others(color, tmp_path):
    rng = np.random.default_rng(0)
    for folder in ("a/new", "b/new"):
        photograph(tmp_path / f"{folder}/x.png", 100, rng)
    shutil.copytree(color / "run", tmp_path / "run")
    for folder in ("a/new", "b/new", "a/new"):  # the same again is written again
        dimred(tmp_path, "embed", "run", folder)
    written = {path.name for path in (tmp_path / "run/embedded").iterdir()}
    assert written == {"new.csv", "new.npz", "new-2.csv", "new-2.npz"}
    assert arrays(tmp_path / "run/embedded/new-2.npz")["path"].tolist() == ["b/new/x.png"]


def test_arrays_are_placed_as_the_run_placed_them(gray, tmp_path):
    file = gray / "mine.npz"
    file.rename(tmp_path / "moved.npz")  # a run without its data still embeds
    try:
        dimred(tmp_path, "embed", str(gray / "run"), "moved.npz", "--out", "x.csv", "--k", "3")
    finally:
        (tmp_path / "moved.npz").rename(file)
    found = arrays(tmp_path / "x.npz")
    assert np.abs(found["z"] - arrays(gray / "run/embedding.npz")["z"]).max() < 1e-5
    assert found["path"][-1] == "moved.npz[79]"
    assert found["neighbors"].shape == (80, 3)
    assert "vote" not in found
    table = rows(tmp_path / "x.csv")
    assert list(table[0]) == ["path", "z1", "z2", "distance", "far", "neighbors"]
    assert len(table[0]["neighbors"].split()) == 3
    assert [np.float32(row["z1"]) for row in table] == found["z"][:, 0].tolist()
    assert max(len(row["z1"]) for row in table) < 14


def test_votes_on_held_out_images_are_as_accurate_as_the_run_says(color, tmp_path):
    dimred(color, "embed", "run", "photos/test", "--out", str(tmp_path / "a"))
    table = rows(tmp_path / "a.csv")
    shown = {"=cats": "'=cats"}  # a spreadsheet would compute it
    folders = [row["path"].split("/")[2] for row in table]
    right = [row["vote"] == shown.get(name, name) for row, name in zip(table, folders, strict=True)]
    assert np.mean(right) == pytest.approx(summary(color / "run")["final"]["knn15_z_official"])
    own = arrays(color / "run/embedding.npz")
    for row in table:
        near = [int(index) for index in row["neighbors"].split()]
        classes = own["class_names"][own["label"][near]].tolist()
        assert len(near) == 15
        vote = row["vote"].removeprefix("'")
        assert classes.count(vote) / 15 == pytest.approx(float(row["vote_share"]))
        assert row["nearest"] == own["source"][near[0]]
    assert list(table[0]) == [
        *("path", "z1", "z2", "vote", "vote_share", "distance", "far", "neighbors", "nearest")
    ]


def test_what_cannot_be_placed_is_named_and_the_rest_placed(color, tmp_path, monkeypatch):
    monkeypatch.setattr("dimred.data.found._MAX_NAMED", 2)
    rng = np.random.default_rng(0)
    for name in ("b", "d"):
        photograph(tmp_path / f"new/{name}.png", 100, rng)
    for name in ("a.jpg", "c\n.png", "e.gif", "f.heic"):
        (tmp_path / "new" / name).write_bytes(b"\xff\xd8nothing")
    out, err = dimred(tmp_path, "embed", str(color / "run"), "new", "--out", "x")
    assert err.splitlines() == [
        "dimred: 'new/a.jpg' is left out: not an image of a known format",
        "dimred: so are 'new/c\\n.png' and 2 more",
    ]
    said, far, *written = out.splitlines()
    assert said == "2 images placed, 4 left out"
    assert far.startswith("none far from everything (more than 1.")
    assert written == ["x.csv", "x.npz"]
    assert [row["path"] for row in rows(tmp_path / "x.csv")] == ["new/b.png", "new/d.png"]
    line = refused(tmp_path, "embed", str(color / "run"), "new/a.jpg", "new/e.gif")
    assert "none of the 2 images can be placed; the first, 'new/a.jpg': not an image" in line


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_every_file_name_survives_the_table(color, tmp_path):
    rng = np.random.default_rng(0)
    names = ["<img src=x onerror=alert(1)>", 'a,"b"', "line\nbreak", "ret\rurn", "späte 猫", " s "]
    files = [photograph(tmp_path / f"new/{name}.png", 100, rng) for name in names]
    photograph(tmp_path / "=1+1.png", 100, rng)
    dimred(tmp_path, "embed", str(color / "run"), "=1+1.png", "new/", "--out", "x.npz")
    expected = ["./=1+1.png", *sorted(f"new/{file.name}" for file in files)]
    assert [row["path"] for row in rows(tmp_path / "x.csv")] == expected
    assert arrays(tmp_path / "x.npz")["path"].tolist() == expected


def test_gray_images_go_to_a_run_of_color_ones(color, tmp_path):
    rng = np.random.default_rng(0)
    photograph(tmp_path / "new/a/b/l.png", 120, rng, mode="L")
    Image.open(tmp_path / "new/a/b/l.png").convert("RGB").save(tmp_path / "new/rgb.png")
    run = load_run(color / "run")
    placed = run.place(tmp_path / "new")
    assert [path.rpartition("/")[2] for path in placed.paths] == ["l.png", "rgb.png"]
    # Rows of one batch, whose products may be rounded by their place in it.
    np.testing.assert_allclose(*placed.z, rtol=1e-6)
    gray = rng.integers(0, 256, (4, SIZE, SIZE), dtype=np.uint8)
    three = np.repeat(gray[:, None], 3, axis=1)
    assert np.array_equal(run.place(gray).z, run.place(torch.from_numpy(three)).z)


def test_files_are_cropped_to_the_shape_of_the_run(gray, tmp_path):
    """Also where EXIF turns them; and color is made gray, unless it is gray by its pixels."""
    rng = np.random.default_rng(0)
    inside = rng.integers(0, 256, (10, 16), dtype=np.uint8)
    higher = np.pad(inside, ((7, 7), (0, 0)))
    Image.fromarray(higher).save(tmp_path / "a.png")
    Image.fromarray(higher).convert("RGB").save(tmp_path / "b.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned = Image.fromarray(higher).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "c.png", exif=exif)
    Image.fromarray(np.pad(inside, ((0, 0), (9, 9)))).save(tmp_path / "d.png")
    photo = Image.open(photograph(tmp_path / "e.png", 100, rng))
    photo.convert("L").save(tmp_path / "f.png")
    placed = load_run(gray / "run").place(sorted(tmp_path.glob("*.png")))
    expected = load_run(gray / "run").place(inside[None]).z
    assert len(placed) == 6
    assert np.abs(placed.z[:4] - expected).max() < 1e-5
    # Cropped and resized before it is made gray, which rounds otherwise.
    assert np.abs(placed.z[4] - placed.z[5]).max() < 0.05 * np.ptp(load_run(gray / "run").z)
    assert placed.converted == (str(tmp_path / "e.png"),)
    out, _ = dimred(tmp_path, "embed", str(gray / "run"), "e.png", "f.png", "--out", "x")
    assert "1 in color, made gray as the run's images are, 'e.png' first" in out


def test_three_lines_of_python_place_images(color, monkeypatch):
    monkeypatch.chdir(color)
    run = load_run("run")
    placed = run.place(["photos/test/bees"])
    assert placed.paths[0] == "photos/test/bees/00.png"
    assert placed.z.shape == (12, 2)
    assert placed.neighbors.shape == placed.neighbor_labels.shape == (12, 15)
    assert all(placed.class_names[vote] in CLASSES for vote in placed.votes)
    assert placed.left_out == ()
    # Files decoded in parts are placed as all at once.
    monkeypatch.setattr("dimred.analysis.new_images._MAX_BYTES", 5 * 3 * SIZE**2)
    assert np.abs(run.place("photos/test/bees").z - placed.z).max() < 1e-5
    with pytest.raises(AttributeError, match="load_runs"):
        package.load_runs


def test_neighbors_are_untransformed_training_images(copy):
    """As a run with two transformations of each image would have them, all in one place."""
    content = summary(copy)
    content["dataset"]["transformations"] = 2
    (copy / "summary.json").write_text(json.dumps(content))
    own = arrays(copy / "embedding.npz")
    several = {name: np.repeat(own[name], 3, axis=0) for name in own if name != "class_names"}
    np.savez(copy / "embedding.npz", class_names=own["class_names"], **several)
    image = np.full((1, 3, SIZE, SIZE), 99, dtype=np.uint8)
    placed = load_run(copy).place(image)
    order = np.argsort(np.linalg.norm(own["z"][:120] - placed.z, axis=1), kind="stable")[:15]
    assert placed.neighbors.tolist() == [(3 * order).tolist()]
    assert placed.neighbor_index.tolist() == [own["index"][order].tolist()]


def test_a_run_that_does_not_say_the_shape_of_its_images(copy, gray, tmp_path):
    """Those of earlier versions: a folder's follows from the rest, other images are looked at."""
    content = summary(copy)
    del content["dataset"]["shape"]
    (copy / "summary.json").write_text(json.dumps(content))
    assert load_run(copy).shape == (3, SIZE, SIZE)
    old = shutil.copytree(gray / "run", tmp_path / "old")
    content = summary(old)
    assert content["dataset"].pop("shape") == [1, 10, 16]
    (old / "summary.json").write_text(json.dumps(content))
    np.savez(tmp_path / "new.npz", images=np.zeros((2, 10, 16)))
    assert "mine.npz" in refused(tmp_path, "embed", "old", "new.npz")
    dimred(tmp_path, "embed", "old", "new.npz", "--root", str(gray / "mine.npz"))
    assert arrays(old / "embedded/new.npz")["z"].shape == (2, 2)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["run"], "run: is a run; name images to place on its map, too"),
        (["run", "nowhere"], "nowhere: does not exist"),
        (["run", "~nobody-of-that-name/x.png"], "x.png: does not exist"),
        (["run", "empty"], "empty: no images there; image files end in .jpg"),
        (["run", "notes.txt"], "notes.txt: must be an image"),
        (["run", "run"], "run: is a run folder"),
        (["run", "small.npz"], "small.npz: array 'images' has images of 10x10 pixels"),
        (["run", "other.npz"], "other.npz: no array 'images'; the arrays are 'pixels'"),
        (["run", "broken.npz"], "broken.npz: neither an .npz nor an .npy file"),
        (["run", "good.npz", "--k", "121"], "k=121: must be from 1 to the 120 training images"),
        (["run", "good.npz", "--k", "0"], "k=0"),
        (["run", "good.npz", "--k", "many"], "--k"),
        (["run", "good.npz", "--out", "empty"], "--out empty: must name a file"),
        (["run", "good.npz", "--out", "good.csv"], "would replace good.npz, which is read"),
        (["run", "good.npz", "--out", "run/embedding"], "would replace what the run wrote"),
        (["run", "good.npz", "--outt", "x"], "--outt"),
        (["empty", "good.npz"], "empty: holds no finished run"),
        (["nowhere", "good.npz"], "nowhere: holds no finished run"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(copy, tmp_path, words, named):
    (tmp_path / "empty").mkdir()
    for name in ("notes.txt", "broken.npz"):
        (tmp_path / name).write_text("no image")
    np.savez(tmp_path / "small.npz", images=np.zeros((2, 10, 10), np.uint8))
    np.savez(tmp_path / "good.npz", images=np.zeros((2, SIZE, SIZE), np.uint8))
    np.savez(tmp_path / "other.npz", pixels=np.zeros((2, SIZE, SIZE), np.uint8))
    before = sorted(tmp_path.rglob("*"))
    assert named in refused(tmp_path, "embed", *words)
    assert sorted(tmp_path.rglob("*")) == before


def test_arrays_in_color_are_made_gray_as_pillow_does(gray):
    colors = np.random.default_rng(0).integers(0, 256, (2, 10, 16, 3), dtype=np.uint8)
    run = load_run(gray / "run")
    grays = np.stack([Image.fromarray(image).convert("L") for image in colors])
    placed = run.place(colors.transpose(0, 3, 1, 2))
    assert np.array_equal(placed.z, run.place(grays).z)
    assert placed.converted == ("images[0]", "images[1]")


def test_foreign_images_are_far_and_those_of_the_run_are_not(color, tmp_path):
    """As the command says, its files keep, and a run of an earlier version says of Z."""
    rng = np.random.default_rng(0)
    Image.new("RGB", (14, 17), "white").save(tmp_path / "white.png")
    photograph(tmp_path / "new/own.png", 110, rng)
    run = shutil.copytree(color / "run", tmp_path / "run")
    out, _ = dimred(tmp_path, "embed", "run", "white.png", "new")
    first, far, *files = out.splitlines()
    assert first == "2 images placed"
    assert far.startswith("1 far from everything (more than ")
    assert far.endswith("in H), 'white.png' first")
    assert files == ["run/embedded/white-and-1-more.csv", "run/embedded/white-and-1-more.npz"]
    found = arrays(run / "embedded/white-and-1-more.npz")
    assert found["far"].tolist() == [True, False]
    assert found["distance"][0] > found["fence"][0] > found["distance"][1]
    files = [str(tmp_path / "white.png"), str(tmp_path / "new/own.png")]
    assert found["source_file"].tolist() == files
    assert found["item"].tolist() == [-1, -1]
    assert [row["far"] for row in rows(run / "embedded/white-and-1-more.csv")] == ["yes", "no"]
    assert "2 images in 2 dimensions, 1 far from everything" in repr(
        load_run(run).place([tmp_path / "white.png", tmp_path / "new"])
    )
    (run / "features.npz").unlink()
    out, _ = dimred(tmp_path, "embed", "run", "new")
    assert "judged in Z, less surely" in out


def test_features_of_another_network_are_refused(copy, tmp_path):
    np.savez(copy / "features.npz", h=np.random.default_rng(0).normal(size=(9, 5)))
    np.savez(tmp_path / "new.npz", images=np.zeros((2, SIZE, SIZE), np.uint8))
    line = refused(tmp_path, "embed", "run", "new.npz")
    assert "features.npz: array 'h' is not of this run's network" in line


class Malice:
    """Unpickled, it would write a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("embedding.npz", "embedding.npz: holds no arrays"),
        ("embedding.npz of objects", "embedding.npz: holds no arrays"),
        ("weights.safetensors", "weights.safetensors: holds no weights"),
        ("config.yaml", "run: is not the folder of a finished run, or damaged"),
        ("checkpoint.pt", None),
    ],
)
def test_a_run_folder_executes_nothing(copy, tmp_path, name, refusal):
    harm = tmp_path / "harm"
    pickled = pickle.dumps(Malice(harm))
    pickle.loads(pickled).close()
    assert harm.exists()  # what would be seen
    harm.unlink()
    if name == "embedding.npz of objects":
        own = arrays(copy / "embedding.npz")
        own["source"] = np.array([Malice(harm)] * len(own["z"]), dtype=object)
        np.savez(copy / "embedding.npz", **own)
    elif name == "config.yaml":
        text = (copy / name).read_text()
        (copy / name).write_text(f"{text}\nname: !!python/object/apply:open ['{harm}', w]\n")
    else:
        (copy / name).write_bytes(pickled)
    np.savez(tmp_path / "new.npz", images=np.zeros((2, SIZE, SIZE), np.uint8))
    if refusal:
        assert refusal in refused(tmp_path, "embed", "run", "new.npz")
    else:
        dimred(tmp_path, "embed", "run", "new.npz")
    assert not harm.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("z", None),
        ("z", np.zeros((156, 2), np.int64)),
        ("z", np.full((156, 2), np.nan, np.float32)),
        ("z", np.zeros((156, 3), np.float32)),
        ("label", np.full(156, 3)),
        ("label", np.zeros(155, np.int64)),
        ("index", np.zeros((156, 2), np.int64)),
    ],
)
def test_a_map_that_is_not_as_a_run_writes_it_is_refused(copy, tmp_path, name, value):
    own = arrays(copy / "embedding.npz")
    np.savez(copy / "embedding.npz", **{k: v for k, v in own.items() if k != name})
    if value is not None:
        np.savez(copy / "embedding.npz", **{**own, name: value})
    np.savez(tmp_path / "new.npz", images=np.zeros((2, SIZE, SIZE), np.uint8))
    assert "embedding.npz" in refused(tmp_path, "embed", "run", "new.npz")


def test_what_was_placed_goes_with_the_run(copy):
    (copy / "embedded").mkdir()
    (copy / "encoder.onnx").touch()
    with RunFolder(copy) as folder:
        folder.clear()
    assert not (copy / "embedded").exists()
    assert not (copy / "encoder.onnx").exists()


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, dimred; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_neighbors_of_images_without_labels_are_retrieved_by_angle(gray, tmp_path):
    words = ["embed", str(gray / "run"), str(gray / "mine.npz"), "--out", str(tmp_path / "found")]
    out, _ = dimred(
        tmp_path, *words, "--neighbors", "2", "--distance", "cosine", "--root", str(gray)
    )
    assert "folders called like" not in out
    assert "80 of 80 new images are training images themselves, and found first" in out
    table = rows(tmp_path / "found-neighbors.csv")
    assert list(table[0]) == ["path", "rank", "distance", "row", "index", "split"]
    assert len(table) == 2 * 80
    # They are the run's own: each is its own nearest.
    nearest_rows = [int(row["row"]) for row in table if row["rank"] == "1"]
    assert nearest_rows == list(range(80))
    distances = [float(row["distance"]) for row in table if row["rank"] == "1"]
    assert max(distances) < 1e-6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--space", "h"], "--space: is of --neighbors K; give that, too"),
        (["--distance", "cosine"], "--distance: is of --neighbors K; give that, too"),
        (["--neighbors", "0"], "--neighbors 0: must be from 1 to the 80 training images"),
        (["--neighbors", "81"], "--neighbors 81: must be from 1 to the 80 training images"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused(gray, words, message):
    assert message in refused(gray, "embed", "run", "mine.npz", *words)
    assert not (gray / "run/embedded/mine-neighbors.csv").exists()
