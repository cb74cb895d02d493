"""The papers' tables: published values beside the results in run folders."""

from dimred.tables.baselines import compare_baselines
from dimred.tables.compare import Cell, Comparison, Line, compare, grouped, summarize, with_runs
from dimred.tables.contrastive import ANGEL2015_MNIST, ANGEL2015_NORB, DRLIM
from dimred.tables.dvml import DVML
from dimred.tables.formats import FORMATS
from dimred.tables.published import BUDGETS, Column, Row, Table, Value
from dimred.tables.transfer import compare_transfer
from dimred.tables.tsimcne import TABLE1, TABLE_A1

TABLES = {
    "table1": TABLE1,
    "table_a1": TABLE_A1,
    "drlim": DRLIM,
    "angel2015_mnist": ANGEL2015_MNIST,
    "angel2015_norb": ANGEL2015_NORB,
    "dvml": DVML,
}
NAMES = (*TABLES, "baselines", "transfer", "c2st")
"""c2st is no table of runs: `dimred.tables.c2st` makes it."""

__all__ = [
    "BUDGETS",
    "FORMATS",
    "NAMES",
    "TABLES",
    "Cell",
    "Column",
    "Comparison",
    "Line",
    "Row",
    "Table",
    "Value",
    "compare",
    "compare_baselines",
    "compare_transfer",
    "grouped",
    "summarize",
    "with_runs",
]
