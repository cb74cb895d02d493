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
# Prefixes of methods on Z or H of a run; the published ones are on H of the runs of these rows.
_LEARNED = ("h_", "z")
PUBLISHED_RUNS = {"cifar10": ("table1", "1"), "cifar100": ("table_a1", "1")}


def compare_baselines(records: Iterable[RunRecord]) -> Comparison:
    """The results of `dimred baselines`: one line for each data set, space and method, and for each
    set of images, library, device and, for Z and H, configuration. The last run of each seed
    counts."""
    groups: dict[str, dict[int, tuple[RunRecord, str, dict[str, Any]]]] = {}
    for record in sorted(records, key=lambda record: record.started):
        for method, measured in record.baselines.items():
            how = [measured[key] for key in ("images", "library", "device", "threads")]
            key = json.dumps([_title(record), method, how, _identity(record, method)])
            groups.setdefault(key, {})[record.summary["seed"]] = (record, method, measured)
    # Sorted by data set, then in the order of measuring.
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


def uses_encoder(method: str) -> bool:
    """Whether a method starts from Z or H of the run, not from pixels."""
    return method.startswith(_LEARNED)


def _n_images(record: RunRecord) -> int:
    return int(record.summary["dataset"]["images"])


def _identity(record: RunRecord, method: str) -> list[Any]:
    """What a result depends on besides the seed: the images, and for Z and H the whole run."""
    learned = uses_encoder(method)
    values = {
        key: value
        for key, value in record.values.items()
        if key != "seed" and not key.startswith("eval.") and (learned or key.startswith("dataset."))
    }
    return [record.fingerprint, record.name if learned else "", values]


def _lines(group: list[tuple[RunRecord, str, dict[str, Any]]]) -> list[Line]:
    record, method, measured = group[0]
    cells = []
    for column in _COLUMNS:
        if column.key == "places":
            cells.append(Cell(text=measured["places"]))
            continue
        numbers = [m[column.path] * column.scale for _, _, m in group if column.path in m]
        value = summarize(numbers) if len(numbers) == len(group) else None
        cells.append(Cell(value, _published(record, method) if column.key == "knn" else None))
    remarks = [measured["library"]]
    if measured["images"] != _n_images(record):
        remarks.append(f"{measured['images']:,} of the images")
    if uses_encoder(method):
        values = record.values
        net = f"{values['model.name']}, {values['loss.name']}, {record.epochs:,} epochs"
        remarks.append(f"run {record.name}: {net}")
    remarks.append(f"{len(group)} seed{'s' if len(group) > 1 else ''}")
    remarks.append(f"{measured['device']}, {measured['threads']} thread(s)")
    key = f"{_title(record)}: {measured['label']}"
    folders = tuple(record.folder for record, _, _ in group)
    lines = [Line(key, "", "measured", tuple(cells), "; ".join(remarks), "", folders, method)]
    if cells[0].published:
        printed_cells = (Cell(published=cells[0].published), *[Cell()] * (len(_COLUMNS) - 1))
        lines.insert(0, Line(key, "", "published", printed_cells))
    return lines


def _title(record: RunRecord) -> str:
    return f"{record.data}, {_n_images(record):,} images"


def _published(record: RunRecord, method: str) -> Value | None:
    """The published value for this method; for methods on H only if the run is SimCLR's."""
    if uses_encoder(method) and record.values["loss.name"] != "simclr":
        return None
    for (data, published_method), value in PUBLISHED.items():
        if published_method == method and of_published_data(record, {"dataset.name": data}):
            return value
    return None
