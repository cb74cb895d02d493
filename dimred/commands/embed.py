"""The command `dimred embed`: new images on the map of a finished run."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from dimred.commands.messages import Parser
from dimred.errors import InputError
from dimred.files import csv_file, expanded, write_atomically
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.run_folder.finished import FinishedRun

_MAX_NAMED = 20  # images left out

HELP = """\
dimred embed RUN IMAGES [IMAGES ...] [--out FILE] [--k K] [--root DATA] [--plugin FILE|MODULE]

Places new images on the map of a finished run by its weights; the run's own images need not be
there. IMAGES are image files, folders (all images below), or .npz files with an array `images`.
Files are cropped and resized as for training; what cannot be read is named and left out. Writes
FILE.npz and FILE.csv (default: in RUN/embedded/): path, z, the class that most of the K nearest
training images in Z have and the share that has it, and these images: neighbor1 is the `index` of
the nearest in RUN/embedding.npz; `neighbors` in FILE.npz are rows of it.

  --out   FILE, .npz, .csv or neither
  --k     default: the first of the run's eval.k
  --root  the run's data, wanted only by runs of an early version

  dimred embed outputs/demo-seed0-9b6bf014 new_images/

In Python:
  from dimred import load_run
  run = load_run("outputs/demo-seed0-9b6bf014")
  placed = run.place(["new_images/"])            # or an array, uint8 (N, H, W) or (N, C, H, W)
  placed.paths, placed.z, placed.neighbors, placed.votes"""


def run(arguments: list[str]) -> int:
    """Place the images that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("run")
    parser.add_argument("images", nargs="+")
    parser.add_argument("--out")
    parser.add_argument("--k", type=int)
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    given = parser.parse_args(arguments)
    load_plugins(given.plugin)
    import numpy as np

    from dimred.analysis.placement import Placement
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(expanded(given.run), given.root)
    out = None if given.out is None else _checked_out(finished, given.images, given.out)
    placed = Placement(finished).place(given.images, given.k)
    named = out or _own_place(finished, given.images[0], placed.paths)
    table, arrays = _beside(named)
    for path, reason in placed.left_out[:_MAX_NAMED]:
        print(f"dimred: {path!r} is left out: {reason}", file=sys.stderr)
    left_out = len(placed.left_out)
    if left_out > _MAX_NAMED:
        print(f"dimred: and {left_out - _MAX_NAMED} more are left out", file=sys.stderr)
    buffer = io.BytesIO()
    np.savez(buffer, **placed.arrays())  # type: ignore[arg-type]
    write_atomically(arrays, buffer.getbuffer())
    rows = list(placed.rows())
    write_atomically(table, csv_file(list(rows[0]), rows))
    images = "image" if len(placed) == 1 else "images"
    print(f"{len(placed):,} {images} placed" + (f", {left_out:,} left out" if left_out else ""))
    print(f"{table}\n{arrays}")
    return 0


def _beside(named: Path) -> tuple[Path, Path]:
    """FILE.csv and FILE.npz."""
    return named.with_name(f"{named.name}.csv"), named.with_name(f"{named.name}.npz")


def _checked_out(run: FinishedRun, images: list[str], out: str) -> Path:
    """FILE, without .csv or .npz. Raises InputError where that would replace what is read, or what
    the run wrote."""
    named = expanded(out)
    if named.is_dir() or not named.name:
        raise InputError(f"--out {out}: must name a file, not a folder")
    if named.suffix in (".csv", ".npz"):
        named = named.with_suffix("")
    from dimred.run_folder import layout

    for file in _beside(named):
        run.check_output(f"--out {out}", file, layout.PLACED)
        for other in map(expanded, images):
            if file.exists() and other.exists() and file.samefile(other):
                raise InputError(f"--out {out}: would replace {file}, which is read")
    return named


def _own_place(run: FinishedRun, first: str, paths: Sequence[str]) -> Path:
    """FILE in the run's folder, called after the first images; numbered where other images have
    that name."""
    from dimred.run_folder import layout

    source = expanded(first).absolute()
    stem = (source.resolve().name if source.is_dir() else source.stem) or "images"
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    places = (run.path / layout.PLACED / name for name in names)
    return next(named for named in places if _is_free(_beside(named)[1], paths))


def _is_free(file: Path, paths: Sequence[str]) -> bool:
    """Whether nothing is there, or these very images."""
    from dimred.run_folder.arrays import RunArrays

    return not file.exists() or RunArrays(file).get("path", "U").tolist() == list(paths)
