"""A comparison as terminal text, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from math import isnan

from dimred.tables.compare import Cell, Comparison, Line
from dimred.tables.published import Column, Value

_CSV_HEAD = (
    *("table", "row", "label", "kind", "column", "mean", "deviation", "seeds", "published"),
    *("published_deviation", "difference", "text", "remark", "command", "runs"),
)
_MINUS = re.compile(r"(?<![\w.}])-(?=\d)")
_LATEX = str.maketrans(
    {
        **{c: "\\" + c for c in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "±": r"$\pm$",
        "²": r"$^2$",
        "–": "--",
        "ö": r"\"o",
    }
)


def as_text(table: Comparison) -> str:
    """As terminal text, with remarks and commands below their lines."""
    head = ["", *(column.head for column in table.columns)]
    rows = [[_label(line), *texts(line, table.columns)] for line in table.lines]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    text = [table.title, table.source, "", _row(head, widths)]
    previous = None
    for line, row in zip(table.lines, rows, strict=True):
        if line.key != previous:
            text += ["", f"{line.key}  {line.label}".rstrip()]
        previous = line.key
        if line.kind == "missing":
            text.append(f"    missing: {line.command}")
            continue
        text.append(_row(row, widths))
        if line.remark:
            text.append(f"      {line.remark}")
        if line.command:
            text.append(f"      missing: {line.command}")
    return "\n".join([*text, "", table.legend])


def as_markdown(table: Comparison) -> str:
    """As a Markdown table."""
    head = ["row", "", *(column.head for column in table.columns), "other than published"]
    text = [pipes(head), pipes(["---"] * len(head))]
    for name, line in _named(table):
        command = f"missing: `{line.command}`" if line.command else ""
        about = "; ".join(part for part in (line.remark, command) if part)
        text.append(pipes([name, line.kind, *texts(line, table.columns), about]))
    return "\n".join([f"{table.title}. {table.source}.", "", *text, "", f"{table.legend}."])


def as_latex(table: Comparison) -> str:
    """As a LaTeX tabular, for the package booktabs."""
    head = ["", "", *(column.head for column in table.columns), "other than published"]
    text = [
        "% needs the package booktabs",
        "% " + table.title + ". " + table.source,
        "% " + table.legend,
        r"\begin{tabular}{ll" + "r" * len(table.columns) + "p{6cm}}",
        r"\toprule",
        _ampersands(head),
        r"\midrule",
    ]
    for name, line in _named(table):
        cells = texts(line, table.columns)
        text.append(_ampersands([name, line.kind, *cells, line.remark or line.command]))
    return "\n".join([*text, r"\bottomrule", r"\end{tabular}"])


def as_csv(table: Comparison) -> str:
    """As CSV in long format: one line per value."""
    file = io.StringIO()
    write = csv.writer(file, lineterminator="\n").writerow
    write(_CSV_HEAD)
    for line in table.lines:
        about = [line.remark, line.command, ";".join(line.runs)]
        row = [table.name, line.key, line.label, line.kind]
        for column, cell in zip(table.columns, line.cells, strict=False):
            if cell.value or cell.published or cell.text:
                write([*row, column.key, *_values(cell), cell.text, *about])
        if not line.cells:
            write([*row, *[""] * 8, *about])
    return file.getvalue().rstrip("\n")


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "latex": as_latex,
    "csv": as_csv,
}


def _named(table: Comparison) -> Iterator[tuple[str, Line]]:
    """The lines, each with the name of its row if it is the row's first line, else ""."""
    previous = None
    for line in table.lines:
        name = f"{line.key}: {line.label}" if line.label else line.key
        yield ("" if line.key == previous else name), line
        previous = line.key


def _values(cell: Cell) -> list[str]:
    value, published = cell.value, cell.published
    return [
        *([_plain(value.mean), _plain(value.deviation), str(value.count)] if value else [""] * 3),
        *([_plain(published.mean), _plain(published.deviation)] if published else [""] * 2),
        _plain(cell.difference),
    ]


def _plain(number: float) -> str:
    return "" if isnan(number) else f"{number:.6g}"


def _label(line: Line) -> str:
    return f"    {line.kind}" if line.kind != "missing" else ""


def texts(line: Line, columns: Sequence[Column]) -> list[str]:
    """The cells of a line as text, the same in all formats but CSV."""
    cells = line.cells or (Cell(),) * len(columns)
    return [_text(line, cell, column) for cell, column in zip(cells, columns, strict=True)]


def _text(line: Line, cell: Cell, column: Column) -> str:
    if cell.text:
        return cell.text
    shown = cell.published if line.kind == "published" else cell.value
    if shown is None:
        # A cell with neither a measured nor a published value stays empty.
        return "missing" if line.kind == "measured" and cell.missing else ""
    text = number_text(shown, column.digits)
    if line.kind == "measured" and not isnan(cell.difference):
        text += f" ({cell.difference:+.{column.digits}f})"
    return text


def number_text(value: Value, digits: int) -> str:
    """A mean, with its standard deviation if known."""
    mean = f"{value.mean:,.{digits}f}"
    return mean if isnan(value.deviation) else f"{mean} ± {value.deviation:.{digits}f}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([first, *rest]).rstrip()


def pipes(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _ampersands(cells: Sequence[str]) -> str:
    escaped = [_MINUS.sub("$-$", cell.translate(_LATEX)) for cell in cells]
    return " & ".join(escaped) + r" \\"
