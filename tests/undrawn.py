"""Runs without figures."""

from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure


@contextmanager
def without_figures():
    """For runs of which no test looks at a figure: coarse ones still take a third of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda *_, **__: None)
        patch.setattr("dimred.run.figures.rotating_gif", lambda *_: b"")
        yield
