"""The two sets of images that are compared: which images, and what the encoder makes of them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from command import SMOKE, dimred
from PIL import Image
from sklearn.datasets import load_digits

from dimred.analysis.compared_sets import sides
from dimred.errors import InputError
from dimred.run_folder.finished import FinishedRun

pytestmark = pytest.mark.usefixtures("no_figures_here")

SIZE = 8
WORDS = ["dataset.limit=null", "eval.every=0", "eval.linear=none", "eval.k=[3]", "run_dir=run"]


def photograph(path, brightness, rng, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.normal(brightness, 60, (SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with a run on the train split of 100 photographs, and 30 others."""
    cwd = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, n in (("train", 30), ("test", 20)):
        for number, name in enumerate(("a,b", "bees")):
            for i in range(n):
                photograph(cwd / f"photos/{split}/{name}/{i:02d}.png", 100 + 50 * number, rng)
    for i in range(30):
        photograph(cwd / f"new/{i:02d}.png", 100, rng)
    words = ["dataset=image_folder", "dataset.root=photos", f"dataset.image_size={SIZE}"]
    dimred(cwd, *SMOKE, *WORDS, *words, "dataset.fit_on=train", "schedule.batch_size=20")
    return cwd


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder with a run on 4s and 9s, each also shifted, in a file of arrays after other digits,
    with a split but learned from as a whole."""
    cwd = tmp_path_factory.mktemp("digits")
    data = load_digits()
    pixels = np.round(data.images[:300] * 255 / 16).astype(np.uint8)
    split = np.where(np.arange(300) % 2, "train", "test")
    np.savez(cwd / "mine.npz", images=pixels, labels=data.target[:300].astype(str), split=split)
    small = ["schedule.stages.train.epochs=1", "schedule.batch_size=10", "dataset=npz"]
    words = ["experiment=generalized_digits_shifts", "dataset.path=mine.npz", "view=false"]
    dimred(cwd, "train", *words, *small, *WORDS, "dataset.fit_on=all", "eval.references=false")
    return cwd


@pytest.fixture
def here(photos, monkeypatch):
    """The run on photographs, in its folder."""
    monkeypatch.chdir(photos)
    return FinishedRun(Path("run"))


@pytest.fixture
def shifted(digits, monkeypatch):
    monkeypatch.chdir(digits)
    return FinishedRun(Path("run"))


@pytest.fixture
def copy(photos, tmp_path, monkeypatch):
    """A copy of the run on photographs and of these, to be changed."""
    for name in ("run", "photos", "new"):
        shutil.copytree(photos / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def encoded(run, pixels):
    with torch.no_grad():
        h, z = run.encoder().eval()(torch.from_numpy(pixels).float() / 255)
    return h.numpy(), z.numpy()


def assert_encoded(run, side):
    h, z = encoded(run, side.pixels)
    assert np.abs(side.h - h).max() < 1e-5
    assert np.abs(side.z - z).max() < 1e-5


def assert_refused(run, said, *sets, **options):
    with pytest.raises(InputError) as caught:
        sides(run, *sets, **options)
    assert "\n" not in str(caught.value)
    assert said in str(caught.value)


def test_rows_of_the_run_have_all_that_is_known_of_them(here):
    a, b = sides(here, "run:test,class=a,b", "RUN:train,class=bees")
    on = here.map
    assert (a.name, b.name) == ("run:test,class=a,b", "RUN:train,class=bees")
    assert a.rows.tolist() == [i for i in range(100) if on.sources[i].startswith("test/a,b")]
    assert a.names == tuple(on.sources[a.rows])
    assert a.files == tuple(str(Path.cwd() / "photos" / name) for name in a.names)
    assert [on.class_names[i] for i in b.labels] == ["bees"] * 30
    assert (a.learned.any(), b.learned.all()) == (False, True)
    assert (len(a), a.total, a.left_out, a.notes, a.columns) == (20, 20, (), (), {})
    assert np.array_equal(a.pixels, here.images().images.numpy()[a.rows])
    for side in (a, b):
        assert set(side.items) == {-1}
        assert_encoded(here, side)


def test_both_sets_are_embedded_here_and_in_batches_of_both(copy, monkeypatch):
    """What the run kept would be found: it may be rounded otherwise."""
    with np.load(copy / "embedding.npz") as content:
        arrays = dict(content)
    np.savez(copy / "embedding.npz", **{**arrays, "z": arrays["z"] + 1})
    run = FinishedRun(copy)
    monkeypatch.setattr("dimred.analysis.compared_sets._MAX_BYTES", 32 * 3 * SIZE**2)
    batches = []
    embedder = FinishedRun.embedder

    def watched(self, compute):
        embed = embedder(self, compute)
        return lambda pixels: (batches.append(pixels.numpy()), embed(pixels))[1]

    monkeypatch.setattr(FinishedRun, "embedder", watched)
    a, b = sides(run, "RUN:test", "RUN:train")
    assert_encoded(run, a)
    assert_encoded(run, b)
    assert [len(batch) for batch in batches] == [32, 32, 32, 4]
    own = {pixels.tobytes() for pixels in a.pixels}
    for batch in batches[:3]:
        assert 0 < sum(pixels.tobytes() in own for pixels in batch) < 32


def test_images_from_elsewhere_are_read_as_new_ones(here):
    np.savez(
        "more.npz", images=np.random.default_rng(1).integers(0, 256, (25, SIZE, SIZE, 3), np.uint8)
    )
    a, b = sides(here, "new", ["more.npz", "photos/test/bees"])
    assert (a.name, b.name) == ("new", "more.npz and 1 more")
    assert a.names[:2] == ("new/00.png", "new/01.png")
    assert a.files[1] == str(Path.cwd() / "new/01.png")
    assert (b.names[24], b.items[24], b.names[25]) == (
        "more.npz[24]",
        24,
        "photos/test/bees/00.png",
    )
    assert b.items[25] == -1
    for side, n in ((a, 30), (b, 45)):
        assert (len(side), side.total, set(side.rows), side.columns) == (n, n, {-1}, {})
        assert not side.learned.any()
        assert_encoded(here, side)
    with Image.open("new/01.png") as image:
        assert np.array_equal(a.pixels[1], np.asarray(image).transpose(2, 0, 1))
    assert set(a.labels) | set(b.labels[:25]) == {-1}
    assert [here.map.class_names[i] for i in b.labels[25:]] == ["bees"] * 20  # files of the run
    assert len({*a.image, *b.image}) == 75
    Path("more.npz").unlink()


def test_a_file_that_the_run_learned_from_is_known_by_its_path(here, tmp_path):
    (tmp_path / "linked").symlink_to(Path("photos").absolute())
    a, b = sides(here, tmp_path / "linked/train/bees", "new")
    assert (a.learned.all(), b.learned.any()) == (True, False)
    assert a.image.tolist() == [
        i for i, name in enumerate(here.map.sources) if name.startswith("train/bees")
    ]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (
            ("RUN:test", "RUN:class=bees"),
            "RUN:test and RUN:class=bees: 20 images are in both, 'test",
        ),
        (
            ("RUN:all", None),
            "RUN:all and RUN:train: 60 images are in both, 'train/a,b/00.png' first",
        ),
        (("photos/test", "RUN:test"), "photos/test and RUN:test: 40 images are in both"),
        (
            (["new", "photos/test/bees/07.png"], "RUN:test"),
            "1 image is in both, 'photos/test/bees/07",
        ),
        (
            ("new", "./new/../new"),
            "new and ./new/../new: 30 images are in both, 'new/00.png' first",
        ),
        (("new", ["new/03.png", "photos/test"]), "1 image is in both, 'new/03.png'"),
    ],
)
def test_an_image_in_both_sets_is_refused(here, sets, said):
    assert_refused(here, said, *sets)
    assert_refused(here, "in both", *sets, most=20, seed=5)  # whatever is drawn


def test_items_of_one_file_of_arrays_are_told_apart(shifted):
    np.savez("other.npz", images=np.zeros((30, SIZE, SIZE), np.uint8))
    assert_refused(shifted, "30 images are in both, 'other.npz[0]' first", "other.npz", "other.npz")
    n = len(shifted.map.images)
    said = f"mine.npz and RUN:all: {n} images are in both, 'mine.npz[{shifted.map.index[0]}]' first"
    assert_refused(shifted, said, "mine.npz", None)
    a, b = sides(shifted, "mine.npz", "other.npz")
    assert np.flatnonzero(a.learned).tolist() == shifted.map.index[shifted.map.images].tolist()
    assert not b.learned.any()


def test_transformations_of_an_image_are_of_one_image(shifted):
    a, b = sides(shifted, "RUN:shift!=0,train", "RUN:test")
    assert len(a) == 4 * len(np.unique(a.image))
    assert a.image.tolist() == (a.rows // 5).tolist()
    assert set(a.columns["shift"]) == {-2, -1, 1, 2}
    assert (a.names[0], len(set(a.names))) == (f"row {a.rows[0]}", len(a))
    assert set(a.files) == {str(Path("mine.npz").absolute())}
    assert np.array_equal(a.items, shifted.map.index[a.rows])
    assert a.learned.all()  # from all, whatever the split
    assert b.learned.all()
    pixels = load_digits().images[a.items] * 255 / 16
    right = a.columns["shift"] == 1
    assert np.abs(a.pixels[right, 0, :, 1:] - pixels[right, :, :-1]).max() <= 0.5
    assert_encoded(shifted, a)
    assert_encoded(shifted, b)
    some, _ = sides(shifted, "RUN:shift!=0,train", "RUN:test", most=20)
    assert len(some) == 20
    n = len(shifted.map.images)
    assert_refused(shifted, f": {n} images are in both, 'row ", "RUN:shift=1", "RUN:shift=2")
    few = (shifted.map.labels[shifted.map.images] == 0)[shifted.map.split[::5] == "train"].sum()
    assert few < 20 < 4 * few
    assert_refused(shifted, f": {few} images; a set must", "RUN:shift!=0,train,class=4", "RUN:test")


def test_as_many_as_asked_for_are_drawn_by_the_seed(here):
    a, b = sides(here, "new", None, most=25)
    assert (len(a), a.total, len(b), b.total, b.name) == (25, 30, 25, 60, "RUN:train")
    assert a.pixels.shape == (25, 3, SIZE, SIZE)
    assert sorted(a.names) == list(a.names)
    assert len(set(b.rows)) == 25
    assert b.learned.all()
    again, _ = sides(here, "new", None, most=25)
    other, _ = sides(here, "new", None, most=25, seed=1)
    assert again.names == a.names != other.names
    assert np.array_equal(again.pixels, a.pixels)
    assert set(other.names) <= {f"new/{i:02d}.png" for i in range(30)}
    assert len(sides(here, "new", None, most=30)[0]) == 30


def test_drawn_images_of_several_files_are_those_that_they_are_called(here, tmp_path):
    rng = np.random.default_rng(1)
    for name, n in (("a", 25), ("b", 40)):
        images = rng.integers(0, 256, (n, SIZE, SIZE, 3), np.uint8)
        np.savez(tmp_path / f"{name}.npz", images=images)
    several = [tmp_path / "a.npz", "photos/test", tmp_path / "b.npz", "photos/train/bees"]
    every, _ = sides(here, several, "new")
    assert len(every) == 135
    pixels = dict(zip(every.names, every.pixels, strict=True))
    for most in (20, 90):
        some, _ = sides(here, several, "new", most=most)
        assert (len(some), some.total) == (most, 135)
        assert all(
            np.array_equal(pixels[name], own)
            for name, own in zip(some.names, some.pixels, strict=True)
        )
        assert_encoded(here, some)


def test_unreadable_files_are_named_and_the_rest_compared(copy):
    run = FinishedRun(copy)
    for name in ("new/07.png", "new/zz.png"):
        Path(name).write_bytes(b"nothing")
    a, _ = sides(run, "new", None)
    assert [name for name, _ in a.left_out] == ["new/07.png", "new/zz.png"]
    assert (len(a), a.total) == (29, 29)
    assert "new/07.png" not in a.names
    assert_encoded(run, a)
    for path in sorted(Path("new").iterdir())[11:]:
        path.write_bytes(b"nothing")
    said = "new: 10 images that can be read (21 cannot, 'new/07.png': not an image"
    assert_refused(run, said, "new", None)


def test_what_is_named_twice_is_taken_once(here):
    a, _ = sides(here, ["new/03.png", "new", "new/../new/03.png"], None)
    assert (len(a), a.total) == (30, 30)
    assert a.notes == ("new/03.png and 2 more: 2 named more than once, taken once",)


def test_color_goes_to_a_gray_run_in_gray(shifted):
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (30, SIZE, SIZE, 3), np.uint8)
    a, b = sides(shifted, colors, torch.from_numpy(colors[..., 0]))
    assert (a.name, b.name, a.names[3], b.names[3]) == ("a", "b", "a[3]", "b[3]")
    assert a.notes == ("a: 30 in color, made gray as the run's images are, 'a[0]' first",)
    assert np.array_equal(b.pixels[:, 0], colors[..., 0])
    assert a.pixels.shape == b.pixels.shape == (30, 1, SIZE, SIZE)
    assert set(a.files) == {""}


def test_without_its_images_two_sets_of_the_run_are_as_it_kept_them(copy):
    Path("photos").rename("moved")
    run = FinishedRun(copy)
    a, b = sides(run, "RUN:test", None)
    assert (a.pixels, b.pixels) == (None, None)
    assert np.array_equal(a.z, run.map.z[a.rows])
    assert np.array_equal(b.h, run.kept.h[b.rows])
    assert set(a.files) == {""}
    (note,) = a.notes
    assert note.startswith("the run's images are not there: only what it kept of them is compared")
    assert_refused(run, "the run's images must be there to be compared", "new", None)
    assert_refused(run, "--root", "new", None)
    found, _ = sides(FinishedRun(copy, "moved"), "new", None)
    assert found.pixels is not None
    (copy / "kept.npz").unlink()
    assert sides(FinishedRun(copy), "RUN:test", None)[0].h is None
    # Images from elsewhere need none of the run's.
    Path("new").rename("a")
    shutil.copytree("moved/test", "b")
    assert sides(run, "a", "b")[1].pixels is not None


@pytest.mark.parametrize(
    ("sets", "options", "said"),
    [
        (("RUN:trian",), {}, "RUN:trian: 'trian' is not known"),
        (("RUN:test", "run:class=ants"), {}, "run:class=ants: no class 'ants'"),
        (("demo:test,train", None), {"typed": "demo"}, "demo:test,train: no image fulfills all"),
        (("demo:test", None), {}, "demo:test: does not exist"),
        (("nowhere",), {}, "nowhere: does not exist"),
        (("empty",), {}, "empty: no images there"),
        (("run",), {}, "run: is a run folder"),
        (("photos/test/bees", "few"), {}, "few: 3 images; a set must have 20 at least"),
        (("new/00.png",), {}, "new/00.png: 1 image; a set must have 20 at least"),
        ((["new", "RUN:test"],), {}, "RUN:test: must be a set by itself"),
        (([],), {}, "a=[]: name image files"),
        (("new", []), {}, "b=[]: name image files"),
        (("new", np.zeros((30, 9, 9), np.uint8)), {}, "b: array 'images' has images of 9x9 pixels"),
        ((np.zeros((30, 2, 8, 7), np.uint8),), {}, "a: array 'images' has shape (30, 2, 8, 7)"),
        (("new",), {"most": 19}, "most=19: must be at least 20"),
        (("new",), {"seed": -1}, "seed=-1: must be at least 0"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(here, sets, options, said):
    Path("empty").mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(3):
        photograph(Path(f"few/{i}.png"), 100, rng)
    assert_refused(here, said, *sets, **options)


def test_a_file_whose_name_looks_like_a_selector_is_named_by_its_folder(copy):
    Path("new").rename("run:test")
    run = FinishedRun(copy)
    assert sides(run, "./run:test", "run:test")[0].names[0] == "./run:test/00.png"


def test_the_run_may_be_called_as_it_was_typed(here):
    a, b = sides(here, "demo:test", "run:train", typed="demo")
    assert (len(a), len(b), a.name) == (40, 60, "demo:test")
