"""How long a probe takes on this machine, by a little of its work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from dimred.analysis.probe_fits import TRAINED, Fits, Rows
from dimred.evaluation.linear import seconds_at_most
from dimred.steps import duration
from dimred.training.classifier import batch_size

_IMAGES = 64  # embedded to measure
_STEPS = 3  # taken to measure, after one that warms up
_SHORT = 2_000  # labeled images: regressions of fewer take less than a second or two


class Forecast:
    """Seconds that embedding, training and regressions take.

    fits: what makes them. jobs: the method, labeled images and draw of each that is to be made.
    needed: images whose H is to be known, by method.
    """

    def __init__(self, fits: Fits, jobs: Sequence[tuple[str, Rows, int]], needed: dict[str, Rows]):
        self.fits = fits
        trained = [(rows, method) for method, rows, _ in jobs if method in TRAINED]
        self.n_trained = len(trained)
        self.n_embedded = 0
        for method, rows in needed.items():
            if (kept := fits.kept(method)) is not None:
                self.n_embedded += len(kept.missing(rows))
        tests = len(fits.target.test) * len(trained)
        self.embedding = self._image * self.n_embedded if self.n_embedded else 0.0
        self.training = self._image * tests + self._steps(trained) if trained else 0.0
        self.regressions = sum(
            self._regression(method, len(rows))
            for method, rows, _ in jobs
            if method not in TRAINED and len(rows) > _SHORT
        )

    def line(self) -> str:
        """Such as "about 5 min on this machine: ...; Ctrl-C saves, the same command goes on"."""
        parts = []
        if self.n_embedded:
            parts.append(f"H of {self.n_embedded:,} images {duration(self.embedding)}")
        if self.n_trained:
            networks = "networks" if self.n_trained > 1 else "network"
            parts.append(f"training {self.n_trained} {networks} {duration(self.training)}")
        if self.regressions:
            parts.append(f"regressions of all labels at most {duration(self.regressions)}")
        total = self.embedding + self.training
        about = "less than a minute" if total + self.regressions < 60 else duration(total)
        if total < self.regressions:
            about = f"at most {duration(total + self.regressions)}"
        elif total + self.regressions >= 60:
            about = f"about {about}"
        said = f" ({', '.join(parts)})" if parts else ""
        return f"{about} on this machine{said}; Ctrl-C saves, the same command goes on"

    @cached_property
    def _image(self) -> float:
        """Seconds an image takes to embed."""
        encoder = self.fits.new_network("scratch", 0)
        some = self.fits.target.test[:_IMAGES]
        self.fits.logits(encoder, some[:2])
        began = time.monotonic()
        self.fits.logits(encoder, some)
        return (time.monotonic() - began) / len(some)

    def _steps(self, trained: Sequence[tuple[Rows, str]]) -> float:
        """Seconds that all steps of training take: a step is measured with the smallest and with
        the largest batch, and between them taken to grow linearly."""
        by_size = {batch_size(len(rows)): rows for rows, _ in trained}
        ends = [(size, by_size[size]) for size in sorted({min(by_size), max(by_size)})]
        measured = [self._step(rows) for _, rows in ends]
        sizes = [size for size, _ in ends]
        return float(
            sum(
                self.fits.budgets[method].total(len(rows))
                * np.interp(batch_size(len(rows)), sizes, measured)
                for rows, method in trained
            )
        )

    def _step(self, rows: Rows) -> float:
        encoder = self.fits.new_network("scratch", 0)
        steps = self.fits.steps("scratch", encoder, rows, 0)
        next(steps)
        began, count = time.monotonic(), 0
        for _ in islice(steps, _STEPS):
            count += 1
        return (time.monotonic() - began) / max(count, 1)

    def _regression(self, method: str, n: int) -> float:
        return seconds_at_most(n, self.fits.width(method), len(self.fits.target.names))
