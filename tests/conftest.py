"""Settings shared by all tests."""

import gc
import os
import warnings
from contextlib import contextmanager

# Several tests run side by side on few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# As the command does: searching again and again what importing PyTorch makes for garbage takes a
# third of the time.
gc.set_threshold(200_000, 20, 20)


def pytest_configure(config):
    """Files are handed out in the order of `pytest_collection_modifyitems`, not of their sizes."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(config, items):
    """Tests marked gpu are skipped where there is none, those marked slow unless `-m` names the
    mark. Where several processes share the files, those that take longest come first, so that none
    is left at the end for one process alone."""
    import torch  # not in the process that only hands out the tests

    torch.set_num_threads(1)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: "whole_runs" not in item.path.parts)
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))
        if item.get_closest_marker("slow") and "slow" not in config.option.markexpr:
            item.add_marker(pytest.mark.skip(reason="takes a minute; pytest -m slow runs it"))


@pytest.fixture
def nothing_waits():
    """A context in which a call that waits for the GPU is an error."""
    import torch

    @contextmanager
    def context():
        with warnings.catch_warnings():
            # PyTorch warns that its check does not find everything.
            warnings.simplefilter("ignore")
            torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    return context


@pytest.fixture
def full_float32():
    """Convolutions in full float32 by the same kernels every time: TF32's 10 bits of mantissa, and
    kernels chosen by their speed, differ by more than what is tested."""
    import torch

    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = False, True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = before


@pytest.fixture
def no_figures():
    """In this test."""
    from undrawn import without_figures

    with without_figures():
        yield


@pytest.fixture(scope="module")
def no_figures_here():
    """In all tests of a file, and what these are given."""
    from undrawn import without_figures

    with without_figures():
        yield
