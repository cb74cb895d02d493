"""findings.json, written and read, and as runs of before wrote it."""

import json

import pytest

from dimred.errors import InputError
from dimred.run_folder import layout
from dimred.run_folder.files import RunFiles
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
    files = RunFiles(tmp_path)
    files.write(layout.FINDINGS, json.dumps(as_json(found)).encode())
    assert read_findings(files, 5) == found
    assert found["near_duplicates"].rows == [0, 3, 1, 2]
    assert [kind for kind in KINDS if not found[kind]] == ["label_issues"]
    with pytest.raises(InputError, match=r"findings\.json: is damaged .* inspect again"):
        read_findings(files, 4)


def test_runs_of_before_are_read(tmp_path):
    files = RunFiles(tmp_path)
    notes = {"outliers": {"2": "far"}, "label_issues": {}}
    content = {"near_duplicates": [[0, 3]], "outliers": [2], "label_issues": [], "notes": notes}
    content["islands"] = [{"rows": [1, 2], "said": "1: 2 images"}]
    files.write(layout.FINDINGS, json.dumps(content).encode())
    assert read_findings(files, 4) == {
        "near_duplicates": Findings((RowGroup("group 1: 2 images", (0, 3)),)),
        "outliers": single_rows({2: "far"}),
        "label_issues": Findings(),
        "clusters": Findings((RowGroup("cluster 1: 2 images", (1, 2)),)),
    }


def test_a_run_that_was_not_inspected_has_none(tmp_path):
    assert read_findings(RunFiles(tmp_path), 4) == {}
