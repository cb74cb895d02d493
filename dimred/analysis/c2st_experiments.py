"""The experiments with classifier two-sample tests: how often each test finds what differs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.c2st_samples import Digits, images, synthetic
from dimred.analysis.comparison import PIXEL_COMPONENTS
from dimred.evaluation.half_split import CLASSIFIERS, half_split_test
from dimred.evaluation.principal import principal_components
from dimred.evaluation.two_samples import Labelings, space_test
from dimred.files import write_atomically
from dimred.steps import bar
from dimred.tables.c2st import METHODS, ROWS, Recipe, Result, result_file, result_text


def make_row(made: Recipe, outputs: Path, digits: Digits | None = None) -> Result:
    """Repeat a row's trials, keep the result below a folder, and return it.

    digits: for rows on MNIST. Every trial draws by its number and the row's key, so that more
    trials begin with the same ones.
    """
    began = time.monotonic()
    rejected: dict[str, int] = {}
    for trial in bar(range(made.trials), text=made.key):
        for method, p in p_values(made, trial, digits).items():
            rejected[method] = rejected.get(method, 0) + (p <= made.alpha)
    result = Result(made, rejected, round(time.monotonic() - began, 1))
    file = result_file(outputs, made)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, result_text(result))
    return result


def p_values(made: Recipe, trial: int, digits: Digits | None = None) -> dict[str, float]:
    """The p-values of one trial, by method of METHODS. On MNIST all tests are of the first 50
    principal components of A and B together, "plane" of the first two."""
    row, seed = ROWS[made.key], trial
    rng = np.random.default_rng([trial, *made.key.encode()])
    points: NDArray[np.floating]
    if row.sets == "mnist":
        assert digits is not None
        pixels = images(row, made.n, rng, digits).reshape(2 * made.n, -1)
        points = principal_components(pixels, PIXEL_COMPONENTS, seed).coordinates
    else:
        points = synthetic(row, made.n, rng)
    is_b = np.arange(2 * made.n) >= made.n
    labelings = Labelings(is_b, permutations=made.permutations, seed=seed)
    found = {name: half_split_test(points, is_b, name, seed).p for name in CLASSIFIERS}
    test = space_test(points, labelings)
    found |= {"own": test.own.p, "auc": test.auc.p, "both": test.p}
    if row.sets == "mnist":
        found["plane"] = space_test(points[:, :2], labelings).own.p
    assert found.keys() <= METHODS.keys()
    return found
