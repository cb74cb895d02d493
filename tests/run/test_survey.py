"""Of which images `dimred map` plans the map."""

import numpy as np
import pytest
from PIL import Image

from dimred.data.options import ImageFolder
from dimred.run.survey import digest, image_files


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
