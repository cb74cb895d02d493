"""The table of classifier two-sample tests: how often each finds what differs.

Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (ICLR 2017), figure 1. Its values are
read from the coordinates of its lines, in figures/synthetic_results.pdf of
github.com/lopezpaz/classifier_tests, commit 78ed0fd. Settings are those of the text (section 4.1)
and, where that is silent, of code/synthetic. "Noise" is the deviation: the figure's axis calls it
variance, text and code take it as the deviation. The rows on MNIST are this project's own: a pilot
of 2026-11-26.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import sqrt
from pathlib import Path

from dimred.files import read_regular
from dimred.tables.compare import Cell, Comparison, Line
from dimred.tables.published import BUDGETS, Column, Value

FOLDER = "c2st"
"""Below the folder of runs."""
ALPHA = 0.05
METHODS = {
    "nn": "C2ST-NN",
    "knn": "C2ST-KNN",
    "own": "own kNN",
    "auc": "own ridge",
    "both": "own both",
    "plane": "own kNN, 2-D",
}
"""Tests, by their heads in the table: the paper's two on a half split, and dimred's own."""
_N = (50, 100, 500, 1_000, 2_000)
_LEGEND = (
    "share of the trials in which a test rejects at 0.05, in %, ± its standard error; in brackets "
    "the difference from the published value"
)


@dataclass(frozen=True)
class Experiment:
    """A row: pairs of sets that are made alike, n points in each.

    sets: "level", "student", "sinusoid" or "mnist". change: what B is, on MNIST.
    degrees: of freedom. frequency, noise: of the sinusoid.
    published: share rejected in %, by method. trials: in the full budget.
    """

    key: str
    label: str
    sets: str
    n: int
    change: str = ""
    degrees: int = 3
    frequency: float = 1.0
    noise: float = 0.25
    trials: int = 100
    published: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Budget:
    """share: of the trials. permutations: of dimred's own tests. most: points in a set."""

    share: float
    permutations: int
    most: int = 10_000


_SIZES = {"full": _Budget(1, 999), "short": _Budget(0.2, 199), "smoke": _Budget(0.02, 19, 50)}


@dataclass(frozen=True)
class Recipe:
    """How a row is made; a finished one with another recipe is made anew."""

    key: str
    budget: str
    n: int
    trials: int
    permutations: int
    alpha: float = ALPHA


@dataclass(frozen=True)
class Result:
    """A finished row. rejected: number of trials, by method. seconds: of making it."""

    recipe: Recipe
    rejected: dict[str, int]
    seconds: float


def recipe(row: Experiment, budget: str) -> Recipe:
    """How a row is made in a budget, one of BUDGETS."""
    size = _SIZES[budget]
    trials = max(round(row.trials * size.share), 2)
    return Recipe(row.key, budget, min(row.n, size.most), trials, size.permutations)


def _panel(
    key: str, label: str, varied: str, values: Sequence[float], knn: str, nn: str
) -> Iterator[Experiment]:
    """The rows of a panel of the figure.

    key: begins with the sets' name. varied: the field of a row that has these values.
    knn, nn: errors of C2ST-KNN and C2ST-NN: type I of the level, else type II.
    """
    sets = key.partition("_")[0]
    for value, *errors in zip(values, nn.split(), knn.split(), strict=True):
        shares = [float(error) if sets == "level" else 1 - float(error) for error in errors]
        found = [round(100 * share, 1) for share in shares]
        yield Experiment(
            f"{key}{value}",
            f"{label}, {varied} = {value:,}",
            sets,
            **{"n": 2_000, varied: value},  # type: ignore[arg-type]
            published=dict(zip(("nn", "knn"), found, strict=True)),
        )


_DRIFTS = {
    # kNN in pixels / ridge on PCA-50 / kNN on PCA-2, at n = 100, 300, 1,000
    "shift1": ("shifted by 1 pixel", ".95 1.00 .25 1.00 1.00 .65 1.00 1.00 1.00"),
    "shift2_fifth": ("20 % shifted by 2 pixels", ".18 .23 .12 .43 .82 .12 1.00 1.00 .17"),
    "rotate5": ("turned by 5 degrees", ".15 .17 .10 .77 .53 .13 1.00 .87 .00"),
    "contrast": ("contrast x 0.9", ".33 .17 .12 .68 .65 .28 1.00 1.00 .53"),
    "noise20": ("noise of 20 gray levels", ".37 1.00 .10 .70 1.00 .37 1.00 1.00 1.00"),
    "noise5": ("noise of 5 gray levels", ".03 .07 .08 .13 .18 .10 .07 .23 .03"),
    "no9": ("no 9s in B", ".13 .08 .12 .32 .27 .08 .90 .60 .17"),
    "half9": ("half as many 9s in B", ".07 .03 .13 .15 .17 .05 .20 .13 .03"),
}


def _mnist() -> Iterator[Experiment]:
    for change, (label, shares) in _DRIFTS.items():
        values = [round(100 * float(share), 1) for share in shares.split()]
        for position, n in enumerate((100, 300, 1_000)):
            found = values[3 * position : 3 * position + 3]
            yield Experiment(
                f"mnist_{change}_n{n}",
                f"MNIST, {label}, n = {n:,}",
                "mnist",
                n,
                change,
                trials=30 if n == 1_000 else 60,
                published=dict(zip(("own", "auc", "plane"), found, strict=True)),
            )


ROWS = {
    row.key: row
    for row in (
        *_panel(
            "level_n",
            "nothing differs",
            "n",
            _N,
            knn=".0404 .0303 .0202 .0303 .0101",
            nn=".0510 .0408 .0204 .0612 .0306",
        ),
        *_panel(
            "student_n",
            "Gaussian, Student t",
            "n",
            _N,
            knn=".9091 .8485 .4848 .1414 0",
            nn=".8687 .8283 .1212 .0101 0",
        ),
        *_panel(
            "student_df",
            "Gaussian, Student t",
            "degrees",
            (1, 2, 5, 10, 15, 20),
            knn="0 0 .5455 .9596 .9495 .9495",
            nn="0 0 .0808 .7778 .9293 .9495",
        ),
        *_panel(
            "sinusoid_n",
            "y = cos(x), y permuted",
            "n",
            _N,
            knn=".8990 .5051 0 0 0",
            nn=".7576 .2828 0 0 0",
        ),
        *_panel(
            "sinusoid_f",
            "y = cos(x frequency), y permuted",
            "frequency",
            (2, 4, 6, 8, 10, 20),
            knn="0 0 0 0 0 1",
            nn="0 0 .0101 .2323 .7576 1",
        ),
        # Noise of 0.25 is the row sinusoid_n2000.
        *_panel(
            "sinusoid_v",
            "y = cos(x), y permuted",
            "noise",
            (0.1, 0.5, 1, 2, 3),
            knn="0 0 0 .8788 .9495",
            nn="0 0 0 .6735 .9082",
        ),
        *_mnist(),
    )
}
"""By key. What is not said is n = 2,000 points in a set, frequency 1, noise of deviation 0.25."""


def result_file(outputs: Path, made: Recipe) -> Path:
    """Where a row's result is kept."""
    return outputs / FOLDER / f"{made.key}-{made.budget}.json"


def result_text(result: Result) -> bytes:
    """The content of a result's file."""
    return (json.dumps(asdict(result), indent=1) + "\n").encode()


def read_result(outputs: Path, made: Recipe) -> Result | None:
    """The result of a row; None where there is none, or one with another recipe.

    Raises ValueError, naming the file, for a damaged one, which may be written over.
    """
    file = result_file(outputs, made)
    if not file.exists():
        return None
    try:
        content = json.loads(read_regular(file))
        rejected = {method: int(count) for method, count in content["rejected"].items()}
        result = Result(Recipe(**content["recipe"]), rejected, float(content["seconds"]))
        possible = all(0 <= count <= result.recipe.trials for count in rejected.values())
        damaged = not possible or not rejected.keys() <= METHODS.keys()
    except (ValueError, TypeError, KeyError, AttributeError):
        damaged = True
    if damaged:
        raise ValueError(f"{file}: is damaged; dimred reproduce c2st makes it anew")
    return result if result.recipe == made else None


def compare_c2st(outputs: Path, budgets: Sequence[str] = BUDGETS) -> tuple[Comparison, list[str]]:
    """The table, with the results of these budgets below a folder, and a line for each file that
    is damaged."""
    lines, damaged = [], []
    for row in ROWS.values():
        published = {m: Value(share, count=row.trials) for m, share in row.published.items()}
        cells = tuple(Cell(published=published.get(method)) for method in METHODS)
        lines.append(Line(row.key, row.label, "published", cells))
        results = {}
        for budget in budgets:
            try:
                results[budget] = read_result(outputs, recipe(row, budget))
            except ValueError as error:
                damaged.append(str(error))
        measured = [_measured(row, result) for result in results.values() if result]
        if measured and "full" in budgets and not results.get("full"):
            measured[-1] = replace(measured[-1], command=_command(row))
        lines += measured or [Line(row.key, row.label, "missing", command=_command(row))]
    columns = tuple(Column(method, head, "", digits=0) for method, head in METHODS.items())
    table = Comparison(
        FOLDER,
        "How often classifier two-sample tests find what differs",
        "published: Lopez-Paz and Oquab 2017, figure 1 (read from the vector graphic); on MNIST "
        "this project's first pilot, kNN in pixels, ridge on PCA-50, kNN on PCA-2",
        columns,
        tuple(lines),
        _LEGEND,
    )
    return table, damaged


def _measured(row: Experiment, result: Result) -> Line:
    made, cells = result.recipe, []
    for method in METHODS:
        value = None
        if method in result.rejected:
            share = result.rejected[method] / made.trials
            error = sqrt(share * (1 - share) / made.trials)
            value = Value(100 * share, 100 * error, made.trials)
        published = row.published.get(method)
        shown = Value(published) if published is not None else None
        cells.append(Cell(value, shown, comparable=made.n == row.n))
    remarks = [f"{made.trials} trials", f"{made.permutations} permutations"]
    if made.n != row.n:
        remarks.insert(0, f"n = {made.n:,}")
    if row.sets == "mnist":
        remarks.append("all in PCA-50")
    return Line(row.key, row.label, "measured", tuple(cells), "; ".join(remarks))


def _command(row: Experiment) -> str:
    data = " dataset.root=data dataset.download=true" if row.sets == "mnist" else ""
    return f"dimred reproduce c2st --rows {row.key}{data}"
