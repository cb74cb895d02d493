"""The part "What holds" of docs/results.md: one short table a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence

from results_lines import TABLE_NAMES, Measured, Runs, table_of

from dimred.analysis.other_methods import BASELINES
from dimred.tables import TABLES, Cell, Column, Row
from dimred.tables.baselines import PUBLISHED, uses_encoder
from dimred.tables.conditions import (
    conditions,
    has_all_images,
    in_a_cell,
    is_comparable,
    other_data,
    title,
)
from dimred.tables.formats import number_text

HEAD = ("what", "published", "measured", "seeds", "same conditions?", "run")

# By heading: the tables, and a comment that repeats none of our numbers.
PAPERS = {
    "t-SimCNE, Tables 1 and A.1 (Böhm, Berens, Kobak 2023)": (
        ("table1", "table_a1", "baselines"),
        """\
Both pixel baselines come out within a point of the printed ones. The paper's main claim, that
learning in 128-D first gives a better 2-D map than learning in 2-D from the start, has been
tested [with small runs](#the-ordering-of-table-1-tested-small) only: there it holds on
Fashion-MNIST, and **on the JPEG copy of CIFAR-10 it does not: a miss**.

Beside the authors' own package, tsimcne, on the same images and for as many epochs, dimred ends at
the same accuracy and within about half a percent of the same loss. Half of that is the authors'
learning rate, whose cosine lasts an epoch longer than the training; the rest is not to be told from
chance ([how that was found](fidelity.md)).
""",
    ),
    "DrLIM (Hadsell, Chopra, LeCun 2006)": (
        ("drlim",),
        """\
The paper prints maps and no numbers; what it says of them holds in every row. R² tells how well a
shift or an angle can be read off the map (1: exactly; 0 or less: not at all), spread by lighting
how much of the map's spread the lighting makes (0: none). Small NORB was not at hand: a rendered
airplane on a turntable stands in for its airplane.
""",
    ),
    "Angel (2015), MNIST": (
        ("angel2015_mnist",),
        """\
Shifts lie in order along the third dimension and are gone from the other two, as claimed. **The
two losses, after 10,000 iterations, miss the published ones**: both are about half as large. Part
of why is that Angel's (2015) neighbors came from distances in uint8 that wrap around; on pairs of
true neighbors its weights of 50,000 iterations have a published 0.119. A drawn pair counts for
one of two labels here, there for both. Angel (2015) finds no difference between its two losses, and
here they are close too. LeNet's errors are lower than published.
""",
    ),
    "Angel (2015), NORB": (
        ("angel2015_norb",),
        """\
What the dimensions stand for holds on the turntable. The published losses are of NORB's own
images, so nothing here tests them.
""",
    ),
}

# What a paper says of a map without a number, by table, row and column.
IN_WORDS = {
    ("drlim", "a", "knn"): "similar digits are near",
    ("drlim", "b", "shift"): "clusters by shift",
    ("drlim", "c", "shift"): "shift is gone",
    ("drlim", "c", "knn"): "similar digits are near",
    ("drlim", "d", "azimuth"): "azimuth in a circle",
    ("drlim", "d", "elevation"): "elevation along its axis",
    ("drlim", "d", "lighting"): "lighting is gone",
    ("drlim", "d", "lighting_lle"): "lighting stays",
    ("angel2015_mnist", "generalized", "order"): "shifts in order",
    ("angel2015_mnist", "generalized", "shift"): "shift is gone",
    ("angel2015_mnist", "lenet", "shifted"): "misled by shifts",
    ("angel2015_norb", "generalized", "circular"): "azimuth in z1 z2",
    ("angel2015_norb", "generalized", "spearman"): "elevation in z3",
    ("angel2015_norb", "generalized", "leak"): "no elevation in z1 z2",
}
_LENGTH = re.compile(r", [\d,]+ iterations$")
# Shorter heads of columns: the split is named above the tables, dimensions in other columns.
_HEADS = {
    "kNN in Z, random, %": "kNN, %",
    "kNN, random, %": "kNN, %",
    "circular corr. azimuth, z1 z2": "circular correlation",
    "Spearman elevation, z3": "rank correlation",
    "R² of elevation, z1 z2": "R² of elevation",
}


def what_holds(lines: Sequence[Measured], references: dict[Runs, str]) -> list[str]:
    """The sections of the papers."""
    text = ["## What holds\n"]
    for heading, (tables, note) in PAPERS.items():
        here = [line for line in lines if line.table in tables]
        rows = [row for line in here for row in _rows(line, references)]
        text += [f"### {heading}\n", *([table_of(HEAD, rows)] if rows else []), note]
        text += _not_measured(tables, here)
    return text


def compares(line: Measured, column: Column, cell: Cell) -> bool:
    """Whether a measured value is comparable with a published number or statement."""
    protocol = line.protocol
    if protocol is None or cell.value is None:
        return False
    if line.row is None:
        run = line.record
        whole = run.baselines[line.line.method]["images"] == run.summary["dataset"]["images"]
        learned = uses_encoder(line.line.method)
        fit = is_comparable(run, protocol) if learned else has_all_images(run, protocol)
        return cell.published is not None and whole and fit
    if not is_comparable(line.record, protocol):
        return False
    in_numbers = cell.published is not None and cell.comparable
    return in_numbers or (line.table, line.line.key, column.key) in IN_WORDS


def _rows(line: Measured, references: dict[Runs, str]) -> list[list[str]]:
    """A row for each value of a line that is comparable with a published one."""
    rows = []
    for column, cell in zip(line.columns, line.line.cells, strict=True):
        if compares(line, column, cell):
            statement = IN_WORDS.get((line.table, line.line.key, column.key), "")
            published = number_text(cell.published, column.digits) if cell.published else statement
            name = f"{_model(line)}: {_HEADS.get(column.head, column.head)}"
            measured, seeds = line.text(column.key), str(len(line.group))
            same = in_a_cell(_conditions(line, column))
            rows.append([name, published, measured, seeds, same, references[line.line.runs]])
    return rows


def _conditions(line: Measured, column: Column) -> list[str]:
    protocol, row = line.protocol or {}, line.row
    if row is None and not uses_encoder(line.line.method):
        return other_data(line.record, protocol)
    texts = conditions(line.record, protocol, column)
    brief = row.brief.get(column.key, row.brief.get("", "")) if row else ""
    return [*texts, brief] if brief else texts


def _model(line: Measured) -> str:
    """A short name of the model of a line."""
    if line.row is None:
        name = title((line.protocol or {})["dataset.name"])
        return f"{line.record.baselines[line.line.method]['label']}, {name}"
    if line.table in ("table1", "table_a1"):
        # Without the losses, which follow from the row's number.
        row = f"{'A.1 ' if line.table == 'table_a1' else ''}row {line.line.key}"
        return ", ".join([row, *line.line.label.split(", ")[1:]])
    return _LENGTH.sub("", line.line.label)


def without_run(table: str, lines: Sequence[Measured]) -> list[Row]:
    """The rows of a table with published numbers and without a comparable run."""
    measured = {
        line.line.key
        for line in lines
        for column, cell in zip(line.columns, line.line.cells, strict=True)
        if line.table == table and cell.published and compares(line, column, cell)
    }
    return [row for row in TABLES[table].rows if row.published and row.key not in measured]


def _not_measured(tables: Sequence[str], lines: Sequence[Measured]) -> list[str]:
    """A sentence that lists the published numbers without a comparable run."""
    names = []
    for name in (name for name in tables if name in TABLES):
        missing = [row.key for row in without_run(name, lines)]
        published = [row.key for row in TABLES[name].rows if row.published]
        if missing:
            which = "all rows" if missing == published else f"rows {', '.join(missing)}"
            names.append(f"{TABLE_NAMES[name]} ({which})")
    if "baselines" in tables:
        names += _baselines_not_measured(lines)
    return [f"Published numbers without a run: {'; '.join(names)}.\n"] if names else []


def _baselines_not_measured(lines: Sequence[Measured]) -> list[str]:
    measured = {
        ((line.protocol or {})["dataset.name"], line.line.method)
        for line in lines
        if line.row is None and line.protocol
        if compares(line, line.columns[0], line.line.cells[0])
    }
    missing: dict[str, list[str]] = {}
    for data, method in PUBLISHED:
        if (data, method) not in measured:
            missing.setdefault(title(data), []).append(BASELINES[method].label)
    return [f"{', '.join(labels)} ({data})" for data, labels in missing.items()]
