"""The same comparison as text, Markdown, LaTeX and CSV."""

import csv
import io

import pytest

from dimred.tables import FORMATS, Cell, Column, Comparison, Line, Value

COLUMNS = (Column("knn", "kNN, %", "final.knn"), Column("loss", "loss_z", "final.loss", digits=3))
COMPARISON = Comparison(
    "t",
    "Böhm's table",
    "a source",
    COLUMNS,
    (
        Line("4", "2-D & more", "published", (Cell(published=Value(80.6, 0.5, 3)), Cell())),
        Line(
            "4",
            "2-D & more",
            "measured",
            (Cell(Value(78.25, 0.31, 3), Value(80.6, 0.5, 3)), Cell(Value(3.14159))),
            "100 % of a_b; x|y",
            runs=("a", "b"),
        ),
        Line("5", "longer", "published", (Cell(published=Value(87.1)), Cell())),
        Line("5", "longer", "measured", (Cell(None, Value(87.1)), Cell(text="yes"))),
        Line("6", "not made", "missing", command="dimred train -m experiment=e"),
    ),
)


def test_text_has_values_differences_remarks_and_commands():
    lines = FORMATS["text"](COMPARISON).splitlines()
    assert lines[0] == "Böhm's table"
    at = lines.index("4  2-D & more")
    assert lines[at + 1].split() == ["published", "80.6", "±", "0.5"]
    assert lines[at + 2].split() == ["measured", "78.2", "±", "0.3", "(-2.3)", "3.142"]
    assert lines[at + 3].strip() == "100 % of a_b; x|y"
    assert "    missing: dimred train -m experiment=e" in lines
    # What was published and not measured is named as missing.
    assert lines[lines.index("5  longer") + 2].split() == ["measured", "missing", "yes"]


def test_columns_of_the_text_are_aligned():
    lines = FORMATS["text"](COMPARISON).splitlines()
    head = next(line for line in lines if "kNN, %" in line)
    value = next(line for line in lines if "3.142" in line)
    assert head.rindex("loss_z") + len("loss_z") == value.rindex("3.142") + len("3.142")


def test_markdown_rows_have_as_many_cells_as_the_head():
    lines = [line for line in FORMATS["markdown"](COMPARISON).splitlines() if line[:1] == "|"]
    counts = {line.replace("\\|", "").count("|") for line in lines}
    assert counts == {len(COLUMNS) + 4}
    assert any("`dimred train -m experiment=e`" in line for line in lines)
    assert "4: 2-D & more" in lines[2]
    assert "4: 2-D & more" not in lines[3]


def test_latex_escapes_what_latex_would_read():
    text = FORMATS["latex"](COMPARISON)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert body[0] == r"\begin{tabular}{llrrp{6cm}}"
    assert body[-1] == r"\end{tabular}"
    assert r"2-D \& more" in text
    assert r"100 \% of a\_b" in text
    assert r"78.2 $\pm$ 0.3 ($-$2.3)" in text
    rows = [line for line in body if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {len(COLUMNS) + 2}


def test_csv_has_a_line_for_each_value():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](COMPARISON))))
    knn = next(row for row in rows if row["kind"] == "measured" and row["column"] == "knn")
    assert float(knn["mean"]) == 78.25
    assert float(knn["deviation"]) == 0.31
    assert knn["seeds"] == "3"
    assert float(knn["published"]) == 80.6
    assert float(knn["difference"]) == pytest.approx(-2.35)
    assert knn["runs"] == "a;b"
    assert rows[-1]["command"] == "dimred train -m experiment=e"
    assert [row["text"] for row in rows if row["text"]] == ["yes"]
