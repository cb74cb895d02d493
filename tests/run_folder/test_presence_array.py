"""Which classes each image shows, as embedding.npz says."""

import numpy as np
import pytest
from test_class_split_array import a_map

from dimred.data.folder_layout import File
from dimred.data.table_join import Tables
from dimred.errors import InputError
from dimred.run_folder.files_now import outline

SHOWN = np.array([[True, False], [False, False], [True, True]])
NAMES = np.array(["ant", "bee"])


def test_it_is_read_and_is_no_further_column(tmp_path):
    on = a_map(tmp_path, presence=SHOWN, class_names=NAMES)
    assert np.array_equal(on.presence, SHOWN)
    assert on.class_names == ("ant", "bee")
    assert on.labels is None
    assert on.extra_columns == {}
    assert np.array_equal(outline(on).presence.values, SHOWN)
    without = a_map(tmp_path)
    assert without.presence is None
    assert outline(without).presence is None


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"presence": SHOWN[:2], "class_names": NAMES}, "'presence' has 2 rows, the run 3"),
        ({"presence": SHOWN, "class_names": NAMES[:1]}, "'presence' must have 1 columns"),
        ({"presence": SHOWN}, "'class_names' is missing"),
        ({"presence": SHOWN[:, 0], "class_names": NAMES}, "'presence' is bool"),
    ],
)
def test_what_a_run_does_not_write_is_refused(tmp_path, arrays, said):
    with pytest.raises(InputError, match=said):
        a_map(tmp_path, **arrays)


def test_a_tables_column_of_that_name_stays_one(tmp_path):
    on = a_map(tmp_path, presence=np.array([1.0, 2.0, 4.0]))
    assert on.presence is None
    assert on.extra_columns["presence"].tolist() == [1, 2, 4]


def test_now_such_a_column_gets_another_name(tmp_path):
    (tmp_path / "a.csv").write_text("file,presence\nx.png,1\n")
    joined = Tables(str(tmp_path), "a.csv", None, strict=False).joined([File("x.png", False, "x")])
    assert joined.columns == {"presence_column": ["1"]}
