"""The table of baselines: other methods on the images of the runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dimred.run_folder.record import RunRecord
from dimred.tables.compare import Cell, Comparison, Line, summarize
from dimred.tables.differences import of_published_data
from dimred.tables.published import Column, Value, printed

_COLUMNS = (
    Column("knn", "kNN, random, %", "knn15_random", 100),
    Column("knn_official", "official, %", "knn15_official", 100),
    Column("trustworthiness", "trustworthiness", "trustworthiness15", digits=3),
    Column("seconds", "seconds", "seconds", digits=0),
    Column("places", "new images", "places"),
)
# kNN accuracy in %, t-SimCNE paper, section 4.
PUBLISHED = {
    ("cifar10", "pixels"): printed("33"),
    ("cifar10", "pixels_tsne"): printed("33"),
    ("cifar10", "h_tsne"): printed("91"),
    ("cifar100", "pixels"): printed("15"),
    ("cifar100", "pixels_tsne"): printed("13"),
    ("cifar100", "h_tsne"): printed("57"),
}
# Methods that place what the run has learned; the published ones that of these rows.
_OF_RUN = ("h_", "z")
PUBLISHED_RUNS = {"cifar10": ("table1", "1"), "cifar100": ("table_a1", "1")}


def compare_baselines(records: Iterable[RunRecord]) -> Comparison:
    """What `dimred baselines` measured: a line for each data set, space and method, of equal
    images, library, device and, for H, configuration; each seed once."""
    groups: dict[str, dict[int, tuple[RunRecord, str, dict[str, Any]]]] = {}
    for record in sorted(records, key=lambda record: record.started):
        for method, measured in record.baselines.items():
            made = [measured[key] for key in ("images", "library", "device", "threads")]
            key = json.dumps([_title(record), method, made, _decisive(record, method)])
            groups.setdefault(key, {})[record.summary["seed"]] = (record, method, measured)
    # By data; methods in the order in which they were measured.
    ordered = sorted(groups.values(), key=lambda group: _title(next(iter(group.values()))[0]))
    lines = [line for group in ordered for line in _lines(list(group.values()))]
    if not lines:
        command = "dimred baselines RUN (a finished run's folder)"
        lines = [Line("no run has baselines yet", "", "missing", command=command)]
    return Comparison(
        "baselines",
        "Other methods on the same images",
        "published: Böhm, Berens, Kobak 2023; trustworthiness against pixels, k = 15",
        _COLUMNS,
        tuple(lines),
    )


def places_the_learned(method: str) -> bool:
    """Whether a method places what the run has learned, and not pixels."""
    return method.startswith(_OF_RUN)


def _number_of(record: RunRecord) -> int:
    return int(record.summary["dataset"]["images"])


def _decisive(record: RunRecord, method: str) -> list[Any]:
    """What a result depends on besides the seed: the images, for Z and H the whole run."""
    of_run = places_the_learned(method)
    values = {
        key: value
        for key, value in record.values.items()
        if key != "seed" and not key.startswith("eval.") and (of_run or key.startswith("dataset."))
    }
    return [record.fingerprint, record.name if of_run else "", values]


def _lines(group: list[tuple[RunRecord, str, dict[str, Any]]]) -> list[Line]:
    record, method, measured = group[0]
    cells = []
    for column in _COLUMNS:
        if column.key == "places":
            cells.append(Cell(text=measured["places"]))
            continue
        found = [m[column.path] * column.scale for _, _, m in group if column.path in m]
        value = summarize(found) if len(found) == len(group) else None
        cells.append(Cell(value, _published(record, method) if column.key == "knn" else None))
    words = [measured["library"]]
    if measured["images"] != _number_of(record):
        words.append(f"{measured['images']:,} of the images")
    if places_the_learned(method):
        values = record.values
        net = f"{values['model.name']}, {values['loss.name']}, {record.epochs:,} epochs"
        words.append(f"run {record.name}: {net}")
    words.append(f"{len(group)} seed{'s' if len(group) > 1 else ''}")
    words.append(f"{measured['device']}, {measured['threads']} thread(s)")
    key = f"{_title(record)}: {measured['label']}"
    folders = tuple(record.folder for record, _, _ in group)
    lines = [Line(key, "", "measured", tuple(cells), "; ".join(words), "", folders, method)]
    if cells[0].published:
        printed_cells = (Cell(published=cells[0].published), *[Cell()] * (len(_COLUMNS) - 1))
        lines.insert(0, Line(key, "", "published", printed_cells))
    return lines


def _title(record: RunRecord) -> str:
    return f"{record.data}, {_number_of(record):,} images"


def _published(record: RunRecord, method: str) -> Value | None:
    """What the paper prints for this method; of H for that of SimCLR only."""
    if places_the_learned(method) and record.values["loss.name"] != "simclr":
        return None
    for (data, of), value in PUBLISHED.items():
        if of == method and of_published_data(record, {"dataset.name": data}):
            return value
    return None
