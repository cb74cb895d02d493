"""Appendix A of docs/results.md: measured numbers that no published one compares with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results_holds import compares
from results_lines import TABLE_NAMES, Measured, Runs, table_of, with_names

from dimred.run_folder.record import RunRecord
from dimred.tables import grouped, summarize
from dimred.tables.conditions import is_comparable, title
from dimred.tables.differences import stage_epochs
from dimred.tables.formats import number_text
from dimred.tables.published import Value

_TABLE1 = ("table1", "table_a1")
_ANNEALED = ("table1_row7", "table1_row8", "table1_row9")

HEAD = """\
## Appendix A: what says nothing about a published number

Runs of a small network, of few images or of far fewer epochs than published, data that no paper
has, and measures that no paper prints.
"""

# Comments that repeat none of our numbers.
ORDERING = """\
### The ordering of Table 1, tested small

Does learning in 128-D first (rows 7 to 9) beat learning in 2-D from the start (row 4)? Row 8 has
as many epochs in all as row 4, row 7 half as many more, row 9 half as many. The table has the
gain in kNN accuracy, in points, seed by seed; `in H` is that of H after the first stage, random
split.

- Fashion-MNIST: yes at equal epochs on the random split in every seed, on the official one in two
  of three; with the epochs of row 7 on both in every seed.
- **CIFAR-10 as JPEG: no, a miss.** At equal epochs row 8 falls behind on 5,000 images and draws
  level on 20,000 (one seed); row 7 is ahead on the official split only.
- What was found: H of the 128-D stage is not ahead on 5,000 images; on 20,000 it is, and the
  hundreds of steps in 2-D lose that again (the paper has thousands). Other learning rates of the
  finetuning did not help on 5,000 images, and more steps of it only a little on 20,000.
"""
SMALL = """\
These runs one by one, by the rows of Table 1 (1 is SimCLR in 128-D). Batch size, learning rates
and the linear classifier are those of `budget=short`, not the paper's. A loss grows with the
number of negatives, so it can be held against others of its batch size only.
"""
FASHION = """\
![Three seeds of row 7 on Fashion-MNIST, turned and mirrored to fit the first](fashion-seeds.png)
"""
BASELINES = """\
### Other methods on the same images

By `dimred baselines RUN`: all methods place all images without labels. H is that of a small
network after few epochs, far from the paper's. `seconds` is the time of placing, to which methods
of H add that of training; of a run's own map it is that of training. `trust.` is trustworthiness
against pixels, k = 15.
"""
MEASURES = """\
### Other measures of the runs under "What holds"

Columns are the rows of `dimred table`. In a bracket stands the published number where it is of
other data; what stands above already is left out.
"""
OF_TABLE = {
    "drlim": """\
Each run has test pairs of its own relation; those of (c) are common to (b) and (c).
""",
    "angel2015_mnist": """\
`in_batch`: all pairs of a batch instead of drawn ones. The loss is DrLIM's on its test pairs.

![Lines through the shifted copies of some images](mnist-shifts.png)

![Losses on DrLIM's test pairs against epochs, seed 0 of the first two columns](thesis-losses.png)
""",
    "angel2015_norb": """\
All on the turntable, so the losses are not to be held against NORB's. DrLIM's cylinder lies as it
likes in its three dimensions: no pair of them is azimuth.

![The cylinder: dimensions by elevation and azimuth](turntable-factors.png)
""",
}


def appendix_a(
    lines: Sequence[Measured], records: Sequence[RunRecord], references: dict[Runs, str]
) -> list[str]:
    """The sections of the appendix."""
    small = [line for line in lines if line.table in _TABLE1 and not _is_comparable(line)]
    gains = list(_gains(records))
    text = [HEAD]
    if gains:
        head = ("data, images", "row", "less row", "random split", "official split", "in H")
        text += [ORDERING, table_of(head, gains)]
    text += [SMALL, _of_table1(small, references), FASHION] if small else []
    text += _baselines([line for line in lines if line.table == "baselines"], references)
    for group in with_names(records, ("demo",)):
        text += _demo(group, references)
    return [*text, MEASURES, *_measures(lines, references)]


def _is_comparable(line: Measured) -> bool:
    return line.protocol is not None and is_comparable(line.record, line.protocol)


def _of_table1(lines: Sequence[Measured], references: dict[Runs, str]) -> str:
    """kNN, linear accuracy and loss of rows of Tables 1 and A.1."""
    keys = {"knn": "kNN, %", "knn_official": "official, %", "linear": "linear in H, %"}
    head = ["row", "data, images", "network", "epochs", *keys.values(), "loss", "seeds", "run"]
    rows = []
    for line in lines:
        values = line.record.values
        measured = [_plain(line, key) for key in (*keys, "loss")]
        published = sum(stage_epochs(line.protocol or {}).values())
        network = [values["model.name"], f"{line.record.epochs:,} of {published:,}"]
        row = f"{'A.1: ' if line.table == 'table_a1' else ''}{line.line.key}"
        seeds = str(len(line.group))
        rows.append([row, line.images, *network, *measured, seeds, references[line.line.runs]])
    return table_of(head, rows)


def _plain(line: Measured, key: str) -> str:
    """A value without its difference from a published one."""
    column = next(column for column in line.columns if column.key == key)
    return _number(line.value(key), column.digits)


def _number(value: Value | None, digits: int) -> str:
    return number_text(value, digits) if value else ""


def _gains(records: Sequence[RunRecord]) -> Iterator[list[str]]:
    """kNN accuracy of annealed runs minus that of runs from scratch, seed by seed, where all but
    the stages is equal."""
    for group in grouped(record for record in records if record.name == "table1_row4"):
        of_seed = {record.summary["seed"]: record for record in group}
        for other in grouped(r for r in records if r.name in _ANNEALED):
            pairs = [(r, of_seed[seed]) for r in other if (seed := r.summary["seed"]) in of_seed]
            if _setting(other[0]) != _setting(group[0]) or not pairs:
                continue
            record = other[0]
            images = f"{title(record.data)}, {record.summary['dataset']['images']:,}"
            row = record.name.removeprefix("table1_row")
            names = [f"{row} ({record.epochs:,} epochs)", f"4 ({group[0].epochs:,} epochs)"]
            yield [
                images,
                *names,
                _signed(100 * (_knn(r, "random") - _knn(s, "random")) for r, s in pairs),
                _signed(100 * (_knn(r, "official") - _knn(s, "official")) for r, s in pairs),
                _signed(100 * (_knn_in_h(r) - _knn_in_h(s)) for r, s in pairs),
            ]


def _setting(record: RunRecord) -> list[object]:
    values = {
        key: value
        for key, value in record.values.items()
        if key != "seed" and not key.startswith(("schedule.stages.", "schedule.name"))
    }
    return [record.data, record.fingerprint, values]


def _signed(gains: Iterator[float]) -> str:
    return ", ".join(f"{gain:+.1f}" for gain in gains)


def _knn(record: RunRecord, split: str) -> float:
    return float(record.summary["final"][f"knn15_z_{split}"])


def _knn_in_h(record: RunRecord) -> float:
    return float(next(iter(record.summary["stages"].values()))["knn15_h_random"])


def _baselines(lines: Sequence[Measured], references: dict[Runs, str]) -> list[str]:
    keys = {"knn": "kNN, %", "knn_official": "official, %", "trustworthiness": "trust."}
    head = ["data, images", "method", *keys.values(), "seconds", "new images", "run"]
    rows = []
    for line in lines:
        made = line.record.baselines[line.line.method]
        label, images = made["label"], line.record.summary["dataset"]["images"]
        if made["images"] != images:
            label += f", {made['images']:,} images"
        cells = [_plain(line, key) for key in (*keys, "seconds")]
        rows.append([line.images, label, *cells, line.text("places"), references[line.line.runs]])
    return [BASELINES, table_of(head, rows)] if rows else []


def _demo(group: list[RunRecord], references: dict[Runs, str]) -> list[str]:
    """The demo after each stage."""
    stages = group[0].summary["stages"]
    rows = []
    for split in ("official", "random"):
        key = f"knn15_z_{split}"
        values = [summarize([r.summary["stages"][stage][key] for r in group]) for stage in stages]
        reference = group[0].summary["references"]
        cells = [_number(value, 3) for value in values]
        cells += [f"{reference[f'knn15_{space}_{split}']:.3f}" for space in ("pixels", "pca2")]
        rows.append([f"kNN, {split}", *cells])
    options = group[0].config["schedule"]["stages"]
    dims = [f"{name}, {options[name]['out_dim']}-D" for name in stages]
    where = references[tuple(record.folder for record in group)]
    return [
        "### Digits: the demo\n",
        f"After each stage; {len(group)} seeds, run {where}.\n",
        table_of(["", *dims, "raw pixels", "PCA, 2-D"], rows),
        "![Map of the digits](demo-map.png)\n",
    ]


def _measures(lines: Sequence[Measured], references: dict[Runs, str]) -> Iterator[str]:
    """The values of each table that are not shown above, one row per measure."""
    comparable = [line for line in lines if line.table in _TABLE1 and _is_comparable(line)]
    if comparable:
        yield "**Tables 1 and A.1**\n"
        yield _of_table1(comparable, references)
    for name, note in OF_TABLE.items():
        here = [line for line in lines if line.table == name]
        if here:
            yield f"**{TABLE_NAMES[name][:1].upper()}{TABLE_NAMES[name][1:]}**\n"
            yield _transposed(here, references)
            yield note


def _transposed(lines: Sequence[Measured], references: dict[Runs, str]) -> str:
    """A table with the measures as rows and the lines as columns, without empty ones."""
    cells = {
        (column.head, line.line.runs): _beside(line, at)
        for line in lines
        for at, column in enumerate(line.columns)
    }
    heads = [column.head for column in lines[0].columns]
    shown = [line for line in lines if any(cells[head, line.line.runs] for head in heads)]
    rows = [[head, *(cells[head, line.line.runs] for line in shown)] for head in heads]
    rows = [row for row in rows if any(row[1:])]
    rows.append(["run", *(references[line.line.runs] for line in shown)])
    return table_of(["", *(line.line.key for line in shown)], rows)


def _beside(line: Measured, at: int) -> str:
    """A value that is not under "What holds", with a published value for other data in brackets."""
    column, cell = line.columns[at], line.line.cells[at]
    if cell.value is None or compares(line, column, cell):
        return ""
    text = number_text(cell.value, column.digits)
    published = cell.published
    return f"{text} ({number_text(published, column.digits)})" if published else text
