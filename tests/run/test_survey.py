"""Of which images `dimred map` plans the map."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from dimred.config.compose import composed
from dimred.data.options import FitOn
from dimred.data.own_options import ImageFolder, Pages
from dimred.errors import InputError
from dimred.run.plan import Trial
from dimred.run.survey import digest, image_files, speed, survey
from dimred.training.schedule import Trainable


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        pixels = np.full((4, 4), 40 * number, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def files(folder, **options):
    dataset = ImageFolder(name="image_folder", root=str(folder), **options)
    return image_files(dataset)


def test_images_that_training_leaves_out_are_not_counted(folder):
    (folder / "exclude.csv").write_text("source\n0.png\n3.png\n")
    (folder / "table.csv").write_text("file,class\n1.png,a\n2.png,b\n3.png,a\n4.png,b\n")
    assert len(files(folder)) == 6
    names = [file.name for file in files(folder, exclude="exclude.csv")]
    assert names == ["1.png", "2.png", "4.png", "5.png"]
    of_table = files(folder, exclude="exclude.csv", table="table.csv")
    assert [file.class_name for file in of_table] == ["a", "b", "b"]
    assert len(files(folder, table="table.csv", classes=["a"])) == 2
    assert len(files(folder, limit=5)) == 5


def test_classes_of_an_edited_table_are_other_images(folder):
    digests = set()
    for name in "ab":
        (folder / "table.csv").write_text(f"file,class,note\n0.png,{name},x\n1.png,c,x\n")
        digests.add(digest(str(folder), files(folder, table="table.csv")))
    (folder / "table.csv").write_text("file,class,note\n0.png,b,y\n1.png,c,y\n")
    assert digest(str(folder), files(folder, table="table.csv")) in digests  # notes do not count
    assert len(digests) == 2


def surveyed(folder, budget=1e6, **options):
    dataset = ImageFolder(name="image_folder", root=str(folder), **options)
    return survey(dataset, image_files(dataset), budget)


def test_what_cannot_be_read_is_counted_as_training_would(folder):
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:40])
    it = surveyed(folder)
    loaded = ImageFolder(name="image_folder", root=str(folder)).load(0)
    assert (it.n, it.unreadable) == (len(loaded), len(loaded.unreadable)) == (5, 1)
    limited = ImageFolder(name="image_folder", root=str(folder), limit=4)
    assert surveyed(folder, limit=4).n == len(limited.load(0))
    with pytest.raises(InputError, match=r"'3.png' cannot be read.*dataset.strict=false"):
        surveyed(folder, strict=True)


def test_where_reading_takes_long_only_some_images_are_read(folder):
    it = surveyed(folder, budget=0)
    assert (it.n, it.unreadable) == (6, None)


def test_images_that_are_only_mapped_are_not_learned_from(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/b"):
        (tmp_path / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((4, 4), 40 * number, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    assert surveyed(tmp_path).learned == 12
    for options in ({"fit_on": "train"}, {"fit_on": "train", "train_per_class": 2}):
        options["fit_on"] = FitOn(options["fit_on"])
        it = surveyed(tmp_path, **options)
        loaded = ImageFolder(name="image_folder", root=str(tmp_path), **options).load(0)
        assert it.learned == int((~loaded.is_test).sum())
        loaded = replace(loaded, is_unseen=loaded.labels.values == 0)
        it = surveyed(tmp_path, **options, fit_classes=["b"])
        assert it.learned == int((~loaded.is_test & ~loaded.is_unseen).sum())
    assert surveyed(tmp_path, fit_classes=["1"]).learned == 6
    with pytest.raises(InputError, match="no class 'c'"):
        surveyed(tmp_path, fit_classes=["c"])


def test_the_speed_of_a_head_on_weights_of_other_images():
    """It is measured on noise, whose mean is none that weights could be of."""
    config = composed(["experiment=smoke", "model.widths=[2]"])
    stages = {
        name: replace(stage, trainable=Trainable.head)
        for name, stage in config.schedule.stages.items()
    }
    schedule = replace(config.schedule, stages=stages)
    model = replace(config.model, weights="nowhere.pt")
    measure = speed(replace(config, model=model, schedule=schedule), channels=1)
    it = measure(Trial(image_size=8, batch_size=16, precision="float32", threads=1), 0.1)
    assert it.seconds > 0
    assert it.work > 0


@pytest.mark.parametrize("budget", [0, 1e6])
def test_files_of_several_pages_are_refused_as_by_training(folder, budget):
    """Before the speed is measured: see `automatic`."""
    pages = np.zeros((3, 5, 4), dtype=np.uint8)
    tifffile.imwrite(folder / "7.tif", pages, photometric="minisblack", metadata={"axes": "ZYX"})
    message = r"1 file has several pages, '7.tif' first \(3, axes Z\); set dataset.pages=images"
    with pytest.raises(InputError, match=message):
        surveyed(folder, budget)
    with pytest.raises(InputError, match=message):
        ImageFolder(name="image_folder", root=str(folder)).load(0)
    assert surveyed(folder, budget, pages=Pages.images).n == 9
    tifffile.imwrite(folder / "7.tif", pages, photometric="minisblack")
    with pytest.raises(InputError, match=r"'7.tif' first \(3, on an axis without a name\)"):
        surveyed(folder, budget)
    (folder / "exclude.csv").write_text("file\n7.tif\n")
    assert surveyed(folder, budget, exclude="exclude.csv").n == 6
