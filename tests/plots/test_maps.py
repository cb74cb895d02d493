import io
import sys
from pathlib import Path
from subprocess import run

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from PIL import Image

from dimred.data.image_set import LabelSet
from dimred.plots.maps import map_figure
from dimred.plots.style import to_png

NASTY = ("$x^2$", "<img src=x onerror=alert(1)>", "_hidden", "猫\n\x1b[0m\udcff", "a" * 500)


def cloud(n, dims=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)


def labeled(n, n_classes, names=None):
    values = np.arange(n, dtype=np.int64) % n_classes
    return LabelSet(values, tuple(names or (f"class {c}" for c in range(n_classes))))


def legend_names(figure):
    legend = figure.axes[0].get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else None


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("n_classes", [None, 1, 20, 21])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_maps_of_any_number_of_classes_and_dimensions(n_classes, dims):
    labels = n_classes and labeled(300, n_classes)
    figure = map_figure(cloud(300, dims), labels, "title", "subtitle")
    image = pixels(to_png(figure))
    assert min(image.shape[:2]) > 200
    colored = np.ptp(image.astype(int), axis=2) > 60  # not the frame, not the text
    assert colored.sum() > 500


@pytest.mark.parametrize("dims", [1, 2, 5])
@pytest.mark.parametrize("n_classes", [None, 1, 25])
def test_one_point_or_a_collapsed_map_is_drawn(dims, n_classes):
    for n in (1, 50):
        labels = n_classes and labeled(n, n_classes)
        for value in (0.0, 3.0, 1e20):
            map_figure(np.full((n, dims), value), labels, "", "")
        z = np.full((n, dims), 0.1)
        z[0] = np.nextafter(0.1, 1)
        to_png(map_figure(z, labels, "", ""))


def test_up_to_20_classes_are_in_the_legend_each_in_its_color():
    figure = map_figure(cloud(40), labeled(40, 20), "", "")
    assert legend_names(figure) == [f"class {c}" for c in range(20)]
    colors = [handle.get_color() for handle in figure.axes[0].get_legend().legend_handles]
    assert len(set(colors)) == 20
    points = figure.axes[0].collections[0]
    for position, color in zip(points.get_offsets(), points.get_facecolors(), strict=True):
        index = int(np.flatnonzero((cloud(40) == np.float32(position)).all(axis=1))[0])
        assert tuple(color[:3]) == to_rgba(colors[index % 20])[:3]


def test_a_class_keeps_its_color_where_others_are_missing():
    z, names = cloud(9), ("a", "b", "c")
    whole = map_figure(z, LabelSet(np.arange(9) % 3, names), "", "")
    part = map_figure(z, LabelSet(np.full(9, 2), names), "", "")
    assert legend_names(part) == ["c"]
    handles = [figure.axes[0].get_legend().legend_handles[-1] for figure in (whole, part)]
    assert handles[0].get_color() == handles[1].get_color()


def test_more_classes_are_named_on_the_map_without_overlap():
    labels = labeled(1000, 100)
    z = 4 * cloud(100)[labels.values] + cloud(1000, seed=1)
    figure = map_figure(z, labels, "", "")
    assert legend_names(figure) is None
    texts = [text for text in figure.axes[0].texts if text.get_text().startswith("class")]
    assert sorted(text.get_text() for text in texts) == sorted(f"class {c}" for c in range(100))
    boxes = [text.get_window_extent(FigureCanvasAgg(figure).get_renderer()) for text in texts]
    overlaps = [a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(overlaps)
    medians = np.stack([np.median(z[labels.values == c], axis=0) for c in range(100)])
    moves = [np.linalg.norm(t.get_position() - medians[int(t.get_text()[6:])]) for t in texts]
    assert np.median(moves) < 0.01 * np.ptp(z)


def test_points_are_drawn_in_shuffled_order():
    z = cloud(1000)
    labels = LabelSet(np.repeat([0, 1], 500), ("first", "second"))
    drawn = map_figure(z, labels, "", "").axes[0].collections[0].get_facecolors()
    is_first = (drawn == drawn[0]).all(axis=1)
    assert 200 < is_first[:500].sum() < 300


def test_a_2d_map_has_equal_scales():
    axes = map_figure(cloud(100) * [10, 1], None, "", "").axes[0]
    box = axes.get_window_extent()
    scales = [box.width / np.ptp(axes.get_xlim()), box.height / np.ptp(axes.get_ylim())]
    assert scales[0] == pytest.approx(scales[1])
    assert axes.get_aspect() == 1.0


def test_more_than_two_dimensions_are_shown_by_principal_components_named_as_such():
    z = cloud(500, 4) * [1, 10, 5, 0.1]
    assert round(float(z[:, 1].var() / z.var(axis=0).sum()), 2) == 0.77
    axes = map_figure(z, None, "", "").axes[0]
    assert axes.get_xlabel() == "1st principal component (77% of variance)"
    assert axes.get_ylabel().startswith("2nd principal component (")
    shown = np.sort(np.abs(axes.collections[0].get_offsets()[:, 0]))
    expected = np.sort(np.abs(z[:, 1] - z[:, 1].mean()))
    assert np.corrcoef(shown, expected)[0, 1] > 0.99


def test_a_1d_map_has_a_named_row_for_each_class():
    axes = map_figure(cloud(30, 1), labeled(30, 3), "", "").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "class 0",
        "class 1",
        "class 2",
    ]


@pytest.mark.parametrize(
    ("z", "labels"),
    [
        (np.zeros(3), None),
        (np.zeros((0, 2)), None),
        (np.array([[0.0, np.nan]]), None),
        (np.zeros((3, 2)), labeled(2, 2)),
    ],
)
def test_bad_maps_are_refused(z, labels):
    with pytest.raises(ValueError, match=r"shape|labels"):
        map_figure(z, labels, "", "")


@pytest.mark.parametrize("dims", [1, 2])
def test_names_and_titles_are_shown_literally(dims):
    figure = map_figure(cloud(50, dims), labeled(50, 5, NASTY), NASTY[0], NASTY[1])
    to_png(figure)
    axes = figure.axes[0]
    shown = legend_names(figure) or [label.get_text() for label in axes.get_yticklabels()]
    assert shown[:3] == ["$x^2$", "<img src=x onerror=aler…", "_hidden"]
    assert shown[3].endswith(r"\n\x1b[0m\udcff")
    assert len(shown[4]) == 24
    assert axes.get_title(loc="left") == "$x^2$"
    texts = axes.findobj(matplotlib.text.Text)
    assert not any(text.get_parse_math() for text in texts if "$" in text.get_text())


@given(names=st.lists(st.text(max_size=30), min_size=12, max_size=12))
@settings(max_examples=8, deadline=None)
def test_no_name_warns_or_fails(names):
    to_png(map_figure(cloud(12), labeled(12, 12, names), names[0], names[1]))


def test_names_on_the_map_are_literal_too():
    figure = map_figure(cloud(60), labeled(60, 30, NASTY * 6), "", "")
    assert "$x^2$" in [text.get_text() for text in figure.axes[0].texts]
    to_png(figure)


def test_equal_figures_give_equal_bytes_without_a_version():
    def png():
        return to_png(map_figure(cloud(200), labeled(200, 30), "title", "subtitle"))

    assert png() == png()
    assert b"Matplotlib" not in png()


def test_the_users_settings_and_the_global_random_state_neither_matter_nor_change():
    expected = to_png(map_figure(cloud(50), labeled(50, 3), "t", "s"))
    own = {"text.usetex": True, "axes.facecolor": "black", "savefig.dpi": 30, "font.size": 30}
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with matplotlib.rc_context(own):
        assert to_png(map_figure(cloud(50), labeled(50, 3), "t", "s")) == expected
        assert matplotlib.rcParams["font.size"] == 30
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_pyplot_is_not_imported():
    code = (
        "import sys, dimred.plots.maps, dimred.plots.factors;"
        "import dimred.plots.sheets;"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
