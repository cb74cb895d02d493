"""Tables with columns of further numbers that runs have."""

import pytest
from records import record

from dimred.errors import InputError
from dimred.tables.protocols import comparison


def test_a_number_of_the_runs_is_a_column_by_its_name():
    runs = [record(seed=seed) for seed in (0, 1)]
    for number, run in enumerate(runs):
        run.summary["silhouette"] = {"silhouette_h": 0.25 + number / 2}
    table = comparison("table1", runs, ["silhouette_h"])
    assert [column.head for column in table.columns][-1] == "silhouette_h"
    (line,) = [line for line in table.lines if line.kind == "measured"]
    assert (line.cells[-1].value.mean, line.cells[-1].value.count) == (0.5, 2)
    assert line.cells[-1].published is None


def test_a_number_that_no_run_has_is_refused_with_those_that_they_have():
    with pytest.raises(InputError, match=r"--measures nope: .* accuracy, .*knn15_z_random"):
        comparison("table1", [record(seed=0)], ["nope"])
    with pytest.raises(InputError, match="--measures"):
        comparison("baselines", [], ["nope"])
