"""The part on Deep Variational Metric Learning of docs/results.md."""

from __future__ import annotations

from collections.abc import Sequence

from results_lines import Measured, Runs, table_of

from dimred.tables.conditions import title
from dimred.tables.formats import number_text

HEAD = """\
## Deep Variational Metric Learning, on sets that stand in

Lin et al. (2018) print gains of 2 to 12 points of Recall@1 by DVML over the loss that it is around,
on sets that were not at hand (Cars196, CUB-200-2011, Stanford Online Products) and from a
pretrained network. Here classes 0 to 4 are learned from, and the test images of the other five are
measured, which no part of training has seen; half of the training is the first phase, half the
second, as is that of the loss alone. In %: Recall@1, MAP@R, NMI, AMI and F1 of K-means clusters;
then the [spread within classes](run-folder.md#a-map-as-a-metric), and of the variance part z_V the
KL divergence (nats), sigma and how many of its 64 dimensions are active, in the mean of the seeds.
"""
NOTE = """\
"""
_COLUMNS = {
    "r1": "R@1",
    "map_at_r": "MAP@R",
    "nmi": "NMI",
    "ami": "AMI",
    "f1": "F1",
    "spread": "spread",
    "kl": "KL",
    "sigma": "sigma",
    "active": "active",
}


def dvml(lines: Sequence[Measured], references: dict[Runs, str]) -> list[str]:
    """The section: a table for each set, and what they say; nothing without runs."""
    here = [line for line in lines if line.table == "dvml"]
    if not here:
        return []
    text = [HEAD]
    for data in dict.fromkeys(title(line.record.data) for line in here):
        of_data = [line for line in here if title(line.record.data) == data]
        text.append(f"**{data}**, {of_data[0].record.epochs:,} epochs\n")
        text.append(table_of(["", *_COLUMNS.values(), "seeds", "run"], _rows(of_data, references)))
    return [*text, NOTE]


def _rows(lines: Sequence[Measured], references: dict[Runs, str]) -> list[list[str]]:
    rows = []
    for line in lines:
        label = line.line.label.partition(": ")[2]
        if line.row is not None and line.row.remark:
            label += f" ({line.row.remark})"
        digits = {column.key: column.digits for column in line.columns}
        values = {key: line.value(key) for key in _COLUMNS}
        cells = [number_text(v, digits[key]) if v else "" for key, v in values.items()]
        rows.append([label, *cells, str(len(line.group)), references[line.line.runs]])
    return rows
