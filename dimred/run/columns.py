"""The further columns of a run's images in its embedding.npz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet, LabelSet
from dimred.errors import InputError
from dimred.run_folder import layout
from dimred.run_folder.arrays import CLASS_SPLIT, KNOWN, PRESENCE, RunArrays
from dimred.run_folder.folder import RunFolder


def column_arrays(
    columns: Mapping[str, LabelSet | NDArray[np.float64]],
) -> dict[str, NDArray[Any]]:
    """The arrays of columns: numbers, or positions in an array NAME_names."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, column in columns.items():
        if isinstance(column, LabelSet):
            arrays[name] = column.values
            arrays[f"{name}_names"] = np.array(column.names)
        else:
            arrays[name] = column
    return arrays


def refresh_columns(folder: RunFolder, samples: ImageSet) -> bool:
    """Replace the further columns in a finished run's embedding.npz by those of its samples, where
    these have changed since, as in a table that was edited; returns whether they have."""
    known = {*KNOWN, CLASS_SPLIT, *samples.extra_labels, *samples.factors}
    known |= {f"{name}_names" for name in samples.extra_labels}
    known |= {PRESENCE} if samples.presence else set()
    new = column_arrays(samples.columns)
    try:
        arrays = RunArrays(folder.files, layout.EMBEDDING)
        old = {name: arrays.whole(name) for name in arrays if name not in known}
        if old.keys() == new.keys() and all(_are_equal(old[name], new[name]) for name in new):
            return False
        own = {name: arrays.whole(name) for name in arrays if name in known}
    except InputError:  # somebody has removed or damaged it: who reads it says so
        return False
    folder.write_arrays(layout.EMBEDDING, {**own, **new})
    return True


def _are_equal(a: NDArray[Any], b: NDArray[Any]) -> bool:
    is_number = a.dtype.kind == b.dtype.kind == "f"
    return np.array_equal(a, b, equal_nan=is_number)
