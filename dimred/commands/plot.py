"""The command `dimred plot`: figures of finished runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dimred.commands.messages import Parser
from dimred.commands.output import out_file
from dimred.commands.run_argument import chosen
from dimred.errors import InputError
from dimred.files import expanded, printable, write_atomically
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VIEWS = "views"
HELP = """\
dimred plot FIGURE [RUN ...] [--out NAME]
dimred plot views [RUN] [--channels 0,2,3] [--root DATA] [--plugin FILE|MODULE] [--out NAME]

Draws a figure of finished runs to NAME.pdf and NAME.png (default: outputs/figures/FIGURE), or to
one of them where NAME ends in .pdf or .png. A line is the mean of runs that differ by seed only.

FIGURE is one of
  knn        kNN accuracy of the map against k = 1..30
  stages     the maps after each stage side by side, of one run
  spectrum   eigenvalues of the covariance of Z after the stage with the most dimensions
  norms      lengths of Z by class
  seeds      maps side by side, turned and mirrored to fit the first
  loss       training loss against epochs
  views      what the network saw: images of one run, each beside views of it as its pairing draws
             them (before training: dimred train ... --preview)
  contrast   DrLIM's and the generalized loss on test pairs against epochs (runs with eval.every=1)

RUN is a folder, a name below outputs/ or a part of one; without, the newest finished run.

  --channels those to show of views of other images than gray or RGB, in false colors
  --root     the run's data, where they have moved

  dimred plot seeds outputs/table1_row7-seed*
  dimred plot spectrum outputs/table1_row1-seed0-* outputs/table1_row3-seed0-*"""


def run(arguments: list[str]) -> int:
    """Draw the figure that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("figure")
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--out")
    parser.add_argument("--root")
    parser.add_argument("--channels")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_args(arguments)
    if args.figure != _VIEWS:
        for flag in ("root", "channels", "plugin"):
            if getattr(args, flag):
                raise InputError(f"--{flag}: goes with dimred plot {_VIEWS} only")
    load_plugins(args.plugin)
    from dimred.analysis.run_figures import FIGURES, figure_of
    from dimred.plots.style import to_pdf, to_png

    if args.figure not in (*FIGURES, _VIEWS):
        raise InputError(_no_figure(args.figure, [*FIGURES, _VIEWS]))
    out = out_file(args.out)
    if out is not None and out.exists() and not out.is_file():
        raise InputError(f"--out {args.out}: must be a name for files, .pdf and .png")
    out = out or Path(f"outputs/figures/{args.figure}")
    if out.suffix in (".svg", ".eps", ".jpg", ".jpeg"):
        raise InputError(f"--out {args.out}: must end in .pdf, .png, or neither for both")
    formats = {".pdf": to_pdf, ".png": to_png}
    files = {out: formats[out.suffix]} if out.suffix in formats else {}
    files = files or {out.with_name(f"{out.name}{s}"): draw for s, draw in formats.items()}
    runs = [chosen(run) for run in args.runs or [None]]
    is_of_views = args.figure == _VIEWS
    figure = _views(runs, args) if is_of_views else figure_of(args.figure, runs)
    for path, draw in files.items():
        write_atomically(path, draw(figure))
        print(printable(path))
    return 0


def _views(runs: list[Path], args: Namespace) -> Figure:
    if len(runs) > 1:
        raise InputError(f"{_VIEWS}: is of one run; {len(runs)} were given")
    from dimred.run.views import figure_of_views

    return figure_of_views(runs[0], args.root, args.channels)


def _no_figure(word: str, figures: list[str]) -> str:
    """What is wrong with a first word that names no figure."""
    names = ", ".join(figures)
    if "/" in word or expanded(word).is_dir():
        usage = f"dimred plot {figures[0]} {word}"
        return f"{word}: is no figure; name one before the runs, as in {usage} ({names})"
    return f"{word}: no such figure; the figures are {names}"
