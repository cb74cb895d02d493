"""The table of transfer: what a trained network is worth with few labels, by `dimred probe`.

Published: Oquab, Bottou, Laptev, Sivic, "Learning and transferring mid-level image representations
using convolutional neural networks" (CVPR 2014), as in Oquab's thesis, table 3.3: the ten actions
of VOC 2012, average precision. Its network was trained on 1,512 classes of ImageNet. Frozen, it
gets two new layers, while the probe here is linear; fine-tuned, its layers FC6 and FC7 are trained
too, here all are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from math import nan

from dimred.run_folder.probes import METHODS, Point, Probed, in_order
from dimred.run_folder.record import RunRecord
from dimred.tables.compare import Cell, Comparison, Line, configuration_key, summarize
from dimred.tables.published import Column, Value, printed

_COLUMNS = (
    Column("scratch", "from scratch", ""),
    Column("probe", "frozen", ""),
    Column("finetune", "fine-tuned", ""),
    Column("random", "random net", ""),
    Column("pixels", "pixels", ""),
)
# Mean and of each action: from scratch, fine-tuned; the mean also frozen.
_MEAN = {"scratch": "49.7", "probe": "68.4", "finetune": "70.2"}
_BUDGET = ("steps", "lr", "scratch_lr", "seed")  # of the settings of a probe
_ACTIONS = {
    "jumping": "43.2 74.8",
    "phoning": "30.6 46.0",
    "playing an instrument": "50.2 75.6",
    "reading": "25.0 45.3",
    "riding a bike": "76.8 93.5",
    "riding a horse": "80.7 95.0",
    "running": "75.2 86.5",
    "taking a photo": "22.2 49.3",
    "using a computer": "37.9 66.7",
    "walking": "55.6 69.5",
}


def compare_transfer(records: Iterable[RunRecord]) -> Comparison:
    """The published numbers, and those of the probes of runs: one line for each number of labels,
    kind of run, images and budget. The last run of each seed counts."""
    lines = [*_published(), *_measured(records)]
    if all(line.kind == "published" for line in lines):
        command = "dimred probe RUN (a finished run's folder)"
        lines.append(Line("no run has been probed yet", "", "missing", command=command))
    return Comparison(
        "transfer",
        "What a trained network is worth: accuracy with few labels, %; VOC 2012: average precision",
        "Oquab, Bottou, Laptev, Sivic, CVPR 2014, as in Oquab's thesis, table 3.3: a network of "
        "1,512 classes of ImageNet",
        _COLUMNS,
        tuple(lines),
        "mean ± standard deviation of the seeds' means; of a single run, of its draws of labels",
    )


def _published() -> list[Line]:
    rows = {"VOC 2012 actions, mean of ten": _MEAN}
    for action, numbers in _ACTIONS.items():
        scratch, finetune = numbers.split()
        rows[f"VOC 2012 actions, {action}"] = {"scratch": scratch, "finetune": finetune}
    return [
        Line(
            key,
            "",
            "published",
            tuple(
                Cell(published=printed(values[c.key]) if c.key in values else None)
                for c in _COLUMNS
            ),
        )
        for key, values in rows.items()
    ]


def _measured(records: Iterable[RunRecord]) -> list[Line]:
    groups: dict[str, dict[int, tuple[RunRecord, Probed]]] = {}
    for record in sorted(records, key=lambda record: record.started):
        for result in record.probed.values():
            budget = {key: result.settings.get(key) for key in _BUDGET}
            images = [result.target, result.own or result.settings.get("images"), result.train]
            key = json.dumps([configuration_key(record), images, budget])
            group, seed = groups.setdefault(key, {}), record.summary["seed"]
            if seed in group and group[seed][0] is record:  # the same probe under two names
                both = {fit.key: fit for fit in (*group[seed][1].fits, *result.fits)}
                result.fits = list(both.values())
            group[seed] = (record, result)
    lines = []
    for group in groups.values():
        members = [group[seed] for seed in sorted(group)]
        labels = {count for _, result in members for count in result.labels}
        lines += [_line(members, count) for count in sorted(labels, key=in_order)]
    return lines


def _line(members: Sequence[tuple[RunRecord, Probed]], labels: int | None) -> Line:
    record, result = members[0]
    points = [
        {point.method: point for point in its.points() if point.labels == labels}
        for _, its in members
    ]
    found = {c.key: [each[c.key] for each in points if c.key in each] for c in _COLUMNS}
    cells = tuple(Cell(_value(found[c.key])) for c in _COLUMNS)
    fewer: dict[int, list[str]] = {}
    for column in _COLUMNS:
        if 0 < (count := len(found[column.key])) < len(members):
            fewer.setdefault(count, []).append(column.head)
    settings = result.settings
    draws = {point.draws for each in points for point in each.values()}
    remarks = [
        f"{_count(len(members), 'seed')}, {_spread(draws)}",
        *(f"{', '.join(heads)}: {n} of {len(members)} seeds" for n, heads in fewer.items()),
        f"{settings.get('steps')} steps or more, at {settings.get('scratch_lr')} from scratch, "
        f"{settings.get('lr')} fine-tuned",
        result.split,
    ]
    folders = tuple(each.folder for each, _ in members)
    key = f"{record.name}: {result.target}"
    label = "all labels" if labels is None else f"{_count(labels, 'label')} a class"
    return Line(f"{key}, {label}", "", "measured", cells, "; ".join(remarks), "", folders)


def _value(points: Sequence[Point]) -> Value | None:
    """In %, over the runs that have such a number; None where none has."""
    if len(points) != 1:
        return summarize([100 * point.mean for point in points])
    (point,) = points
    deviation = nan if point.deviation is None else 100 * point.deviation
    return Value(100 * point.mean, deviation, 1)


def _spread(draws: set[int]) -> str:
    low, high = min(draws), max(draws)
    return _count(high, "draw") if low == high else f"{low} to {high} draws"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


assert {column.key for column in _COLUMNS} == METHODS.keys()
