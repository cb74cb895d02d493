"""The parts on trained weights and on where in an image it looks, of docs/results.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan

from results_lines import HELD, LOCATED, PROBED, Runs, table_of, with_names

from dimred.run_folder.probes import METHODS, Probed, in_order, shown
from dimred.run_folder.record import RunRecord
from dimred.tables import Value
from dimred.tables.compare import summarize
from dimred.tables.conditions import title
from dimred.tables.formats import number_text

TRANSFER = """\
## What a trained network is worth with few labels

Accuracy in % on test images of the target, with so many labeled images a class; mean ± standard
deviation over seeds of the mean over five draws of labels, or of the draws where there is one run.
A network that has learned to classify one half of the classes, or that of a map, is frozen (linear
probe) or fine-tuned; beside it the same network from scratch, a random one, frozen, and pixels
([how they are trained](transfer.md)). Oquab et al. (2014) print, for actions in VOC 2012, 49.7
(mean AP) without pretraining, 68.4 frozen and 70.2 fine-tuned.
"""
TRANSFER_NOTE = """\
**On MNIST the frozen network and the fine-tuned one are above pixels and a random network with
any number of labels. That they would be 15 points above training from scratch with 10 labels a
class holds at one learning rate for both, and not where scratch has a rate of its own: a miss.**
The second table has the same rate: there both are 15 points and more above. At ten times that
rate the same network from scratch gains more than ten points; the probe then is 15 points above
it with up to 2 labels, both nearly so with 5, and with 10 fine-tuning keeps about half of them. A
pilot, from which the 15 points were expected, gave both one rate: to a large part, it measured
how well that suits either.

**On Fashion-MNIST**, where clothes are learned and mostly shoes and bags asked for, **the frozen
probe is below the pixels** with up to 50 labels, as a pilot had seen; fine-tuned, the network is
above them, but for 5 labels. What it has learned of clothes is not what shoes differ in.

On the JPEG copy of CIFAR-10, the network of a t-SimCNE map, which has seen all these images
without their labels, test images too, needs one label a class for what pixels and a random
network do not reach with all.

The draws of labels are the same for all seeds, so that pixels do not vary over them. With all
labels there are two seeds, as the third took too long.
"""
LOCATION = """\
## Where things are, from image-level labels

Canvases of 64x64 pixels with none, one or two digits of MNIST among clutter, of which the network
is told which digits they show: average precision on 1,000 test canvases in %, of classes and of
points ([how they are measured](locate.md)). A point is right within one stride, 4 pixels, of a
box; center: the middle of the canvas in place of the point. Oquab et al. (2015) print, for VOC
2012, 81.8 of classes, 74.5 of points and 50.9 of centers.
"""
LOCATION_NOTE = """\
With max pooling the points are as good as the classes, to less than a point, and more than nine
times as good as the center; average pooling ends far below at the same budget. Both as the paper
and a pilot say. **Several sizes, in training and in the test, which gain the paper 1 to 3 points,
lose some here: a miss** ([what was found of it](locate.md#what-comes-out)).
"""
HEAT = """\
## The pointing game on a map without labels

The pointing game on a map made without labels: the share of test canvases whose largest heat lies
on the digit, in % ([what heat is, and where it
misleads](locate.md#what-holds-an-image-at-its-place)).
"""
HEAT_NOTE = """\
In all seeds far above the share of the area, by very different amounts; the networks before
training are below it. With clutter on the canvases, or squares of the mean color, the trained
network is no better than a random one: see [what was tried](locate.md#does-it-find-the-object).
"""


def transfer(records: Sequence[RunRecord], references: dict[Runs, str]) -> list[str]:
    """The sections, with a table for each group of runs; nothing without runs."""
    text = []
    probed = with_names(records, PROBED)
    if probed:
        text.append(TRANSFER)
        for group in probed:
            text += _curve(group, references)
        text.append(TRANSFER_NOTE)
    located = with_names(records, LOCATED)
    if located:
        head = ["pooling", "mean AP", "of points", "of centers", "points / centers", "seeds", "run"]
        text += [LOCATION, table_of(head, (_located(g, references) for g in located))]
        text.append(LOCATION_NOTE)
    held = with_names(records, HELD)
    if held:
        head = ["", "trained", "before training", "area of digits", "seeds", "run"]
        text += [HEAT, table_of(head, (_held(group, references) for group in held)), HEAT_NOTE]
    return text


def _curve(group: Sequence[RunRecord], references: dict[Runs, str]) -> Iterator[str]:
    """The table of a group of runs and of each target that they were probed on."""
    for name in dict.fromkeys(name for record in group for name in record.probed):
        results = [record.probed[name] for record in group if name in record.probed]
        counts = sorted({n for result in results for n in result.labels}, key=in_order)
        there = {fit.method for result in results for fit in result.fits}
        methods = {key: words for key, words in METHODS.items() if key in there}
        head = ["labels a class", *methods.values(), "seeds", "run"]
        rows = [
            [
                str(shown(labels)),
                *(_accuracy(results, method, labels) for method in methods),
                str(sum(labels in result.labels for result in results)),
                references[_folders(group)],
            ]
            for labels in counts
        ]
        target, settings = results[0], results[0].settings
        rates = ""
        if any(fit.method == "scratch" for fit in target.fits):
            rates = f"; fine-tuned at {settings['lr']}, from scratch at {settings['scratch_lr']}"
        yield f"**{title(group[0].data)}**: {target.target}, {target.test:,} test images{rates}\n"
        yield table_of(head, rows)


def _accuracy(results: Sequence[Probed], method: str, labels: int | None) -> str:
    points = [
        point
        for result in results
        for point in result.points()
        if (point.method, point.labels) == (method, labels)
    ]
    if not points:
        return ""
    if len(points) > 1:
        return number_text(summarize([100 * point.mean for point in points]), 1)
    (point,) = points
    spread = nan if point.deviation is None else 100 * point.deviation
    return number_text(Value(100 * point.mean, spread, point.draws), 1)


def _located(group: Sequence[RunRecord], references: dict[Runs, str]) -> list[str]:
    keys = ("mean_ap", "mean_location_ap", "mean_center_ap")
    values = [summarize([100 * record.summary["final"][key] for record in group]) for key in keys]
    ratio = values[1].mean / values[2].mean
    texts = [number_text(value, 1) for value in values]
    name = LOCATED[group[0].name]
    return [name, *texts, f"{ratio:.1f}", str(len(group)), references[_folders(group)]]


def _held(group: Sequence[RunRecord], references: dict[Runs, str]) -> list[str]:
    keys = ("pointing_z", "pointing_untrained_z", "pointing_area")
    found = [record.summary["pointing"] for record in group]
    texts = [number_text(summarize([100 * each[key] for each in found]), 1) for key in keys]
    return ["digits on empty canvases", *texts, str(len(group)), references[_folders(group)]]


def _folders(group: Sequence[RunRecord]) -> Runs:
    return tuple(record.folder for record in group)
