"""The command `dimred embed`: new images on the map of a finished run."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dimred.commands.messages import Parser, complain
from dimred.commands.output import out_file
from dimred.commands.run_argument import chosen
from dimred.errors import InputError
from dimred.files import csv_file, expanded, printable
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.analysis.placement import Placed
    from dimred.analysis.retrieval import Retrieved
    from dimred.run_folder.finished import FinishedRun


HELP = """\
dimred embed [RUN] IMAGES [IMAGES ...] [--out FILE] [--k K]
             [--neighbors K [--space z|h] [--distance cosine|euclidean] [--channels 0,2,3]]
             [--root DATA] [--plugin FILE|MODULE]

Places new images on the map of a finished run by its weights; the run's own images are not needed.
IMAGES are image files, folders (searched recursively), or .npz files with an array `images`. Files
are cropped and resized as for training; unreadable ones are named and left out, those in color are
made gray for a run that learned from gray images. Writes FILE.npz and FILE.csv (default: in
RUN/embedded/):

  path, z1, z2     the image, and its place in Z: the coordinates on the map
  vote, vote_share the most frequent class among the K nearest training images in Z, and its share
  distance, far    distance to the 5th nearest training image in H, the network's features that Z
                   is made of; 1 is usual among training images. far=yes: beyond what occurs among
                   these, or far rougher, as noise is, so that vote and place mean little
  neighbors        the K nearest training images in Z, by `index` in RUN/embedding.npz (in FILE.npz
                   by their rows there), and the file of the nearest

  --out        FILE, with or without .npz or .csv
  --k          default: the first of the run's eval.k
  --neighbors  retrieve: also write the K nearest training images of each to FILE-neighbors.csv, a
               row for each pair (path, rank, distance; row, index, source, class, split and
               class_split of the training image), and draw the first ones on FILE-neighbors.png.
               Of images in folders called like classes, it says how many neighbors are of that
               class; and how many images are training images themselves. The sheet shows the run's
               images, which are read
  --space      where --neighbors searches: z, the map as trained (default), or h, the features
  --distance   of --neighbors: cosine (1 - cosine of the angle, as metric learning compares) or
               euclidean. Default: as eval.retrieval measures, which is euclidean on maps (Z of up
               to 3 dimensions), else cosine
  --channels   of the images, shown on the sheet of --neighbors; default: up to three (see dimred
               view)
  --root       the run's data; needed only for runs of early versions, and by --neighbors

RUN is a folder, a name below outputs/ or a part of one; without (before one word, or files), the
newest finished run.

  dimred embed outputs/demo-seed0-9b6bf014 new_images/
  dimred embed outputs/demo-seed0-9b6bf014 new_images/ --neighbors 5

In Python:
  from dimred import load_run
  run = load_run("outputs/demo-seed0-9b6bf014")
  placed = run.place(["new_images/"])            # or an array, uint8 (N, H, W) or (N, C, H, W)
  placed.paths, placed.z, placed.far, placed.neighbors, placed.votes
  run.neighbors(placed, k=5, space="h")          # rows of the run's nearest training images"""


def run(arguments: list[str]) -> int:
    """Place the images that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("words", nargs="+", metavar="IMAGES")
    parser.add_argument("--out")
    parser.add_argument("--k", type=int)
    parser.add_argument("--neighbors", type=int)
    parser.add_argument("--space", choices=("z", "h"))
    parser.add_argument("--distance", choices=("cosine", "euclidean"))
    parser.add_argument("--channels")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_args(arguments)
    for option in ("space", "distance", "channels"):
        if getattr(args, option) and args.neighbors is None:
            raise InputError(f"--{option}: is of --neighbors K; give that, too")
    file = out_file(args.out)
    word, images = _run_and_images(args.words)
    path = chosen(word)
    load_plugins(args.plugin)
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(path, args.root).showing(args.channels)
    out = file and _checked_out(finished, images, args.out, file)
    for image in images:
        if not expanded(image).exists():
            raise InputError(f"{printable(image)}: does not exist")
    import numpy as np

    from dimred.analysis.advice import left_out_lines
    from dimred.analysis.placement import Placement  # with torch, for files that are there
    from dimred.analysis.retrieval import check_search, retrieve

    if args.neighbors is not None:
        check_search(finished, args.neighbors)
    placed = Placement(finished).place(images, args.k)
    stem = out or _default_out(finished, images, placed)
    table, arrays = _output_files(stem)
    for line in left_out_lines(placed.left_out):
        complain(line)
    left_out = len(placed.left_out)
    buffer = io.BytesIO()
    np.savez(buffer, **placed.arrays())  # type: ignore[arg-type]
    finished.write_output(arrays, buffer.getbuffer())
    rows = list(placed.rows())
    finished.write_output(table, csv_file(list(rows[0]), rows))
    noun = "image" if len(placed) == 1 else "images"
    print(f"{len(placed):,} {noun} placed" + (f", {left_out:,} left out" if left_out else ""))
    for line in _remarks(placed):
        print(printable(line))
    written = [table, arrays]
    if args.neighbors is not None:
        found = retrieve(finished, placed, args.neighbors, args.space or "z", args.distance)
        written += _write_neighbors(found, stem)
    print(printable("\n".join(map(str, written))))
    return 0


def _write_neighbors(found: Retrieved, stem: Path) -> Iterator[Path]:
    """Write the table and the sheet of neighbors, which are returned, and say how many of them are
    right."""
    from dimred.plots.style import to_png

    if copies := int(found.is_copy.sum()):
        these = "is a training image itself" if copies == 1 else "are training images themselves"
        print(f"{copies:,} of {len(found.placed):,} new images {these}, and found first")
    right = found.right()
    if right is not None:
        first = f", {right[:, 0].mean():.1%} of the first" if found.k > 1 else ""
        print(
            f"{len(right):,} in folders called like a class: {right.mean():.1%} of their {found.k} "
            f"nearest in {found.where} are of that class{first}"
        )
    table, picture = _neighbor_files(stem)
    found.run.write_output(table, csv_file(found.columns, list(found.rows())))
    yield table
    try:
        png = to_png(found.sheet())
    except InputError as error:
        complain(f"no sheet of neighbors: {error}")
        return
    found.run.write_output(picture, png)
    yield picture


def _run_and_images(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """RUN and IMAGES. RUN may be left out before a single word, and before a file, which is no run.

    Raises InputError for a run without images.
    """
    from dimred.run_folder.find import is_run

    first, *rest = words
    if rest and not expanded(first).is_file():
        return first, rest
    if not rest and is_run(first):
        raise InputError(f"{first}: is a run; name images to place on its map, too")
    return None, list(words)


def _remarks(placed: Placed) -> Iterator[str]:
    """What to know of placed images: which are far from everything, and which were made gray."""
    far = [path for path, is_far in zip(placed.paths, placed.far, strict=True) if is_far]
    limit = f"more than {placed.fence:.1f} times the usual distance to training images"
    if far:
        rough = placed.far & (placed.distances <= placed.fence)
        why = f"{limit} in {placed.space}{', or far rougher' if rough.any() else ''}"
        yield f"{len(far):,} far from everything ({why}), {far[0]!r} first"
    elif len(placed):
        yield f"none far from everything ({limit} in {placed.space})"
    if placed.space == "Z":
        yield "far is judged in Z, less surely: the run is of an earlier version, which kept no H"
    if placed.converted:
        n, first = len(placed.converted), placed.converted[0]
        yield f"{n:,} in color, made gray as the run's images are, {first!r} first"


def _neighbor_files(stem: Path) -> tuple[Path, Path]:
    """FILE-neighbors.csv and FILE-neighbors.png."""
    return stem.with_name(f"{stem.name}-neighbors.csv"), stem.with_name(
        f"{stem.name}-neighbors.png"
    )


def _output_files(stem: Path) -> tuple[Path, Path]:
    """FILE.csv and FILE.npz."""
    return stem.with_name(f"{stem.name}.csv"), stem.with_name(f"{stem.name}.npz")


def _checked_out(run: FinishedRun, images: list[str], out: str, stem: Path) -> Path:
    """FILE, without .csv or .npz. Raises InputError where writing it would replace an input or a
    file of the run."""
    if stem.suffix in (".csv", ".npz"):
        stem = stem.with_suffix("")
    from dimred.run_folder import layout

    for file in (*_output_files(stem), *_neighbor_files(stem)):
        run.check_output(f"--out {out}", file, layout.PLACED)
        for other in map(expanded, images):
            if file.exists() and other.exists() and file.samefile(other):
                raise InputError(f"--out {out}: would replace {file}, which is read")
    return stem


def _default_out(run: FinishedRun, images: Sequence[str], placed: Placed) -> Path:
    """FILE in the run's folder, named after IMAGES, with a number where that name is taken by other
    images."""
    from dimred.run_folder import layout
    from dimred.run_folder.names import numbered

    source = expanded(images[0]).absolute()
    stem = (source.resolve().name if source.is_dir() else source.stem) or "images"
    if len(images) > 1:
        stem = f"{stem}-and-{len(images) - 1}-more"
    candidates = (f"{layout.PLACED}/{name}" for name in numbered(stem))
    return run.path / next(path for path in candidates if _is_free(run, path, placed))


def _is_free(run: FinishedRun, stem: str, placed: Placed) -> bool:
    """Whether there is no such file, or it holds these same images."""
    file = f"{stem}.npz"
    if not run.files.exists(file):
        return True
    there = run.arrays(file)
    key, here = ("source_file", placed.files) if "source_file" in there else ("path", placed.paths)
    return bool(there.get(key, "U").tolist() == list(here))
