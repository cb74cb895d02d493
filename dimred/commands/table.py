"""The command `dimred table`: a paper's table from the run folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimred.commands.messages import Parser, complain
from dimred.commands.output import out_file
from dimred.errors import InputError
from dimred.files import expanded, printable, write_atomically

if TYPE_CHECKING:
    from dimred.tables import Comparison

HELP = """\
dimred table TABLE [--outputs FOLDER] [--budget full|short|smoke]
                   [--format text|markdown|latex|csv] [--out FILE] [--measures NAME,...]
                   [--measured]

Prints a paper's table: the published values and, below each row, the results of the finished runs
in FOLDER (default: outputs) as mean and standard deviation over seeds. Each line says how its runs
differ from the paper; runs of different configurations are never averaged; a row without runs gives
the command that makes them; --measured leaves such rows out and says how many. --budget keeps only
runs of this budget. --measures adds columns with other numbers of the runs, by their names in
summary.json. FOLDER may also be a .jsonl file of run records.

TABLE is one of
  table1           t-SimCNE paper, CIFAR-10       table_a1         the same, CIFAR-100
  drlim            DrLIM paper, MNIST and NORB    angel2015_mnist  Angel (2015), MNIST
  angel2015_norb   Angel (2015), NORB             baselines        other methods, same images
  dvml             Deep Variational Metric Learning and metric losses (Lin et al. 2018)
  transfer         what a trained network is worth with few labels (Oquab et al. 2014), of the
                   results of `dimred probe`
  c2st             classifier two-sample tests (Lopez-Paz and Oquab 2017), of the results that
                   `dimred reproduce c2st` has written below FOLDER

  dimred reproduce table1 --budget smoke && dimred table table1
  dimred table table1 --format latex --out table1.tex"""


def run(arguments: list[str]) -> int:
    """Print the table that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("name")
    parser.add_argument("--outputs")
    parser.add_argument("--format", default="text")
    parser.add_argument("--budget")
    parser.add_argument("--out")
    parser.add_argument("--measures")
    parser.add_argument("--measured", action="store_true")
    args = parser.parse_args(arguments)
    from dimred.tables import BUDGETS, FORMATS, NAMES, with_runs

    if args.name not in NAMES:
        known = f"the tables are {', '.join(NAMES)}; dimred runs lists your runs"
        raise InputError(f"{args.name}: no such table; {known}")
    if args.format not in FORMATS:
        raise InputError(f"--format {args.format}: must be one of {', '.join(FORMATS)}")
    out = out_file(args.out)
    if args.budget is not None and args.budget not in BUDGETS:
        raise InputError(f"--budget {args.budget}: must be one of {', '.join(BUDGETS)}")
    measures = args.measures.split(",") if args.measures is not None else []
    make = _of_results if args.name == "c2st" else _of_runs
    table, damaged = make(args.name, args.outputs, args.budget, measures)
    # The rows of these two are those that there are.
    if args.measured and args.name not in ("baselines", "transfer"):
        table = with_runs(table)
    for line in damaged:
        complain(f"left out: {line}")
    text = printable(FORMATS[args.format](table)) + "\n"
    if out:
        write_atomically(out, text.encode())
        print(printable(args.out))
    else:
        print(text, end="")
    return 0


def _of_runs(
    name: str, outputs: str | None, budget: str | None, measures: list[str]
) -> tuple[Comparison, list[str]]:
    """A table of runs, and a line for each that cannot be read."""
    from dimred.run_folder.record import read_records
    from dimred.tables.protocols import comparison

    place = expanded(outputs or "outputs")
    nothing_yet = outputs is None and not place.exists()
    probes = name == "transfer"
    records, damaged = ([], []) if nothing_yet else read_records(place, probes)
    if budget is not None:
        records = [record for record in records if (record.budget or "full") == budget]
    return comparison(name, records, measures), damaged


def _of_results(
    name: str, outputs: str | None, budget: str | None, measures: list[str]
) -> tuple[Comparison, list[str]]:
    """The table of two-sample tests, and a line for each result that cannot be read."""
    from dimred.tables import BUDGETS
    from dimred.tables.c2st import compare_c2st

    if measures:
        raise InputError(f"--measures: the table {name} has no further columns")
    place = expanded(outputs or "outputs")
    if outputs is not None and not place.is_dir():
        raise InputError(f"{place}: must be a folder; the results are in {name} below it")
    return compare_c2st(place, (budget,) if budget else BUDGETS)
