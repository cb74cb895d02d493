"""dimred map: one command from a folder of images to a page."""

import json
import shlex
import time
from contextlib import chdir
from itertools import count

import numpy as np
import pytest
from command import dimred, refused
from PIL import Image

from dimred.commands import map
from dimred.run.automatic import Automatic
from dimred.run.correction import Watch
from dimred.run.plan import Span, Speed
from dimred.run_folder import layout

N = 40
KEYS = ["dataset.image_size=8", "schedule.epochs_scale=0.01", "model.widths=[8]", "seed=3"]
WORDS = ["map", "photos", "budget_minutes=0.5", *KEYS, "--no-open"]


def photo(folder, number):
    pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture(scope="module", autouse=True)
def hasty():
    """Speeds are measured in a moment; they need not be right."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dimred.run.pace._SECONDS", 0.01)
        for name in ("BRIEF", "THOROUGH"):
            patched.setattr(f"dimred.run.plan.{name}", Span(0.0, 0.01, 0.01))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory, hasty):
    """A folder with photos and their map, and what was printed."""
    place = tmp_path_factory.mktemp("map")
    (place / "photos").mkdir()
    for number in range(N):
        photo(place / "photos", number)
    return place, dimred(place, *WORDS)[0]


def printed_command(place, *more):
    out = dimred(place, *WORDS, "--print", *more)[0]
    return shlex.split(out.splitlines()[-1]), out


def only_run(place):
    (path,) = (place / "outputs").iterdir()
    return path


def test_one_command_trains_inspects_and_writes_the_page(made):
    place, out = made
    path = only_run(place)
    assert path.name.startswith("photos-0.5min-")
    for name in (layout.SUMMARY, layout.FINDINGS, layout.PAGE):
        assert (path / name).exists()
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["images", "network", "epochs"]
    assert "40 color images of about 16x12" in out
    assert "no image sits out an epoch" in out
    assert "minutes in all; the budget was 0.5" in out
    assert json.loads((path / layout.SUMMARY).read_text())["seed"] == 3


def test_the_run_folder_records_the_command_that_is_printed(made):
    place, _ = made
    command, _ = printed_command(place)
    (session,) = json.loads((only_run(place) / layout.ENVIRONMENT).read_text())["sessions"]
    assert session["command"] == command
    out, _ = dimred(place, *command[1:])
    assert "finished before" in out


def test_the_same_command_opens_what_is_finished_whatever_the_speed_is_now(made, monkeypatch):
    place, _ = made
    monkeypatch.setattr("dimred.run.automatic._chosen", None)  # would plan anew
    out, _ = dimred(place, *WORDS, "checkpoint_every=30")
    assert "goes on with outputs/photos-0.5min-" in out
    assert "finished before" in out
    assert "inspecting" not in out


def test_other_photos_or_keys_are_a_new_run_and_that_is_said(made):
    place, _ = made
    before = only_run(place).name
    photo(place / "photos", N)
    try:
        command, out = printed_command(place)
    finally:
        (place / "photos" / f"{N}.png").unlink()
    assert f"a new run: the images or keys are not those of outputs/{before}" in out
    assert f"run_dir=outputs/{before}" not in command
    # As the verdict advises: it does not run into the run that is there.
    command, _ = printed_command(place, "schedule.epochs_scale=0.05")
    assert f"run_dir=outputs/{before}" not in command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no folder; must be one folder"),
        (["photos", "more"], "2 folders: photos, more"),
        (["nowhere"], "nowhere: no such folder"),
        (["photos/0.png"], "photos/0.png: is a file"),
        (["photos", "budget_minutes=0"], "budget_minutes=0: must be a number of minutes above 0"),
        (["photos", "budget_minutes=soon"], "budget_minutes=soon: must be"),
        (["photos", "dataset=digits"], "dataset=digits: dimred map is for a folder of images"),
        (["photos", "pairing=knn"], "pairing=knn"),
        (["photos", "sed=1"], "sed"),
        (["few"], "few: 3 images to map; a map needs 30"),
        (["photos", "--batch-size", "64"], "did you mean schedule.batch_size=64"),
        (["photos", "--budget", "5"], "--budget: no such flag; did you mean budget_minutes=5?"),
        (["photos", "--minutes=2.5"], "--minutes: no such flag; did you mean budget_minutes=2.5?"),
        (["photos", "--budget"], "did you mean budget_minutes=10?"),
        (["photos", "--pritn"], "unrecognized arguments: --pritn; did you mean --print?"),
        (["photos", "budget=5"], "budget=5: did you mean budget_minutes=5?"),
    ],
)
def test_what_makes_no_map_is_refused(made, words, message):
    place, _ = made
    (place / "few").mkdir(exist_ok=True)
    for number in range(3):
        photo(place / "few", number)
    assert message in refused(place, "map", *words)
    assert len(list((place / "outputs").iterdir())) == 1


def test_a_file_that_cannot_be_read_is_counted_before_the_batch_is_chosen(made):
    place, _ = made
    photo(place / "photos", N)
    file = place / "photos" / f"{N}.png"
    file.write_bytes(file.read_bytes()[:200])
    try:
        command, out = printed_command(place)
    finally:
        file.unlink()
    assert "schedule.batch_size=40" in command
    assert "40 color images of about 16x12, no classes; 1 of 41 cannot be read; middle" in out
    assert "batches of 40: no image sits out an epoch\n" in out


def test_a_run_on_a_machine_that_has_become_slower_is_begun_anew_with_fewer_epochs(
    made, tmp_path, monkeypatch
):
    place, _ = made
    words = [word for word in WORDS if "scale" not in word and "minutes" not in word]
    words = [*words, "budget_minutes=2", f"output_dir={tmp_path}", "pairing.jitter=0"]
    # Planned with a hundred steps a second; each takes one.
    speed = Speed(3.05 / N, 1.0)
    monkeypatch.setattr("dimred.run.survey._speed", lambda *_: speed)
    clock = count(time.monotonic())

    def monotonic():
        for folder in tmp_path.iterdir():
            (folder / "notes.txt").touch()  # which is the user's
        return next(clock)

    monkeypatch.setattr("dimred.run.correction.monotonic", monotonic)
    out, _ = dimred(place, *words)
    assert "epochs    1,220 (schedule=demo times 4): " in out
    (line,) = (line for line in out.splitlines() if "slower than measured: planned" in line)
    epochs = int(line.removesuffix(" epochs").rpartition(" ")[2])
    assert 20 < epochs < 120
    (path,) = tmp_path.iterdir()
    assert (path / "notes.txt").exists()
    (session,) = json.loads((path / layout.ENVIRONMENT).read_text())["sessions"]
    assert len((path / layout.METRICS).read_text().splitlines()) == epochs
    assert "finished before" in dimred(place, *session["command"][1:])[0]
    again, _ = dimred(place, *words)
    assert f"goes on with {path}" in again
    assert "finished before" in again


def test_where_few_images_can_be_read_it_is_said_why(made):
    place, _ = made
    (place / "broken").mkdir()
    for number in range(40):
        photo(place / "broken", number)
        if number > 20:
            (place / "broken" / f"{number}.png").write_bytes(b"no image")
    message = "21 of 40 images can be read, and a map needs 30; of the others, the first: "
    assert message in refused(place, "map", "broken")


def test_more_time_is_advised_where_it_makes_more_epochs():
    advice = "H knows more (0.9); train the last stage longer: schedule.stages.x.epochs=50"
    longer = "H knows more (0.9); train longer: budget_minutes=50 instead of 10"
    assert advised(advice, scale=0.5) == longer
    assert advised(advice, scale=2.0) == longer.replace("50", "20")
    assert advised(advice, scale=4.0) == advised(advice, scale=None) == advice
    assert advised(advice, "dataset.limit=500", scale=0.5) == advice


def advised(advice, *words, scale):
    planned = Automatic(["dataset.root=x", *words], [], scale)
    summary = {"verdict": {"word": "fair", "advice": advice}}
    return map._advised(summary, planned, map._parsed(["."]))["verdict"]["advice"]


def test_a_run_of_an_earlier_session_is_never_begun_anew(made, tmp_path, monkeypatch):
    place, _ = made
    command, _ = printed_command(place, f"output_dir={tmp_path}")
    monkeypatch.setattr("dimred.run.train.RunRecorder.__enter__", None)  # it is killed
    with pytest.raises(TypeError):
        dimred(place, *command[1:])
    monkeypatch.undo()
    watched = []
    monkeypatch.setattr("dimred.run.recorder.Watch.after_step", lambda *_: watched.append(1))
    from dimred.config.compose import composed
    from dimred.run.train import run

    with chdir(place):
        run(composed(command[2:]), command, watch=Watch(None, None, 0.0))
    assert not watched


def test_a_list_of_runs_says_folder_state_and_time_and_writes_nothing(made):
    place, _ = made
    command, _ = printed_command(place)
    before = sorted(str(path) for path in place.rglob("*"))
    out, _ = dimred(place, *command[1:], "--list")
    assert out.splitlines()[0] == f"outputs/{only_run(place).name}  finished"
    assert out.splitlines()[-1] == "1 run, nothing left to train"
    keys = [word for word in command[2:] if not word.startswith(("run_dir=", "seed="))]
    first, second, _, total = dimred(place, "train", "-m", "--list", *keys, "seed=0,1")[0].split(
        "\n"
    )[:4]
    for line in (first, second):
        assert line.startswith("outputs/photos-seed")  # a sweep over seeds names nothing else
        assert "  new  about " in line
        assert " on this machine (" in line
    assert total.startswith("2 runs: training takes about ")
    rates = ["-m", *keys, "seed=0", "schedule.optimizer.momentum=0.5,0.9"]
    listed = dimred(place, "train", "--list", *rates)[0].splitlines()[:2]
    assert [line.partition("-seed0-")[0] for line in listed] == [
        "outputs/photos-momentum=0.5",
        "outputs/photos-momentum=0.9",
    ]
    others = [word for word in command[1:] if not word.startswith("seed=")]
    out, _ = dimred(place, *others, "seed=4", "--list")
    assert "cannot go on: " in out
    assert "seed is 3 there, 4 here" in out
    assert sorted(str(path) for path in place.rglob("*")) == before


def test_images_of_five_channels_are_planned_with_the_augmentation_of_micrographs(tmp_path):
    (tmp_path / "cells").mkdir()
    for number in range(30):
        values = np.random.default_rng(number).integers(100, 900, (5, 20, 20)).astype(np.uint16)
        np.save(tmp_path / f"cells/{number}.npy", values)
    words = ["map", "cells", *KEYS, "--print"]
    out, _ = dimred(tmp_path, *words)
    assert out.splitlines()[0].startswith("images    30 5-channel images of about 20x20")
    assert out.splitlines()[0].endswith("; views by pairing=augmentation_microscopy")
    assert "pairing=augmentation_microscopy" in shlex.split(out.splitlines()[-1])
    command = shlex.split(dimred(tmp_path, *words, "pairing=augmentation")[0].splitlines()[-1])
    assert [word for word in command if word.startswith("pairing")] == ["pairing=augmentation"]
