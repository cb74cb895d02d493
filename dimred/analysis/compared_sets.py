"""The two sets of images that `dimred compare` compares, and their H and Z by one encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.chosen_sets import LEAST, ChosenSet, OwnImages, Pixels, Rows, check_apart
from dimred.analysis.new_images import Images
from dimred.errors import InputError
from dimred.run_folder.finished import FinishedRun
from dimred.steps import step

MOST = 4_000
"""Images of a set that are drawn where there are more."""
_MAX_BYTES = 2**28  # of pixels embedded at a time


@dataclass(frozen=True)
class ImageSide:
    """One of two sets: n images, drawn from `total` that could be read.

    name: as typed. names: of each image, its file as typed, FILE.npz[3], the run's source, or
        "row 17".
    files: the absolute path of each image's file, "" where there is none. items: int64 (n,), its
        position in a file of arrays, -1 for others. rows: int64 (n,), its row in the run's
        embedding.npz, -1 for images from elsewhere.
    pixels: (n, C, H, W), as the encoder takes them; None where the run's images are gone.
    h: (n, h); None where the run's images are gone and it kept no H. z: (n, d).
    labels: int64 (n,), positions in run.map.class_names, -1 where not known.
    columns: the run's further columns, each (n,); {} for images from elsewhere.
    learned: (n,), whether the encoder learned from the image.
    image: int64 (n,), the image that is shown: the same for its transformations, which are rows of
        their own. No image of one set is in the other.
    left_out: (name, reason) for each image that could not be read.
    notes: what else to know, a line each.
    """

    name: str
    names: tuple[str, ...]
    files: tuple[str, ...]
    items: Rows
    rows: Rows
    pixels: Pixels | None
    h: NDArray[np.float32] | None
    z: NDArray[np.float32]
    labels: Rows
    columns: dict[str, NDArray[Any]]
    learned: NDArray[np.bool_]
    image: Rows
    total: int
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def sides(
    run: FinishedRun,
    a: Images,
    b: Images | None = None,
    most: int = MOST,
    seed: int = 0,
    typed: str = "",
) -> tuple[ImageSide, ImageSide]:
    """Two sets of images, with H and Z of both by the run's encoder, computed here.

    a, b: rows of the run, as in `selected_rows` after "RUN:"; or image files, folders, .npz files
        or an array, as in `LoadedRun.place`. b=None: what the run learned from.
    most: images of a set that are drawn by `seed` where there are more.
    typed: how the run was named, which may stand for RUN.
    Raises InputError for sets that share an image or have fewer than LEAST, for images that are
    missing or do not fit the run, and where images of the run are needed and gone.
    """
    if most < LEAST:
        raise InputError(f"most={most}: must be at least {LEAST}")
    if seed < 0:
        raise InputError(f"seed={seed}: must be at least 0")
    own = OwnImages(run)
    prefixes = (typed, str(run.path))
    with step("reading the images"):
        first = own.chosen(a, "a", prefixes)
        second = own.learned_from() if b is None else own.chosen(b, "b", prefixes)
        check_apart(first, second, own)  # before any are drawn: it must not depend on the seed
        for place, one in enumerate((first, second)):
            one.check_number()
            one.draw(most, np.random.default_rng([seed, place]))
        pixels = _pixels(run, (first, second))
    if pixels is None:
        of = [_as_kept(run, one) for one in (first, second)]
        return _side(own, first, None, *of[0]), _side(own, second, None, *of[1])
    with step("embedding the images"):
        h, z = _embedded(run, pixels)
    n = len(pixels[0])
    return (
        _side(own, first, pixels[0], h[:n], z[:n]),
        _side(own, second, pixels[1], h[n:], z[n:]),
    )


def _pixels(run: FinishedRun, both: tuple[ChosenSet, ChosenSet]) -> tuple[Pixels, Pixels] | None:
    """The pixels of both sets; None where both are of the run and its images are gone."""
    of_run = [one for one in both if one.rows is not None]
    samples = torch.empty(0)
    if of_run:
        try:
            images = run.images()
        except InputError as error:
            if len(of_run) == len(both):
                both[0].notes.append(
                    "the run's images are not there: only what it kept of them is compared, no "
                    f"pixels ({error})"
                )
                return None
            advice = "" if "--root" in str(error) else "; give --root if the data have moved"
            raise InputError(
                f"{of_run[0].name}: the run's images must be there to be compared with images from "
                f"elsewhere: {error}{advice}"
            ) from error
        samples = run.samples(images).images
    a, b = (
        one.read() if one.rows is None else samples[torch.from_numpy(one.rows)].numpy()
        for one in both
    )
    return a, b


def _as_kept(
    run: FinishedRun, of: ChosenSet
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32]]:
    """H, where the run kept it, and Z."""
    h = run.map.h
    if h is None and run.kept is not None:
        h = run.kept.h
    return None if h is None else h[of.rows], run.map.z[of.rows]


def _embedded(
    run: FinishedRun, pixels: tuple[Pixels, Pixels]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """H and Z of the images of one set, then of the other.

    How they are rounded may depend on the size of a batch, so each batch is of both sets: a test
    would find the difference.
    """
    embed = run.embedder(run.compute())
    n = len(pixels[0])
    order = np.random.default_rng(0).permutation(n + len(pixels[1]))
    at_a_time = max(_MAX_BYTES // pixels[0][0].nbytes, 1)
    parts = []
    for first in range(0, len(order), at_a_time):
        some = order[first : first + at_a_time]
        mixed = np.empty((len(some), *pixels[0].shape[1:]), np.uint8)
        mixed[some < n] = pixels[0][some[some < n]]
        mixed[some >= n] = pixels[1][some[some >= n] - n]
        parts.append(embed(torch.from_numpy(mixed)))
    h, z = (np.concatenate(part)[np.argsort(order)] for part in zip(*parts, strict=True))
    if z.shape[1] != run.map.z.shape[1]:
        raise InputError(f"{run.path}: its weights are not those of its embedding.npz")
    return h, z


def _side(
    own: OwnImages,
    of: ChosenSet,
    pixels: Pixels | None,
    h: NDArray[np.float32] | None,
    z: NDArray[np.float32],
) -> ImageSide:
    on, n = own.on, len(of.image)
    # The row of each image that is the run's, whether or not it was named as such.
    row = np.where(of.image < own.n, of.image * own.run.n_variants, -1)
    if of.rows is not None:
        row = of.rows
        files, items = own.files
        files, items = tuple(files[i] for i in of.image), items[of.image]
        names = own.names(row)
    else:
        new = of.new
        files, items = tuple(one.file for one in new), np.array([one.item for one in new])
        names = tuple(one.name for one in new)
    known = row >= 0
    labels = np.full(n, -1, np.int64)
    if on.labels is not None:
        labels[known] = on.labels[row[known]]
    learned = np.zeros(n, np.bool_)
    learned[known] = own.learned[row[known]]
    return ImageSide(
        name=of.name,
        names=names,
        files=files,
        items=items,
        rows=np.full(n, -1) if of.rows is None else of.rows,
        pixels=pixels,
        h=h,
        z=z,
        labels=labels,
        columns={} if of.rows is None else {k: v[of.rows] for k, v in on.extra_columns.items()},
        learned=learned,
        image=of.image,
        total=of.listed - len(of.left_out),
        left_out=tuple(of.left_out),
        notes=tuple(of.notes),
    )
