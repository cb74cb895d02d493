"""The tables of what `compare_campaign.py` has measured."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom, kstest

SPACES = ("pixels", "h", "z")
LEVELS = {0.05: (0.033, 0.069), 0.01: (0.003, 0.020)}  # 99 % of 1,000 draws
COPIES, UNIFORM = 0.07, 0.001
Line = dict[str, Any]


def print_tables(file: Path) -> None:
    """Print all tables in Markdown."""
    found: dict[str, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        found[line["part"]][line["of"]].append(line)
    if "type1" in found:
        print("\nType I: rejected at 0.05 / at 0.01 / p of uniformity\n")
        table("draws", *SPACES, "outside")
        for of, lines in found["type1"].items():
            shares, outside = zip(*(errors(of, lines, space) for space in SPACES), strict=True)
            row(of, len(lines), *shares, ", ".join(filter(None, outside)))
        print("\nOwn set among the nearest and AUC, each alone, at 0.05; p of uniformity\n")
        table("draws", *SPACES)
        for of, lines in found["type1"].items():
            row(of, len(lines), *(each_alone(lines, space) for space in SPACES))
    if "power" in found:
        print("\nRejected at 0.05: both statistics (own set among the nearest / AUC)\n")
        table("draws", *SPACES, *(f"accuracy, {space}" for space in SPACES))
        for of, lines in found["power"].items():
            cells = (three(lines, space, 0.05) for space in SPACES)
            row(of, len(lines), *cells, *(effect(lines, space) for space in SPACES))
        print("\nAltered images in the sixth of B with the highest scores: regression / nearest\n")
        table("draws", *SPACES)
        for of, lines in found["power"].items():
            if "top" in lines[0]:
                tops = ([line["top"][space] for line in lines] for space in SPACES)
                row(of, len(lines), *(" / ".join(rounded(np.mean(top, axis=0))) for top in tops))
    if "peer" in found:
        peer(found)
    if "time" in found:
        print("\n2 x 2,000 images, 999 permutations, three spaces\n")
        keys = ("seconds", "cpu", "peak_mib", "before_mib", "threads", "load")
        table(*keys)
        for of, lines in found["time"].items():
            for line in lines:
                row(of, *(line[key] for key in keys))


def table(*titles: str) -> None:
    """The head of a table."""
    row("", *titles)
    row(*["---"] * (len(titles) + 1))


def row(*cells: object) -> None:
    """A row of a table."""
    print("|", " | ".join(map(str, cells)), "|")


def rounded(values: Iterable[float]) -> list[str]:
    """As text, without the zero."""
    return [f"{value:.3f}".removeprefix("0") for value in values]


def p_values(lines: Sequence[Line], space: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """p (draws, 3) of both statistics together and of each."""
    return np.array([line["p"][space] for line in lines], np.float64)


def three(lines: Sequence[Line], space: str, level: float) -> str:
    """The shares of draws that are rejected."""
    both, own, auc = rounded((p_values(lines, space) <= level).mean(axis=0))
    return f"{both} ({own} / {auc})"


def effect(lines: Sequence[Line], space: str) -> str:
    """The mean accuracy of the regression above chance, in percent."""
    return f"{100 * np.mean([line['effect'][space][2] for line in lines]):+.1f}"


def errors(of: str, lines: Sequence[Line], space: str) -> tuple[str, str]:
    """Shares of errors of both statistics together and whether p is uniform; what of it is outside
    its band."""
    p, n, outside = p_values(lines, space)[:, 0], len(lines), ""
    for level, (low, high) in LEVELS.items():
        if n < 1_000:
            low, high = binom.ppf((0.005, 0.995), n, level) / n
        if "copies" in of:
            low, high = 0, COPIES if level == 0.05 else high
        outside += "" if low <= (p <= level).mean() <= high else f" {level}"
    uniform = kstest(p, "uniform").pvalue
    outside += "" if uniform > UNIFORM else " uniform"
    shares = rounded((p <= level).mean() for level in LEVELS)
    return " / ".join([*shares, f"{uniform:.2g}"]), outside and space + outside


def each_alone(lines: Sequence[Line], space: str) -> str:
    """Of both statistics, each alone."""
    p = p_values(lines, space)[:, 1:]
    shares = rounded((p <= 0.05).mean(axis=0))
    uniform = (f"{kstest(column, 'uniform').pvalue:.2g}" for column in p.T)
    return f"{' / '.join(shares)}; {' / '.join(uniform)}"


def peer(found: dict[str, dict[str, list[Line]]]) -> None:
    """alibi-detect beside the test on the same draws."""
    print("\nRejected at 0.05 and at 0.01, and CPU seconds of a test, 999 permutations\n")
    table("draws", "space", "dimred", "ClassifierDrift", "s, dimred", "s, ClassifierDrift")
    for of, theirs in found["peer"].items():
        ours = {line["draw"]: line for line in found[theirs[0]["also"]].get(of, [])}
        same = [line for line in theirs if line["draw"] in ours]
        timed = [line["ours_cpu"] for line in theirs if "ours_cpu" in line]
        for space in SPACES if same else ():
            p = np.array([ours[line["draw"]]["p"][space][0] for line in same])
            other = np.array([line["p"][space] for line in same])
            shares = (
                "{} ({})".format(*rounded([(x <= level).mean() for level in LEVELS]))
                for x in (p, other)
            )
            seconds = (
                np.median([cpu[space] for cpu in timed]),
                np.median([line["cpu"][space] for line in same]),
            )
            row(of, len(same), space, *shares, *rounded(seconds))
