"""What a probe writes when it is finished: RUN/probed/NAME/.

result.json   settings, every classifier, and their means; written after each classifier
table.csv     accuracy by labels a class and method: mean, deviation, lowest and highest draw
curve.png     the label-efficiency curve
h-000.npz     H of images, where the run keeps none; h-random-000.npz by a random network
"""

from __future__ import annotations

from dimred.files import csv_file
from dimred.plots.label_curve import LabelCurve, label_curve_figure
from dimred.plots.style import to_png
from dimred.run_folder.probes import METHODS, Probed, shown
from dimred.run_folder.record import RunRecord

TABLE, CURVE = "table.csv", "curve.png"


def finished_files(result: Probed, record: RunRecord) -> dict[str, bytes]:
    """The files by name."""
    return {TABLE: _table(result), CURVE: _curve(result, record)}


def _table(result: Probed) -> bytes:
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
        for point in result.points()
    ]
    return csv_file(list(rows[0]), rows)


def _curve(result: Probed, record: RunRecord) -> bytes:
    all_labels = result.train / result.classes
    curves = [
        LabelCurve(
            METHODS[method],
            [all_labels if p.labels is None else p.labels for p in points],
            [p.mean for p in points],
            [p.lowest for p in points],
            [p.highest for p in points],
        )
        for method in METHODS
        if (points := [p for p in result.points() if p.method == method])
    ]
    subtitle = f"{result.target}; network of {record.name}, test images: {result.test:,}"
    return to_png(label_curve_figure(curves, result.chance, "Accuracy with few labels", subtitle))
