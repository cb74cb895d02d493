"""Where a run's own images move on its map when a part of them is hidden, for its page."""

from __future__ import annotations

import io
import time
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.holding import UNIT_K, neighbor_distance
from dimred.errors import InputError
from dimred.models.occlusion import Squares, squares
from dimred.page import Movement
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.steps import bar, duration

_DIMS = (2, 3)
_FIRST = 8  # images, by which the time is told
_BATCH = 256  # images, so that little is lost
_KEEP_EVERY = 60  # seconds

Places = NDArray[np.float32]


def page_heat(run: FinishedRun) -> Movement:
    """How all images of a run move where a square of them is hidden, in the mean color of the run's
    images. The places are kept in the run's folder, also those of a computation that was
    interrupted, which goes on from there.

    Prints how long it takes. Raises InputError for a map that has not 2 or 3 dimensions, and for
    images that are missing where not all places are kept.
    """
    z = run.map.z
    if z.shape[1] not in _DIMS:
        raise InputError(
            f"--heat: is of maps in 2 or 3 dimensions, and Z of {run.path} has {z.shape[1]}; "
            "dimred locate looks into its images"
        )
    of = squares(run.shape[1:])
    below = _kept(run, of)
    if len(below) < len(z):
        below = _computed(run, of, below)
    unit = neighbor_distance(run, np.arange(len(z)), z)
    height, width = run.shape[1:]
    y, x = (tuple(v / side for v in line) for line, side in ((of.y, height), (of.x, width)))
    return Movement(below - z[:, None, None], unit, y, x, UNIT_K)


def _computed(run: FinishedRun, of: Squares, below: Places) -> Places:
    """The places of all images below squares; `below`: those of the first ones, which are known."""
    from dimred.training.occlusion import occluded

    images = run.samples(run.images()).images
    compute = run.compute()
    encoder = compute.placed(run.encoder())
    done, n, size = len(below), len(images), min(run.config.eval.batch_size, _BATCH)
    batches = filter(len, (images[done : done + _FIRST], images[done + _FIRST :]))
    places = chain.from_iterable(
        occluded(encoder, batch, of, encoder.mean, size, compute) for batch in batches
    )
    parts, kept = [below], time.monotonic()
    try:
        for _, part in bar(places, 1 + -(-(n - done - _FIRST) // size), "hiding squares"):
            parts.append(part)
            now, ready = time.monotonic(), sum(map(len, parts))
            if len(parts) == 2 and ready < n:
                left = (now - kept) / len(part) * (n - ready)
                print(
                    f"heat: {n:,} images, each below {of.shape[0] * of.shape[1]} squares of "
                    f"{of.side} pixels: about {duration(left)} or less; Ctrl-C keeps what is done",
                    flush=True,
                )
            if now - kept > _KEEP_EVERY:
                _keep(run, of, np.concatenate(parts))
                kept = now
    finally:
        below = np.concatenate(parts)
        if len(below) > done:
            _keep(run, of, below)
    return below


def _kept(run: FinishedRun, of: Squares) -> Places:
    """The places that are kept, of the first images or of all; of none where the file is damaged or
    of other weights or squares, since it holds nothing that cannot be computed again."""
    (rows, columns), dims = of.shape, run.map.z.shape[1]
    none = np.empty((0, rows, columns, dims), np.float32)
    if not run.files.exists(layout.HEAT):
        return none
    try:
        arrays = run.arrays(layout.HEAT)
        below: Places = arrays.get("z", "f", dims=4)
        fits = all(
            name in arrays and np.array_equal(arrays.whole(name), value)
            for name, value in _made_of(run, of).items()
        )
    except InputError:
        return none
    fits = fits and below.shape[1:] == none.shape[1:] and len(below) <= len(run.map.z)
    return below.astype(np.float32) if fits and np.isfinite(below).all() else none


def _keep(run: FinishedRun, of: Squares, below: Places) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, z=below, **_made_of(run, of))
    run.write_output(run.path / layout.HEAT, buffer.getbuffer())


def _made_of(run: FinishedRun, of: Squares) -> dict[str, Any]:
    """What the places depend on, besides the images, which a run does not change."""
    weights = run.record.summary.get("weights_sha256")  # early versions did not keep it
    return {"weights": str(weights), "side": of.side, "x": of.x, "y": of.y}
