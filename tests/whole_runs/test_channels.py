"""A run on images of five channels, and all that shows them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from command import dimred, forget_plugins, refused, summary
from shown import BLACK, BLUE, GREEN, MAGENTA, RED, WHITE, assert_colors, has_color, page_of

from dimred import load_run
from dimred.errors import InputError
from dimred.run_folder.finished import FinishedRun

PLUGIN = f"--plugin={Path(__file__).parent / 'spectra.py'}"
WORDS = [
    *("experiment=drlim_digits", "dataset=spectra", "dataset.classes=null", "dataset.fit_on=all"),
    *("dataset.mean=null", "dataset.std=null", "schedule.epochs_scale=0.05", "eval.linear=none"),
    *("eval.references=false", "pairing.k=2", "eval.k=[3]", "run_dir=run", "view=true"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("spectra")
    dimred(cwd, "train", *WORDS, PLUGIN)
    yield cwd
    forget_plugins()  # tests of what dimred itself has may follow


@pytest.fixture
def cwd(made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    return tmp_path


def test_the_first_three_channels_are_shown_and_it_is_said(made):
    assert summary(made / "run")["dataset"]["shape"] == [5, 8, 8]
    subtitle, colors, _ = page_of(made / "run/map.html", side=8)
    assert subtitle.endswith("; channels 0, 1, 2 as red, green, blue")
    assert_colors(colors, [RED, GREEN, BLUE, BLACK, BLACK])
    plot = made / "run/plots/thumbnails.png"
    assert all(has_color(plot, color) for color in (RED, GREEN, BLUE, BLACK))
    assert not has_color(plot, MAGENTA)


@pytest.mark.parametrize(
    ("channels", "said", "colors"),
    [
        ("4,3", "channels 4, 3 as green, magenta", [BLACK, BLACK, BLACK, MAGENTA, GREEN]),
        ("3", "channel 3 in gray", [BLACK, BLACK, BLACK, WHITE, BLACK]),
        ("4,0,2", "channels 4, 0, 2 as red, green, blue", [GREEN, BLACK, BLUE, BLACK, RED]),
    ],
)
def test_the_page_shows_the_channels_that_are_named(cwd, channels, said, colors):
    dimred(cwd, "view", "run", "--channels", channels, "--out", "page.html", PLUGIN)
    subtitle, shown, _ = page_of(cwd / "page.html", side=8)
    assert subtitle.endswith(f"; {said}")
    assert_colors(shown, colors)
    page = load_run(cwd / "run").view(channels=[int(word) for word in channels.split(",")])
    assert page.content == (cwd / "page.html").read_bytes()


def test_all_sheets_show_the_channels_that_are_named(cwd):
    dimred(cwd, "inspect", "--channels", "3,4", PLUGIN, "run")
    sheets = list((cwd / "run/inspect").glob("*.png"))
    assert sheets
    dimred(cwd, "locate", "--channels", "3,4", PLUGIN, "run", "RUN:test")
    few = ("--permutations", "39", "--spaces", "pixels")
    sets = ("RUN:class=channel 3", "RUN:class=channel 4")
    dimred(cwd, "compare", "--channels", "3,4", *few, PLUGIN, "run", *sets)
    sheets += [cwd / "run/located/test/sheet.png", *(cwd / "run/compared").glob("*/betray.png")]
    shown = [{c: has_color(sheet, c) for c in (GREEN, MAGENTA, RED, BLUE)} for sheet in sheets]
    for sheet, of in zip(sheets, shown, strict=True):
        assert of == {GREEN: True, MAGENTA: True, RED: False, BLUE: False}, sheet


def test_captions_say_what_is_shown(made):
    run = load_run(made / "run")

    def texts(**options):
        axes = run.locate(**options).figure().axes
        return " ".join(text.get_text() for one in axes for text in one.texts).replace("\n", " ")

    assert "channels 0, 1, 2 as red, green, blue" in texts()
    assert "channel 4 in gray" in texts(channels=[4])


@pytest.mark.parametrize("command", ["view", "inspect", "locate"])
def test_channels_that_are_not_there_are_refused_first(made, command):
    words = (command, "run", "--channels", "0,9", PLUGIN)
    assert refused(made, *words) == "dimred: --channels 0,9: the images have channels 0 to 4\n"


def test_what_cannot_be_shown_is_refused(made):
    said = refused(made, "compare", "--channels", "9", PLUGIN, "run", "RUN:train", "RUN:test")
    assert said == "dimred: --channels 9: the images have channels 0 to 4\n"
    said = refused(made, "embed", "--channels", "9", PLUGIN, "run", "run/map.html")
    assert said == "dimred: --channels: is of --neighbors K; give that, too\n"
    with pytest.raises(InputError, match=r"^channels=\[5\]: the images have channels 0 to 4"):
        load_run(made / "run").view(channels=[5])


def test_pictures_of_other_kinds_than_the_run_learned_from_are_as_they_are(made):
    run = FinishedRun(made / "run").showing("4")
    gray, rgb = (np.full((channels, 2, 2), 7, np.uint8) for channels in (1, 3))
    assert (run.pictured(gray) == gray).all()
    assert (run.pictured(rgb) == rgb).all()
