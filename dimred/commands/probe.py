"""The command `dimred probe`: how far a run's network gets with few labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dimred.commands.messages import Parser
from dimred.commands.run_argument import chosen
from dimred.errors import InputError, Interrupted
from dimred.files import printable
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.analysis.probe import Prober
    from dimred.config import RunConfig
    from dimred.run_folder.probes import Point

HELP = """\
dimred probe [RUN] [--labels N,...,all] [--draws N] [--methods METHOD,...] [--steps N]
             [--lr RATE] [--scratch-lr RATE] [--out NAME] [--root DATA]
             [--plugin FILE|MODULE] [dataset=NAME dataset.KEY=VALUE ...]

Measures how well images are classified with few labels, by the network of a finished run and by
what it has to beat, all with the same labeled images and the same test images. Writes the curve of
accuracy against labels to RUN/probed/NAME/: curve.png, table.csv, result.json.

The images are those of the classes that the run has not learned from (dataset.fit_classes), else
all its images, or those of another dataset. Tested on the test images of the official split, or on
a random sixth where there is none, which has images of every class where each has several.

METHOD is one of
  probe      logistic regression on H of the run's network, which stays as it is
  finetune   the run's network and a new readout on H, all weights trained
  scratch    the same network, trained alike from random weights
  random     logistic regression on H of a random network
  pixels     logistic regression on the pixels; left out above 300 million values

  --labels   labeled images a class, or all there are; default 1,2,5,10,50,all, as far as there are
             so many
  --draws    of the labeled images, nested: those of fewer labels are among those of more; the
             numbers are of these draws, though more may be kept; default 5
  --methods  default all
  --steps    that finetune and scratch train, rounded up to whole passes over the labeled images, of
             which there are at least five; default 200, of up to 64 images
  --lr       of finetune (AdamW, to 0 along a cosine); default 0.003
  --scratch-lr  of scratch, which wants a higher one; default 0.03
  --out      NAME, instead of one made of the images' name
  --root     the run's data, where they have moved

The time it takes is said before. Every classifier is kept when it is done: the same command goes
on, and one with more labels, draws or methods adds to what is there.
RUN is a folder, a name below outputs/ or a part of one; without, the newest finished run.

  dimred probe transfer_mnist --labels 1,10,all --draws 3
  dimred probe transfer_mnist dataset=fashion_mnist dataset.root=data
  dimred table transfer

In Python:
  from dimred import load_run
  result = load_run("outputs/transfer_mnist-seed0-9b6bf014").probe(labels=[1, 10], draws=3)"""


def run(arguments: list[str]) -> int:
    """Measure what the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--labels")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--methods")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--scratch-lr", type=float, default=0.03)
    parser.add_argument("--out")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_intermixed_args(arguments)
    overrides = [word for word in args.words if "=" in word]
    runs = [word for word in args.words if "=" not in word]
    if len(runs) > 1:
        raise InputError(f"{' '.join(runs)}: one run at a time")
    path = chosen(runs[0] if runs else None)
    load_plugins(args.plugin)
    other = _other(overrides)
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(path, args.root)
    from dimred.analysis.comparison_files import checked_name  # with torch
    from dimred.analysis.probe import ProbeOptions, Prober, counts
    from dimred.run_folder import layout
    from dimred.run_folder.probes import METHODS

    methods = tuple(METHODS) if args.methods is None else tuple(args.methods.split(","))
    labels = None if args.labels is None else counts(args.labels.split(","))
    options = ProbeOptions(labels, args.draws, methods, args.steps, args.lr, args.scratch_lr)
    name = None if args.out is None else checked_name(args.out, layout.PROBED)
    prober = Prober(finished, options, other.dataset if other else None, name)
    _work(prober)
    print(f"\n{printable(prober.folder)}")
    return 0


def _other(overrides: Sequence[str]) -> RunConfig | None:
    """A configuration with the dataset that the overrides choose; None without any."""
    if not overrides:
        return None
    for word in overrides:
        if not word.startswith(("dataset=", "dataset.")):
            raise InputError(f"{word}: only dataset=NAME and dataset.KEY=VALUE choose other images")
    if not any(word.startswith("dataset=") for word in overrides):
        raise InputError(f"{overrides[0]}: give dataset=NAME too, the images it is about")
    from dimred.config.compose import composed

    return composed(overrides, fits=False)


def _work(prober: Prober) -> None:
    """Make what is not finished, and print what there is."""
    for line in _about(prober):
        print(printable(line), flush=True)
    n_jobs = len(prober.jobs)
    try:
        print(f"{prober.forecast() or 'all of it is finished'}\n", flush=True)
        print(_row(["labels", *prober.options.methods]))
        for points in prober.run():
            print(_row(_cells(points, prober.options.methods)), flush=True)
    except Interrupted as stop:
        done = n_jobs - len(prober.left)
        said = f"stopped with {done} of {n_jobs} classifiers done; the same command goes on"
        raise Interrupted(stop.number, said) from None


def _about(prober: Prober) -> Iterator[str]:
    target = prober.target
    yield target.sentence
    yield f"{len(target.train):,} training and {len(target.test):,} test images: {target.split}"
    for note in target.notes:
        yield f"note: {note}"
    for line in prober.left_out:
        yield f"left out: {line}"


def _cells(points: Sequence[Point], methods: Sequence[str]) -> list[str]:
    """A row of the table: accuracies in %, with their deviation over draws."""
    from dimred.run_folder.probes import shown

    by_method = {point.method: point for point in points}
    cells = [str(shown(points[0].labels))]
    for method in methods:
        point = by_method[method]
        deviation = "" if point.deviation is None else f" ± {100 * point.deviation:.1f}"
        cells.append(f"{100 * point.mean:.1f}{deviation}")
    return cells


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    return "".join([first.rjust(6), *(cell.rjust(14) for cell in rest)])
