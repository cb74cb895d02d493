"""Pages of runs in a real browser."""

import json

import numpy as np
import pytest
from browser import FLAGS, WICKED, Watched, executable
from command import dimred, only_run
from matplotlib.figure import Figure
from PIL import Image
from undrawn import without_figures

# Figures are drawn with so many dots an inch.
COARSE = 40

WINDOW = {"width": 1000, "height": 700}

TINY = ["model.widths=[4,8]", "model.hidden_dim=8", "eval.references=false", "eval.linear=none"]


@pytest.fixture(scope="module", autouse=True)
def coarse_figures():
    """Drawing figures as they are takes half the time of a small run; tests/plots looks at them."""

    def savefig(figure, *arguments, **options):
        return drawn(figure, *arguments, **{"dpi": COARSE, **options})

    drawn = Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; the tests that want it are skipped where there is none."""
    path = executable()
    if path is None:
        pytest.skip("no Chromium here (on Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as api:
        opened = api.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def window(browser):
    """One for most tests: to open one of its own takes longer than most of what they do in it."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def opened(browser, window):
    """Opens a page file, one at a time. Options that a window cannot change want one of its own."""
    watched, contexts = [], []

    def open_page(
        file, viewport=WINDOW, color_scheme="light", reduced_motion="no-preference", **options
    ):
        if watched:
            watched.pop().close()
        page = window
        if options:
            contexts.append(browser.new_context(viewport=viewport, **options))
            page = contexts[-1].new_page()
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme, reduced_motion=reduced_motion)
        watched.append(Watched(page, file))
        return watched[-1]

    yield open_page
    for one in watched:
        one.close()
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A run on embedded data in three stages, from 128-D to 2-D, and its page."""
    cwd = tmp_path_factory.mktemp("digits")
    with without_figures():
        dimred(cwd, "train", "experiment=smoke", "dataset.limit=300", *TINY)
    run = only_run(cwd)
    out, _ = dimred(cwd, "view", str(run))
    assert str(run / "map.html") in out
    return run


@pytest.fixture(scope="session")
def shifts(tmp_path_factory):
    """A run in 3-D with transformations, and its page."""
    cwd = tmp_path_factory.mktemp("shifts")
    small = ["dataset.limit=100", "schedule.stages.train.epochs=1", "schedule.batch_size=20"]
    with without_figures():
        dimred(cwd, "train", "experiment=generalized_digits_shifts", *small)
    run = only_run(cwd)
    dimred(cwd, "view", str(run))
    return run


@pytest.fixture(scope="session")
def wicked(tmp_path_factory):
    """A run on files and folders with names that are HTML, with findings, and its page."""
    cwd = tmp_path_factory.mktemp("wicked")
    rng = np.random.default_rng(0)
    for name in (WICKED, "</script><b>& \"quoted\", 'it'"):
        folder = cwd / "photos" / name.replace("/", "\u2215")
        folder.mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f'{i}<svg onload=alert({i})>,".png')
    words = ["dataset=image_folder", f"dataset.root={cwd / 'photos'}", "dataset.image_size=16"]
    dimred(cwd, "train", "experiment=smoke", *words, "schedule.batch_size=8", "eval.k=[3]", *TINY)
    run = only_run(cwd)
    found = {
        "near_duplicates": [[0, 3], [5, 6, 7]],
        "outliers": [2],
        "label_issues": [],
        "notes": {"outliers": {"2": "<b>far</b>"}},
    }
    (run / "inspect").mkdir()
    (run / "inspect" / "findings.json").write_text(
        json.dumps({**found, "islands": [{"rows": [1, 2, 9], "said": "1: 3 images"}]})
    )
    dimred(cwd, "view", str(run))
    return run
