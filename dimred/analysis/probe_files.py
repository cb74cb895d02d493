"""What a probe writes when it is finished: RUN/probed/NAME/.

result.json   settings, every classifier, and their means; written first and after each classifier
table.csv     accuracy by labels a class and method: mean, deviation, lowest and highest draw
curve.png     the label-efficiency curve
h-000.npz     H of images, where the run keeps none; h-random-000.npz by a random network
"""

from __future__ import annotations

from collections.abc import Sequence

from dimred.files import csv_file
from dimred.plots.label_curve import LabelCurve, label_curve_figure
from dimred.plots.style import to_png
from dimred.run_folder.probes import METHODS, Point, Probed, shown
from dimred.run_folder.record import RunRecord

TABLE, CURVE = "table.csv", "curve.png"


def finished_files(result: Probed, points: Sequence[Point], record: RunRecord) -> dict[str, bytes]:
    """The files by name. points: those of the result that they show."""
    return {TABLE: _table(points), CURVE: _curve(result, points, record)}


def _table(points: Sequence[Point]) -> bytes:
    rows = [
        {
            "labels": shown(point.labels),
            "method": point.method,
            "draws": point.draws,
            "accuracy": round(point.mean, 6),
            "deviation": "" if point.deviation is None else round(point.deviation, 6),
            "lowest": round(point.lowest, 6),
            "highest": round(point.highest, 6),
        }
        for point in points
    ]
    return csv_file(list(rows[0]), rows)


def _curve(result: Probed, points: Sequence[Point], record: RunRecord) -> bytes:
    draws = max(point.draws for point in points)
    all_labels = result.train / result.classes
    curves = [
        LabelCurve(
            METHODS[method] + _fewer(of_method, draws),
            [all_labels if p.labels is None else p.labels for p in of_method],
            [p.mean for p in of_method],
            [p.lowest for p in of_method],
            [p.highest for p in of_method],
        )
        for method in METHODS
        if (of_method := [point for point in points if point.method == method])
    ]
    subtitle = f"{result.target}; network of {record.name}, test images: {result.test:,}"
    return to_png(label_curve_figure(curves, result.chance, "Accuracy with few labels", subtitle))


def _fewer(points: Sequence[Point], draws: int) -> str:
    """Says where a method is of fewer draws than others, as one of an earlier call may be."""
    found = {point.draws for point in points if point.labels is not None}
    if not found or min(found) == draws:
        return ""
    low, high = min(found), max(found)
    count = f"{low}" if low == high else f"{low} to {high}"
    return f" ({count} of {draws} draws)"
