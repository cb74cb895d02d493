"""The command `dimred locate`: where in images a run looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimred.commands.messages import Parser, complain
from dimred.commands.run_argument import chosen, run_and_images
from dimred.errors import InputError
from dimred.files import printable
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.analysis.looked_at import LookedAt


HELP = """\
dimred locate [RUN] [IMAGES ...] [--side SHARE] [--fill VALUE] [--with IMAGE|ROW] [--most N]
                [--channels 0,2,3] [--out NAME] [--root DATA] [--plugin FILE|MODULE]

Says where in images a run looks. IMAGES are image files, folders or .npz files, as of `dimred
embed`, or images of the run itself, where RUN: stands as it is, such as RUN:test (see `dimred
compare`); without, the run's test images. Writes to RUN/located/NAME/ points.csv, with a point in
each image in pixels from the upper left corner of the image as it is learned from, sheet.png, 24 of
the images with points and maps, and maps.npz, the maps in numbers.

A run that has learned from nothing but which classes an image shows (pairing=class_presence with
model.score_pool=max, average or lse) says where these are: at the point where the score of a class
is highest, over all positions and sizes of model.test_scales. That is the most telling part of an
object, not its extent.

  points.csv  for each image and class (image, row, class): score is Z, probability 1/(1 + e^-score)
              that the image shows the class, x and y the point; row is that of RUN/embedding.npz
  maps.npz    the scores at every position: maps_S (n, K, rows, columns) for each size S, and where
              their columns and rows are in the image, x_S and y_S

Any other run says what holds an image at its place on the map: a square of it is hidden, here and
there, and heat is how far the image moves, in distances to its 15th nearest on the map: by the
Euclidean distance in Z of up to 3 dimensions, else at unit length, as by the cosine.

  points.csv  for each image (image, row): heat, the largest, and x and y, the center of its square
  maps.npz    heat (n, rows, columns), x and y of its columns and rows, unit, that distance
  --side      of a square, as a share of the shorter side of the image; default 0.25
  --fill      its value, 0 black to 1 white; default: the mean color of the run's images. What
              looks like the ground hides nothing there
  --with      an image, or a row of RUN/embedding.npz: instead of heat, what each of IMAGES shares
              with it: the product of both in Z, split exactly into positions of either, where the
              head is one linear layer (model.hidden_dim=null), else in H

  --most      images, drawn of more; default 1000
  --channels  of the images, shown on sheet.png; default: up to three (see dimred view)
  --out       NAME, instead of one made of IMAGES, with a number where that is taken by other images
              or options; what is there is replaced
  --root      the run's data, where they have moved

RUN is a folder, a name below outputs/ or a part of one; without (before selectors, files and
folders of images, or nothing), the newest finished run.

  dimred locate locate_canvases-seed0-5d1e5975
  dimred locate demo RUN:class=8 --fill 0.5

In Python:
  from dimred import load_run
  located = load_run("outputs/locate_canvases-seed0-5d1e5975").locate("RUN:test")
  located.classes, located.scores, located.points, located.maps
  held = load_run("outputs/demo-seed0-0c7ac52c").locate("RUN:class=8", fill=0.5)
  held.heat, held.points"""


def run(arguments: list[str]) -> int:
    """Locate classes in the images that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("words", nargs="*", metavar="IMAGES")
    parser.add_argument("--most", type=int, default=1_000)
    parser.add_argument("--out")
    parser.add_argument("--side", type=float)
    parser.add_argument("--fill", type=float)
    parser.add_argument("--with", dest="other")
    parser.add_argument("--channels")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_intermixed_args(arguments)
    word, images = _run_and_images(args.words)
    path = chosen(word)
    load_plugins(args.plugin)
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(path, args.root).showing(args.channels)
    from dimred.analysis.comparison_files import checked_name
    from dimred.analysis.located_files import folder_name, write
    from dimred.analysis.locating import LocateOptions, check_options, located
    from dimred.analysis.looked_at import looked_at
    from dimred.run_folder import layout

    options = LocateOptions(args.side, args.fill, args.other)
    check_options(finished, options)
    if args.out is not None:
        checked_name(args.out, layout.LOCATED)
    chosen_images = looked_at(finished, images or None, args.most, typed=word or "")
    _say(chosen_images)
    name = folder_name(finished, chosen_images, options, args.out)
    found = located(finished, chosen_images, options)
    for line in found.lines():
        print(printable(line), flush=True)
    print(f"\n{printable(write(found, finished, name, options))}")
    return 0


def _say(images: LookedAt) -> None:
    """What to know of images: which are left out, and whether they are drawn."""
    from dimred.analysis.advice import left_out_lines

    for line in left_out_lines(images.left_out):
        complain(line)
    for note in images.notes:
        print(printable(f"note: {note}"))
    readable = images.total - len(images.left_out)
    if len(images) < readable:
        print(printable(f"{len(images):,} images, drawn of {images.total:,} of {images.name}"))


def _run_and_images(words: list[str]) -> tuple[str | None, list[str]]:
    """RUN, None for the newest, and IMAGES."""
    run, images = run_and_images(words)
    selectors = [word for word in images if word.lower().startswith("run:")]
    if selectors and len(images) > 1:
        raise InputError(f"{selectors[0]}: must be the only images named, not one of several")
    return run, images
