"""The table of two-sample tests: published values and what is shown of results."""

import json

import pytest

from dimred.tables import BUDGETS
from dimred.tables.c2st import (
    METHODS,
    ROWS,
    Recipe,
    Result,
    compare_c2st,
    read_result,
    recipe,
    result_file,
    result_text,
)


def save(outputs, key, budget="full", **changes):
    made = recipe(ROWS[key], budget)
    shares = {"nn": 0.8, "knn": 0.5, "own": 1, "auc": 0, "both": 1}
    rejected = {method: round(share * made.trials) for method, share in shares.items()}
    result = Result(made, rejected, 1.0)
    file = result_file(outputs, made)
    file.parent.mkdir(exist_ok=True)
    content = json.loads(result_text(result))
    content["recipe"] |= changes
    file.write_text(json.dumps(content))
    return file


def shown(outputs, key, **words):
    table, damaged = compare_c2st(outputs, **words)
    return {line.kind: line for line in table.lines if line.key == key}, damaged


@pytest.mark.parametrize(
    ("key", "published"),
    [
        # Lopez-Paz and Oquab 2017, figure 1, to be seen in it: type-II errors of about .12 and .48
        ("student_n500", {"nn": 87.9, "knn": 51.5}),
        ("student_df10", {"nn": 22.2, "knn": 4.0}),
        ("sinusoid_n100", {"nn": 71.7, "knn": 49.5}),
        ("sinusoid_f10", {"nn": 24.2, "knn": 100.0}),
        ("sinusoid_f20", {"nn": 0.0, "knn": 0.0}),
        ("sinusoid_v2", {"nn": 32.6, "knn": 12.1}),
        ("level_n1000", {"nn": 6.1, "knn": 3.0}),
        ("mnist_no9_n1000", {"own": 90.0, "auc": 60.0, "plane": 17.0}),
    ],
)
def test_published_shares(key, published):
    assert ROWS[key].published == pytest.approx(published, abs=0.06)


def test_rows_have_the_settings_of_the_figure():
    assert ROWS["student_n500"].n == 500
    assert {
        (row.n, row.frequency, row.noise) for row in ROWS.values() if row.sets == "sinusoid"
    } > {
        (2_000, 1, 0.25),
        (2_000, 20, 0.25),
        (2_000, 1, 3),
        (50, 1, 0.25),
    }
    assert ROWS["student_df15"].degrees == 15
    assert ROWS["student_n50"].degrees == 3
    assert all(row.published.keys() <= METHODS.keys() for row in ROWS.values())
    assert recipe(ROWS["student_n500"], "full").trials == 100
    smoke = recipe(ROWS["student_n500"], "smoke")
    assert (smoke.n, smoke.trials) == (50, 2)


def test_a_row_shows_shares_errors_and_differences(tmp_path):
    save(tmp_path, "student_n500")
    lines, damaged = shown(tmp_path, "student_n500")
    assert not damaged
    assert lines.keys() == {"published", "measured"}
    cells = dict(zip(METHODS, lines["measured"].cells, strict=True))
    assert (cells["nn"].value.mean, cells["nn"].value.deviation) == pytest.approx((80, 4))
    assert cells["nn"].difference == pytest.approx(-7.9)
    assert cells["both"].value.mean == 100
    assert cells["plane"].value is None
    assert lines["measured"].command == ""


def test_smaller_budgets_say_so_and_are_compared_only_with_as_many_points(tmp_path):
    save(tmp_path, "student_n500", "short")
    save(tmp_path, "student_n500", "smoke")
    lines = [x for x in compare_c2st(tmp_path)[0].lines if x.key == "student_n500"]
    assert [line.kind for line in lines] == ["published", "measured", "measured"]
    short, smoke = lines[1:]
    assert short.remark.startswith("20 trials")
    assert short.cells[0].difference == pytest.approx(80 - 87.9)
    assert smoke.remark.startswith("n = 50; 2 trials")
    assert smoke.cells[0].difference != smoke.cells[0].difference
    assert smoke.command == "dimred reproduce c2st --rows student_n500"
    assert shown(tmp_path, "student_n500", budgets=("full",))[0].keys() == {"published", "missing"}


def test_what_is_not_made_names_its_command(tmp_path):
    lines, _ = shown(tmp_path / "nowhere", "mnist_no9_n100")
    assert lines["missing"].command.startswith("dimred reproduce c2st --rows mnist_no9_n100 ")
    assert "dataset.root=" in lines["missing"].command


def test_a_result_of_another_recipe_does_not_count(tmp_path):
    save(tmp_path, "level_n50", trials=101)
    assert read_result(tmp_path, recipe(ROWS["level_n50"], "full")) is None
    save(tmp_path, "level_n50")
    assert read_result(tmp_path, recipe(ROWS["level_n50"], "full")).rejected["nn"] == 80


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"recipe": {}, "rejected": {}, "seconds": 1}', "\xff", "svm", "nn"]
)
def test_a_damaged_result_is_named_and_the_others_are_shown(tmp_path, content):
    save(tmp_path, "level_n50")
    file = save(tmp_path, "level_n100")
    file.write_text(content, encoding="latin-1")
    if content in ("svm", "nn"):
        known = json.loads(save(tmp_path, "level_n100").read_text())
        file.write_text(json.dumps(known | {"rejected": {content: 101}}))
    lines, damaged = shown(tmp_path, "level_n100")
    assert "missing" in lines
    assert damaged == [f"{file}: is damaged; dimred reproduce c2st makes it anew"]
    assert "measured" in shown(tmp_path, "level_n50")[0]


def test_recipes_differ_between_budgets():
    made = {recipe(ROWS["sinusoid_f2"], budget) for budget in BUDGETS}
    assert len(made) == len(BUDGETS)
    assert all(isinstance(each, Recipe) and each.alpha == 0.05 for each in made)
