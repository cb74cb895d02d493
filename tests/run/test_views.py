"""The sheet of what the network sees."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from command import SMOKE, dimred, refused
from PIL import Image

from dimred.config import compose
from dimred.data.composite import composite
from dimred.data.image_set import ImageSet, LabelSet
from dimred.run import views
from dimred.run.views import NoViews, views_figure

MICROSCOPY = "pairing=augmentation_microscopy"
SHORT = [*SMOKE, "schedule.stages.pretrain.epochs=1", "schedule.stages.finetune.epochs=1"]
SHORT += ["device.threads=1", "eval.every=0", "eval.linear=none", "dataset.limit=null"]


@pytest.fixture
def sheets(monkeypatch):
    """The tiles and texts of each sheet that is drawn."""
    drawn, sheet = [], views.sheet
    monkeypatch.setattr(views, "sheet", lambda *args: drawn.append(args) or sheet(*args))
    return drawn


def image_set(channels, n=20, side=10):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, channels, side, side), generator=generator)
    return ImageSet(
        pixels.byte(),
        mean=(0.5,) * channels,
        std=(0.2,) * channels,
        is_test=np.zeros(n, dtype=bool),
        split_name="",
        labels=LabelSet(np.arange(n) % 4, tuple("abcd")),
        factors={},
        extra_labels={},
        index=np.arange(n) + 100,
        is_rgb=False,
    )


def tiles_of(sheets, *words, images, learned=None):
    config = compose.composed(words)
    learned = np.arange(len(images)) if learned is None else learned
    views_figure(config, images, learned)
    tiles, columns, *texts = sheets.pop()
    assert columns == 1
    return tiles, texts


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
def test_a_row_is_an_image_and_eight_views_of_it(sheets, channels):
    images = image_set(channels)
    tiles, texts = tiles_of(sheets, MICROSCOPY, "seed=3", images=images)
    assert [tile.heading for tile in tiles][::7] == ["image 100", "image 119"]
    for tile in tiles:
        first, *others = (picture.image for picture in tile.pictures)
        at = int(tile.heading.split()[1]) - 100
        assert np.array_equal(first, composite(images.images.numpy())[at])
        assert len(others) == 8
        assert all(view.shape == first.shape and view.dtype == np.uint8 for view in others)
        assert len({view.tobytes() for view in (first, *others)}) == 9
    again, _ = tiles_of(sheets, MICROSCOPY, "seed=3", images=images)
    other, _ = tiles_of(sheets, MICROSCOPY, "seed=4", images=images)
    second = [tiles[0].pictures[1].image, again[0].pictures[1].image, other[0].pictures[1].image]
    assert np.array_equal(second[0], second[1])
    assert not np.array_equal(second[0], second[2])
    assert "vertical flip 0.5" in texts[2]
    assert "hue" not in texts[2]


@pytest.mark.parametrize("is_rgb", [True, False])
def test_the_legend_names_only_what_applies(sheets, is_rgb):
    images = replace(image_set(3), is_rgb=is_rgb)
    words = ["pairing=augmentation", "pairing.channel_drop=0.1"]
    (*_, legend) = tiles_of(sheets, *words, images=images)[1]
    jitter = "jitter 0.8 (brightness 0.4, contrast 0.4"
    color = f"{jitter}, saturation 0.4, hue 0.1), gray 0.2"
    assert (color if is_rgb else f"{jitter})") in legend
    assert "channels dropped 0.1" in legend
    (*_, legend) = tiles_of(sheets, *words, images=image_set(1))[1]
    assert legend.endswith(f"{jitter})")


def test_views_are_those_of_the_pairing(sheets):
    """One that only turns: every view is the image after some quarter turns."""
    off = [
        "pairing=augmentation",
        "pairing.crop_scale=[1,1]",
        "pairing.crop_ratio=[1,1]",
        "pairing.flip=0",
    ]
    off += ["pairing.jitter=0", "pairing.quarter_turns=0.9"]
    tiles, texts = tiles_of(sheets, *off, "pairing.grayscale=0", images=image_set(5))
    turned = set()
    for tile in tiles:
        first, *others = (picture.image for picture in tile.pictures)
        for view in others:
            same = [np.array_equal(view, np.rot90(first, k, (1, 2))) for k in range(4)]
            assert sum(same) == 1
            turned.add(same.index(True))
    assert turned == {0, 1, 2, 3}
    assert texts[2] == "quarter turns 0.9"


@pytest.mark.parametrize(
    ("words", "views_of_it"),
    [
        (["pairing=class_batches", "loss=triplet", "schedule.batch_size=20", "pairing.flip=1"], 8),
        (["pairing=class_target", "loss=cross_entropy", "pairing.shift_x=3"], 8),
        (["pairing=knn_translations", "loss=drlim"], 4),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_every_pairing_with_views_draws_them(sheets, words, views_of_it):
    tiles, _ = tiles_of(sheets, *words, images=image_set(2), learned=np.arange(3, 20, 2))
    name = words[0].removeprefix("pairing=")
    assert [int(tile.heading.split()[1]) % 2 for tile in tiles] == [1] * 8  # of those learned from
    assert {len(tile.pictures) for tile in tiles} == {1 + views_of_it}
    different = [p.image for tile in tiles for p in tile.pictures[1:]]
    first = [tile.pictures[0].image for tile in tiles for _ in tile.pictures[1:]]
    changed = [not np.array_equal(a, b) for a, b in zip(first, different, strict=True)]
    if name == "class_target":  # shifts of up to 3 pixels, of which one in seven is none
        assert np.mean(changed) > 0.5
    else:
        assert all(changed)


@pytest.mark.parametrize(
    "words",
    [
        ["pairing=knn", "loss=drlim"],
        ["pairing=class_label", "loss=drlim"],
        ["pairing=class_target", "loss=cross_entropy"],
    ],
)
def test_a_pairing_without_views_says_so_in_one_line(tmp_path, words):
    line = refused(tmp_path, "train", "dataset=digits", *words, "--preview")
    assert line == f"dimred: {words[0]}: shows images as they are; there are no views to draw\n"
    assert not list(tmp_path.iterdir())


def test_a_preview_reads_few_images_trains_nothing_and_is_a_picture(tmp_path, sheets):
    out, err = dimred(tmp_path, "train", "dataset=digits", MICROSCOPY, "--preview")
    look, last = out.splitlines()
    assert look == "first look: 64 images, 8x8 pixels, gray; pixel values 0 to 255"
    file = last.partition(": ")[0]
    assert re.fullmatch(
        r"outputs/figures/preview-digits-augmentation_microscopy-[0-9a-f]{8}.png", file
    )
    assert last == f"{file}: what the network sees, of 64 images read"
    assert err == ""
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["figures"]
    assert (tmp_path / file).read_bytes().startswith(b"\x89PNG")
    assert len(sheets.pop()[0]) == 8
    out, _ = dimred(tmp_path, "train", "experiment=smoke", "dataset.limit=10", "--preview")
    assert out.endswith(".png: what the network sees, of 10 images read\n")


def test_previews_of_several_augmentations_lie_side_by_side(tmp_path, sheets):
    words = ["train", "dataset=digits", "dataset.limit=10", "name=mine", "--preview"]
    several = [[], [MICROSCOPY], ["pairing.flip=0.5"], ["seed=3"], [MICROSCOPY]]
    for more in several:
        dimred(tmp_path, *words, *more)
    names = sorted(path.name for path in (tmp_path / "outputs/figures").iterdir())
    assert len(names) == 4
    assert all(name.startswith("preview-mine-augmentation") for name in names)


def test_where_few_images_do_not_make_a_pairing_more_are_read(tmp_path, monkeypatch):
    """Five images are of five classes, and the batch has seven."""
    monkeypatch.setattr(views, "READ", 5)
    words = ["dataset=digits", "pairing=class_batches", "loss=triplet", "pairing.flip=1"]
    words += ["schedule=single_128d", "schedule.batch_size=140", "pairing.images_per_class=20"]
    out, _ = dimred(tmp_path, "train", *words, "--preview")
    assert out.endswith("what the network sees, of 1,797 images read\n")
    monkeypatch.setattr(views, "MORE", 400)
    out, _ = dimred(tmp_path, "train", *words, "--preview")
    assert out.endswith("what the network sees, of 400 images read\n")
    monkeypatch.setattr(views, "MORE", 6)
    line = refused(tmp_path, "train", *words, "--preview")
    assert "pairing=class_batches: these images have no labels" in line  # of several images each
    assert line.endswith(" (a preview reads 6 images)\n")


def pixels_of(i):
    return np.random.default_rng(i).integers(0, 1000 + i, (9, 9)).astype(np.uint16)


def test_a_preview_packs_nothing_and_tells_its_window(tmp_path, monkeypatch):
    for i in range(30):
        (tmp_path / f"many/k{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels_of(i)).save(tmp_path / f"many/k{i % 2}/{i:02}.png")
    monkeypatch.setattr(views, "READ", 10)
    words = ["train", "dataset=image_folder", "dataset.root=many", "dataset.image_size=9"]
    words += ["dataset.store=disk", "--preview"]
    out, _ = dimred(tmp_path, *words, "pairing=augmentation")
    look, window, note, last = out.splitlines()
    assert look.startswith("first look: 10 images, 9x9 pixels, gray, from 9x9 (10 PNG ")
    assert window.startswith("window: uint16 as ")
    assert window.endswith(" levels")
    assert note == (
        "note: the window is of these 10 images; training takes that of up to 1,000 "
        "(dataset.window)"
    )
    assert last.endswith("of 10 images read")
    monkeypatch.setattr(views, "READ", 30)
    (tmp_path / "many/k1/01.png").write_bytes(b"torn")
    out, _ = dimred(tmp_path, *words, "pairing=augmentation", "dataset.window=type")
    lines = out.splitlines()
    assert lines[0].startswith(
        "1 unreadable file left out: not an image of a known format (1, 'k1/"
    )
    assert lines[2] == "window: uint16 as 0 to 65535; 5 levels"
    assert [line[:6] for line in lines[3:-1]] == ["note: "]
    assert "of 256 levels are left" in lines[3]
    batches = ["pairing=class_batches", "loss=triplet", "schedule=single_128d"]
    batches += ["pairing.images_per_class=2", "schedule.batch_size=20"]
    assert "pairing.images_per_class=2" in refused(tmp_path, *words, *batches)
    assert {path.name for path in tmp_path.iterdir()} == {"many", "outputs"}
    assert {path.name for path in (tmp_path / "many").iterdir()} == {"k0", "k1"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["train", "-m", "seed=0,1", "--preview"], "--preview: draws one run"),
        (["train", "seed=0,1", "--preview"], "--preview: draws one run"),
        (["train", "hydra.mode=MULTIRUN", "seed=0,1", "--preview"], "--preview: draws one run"),
        (["train", "--list", "--preview"], "--list and --preview: give one of them"),
        (["train", "dataset=image_folder", "dataset.root=nowhere", "--preview"], "nowhere"),
        (["plot", "views", "nowhere"], "nowhere: holds no finished run"),
        (["plot", "loss", "--root", "x"], "--root: goes with dimred plot views only"),
        (["plot", "veiws"], "veiws: no such figure"),
    ],
)
def test_wrong_uses_are_refused_in_one_line(tmp_path, words, named):
    assert named in refused(tmp_path, *words)


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """A run on a folder of images."""
    folder = tmp_path_factory.mktemp("views")
    generator = np.random.default_rng(0)
    (folder / "mine").mkdir()
    for i in range(80):
        pixels = generator.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"mine/{i:02}.png")
    words = ["dataset=image_folder", "dataset.root=mine", "dataset.image_size=9", "eval.k=[5]"]
    dimred(folder, *SHORT, *words, "pairing=augmentation_photos", "run_dir=run")
    return folder


def test_a_finished_run_shows_what_it_saw(cwd, sheets):
    out, _ = dimred(cwd, "plot", "views", "run", "--out", "x.png")
    assert out == "x.png\n"
    assert (cwd / "x.png").read_bytes().startswith(b"\x89PNG")
    tiles, _, title, subtitle, legend = sheets.pop()
    assert title == "What the network sees"
    assert "pairing=augmentation_photos" in subtitle
    assert "blur 0.5 (0.1 to 2 pixels)" in legend
    for tile in tiles:
        pixels = np.array(Image.open(cwd / "mine" / tile.heading)).transpose(2, 0, 1)
        assert np.array_equal(tile.pictures[0].image, pixels)
    dimred(cwd, "plot", "views", "run", "--channels", "2", "--out", "y.png")
    tiles, *_, subtitle, legend = sheets.pop()
    assert "channel 2 in gray" in subtitle
    assert np.array_equal(
        tiles[0].pictures[0].image[0], np.array(Image.open(cwd / "mine" / tiles[0].heading))[..., 2]
    )
    assert "--channels 3" in refused(cwd, "plot", "views", "run", "--channels", "3")
    assert "one run; 2 were given" in refused(cwd, "plot", "views", "run", "run")


def test_only_images_that_were_learned_from_are_shown(tmp_path, sheets):
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(60) % 3)
    words = ["dataset=npz", "dataset.path=mine.npz", "dataset.fit_classes=[0,2]", "eval.k=[3]"]
    dimred(tmp_path, *SHORT, *words, "schedule.batch_size=40", "run_dir=run")
    dimred(tmp_path, "plot", "views", "run", "--out", "x.png")  # a PDF takes seconds
    classes = {int(tile.heading.split()[1]) % 3 for tile in sheets.pop()[0]}
    assert classes == {0, 2}


def test_a_run_without_its_images_says_where_they_may_be(cwd, tmp_path):
    line = refused(tmp_path, "plot", "views", str(cwd / "run"), "--root", "elsewhere")
    assert "elsewhere" in line


def test_a_pairing_without_views_is_no_views():
    with pytest.raises(NoViews):
        views_figure(
            compose.composed(["pairing=class_target", "loss=cross_entropy"]),
            image_set(1),
            np.arange(20),
        )
