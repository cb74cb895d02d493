"""Which run a word means."""

from pathlib import Path

import pytest
from made_runs import made

from dimred.errors import InputError
from dimred.run_folder.find import find_run, is_run
from dimred.run_folder.record import read_record


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(Path("outputs/demo-seed0-00000000"), knn=0.9, started="2026-11-26T10:00:00+00:00")
    made(Path("outputs/demo2-seed0-00000000"), knn=0.9, started="2026-11-26T12:00:00+00:00")
    made(Path("outputs/demo2-loss=simclr-seed1-00000001"), knn=0.9)
    made(Path("outputs/nested/cats-seed0-00000000"), knn=0.9)
    made(Path("outputs/half-seed0-00000000"), rows=2, started="2026-11-26T13:00:00+00:00")
    return Path("outputs")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("outputs/demo-seed0-00000000", "demo-seed0-00000000"),
        ("demo-seed0-00000000", "demo-seed0-00000000"),
        ("demo", "demo-seed0-00000000"),  # not demo2, which begins so
        ("simclr", "demo2-loss=simclr-seed1-00000001"),
        ("demo2-loss", "demo2-loss=simclr-seed1-00000001"),
        ("cats", "nested/cats-seed0-00000000"),
        ("nested/cats", "nested/cats-seed0-00000000"),
        ("outputs/nested", "nested/cats-seed0-00000000"),
        (None, "demo2-seed0-00000000"),
    ],
)
def test_an_unambiguous_word_is_enough(outputs, text, found):
    assert find_run(text) == outputs / found


def test_a_folder_of_images_may_be_called_like_the_run_of_it(outputs):
    Path("cats").mkdir()
    Path("cats/1.png").touch()
    assert find_run("cats") == outputs / "nested/cats-seed0-00000000"
    assert not is_run("cats")  # where a folder of images may be meant as well, it is
    Path("dogs").mkdir()
    assert find_run("dogs") == Path("dogs")


def test_of_several_the_newest_are_named(outputs):
    with pytest.raises(InputError) as caught:
        find_run("demo2")
    first = "outputs/demo2-seed0-00000000, outputs/demo2-loss=simclr-seed1-00000001"
    assert str(caught.value).startswith(f"demo2: names 2 finished runs; type one of {first} (")
    for number in range(9):
        made(outputs / f"many-seed{number}-00000000", knn=0.5)
    with pytest.raises(InputError, match=r"many: names 9 .* and 4 more \(dimred runs many lists"):
        find_run("many")


def test_an_unfinished_run_says_how_it_goes_on(outputs):
    path = outputs / "half-seed0-00000000"
    for look in (
        lambda: find_run("half"),
        lambda: find_run(str(path)),
        lambda: read_record(path),
    ):
        with pytest.raises(InputError) as caught:
            look()
        assert str(caught.value) == (
            "outputs/half-seed0-00000000: holds no finished run (it is unfinished, epoch 2 of 5, "
            "in stage pretrain; dimred train experiment=made goes on with it)"
        )


@pytest.mark.parametrize("text", ["nothing", "outputs/nothing", "/nowhere/at/all", "../demo"])
def test_what_means_no_run_is_refused(outputs, text):
    with pytest.raises(InputError, match=f"{text}: holds no finished run"):
        find_run(text)


def test_without_runs_the_newest_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="outputs: holds no finished run; dimred train makes one"):
        find_run(None)


def test_a_folder_with_files_of_a_run_is_no_other_run(outputs):
    Path("cats").mkdir()
    Path("cats/config.yaml").touch()
    assert find_run("cats") == Path("cats")  # the command that opens it says what it lacks
    assert is_run("outputs")
    assert is_run("demo")
    assert not is_run("photo.jpg")
