"""What is written at the end of a training to be looked at: what the run keeps of its image files,
and its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.map_page import MapView
from dimred.analysis.page_files import PageFiles, write_page_files
from dimred.analysis.run_images import RunImages
from dimred.data.image_files import digests, files_by_name, files_of, paths_of
from dimred.data.image_set import ImageSet
from dimred.files import printable
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.kept import CHANGED, MAX_IMAGES, Kept, Thumbnails
from dimred.training.compute import torch_settings


def write_page(path: Path, samples: ImageSet, h: NDArray[np.float32], view: bool) -> list[str]:
    """Write kept.npz and, if `view` and there are at most MAX_IMAGES rows, map.html; returns lines
    on the page for the end of the run.

    path: the folder of a run that has just been finished. samples, h: of all rows, as in memory.
    What fails is said in a line: the run is complete.
    """
    try:
        run = FinishedRun(path)
        run.remember(samples, h)
        options, device = run.config.device, run.compute().device
        with torch_settings(device, options.threads, options.deterministic):
            if run.has_files:
                _keep(run)
            if not view or len(samples) > MAX_IMAGES:
                return []
            file = path / layout.PAGE
            page = MapView.of(run, place=path)
        write_page_files(run, file, PageFiles(page.content))
    except Exception as error:  # whatever it is, hours of training are not to end with it
        reason = " ".join(str(error).split()) or type(error).__name__
        return [printable(f"page                  could not be written: {reason}")]
    size = f"{len(page.content) / 1e6:.1f} MB"
    return [printable(f"page                  {file} ({size}, opens in any browser)")]


def _keep(run: FinishedRun) -> None:
    """Write kept.npz."""
    names = [] if run.map.sources is None else run.map.sources.tolist()
    there = files_by_name(run.config.dataset.root, names)  # type: ignore[attr-defined]
    images, few = RunImages(run), len(names) <= MAX_IMAGES
    thumbnails = None
    if few:
        atlas = images.atlas(run.map.z)
        size = atlas.size
        if size is None:
            size = np.tile([atlas.width, atlas.height], (len(names), 1))
        sheets, slot = atlas.sheets, atlas.slot
        thumbnails = Thumbnails(sheets, slot, size.astype(np.uint8), atlas.cell, atlas.columns)
    found, listed = digests(images.paths), paths_of(there, names)
    changed = [path is not None and images.paths[i] is None for i, path in enumerate(listed)]
    found[changed] = CHANGED
    kept = Kept(
        digests=found,
        others=frozenset(there) - files_of(names),
        h=images.h() if few and run.map.h is None else None,
        thumbnails=thumbnails,
    )
    run.files.write(layout.KEPT, kept.content())
    run.__dict__.pop("kept", None)  # was read before: there was none
