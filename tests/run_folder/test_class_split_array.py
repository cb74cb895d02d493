"""Whether the class of an image was learned from, as embedding.npz says."""

import numpy as np
import pytest

from dimred.data.folder_layout import File
from dimred.data.table_join import Tables
from dimred.errors import InputError
from dimred.run_folder.arrays import RunArrays, RunMap
from dimred.run_folder.files import RunFiles
from dimred.run_folder.files_now import outline

SIDES = np.array(["learned", "unseen", "learned"])


def a_map(path, **arrays):
    known = {"z": np.zeros((3, 2), np.float32), "index": np.arange(3), "split": ["train"] * 3}
    np.savez(path / "embedding.npz", **{**known, **arrays})
    return RunMap(RunArrays(RunFiles(path), "embedding.npz"), 3, 1)


def test_it_is_read_and_is_no_further_column(tmp_path):
    on = a_map(tmp_path, class_split=SIDES)
    assert on.class_split.tolist() == SIDES.tolist()
    assert on.extra_columns == {}
    assert outline(on).is_unseen.tolist() == [False, True, False]
    without = a_map(tmp_path)
    assert without.class_split is None
    assert outline(without).is_unseen is None


def test_other_texts_and_lengths_are_refused(tmp_path):
    with pytest.raises(InputError, match="array 'class_split' must hold learned and unseen only"):
        a_map(tmp_path, class_split=np.array(["learned", "seen", "learned"]))
    with pytest.raises(InputError, match="array 'class_split' has 2 rows, the run 3"):
        a_map(tmp_path, class_split=SIDES[:2])


def test_a_tables_column_of_that_name_stays_one(tmp_path):
    # As earlier versions wrote it: numbers, or positions among names.
    on = a_map(tmp_path, class_split=np.array([1.0, 2.0, 4.0]))
    assert on.class_split is None
    assert on.extra_columns["class_split"].tolist() == [1, 2, 4]
    names = np.array(["x", "y"])
    on = a_map(tmp_path, class_split=np.array([0, 1, 1]), class_split_names=names)
    assert on.class_split is None
    assert on.extra_columns["class_split"].tolist() == ["x", "y", "y"]


def test_now_such_a_column_gets_another_name(tmp_path):
    (tmp_path / "a.csv").write_text("file,class_split\nx.png,1\n")
    tables = Tables(str(tmp_path), "a.csv", None, strict=False)
    joined = tables.joined([File("x.png", False, "x")])
    assert joined.columns == {"class_split_column": ["1"]}
    assert joined.notes == ("a.csv: the column 'class_split' is called class_split_column here",)
