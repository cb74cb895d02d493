"""findings.json, written and read, and as runs of before wrote it."""

import json

import pytest

from dimred.errors import InputError
from dimred.run_folder.findings import (
    KINDS,
    Findings,
    RowGroup,
    as_json,
    read_findings,
    single_rows,
)


def test_what_is_written_is_read_again(tmp_path):
    groups = (RowGroup("group 1: 2 images", (0, 3)), RowGroup("group 2: 2 images", (1, 2)))
    found = {
        "near_duplicates": Findings(groups),
        "outliers": single_rows({4: "<b>far</b>"}),
        "label_issues": single_rows({}),
        "clusters": Findings((RowGroup("cluster 1", (0, 1, 2)),)),
    }
    file = tmp_path / "findings.json"
    file.write_text(json.dumps(as_json(found)))
    assert read_findings(file, 5) == found
    assert found["near_duplicates"].rows == [0, 3, 1, 2]
    assert [kind for kind in KINDS if not found[kind]] == ["label_issues"]
    with pytest.raises(InputError, match=r"findings\.json: cannot be read .* inspect again"):
        read_findings(file, 4)


def test_runs_of_before_are_read(tmp_path):
    file = tmp_path / "findings.json"
    notes = {"outliers": {"2": "far"}, "label_issues": {}}
    content = {"near_duplicates": [[0, 3]], "outliers": [2], "label_issues": [], "notes": notes}
    file.write_text(json.dumps({**content, "islands": [{"rows": [1, 2], "said": "1: 2 images"}]}))
    assert read_findings(file, 4) == {
        "near_duplicates": Findings((RowGroup("group 1: 2 images", (0, 3)),)),
        "outliers": single_rows({2: "far"}),
        "label_issues": Findings(),
        "clusters": Findings((RowGroup("cluster 1: 2 images", (1, 2)),)),
    }


def test_a_run_that_was_not_inspected_has_none(tmp_path):
    assert read_findings(tmp_path / "findings.json", 4) == {}
