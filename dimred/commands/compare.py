"""The command `dimred compare`: whether two sets of images are alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dimred.commands.messages import Parser
from dimred.commands.run_argument import chosen, run_and_images
from dimred.errors import InputError
from dimred.files import printable, shell_word
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.analysis.comparison import Comparison

_OPTION = re.compile("(spaces|within|group|permutations|most|alpha|seed)=")

HELP = """\
dimred compare [RUN] A [B] [--spaces pixels,h,z] [--within COLUMN] [--group COLUMN] [--nn]
               [--permutations N] [--most N] [--alpha P] [--seed N] [--channels 0,2,3]
               [--out NAME] [--root DATA] [--plugin FILE|MODULE]

Says whether two sets of images are alike, how sure that is and how large the difference, by
classifiers that try to tell them apart: in pixels (50 principal components), in H, the network's
features, and in Z, the map. Each set must have 20 images at least. A and B are image files, folders
or .npz files, as of `dimred embed`, or images of the run itself, where RUN: stands as it is:

  RUN:train  RUN:test  RUN:class=cat  RUN:test,class=cat  "RUN:angle<90"
  RUN:learned  RUN:unseen         (with dataset.fit_classes: the classes learned from, the others)

Without B, A is compared with what the run learned from. Writes to RUN/compared/NAME/: result.json;
scores.csv, a score an image; betray.png, the images that betray A and B; islands.csv, which
clusters of the map they share unequally; map.png. `dimred view` marks them.

  nearest   the share of the 15 nearest images that are of an image's own set; chance is 0.5
  right     the share of images that ridge regression on all others puts on the right side
  p         how often permuted labels come as far, in either (p alone); corrected for the spaces
  AUC       how often the regression ranks an image of B above one of A

  --spaces        some of pixels,h,z; default all
  --within        permute inside the values of this column only, or of `class`: are the sets alike,
                  given that?
  --group         images with equal values in this column belong together, such as those of a
                  patient; near-duplicates do anyway. Only images of the run have columns
  --nn            also the tests of the paper (Lopez-Paz and Oquab 2017): half of the images train a
                  network of 20 hidden units, or kNN, the other half tests it
  --permutations  of the labels; default 999. At least 19, and 119 in three spaces at the default
                  level; more at a lower one
  --most          images of each set, drawn of more; default 4000
  --alpha         the level; default 0.05
  --seed          of the draw and the permutations; default 0
  --channels      of the images, shown on betray.png; default: up to three (see dimred view)
  --out           NAME, instead of one made of A and B; what is there is replaced
  --root          the run's data, where they have moved

RUN is a folder, a name below outputs/ or a part of one; without (before selectors, files and
folders of images), the newest finished run.

  dimred compare photos-seed0-1a2b3c4d this_month/ last_month/
  dimred compare RUN:train RUN:test

In Python:
  from dimred import load_run
  comparison = load_run("outputs/demo-seed0-9b6bf014").compare("RUN:train", "RUN:test")
  comparison.sentence, comparison.p, comparison.tests["h"].scores"""


def run(arguments: list[str]) -> int:
    """Compare the sets that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("words", nargs="+", metavar="A")
    parser.add_argument("--spaces")
    parser.add_argument("--within")
    parser.add_argument("--group")
    parser.add_argument("--nn", action="store_true")
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--most", type=int, default=4_000)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--channels")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_args(arguments)
    word, sets = _run_and_sets(args.words)
    path = chosen(word)
    load_plugins(args.plugin)
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(path, args.root).showing(args.channels)
    from dimred.analysis.comparison import CompareOptions, compare  # with torch
    from dimred.analysis.comparison_files import checked_name, write
    from dimred.analysis.comparison_islands import islands
    from dimred.steps import step

    name = None if args.out is None else checked_name(args.out)
    a, b = sets if len(sets) == 2 else (sets[0], None)
    try:
        options = CompareOptions(
            None if args.spaces is None else tuple(args.spaces.split(",")),
            args.permutations,
            args.most,
            args.alpha,
            args.within,
            args.group,
            args.nn,
            args.seed,
        )
        comparison = compare(finished, a, b, options, word or "")
    except InputError as error:
        raise _of_flags(error) from error
    for line in _lines(comparison):
        print(printable(line), flush=True)
    with step("islands of the map"):
        on = islands(finished, comparison.a, comparison.b, comparison.labelings.labels)
    if line := on.line(options.alpha):
        print(printable(line))
    folder = write(comparison, finished, name, on)
    print(f"\n{printable(folder)}\ndimred view {shell_word(path)} marks them")
    return 0


def _of_flags(error: InputError) -> InputError:
    """An error that names an option as Python has it, with the flag in its place."""
    return InputError(f"--{error}") if _OPTION.match(str(error)) else error


def _run_and_sets(words: list[str]) -> tuple[str | None, list[str]]:
    """RUN, None for the newest, and A and B. Raises InputError for another number of sets."""
    run, sets = run_and_images(words)
    if not 1 <= len(sets) <= 2:
        found = f"{len(sets)} sets of images: {' '.join(sets)}" if sets else "no set of images"
        raise InputError(f"{found}; must be A, to compare with what the run learned from, or A B")
    return run, sets


def _lines(comparison: Comparison) -> list[str]:
    """The answer, the table and what else to know."""
    from dimred.analysis.comparison_words import half_split_lines, table_lines

    it = comparison
    sizes = (
        f"A: {it.a.name}, {len(it.a.names):,} images; B: {it.b.name}, {len(it.b.names):,} images"
    )
    return [
        it.sentence,
        "",
        sizes,
        *table_lines(it),
        *half_split_lines(it),
        *(f"note: {note}" for note in it.notes),
    ]
