"""The command `dimred view`: a finished run's map as an interactive page."""

from __future__ import annotations

import webbrowser

from dimred.commands.messages import Parser
from dimred.commands.output import out_file
from dimred.commands.run_argument import chosen
from dimred.files import printable
from dimred.options.plugins import load_plugins

HELP = """\
dimred view [RUN] [--heat] [--channels 0,2,3] [--out FILE] [--folder] [--open] [--root DATA]
                [--thumbnail PIXELS] [--plugin FILE|MODULE]

Writes the map of a finished run as one HTML file (default: RUN/map.html, as at the end of training)
that needs no server and no network: hover over a point to see its image, click to pin it with its
nearest neighbors in Z, the map, and in H, the network's features that Z is made of, zoom in until
images replace points, select with a box or a lasso, color by class, split, loss or other attributes
of the images, step through the stages of training. Findings of `dimred inspect` are marked, images
of `dimred embed` drawn. What is gone of the run's image files, changed or new is named.

  --heat       also what holds each image at its place: over the pinned image, how far it moves on
               the map where a square of it is hidden, and over its neighbors, where they are held
               near it (see dimred locate); computed once, and kept in the run's folder
  --channels   of the images, from 0: one is shown in gray, two as green and magenta, more as red,
               green, blue, cyan, magenta, yellow and white, which add up. Default: one to three in
               the same colors, the first three of more. The page says it; files are read again
  --out        the file
  --folder     thumbnails in a folder beside the file (map_files), which are loaded when seen: for
               more images than fit into one file (above 20,000, with 64 pixels each); keep the two
               together
  --open       open it in the browser
  --root       the data, where they have moved
  --thumbnail  longer side of the images in the page, in pixels, up to that of the images; default:
               for photographs 96, more for few and less for many; for small images as they are

RUN is a folder, a name below outputs/ or a part of one; without, the newest finished run.

  dimred view demo --open"""


def run(arguments: list[str]) -> int:
    """Write the page of the run that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--heat", action="store_true")
    parser.add_argument("--out")
    parser.add_argument("--folder", action="store_true")
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--channels")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("--thumbnail", type=int)
    args = parser.parse_args(arguments)
    out = out_file(args.out)
    path = chosen(args.run)
    load_plugins(args.plugin)
    from dimred.run_folder import layout
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(path, args.root).showing(args.channels)
    file = out or finished.path / layout.PAGE
    finished.check_output(f"--out {args.out}", file, layout.PAGE)
    # With torch, for a run that is there.
    from dimred.analysis.page_files import check_folder, files_of_page, folder_of, write_page_files

    if args.folder:
        check_folder(finished, file)
    page = files_of_page(finished, file, args.thumbnail, args.heat, args.folder)
    write_page_files(finished, file, page)
    size = f"{len(page.content) / 1e6:.1f} MB"
    if args.folder:
        of_sheets = sum(map(len, page.sheets)) / 1e6
        size += f", and {folder_of(file).name} beside it, {of_sheets:.1f} MB"
    print(f"{printable(file)}: {printable(size)}; opens in any browser")
    for note in page.notes:
        print(printable(note))
    if args.open and not webbrowser.open(file.absolute().as_uri()):
        print("no browser was found to open it")
    return 0
