"""Writes docs/results.md from docs/runs.jsonl, the records of finished runs.

    python scripts/results_page.py [OUTPUTS ...]

First adds the records of the finished runs in the folders OUTPUTS that belong to a table of
`dimred table` or to the demo, replacing earlier records of equal runs. Without OUTPUTS it only
writes the page. No number on the page is typed by hand; a test checks that the page matches the
records. The parts of the page are in results_holds.py, results_dvml.py,
results_transfer.py, results_rest.py and results_made.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from results_dvml import dvml
from results_holds import what_holds
from results_lines import OUTSIDE, measured_lines, references
from results_made import appendix_b
from results_rest import appendix_a
from results_transfer import transfer

from dimred.files import write_atomically
from dimred.run_folder.record import RunRecord, latest, read_records
from dimred.tables import TABLES

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORDS = DOCS / "runs.jsonl"
PAGE = DOCS / "results.md"

HEAD = """\
# Results

What the papers print and what was measured with `dimred`, side by side. `python
scripts/results_page.py` writes this page from [runs.jsonl](runs.jsonl), the records of finished
runs: every number of ours comes from one.

- **measured**: mean ± standard deviation of the seeds, in a bracket the difference from the
  published number.
- **same conditions?**: `yes`, or what was otherwise. `JPEG copy`: CIFAR-10 saved as JPEG files of
  quality 75, whose pixels differ a little. `own training`: another optimizer or schedule, or all
  pairs of a batch instead of drawn ones.
- **run**: its line in [Appendix B](#appendix-b-how-each-row-was-made), with command, device and
  date.

A run stands under "What holds" if it has the published network, all the images and at least a
tenth of the published epochs; all others are in [Appendix
A](#appendix-a-what-says-nothing-about-a-published-number). kNN accuracy is at k = 15, on the
`random` split of the t-SimCNE paper where `official` is not said ([how accuracy is
measured](run-folder.md#how-accuracy-is-measured)).
"""

_PLACES = ("output_dir=", "run_dir=")


def main(outputs: Sequence[str]) -> None:
    """Add the records of `outputs` to runs.jsonl, and write the page."""
    records = read_records(RECORDS, probes=True)[0] if RECORDS.exists() else []
    for place in outputs:
        added, damaged = read_records(Path(place), probes=True)
        for line in damaged:
            print(line, file=sys.stderr)
        records += [portable(record) for record in added if record.name in _names()]
    records = latest(records)
    text = "".join(json.dumps(record.as_json()) + "\n" for record in records)
    write_atomically(RECORDS, text.encode())
    write_atomically(PAGE, page(records).encode())
    print(f"{PAGE.name}: {len(records)} runs")


def _names() -> set[str]:
    return set(OUTSIDE) | {
        name for table in TABLES.values() for row in table.rows for name in row.names
    }


def portable(record: RunRecord) -> RunRecord:
    """The record without the paths of its outputs."""
    sessions = [
        {**session, "command": [w for w in session["command"] if not w.startswith(_PLACES)]}
        for session in record.environment["sessions"]
    ]
    config = {key: record.config[key] for key in record.config if f"{key}=" not in _PLACES}
    environment = {**record.environment, "sessions": sessions}
    return replace(record, config=config, environment=environment)


def page(records: Sequence[RunRecord]) -> str:
    """The text of docs/results.md."""
    lines = measured_lines(records)
    names = references(lines, records)
    parts = [HEAD, *what_holds(lines, names), *dvml(lines, names)]
    parts += transfer(records, names)
    parts += appendix_a(lines, records, names)
    return "\n".join([*parts, *appendix_b(lines, records, names)])


if __name__ == "__main__":
    main(sys.argv[1:])
