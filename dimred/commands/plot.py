"""The command `dimred plot`: figures of finished runs."""

from __future__ import annotations

from pathlib import Path

from dimred.commands.messages import Parser
from dimred.commands.output import out_file
from dimred.commands.run_argument import chosen
from dimred.errors import InputError
from dimred.files import printable, write_atomically

HELP = """\
dimred plot FIGURE [RUN ...] [--out NAME]

Draws a figure of finished runs to NAME.pdf and NAME.png (default: outputs/figures/FIGURE).

FIGURE is one of
  knn        kNN accuracy of the map against k = 1..30
  stages     the maps after each stage side by side, of one run
  spectrum   eigenvalues of the covariance of Z after the stage with the most dimensions
  norms      lengths of Z by class
  seeds      maps side by side, turned and mirrored to fit the first
  loss       training loss against epochs
  contrast   DrLIM's and the generalized loss on test pairs against epochs (runs with eval.every=1)

RUN is a folder, a name below outputs/ or a part of one; without, the newest finished run.

  dimred plot seeds outputs/table1_row7-seed*
  dimred plot spectrum outputs/table1_row1-seed0-* outputs/table1_row3-seed0-*"""


def run(arguments: list[str]) -> int:
    """Draw the figure that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("figure")
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--out")
    args = parser.parse_args(arguments)
    from dimred.analysis.run_figures import FIGURES, figure_of
    from dimred.plots.style import to_pdf, to_png

    if args.figure not in FIGURES:
        raise InputError(f"{args.figure}: no such figure; the figures are {', '.join(FIGURES)}")
    out = out_file(args.out)
    if out is not None and out.exists() and not out.is_file():
        raise InputError(f"--out {args.out}: must be a name for two files, .pdf and .png")
    figure = figure_of(args.figure, [chosen(run) for run in args.runs or [None]])
    out = out or Path(f"outputs/figures/{args.figure}")
    if out.suffix in (".pdf", ".png", ".svg", ".eps"):
        out = out.with_suffix("")
    for suffix, draw in ((".pdf", to_pdf), (".png", to_png)):
        path = out.with_name(out.name + suffix)
        write_atomically(path, draw(figure))
        print(printable(path))
    return 0
