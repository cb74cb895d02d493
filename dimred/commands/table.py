"""The command `dimred table`: a paper's table from the run folders."""

from __future__ import annotations

import sys

from dimred.commands.messages import Parser
from dimred.errors import InputError
from dimred.files import expanded, write_atomically

HELP = """\
dimred table TABLE [--outputs FOLDER] [--budget full|short|smoke]
                   [--format text|markdown|latex|csv] [--out FILE] [--measures NAME,...]

Prints a paper's table: what was published, and below each row what the finished runs in FOLDER
(default: outputs) gave, mean and standard deviation of the seeds. What a run did otherwise than the
paper stands in its line; runs of different configurations are never averaged; a row without runs
names the command that makes them. --budget leaves out the runs of other budgets. FOLDER may also be
a .jsonl file of run records. --measures adds columns of further numbers of the runs, by their
names in summary.json.

TABLE is one of
  table1           t-SimCNE paper, CIFAR-10       table_a1         the same, CIFAR-100
  drlim            DrLIM paper, MNIST and NORB    angel2015_mnist  Angel (2015), MNIST
  angel2015_norb   Angel (2015), NORB             baselines        other methods, same images

  dimred reproduce table1 --budget smoke && dimred table table1
  dimred table table1 --format latex --out table1.tex"""


def run(arguments: list[str]) -> int:
    """Print the table that the arguments say; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("name")
    parser.add_argument("--outputs")
    parser.add_argument("--format", default="text")
    parser.add_argument("--budget")
    parser.add_argument("--out")
    parser.add_argument("--measures")
    given = parser.parse_args(arguments)
    from dimred.run_folder.record import read_records
    from dimred.tables import BUDGETS, FORMATS, NAMES
    from dimred.tables.protocols import comparison

    if given.name not in NAMES:
        raise InputError(f"{given.name}: no such table; the tables are {', '.join(NAMES)}")
    if given.format not in FORMATS:
        raise InputError(f"--format {given.format}: must be one of {', '.join(FORMATS)}")
    place = expanded(given.outputs or "outputs")
    nothing_yet = given.outputs is None and not place.exists()
    records, damaged = ([], []) if nothing_yet else read_records(place)
    if given.budget is not None:
        if given.budget not in BUDGETS:
            raise InputError(f"--budget {given.budget}: must be one of {', '.join(BUDGETS)}")
        records = [record for record in records if (record.budget or "full") == given.budget]
    measures = given.measures.split(",") if given.measures else []
    for line in damaged:
        print(f"dimred: left out: {line}", file=sys.stderr)
    text = FORMATS[given.format](comparison(given.name, records, measures)) + "\n"
    if given.out:
        write_atomically(expanded(given.out), text.encode())
        print(given.out)
    else:
        print(text, end="")
    return 0
