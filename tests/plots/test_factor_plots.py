import io
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.offsetbox import AnnotationBbox
from PIL import Image, ImageDraw

from dimred.data.image_set import Factor, LabelSet
from dimred.plots.factors import (
    factor_figure,
    lines_figure,
    thumbnail_figure,
)
from dimred.plots.rotation import rotating_gif
from dimred.plots.style import to_png

NASTY = "$x^2$\n\x1b[0m"


def cloud(n, dims=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)


def numbered(n, channels=1, height=28, width=28):
    """Images of one value each: the position modulo 251."""
    values = np.arange(n) % 251
    return np.tile(values.astype(np.uint8)[:, None, None, None], (1, channels, height, width))


def thumbnails(figure):
    FigureCanvasAgg(figure).draw()
    return [artist for artist in figure.axes[0].artists if isinstance(artist, AnnotationBbox)]


def value_of(thumbnail):
    return int(thumbnail.offsetbox.get_data()[0, 0, 0])


def boxes_of(thumbnails):
    return [thumbnail.patch.get_window_extent() for thumbnail in thumbnails]


def cylinder():
    elevation, azimuth = (
        a.ravel().astype(float)
        for a in np.meshgrid(np.arange(30, 71, 5), np.arange(0, 360, 20), indexing="ij")
    )
    angle = np.deg2rad(azimuth)
    z = np.stack([np.cos(angle), np.sin(angle), (elevation - 50) / 20], axis=1)
    return z, {
        "azimuth": Factor(azimuth, "degrees", 360.0),
        "elevation": Factor(elevation, "degrees"),
    }


def values_by_place(panel):
    """Of the dots: value -> the places that are colored by it."""
    dots = panel.collections[0]
    return np.asarray(dots.get_offsets()), np.asarray(dots.get_array())


def bar_of(panel):
    return next(child for child in panel.child_axes if child.get_ylabel())


# Thumbnails


@pytest.mark.parametrize(("n", "height", "width"), [(2000, 28, 28), (2000, 20, 96), (30, 300, 5)])
def test_thumbnails_are_at_their_points_inside_the_axes_and_none_on_another(n, height, width):
    z = cloud(n)
    figure = thumbnail_figure(z[:250], numbered(n, 3, height, width)[:250], "t", "s")
    shown = thumbnails(figure)
    panel = figure.axes[0]
    assert len(shown) > 5
    boxes = boxes_of(shown)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    for thumbnail, box in zip(shown, boxes, strict=True):
        place = panel.transData.transform(z[value_of(thumbnail)])
        center = [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2]
        np.testing.assert_allclose(center, place, atol=1.5)
        assert panel.bbox.x0 <= box.x0
        assert box.x1 <= panel.bbox.x1
        assert panel.bbox.y0 <= box.y0
        assert box.y1 <= panel.bbox.y1


@pytest.mark.parametrize("side", [8, 28, 32, 96])
def test_thumbnails_are_about_equally_large_and_show_every_pixel_as_a_square(side):
    image = np.random.default_rng(0).integers(0, 256, (1, 3, side, side), dtype=np.uint8)
    [thumbnail] = thumbnails(thumbnail_figure(cloud(1), image, "", ""))
    pixels = thumbnail.offsetbox.get_data()
    box = thumbnail.offsetbox.get_window_extent(thumbnail.figure.canvas.get_renderer())
    assert (box.height, box.width) == pytest.approx(pixels.shape[:2])
    assert 48 <= box.width <= 70
    if side < 96:
        times = pixels.shape[0] // side
        np.testing.assert_array_equal(pixels[::times, ::times], np.moveaxis(image[0], 0, 2))


def test_up_to_count_thumbnails_the_same_in_every_call():
    z, images = 100 * cloud(250), numbered(250)
    assert len(thumbnails(thumbnail_figure(z, images, "", "", count=7))) == 7
    assert not thumbnails(thumbnail_figure(z, images, "", "", count=0))
    chosen = [[value_of(t) for t in thumbnails(thumbnail_figure(z, images, "", ""))]] * 2
    assert chosen[0] == chosen[1]
    # Not merely the first points.
    assert max(chosen[0]) > 200


def test_frames_and_points_have_the_color_of_the_class():
    z, values = cloud(200), np.arange(200) % 2
    labels = LabelSet(values, ("four", "nine"))
    figure = thumbnail_figure(z, numbered(200), "", "", labels=labels)
    panel = figure.axes[0]
    legend = panel.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["four", "nine"]
    colors = [to_rgba(str(handle.get_color()))[:3] for handle in legend.legend_handles]
    assert colors[0] != colors[1]
    for thumbnail in thumbnails(figure):
        expected = colors[values[value_of(thumbnail)]]
        assert thumbnail.patch.get_edgecolor()[:3] == expected
    dots = panel.collections[0]
    for place, color in zip(dots.get_offsets(), dots.get_facecolors(), strict=True):
        i = int(np.flatnonzero((z == np.float32(place)).all(axis=1))[0])
        assert tuple(color[:3]) == colors[values[i]]
    gray = thumbnail_figure(z, numbered(200), "", "").axes[0]
    assert np.ptp(gray.collections[0].get_facecolors()[:, :3]) == 0
    assert gray.get_legend() is None
    many = LabelSet(np.arange(200) % 30, tuple(map(str, range(30))))
    assert thumbnail_figure(z, numbered(200), "", "", labels=many).axes[0].get_legend() is None


@pytest.mark.parametrize(
    ("stretch", "is_free"), [(0.4, False), (2.8, False), (3.5, True), (20, True)]
)
def test_scales_are_equal_unless_the_ranges_differ_more_than_threefold(stretch, is_free):
    z = np.random.default_rng(0).uniform(size=(300, 3)) * [1, 1, stretch]
    figure = thumbnail_figure(z, numbered(300), "", "", axes=(0, 2))
    panel = figure.axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("dimension 1", "dimension 3")
    scales = np.diff(panel.transData.transform([[0, 0], [1, 1]]), axis=0)[0]
    assert (scales[0] == pytest.approx(scales[1])) == (not is_free)
    assert (len(panel.get_xticks()) > 0) == is_free
    # Images keep their shape either way.
    assert all(box.width == pytest.approx(box.height) for box in boxes_of(thumbnails(figure)))


@pytest.mark.parametrize("value", [0.0, 3.0, 1e20])
def test_a_collapsed_map_is_drawn(value):
    z = np.full((4, 3), value)
    factor = Factor(np.full(4, 7.0), "")
    to_png(thumbnail_figure(z, numbered(4), "", ""))
    to_png(lines_figure(z, numbered(4), np.zeros(4, np.int64), np.zeros(4), "", ""))
    to_png(factor_figure(z, {"same": factor}, "", ""))
    assert Image.open(io.BytesIO(rotating_gif(z, "same", factor, frames=3))).n_frames == 3


# Lines


def shifted(n=40, noise=0.0):
    """n originals with five shifts each, in shuffled order: z, images, groups, shifts."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(n), 5)
    shifts = np.tile([-6.0, -3.0, 0.0, 3.0, 6.0], n)
    z = rng.normal(size=(n, 2))[groups] + np.stack([shifts, 0 * shifts], axis=1)
    order = rng.permutation(len(z))
    return (
        (z + noise * rng.normal(size=z.shape))[order],
        numbered(5 * n),
        groups[order],
        shifts[order],
    )


def test_a_line_joins_the_copies_of_one_image_in_increasing_strength():
    z, images, groups, shifts = shifted()
    panel = lines_figure(z, images, groups, shifts, "", "", count=4).axes[0]
    drawn = set()
    assert len(panel.lines) == 4
    for line in panel.lines:
        path = np.asarray(line.get_xydata())
        members = [int(np.flatnonzero((z == point).all(axis=1))[0]) for point in path]
        assert shifts[members].tolist() == [-6, -3, 0, 3, 6]
        drawn.add(*set(groups[members]))
    assert len(drawn) == 4
    # The dots of all points, then the marks of each line, all in one scale of colors.
    assert [len(dots.get_offsets()) for dots in panel.collections] == [200, 5, 5, 5, 5]
    assert {dots.get_clim() for dots in panel.collections} == {(-6.0, 6.0)}


def test_points_are_colored_by_strength_with_a_named_bar():
    z, images, groups, shifts = shifted()
    figure = lines_figure(z, images, groups, shifts, "", "", order_name="shift, pixels")
    places, values = values_by_place(figure.axes[0])
    for place, value in zip(places, values, strict=True):
        assert shifts[(z == place).all(axis=1)].tolist() == [value]
    bar = bar_of(figure.axes[0])
    assert bar.get_ylabel() == "shift, pixels"
    assert bar.get_ylim() == (-6.0, 6.0)


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_images_beside_lines_cover_neither_lines_nor_one_another(noise):
    z, images, groups, shifts = shifted(noise=noise)
    figure = lines_figure(z, images, groups, shifts, "", "")
    panel, shown = figure.axes[0], thumbnails(figure)
    boxes = boxes_of(shown)
    assert len(shown) >= 12
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    for line in panel.lines:
        path = panel.transData.transform(line.get_xydata())
        t = np.linspace(0, 1, 300)[:, None, None]
        dense = (path[:-1] + t * (path[1:] - path[:-1])).reshape(-1, 2)
        assert not any(box.count_contains(dense) for box in boxes)
    members = [value_of(thumbnail) for thumbnail in shown]
    for thumbnail, i in zip(shown, members, strict=True):
        np.testing.assert_array_equal(thumbnail.xy, z[i])
    if noise == 0:
        assert (shifts[members] == 0).sum() == 6


def test_images_of_the_strength_nearest_0_and_of_the_ends_come_first():
    z, images, groups, shifts = shifted(n=1)
    figure = lines_figure(z, images, groups, shifts + 1, "", "")
    members = [value_of(thumbnail) for thumbnail in thumbnails(figure)]
    assert shifts[members].tolist() == [0, -6, 6, -3, 3]


def test_groups_of_one_point_have_no_line():
    z, images = cloud(5), numbered(5)
    groups = np.array([3, 3, 5, 6, 7])
    assert len(lines_figure(z, images, groups, np.arange(5.0), "", "").axes[0].lines) == 1
    with pytest.raises(ValueError, match="one point each"):
        lines_figure(z, images, np.arange(5), np.arange(5.0), "", "")


# Factors


def test_factors_have_a_row_each_and_3d_maps_two_projections():
    z, factors = cylinder()
    panels = factor_figure(z, factors, "title", "").axes
    names = [(panel.get_xlabel(), panel.get_ylabel()) for panel in panels]
    assert names == 2 * [("dimension 1", "dimension 2"), ("dimension 1", "dimension 3")]
    for panel, dims, factor in zip(
        panels, [[0, 1], [0, 2]] * 2, np.repeat(list(factors.values()), 2), strict=True
    ):
        found = np.column_stack(values_by_place(panel))
        expected = np.column_stack([z[:, dims], factor.values])
        np.testing.assert_allclose(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])
    assert panels[0].get_title(loc="left") == "title"
    assert [bar_of(panels[i]).get_ylabel() for i in (1, 3)] == [
        "azimuth (degrees)",
        "elevation (degrees)",
    ]
    flat = factor_figure(z[:, :2], factors, "", "").axes
    assert [panel.get_ylabel() for panel in flat] == 2 * ["dimension 2"]


def test_rows_and_columns_do_not_overlap_and_have_one_scale():
    z, factors = cylinder()
    figure = factor_figure(z * [1, 0.5, 1], factors, "", "")
    FigureCanvasAgg(figure).draw()
    boxes = [panel.get_tightbbox() for panel in figure.axes]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    corners = [panel.transData.transform([[0, 0], [1, 1]]) for panel in figure.axes]
    scales = np.concatenate([np.diff(corner, axis=0)[0] for corner in corners])
    np.testing.assert_allclose(scales, scales[0])
    assert figure.axes[0].get_window_extent().y0 > figure.axes[2].get_window_extent().y1


def test_colors_follow_the_range_of_a_factor_or_its_period():
    z, factors = cylinder()
    azimuth, _, elevation, _ = (p.collections[0] for p in factor_figure(z, factors, "", "").axes)
    assert azimuth.get_clim() == (0, 360)
    assert elevation.get_clim() == (30, 70)
    ends = [dots.cmap([0.0, 1.0]) for dots in (azimuth, elevation)]
    np.testing.assert_allclose(*ends[0])
    assert np.abs(ends[1][0] - ends[1][1]).max() > 0.5
    # Turned once or backwards, an angle has the same color.
    turned = Factor(factors["azimuth"].values - 720, "degrees", 360.0)
    again = factor_figure(z, {"azimuth": turned}, "", "").axes[0].collections[0]
    np.testing.assert_array_equal(again.get_array(), azimuth.get_array())


def test_colors_of_a_cycle_are_apart_from_white_and_from_each_other():
    z, factors = cylinder()
    cycle = factor_figure(z, factors, "", "").axes[0].collections[0].cmap
    rgb = cycle(np.arange(18) / 18)[:, :3]
    assert (rgb.min(axis=1) < 0.6).all()
    apart = np.linalg.norm(rgb[:, None] - rgb[None], axis=2) + np.eye(18)
    assert apart.min() > 0.08


def test_a_long_dimension_has_its_own_scale_with_ticks():
    z, factors = cylinder()
    left, right = factor_figure(z * [1, 1, 50], {"a": factors["azimuth"]}, "", "").axes
    assert len(left.get_xticks()) > 0
    assert len(right.get_yticks()) > 0
    assert np.ptp(right.get_ylim()) > 10 * np.ptp(right.get_xlim())


# Animation


def frames_of(gif):
    image = Image.open(io.BytesIO(gif))
    frames = []
    for i in range(image.n_frames):
        image.seek(i)
        frames.append(np.asarray(image.convert("RGB")).astype(int))
    return image, np.stack(frames)


def test_the_animation_turns_once_at_ten_frames_a_second_without_end():
    z, factors = cylinder()
    gif = rotating_gif(z, "azimuth", factors["azimuth"], frames=12, size=200)
    image, frames = frames_of(gif)
    assert frames.shape == (12, 200, 200, 3)
    assert image.info["loop"] == 0
    assert image.info["duration"] == 100
    changes = [np.abs(a - b).mean() for a, b in zip(frames, np.roll(frames, -1, 0), strict=True)]
    assert (frames[:, 0, 0] == 255).all()
    # The last frame is as near to the first as any two that follow each other.
    assert min(changes) > 1
    assert changes[-1] < 1.5 * np.median(changes)


def test_near_points_are_larger_darker_and_in_front():
    # Seen along the second dimension: the first point is nearest, and hides the second.
    z = np.array([[0.0, -1.0, 0.36], [0.0, 1.0, -0.36], [1.0, 1.0, 0.0], [-1.0, -1.0, 0.0]])
    factor = Factor(np.array([0.0, 10.0, 0.0, 0.0]), "")
    _, frames = frames_of(rotating_gif(z, "", factor, frames=2, size=200))

    def yellow(frame):
        return ((frame[:, :, 0] > 180) & (frame[:, :, 2] < frame[:, :, 0] - 40))[:150].sum()

    assert yellow(frames[0]) == 0
    assert yellow(frames[1]) > 20
    darkness = 255 - frames[0][:150].min(axis=2)
    near, far = darkness[:, 20:85], darkness[:, 115:]
    assert near.max() > 1.5 * far.max()
    assert (near > 80).sum() > 1.5 * (far > 80).sum() > 0


def test_a_large_map_makes_a_file_of_at_most_3_mb():
    z = cloud(20_000, 3)
    gif = rotating_gif(z, "angle", Factor(90.0 * z[:, 0].astype(float), "degrees", 360.0))
    image = Image.open(io.BytesIO(gif))
    assert (image.n_frames, image.size) == (36, (480, 480))
    assert len(gif) < 3_000_000


def test_of_more_than_5000_points_5000_are_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "ellipse", lambda *a: drawn.append(a))
    for n, expected in ((4000, 4000), (6000, 5000)):
        drawn.clear()
        rotating_gif(cloud(n, 3), "f", Factor(np.arange(float(n)), ""), frames=1)
        assert len(drawn) == expected


def test_dimensions_in_their_own_scale_fill_the_cube_and_say_so():
    z, factors = cylinder()
    z /= np.ptp(z, axis=0)
    _, alike = frames_of(rotating_gif(z, "a", factors["azimuth"], frames=1))
    _, own = frames_of(rotating_gif(z * [1, 1, 50], "a", factors["azimuth"], frames=1))
    note = np.s_[0, :22, :200]
    assert (alike[note].min(axis=2) < 128).sum() == 0
    assert (own[note].min(axis=2) < 128).sum() > 100
    # But for the choice of 256 colors.
    assert np.abs(own[0, 30:] - alike[0, 30:]).max() < 64
    assert np.abs(own[0, 30:] - alike[0, 30:]).mean() < 0.2


# All of them


def test_equal_data_give_equal_bytes_and_text_is_literal():
    z, images, groups, shifts = shifted()
    factor = Factor(shifts, NASTY, 12.0)
    makers = [
        lambda: to_png(thumbnail_figure(z, images, NASTY, NASTY)),
        lambda: to_png(lines_figure(z, images, groups, shifts, NASTY, "", order_name=NASTY)),
        lambda: to_png(factor_figure(z, {NASTY: factor}, NASTY, "")),
        lambda: rotating_gif(np.c_[z, shifts], NASTY, factor, frames=3, size=150),
    ]
    for make in makers:
        assert make() == make()
    bar = bar_of(factor_figure(z, {NASTY: factor}, "", "").axes[0])
    assert bar.get_ylabel() == r"$x^2$\n\x1b[0m ($x^2$\n\x1b[0m)"


Z, GROUPS = cloud(4, 3), np.array([0, 0, 1, 1])
BAD_Z = [np.zeros(4), np.zeros((0, 3)), np.full((4, 3), np.nan), np.zeros((4, 1)), cloud(5, 3)]


@pytest.mark.parametrize("z", BAD_Z)
def test_bad_maps_are_refused(z):
    images, factor = numbered(4), Factor(np.arange(4.0), "")
    for make in (
        lambda: thumbnail_figure(z, images, "", ""),
        lambda: lines_figure(z, images, GROUPS, np.arange(4.0), "", ""),
        lambda: factor_figure(z, {"f": factor}, "", ""),
        lambda: rotating_gif(z, "f", factor),
    ):
        with pytest.raises(ValueError, match=r"z of shape|points with"):
            make()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images": numbered(4)[:, 0]}, "images"),
        ({"images": numbered(4)[:, :0]}, "images"),
        ({"images": numbered(4).astype(np.float32)}, "images"),
        ({"images": numbered(3)}, "of images"),
        ({"axes": (0, 0)}, "axes"),
        ({"axes": (0, 3)}, "axes"),
        ({"axes": (-1, 0)}, "axes"),
        ({"count": -1}, "count"),
        ({"labels": LabelSet(np.zeros(3, np.int64), ("a",))}, "of labels"),
        ({"groups": GROUPS[:3]}, "of groups"),
        ({"order": np.zeros(5)}, "of order"),
        ({"order": np.array([0, 1, 2, np.inf])}, "finite"),
        ({"groups": GROUPS[:, None]}, "groups"),
    ],
)
def test_bad_images_lines_and_choices_are_refused(given, message):
    lines = {"images": numbered(4), "groups": GROUPS, "order": np.arange(4.0)}
    if "labels" not in given:
        with pytest.raises(ValueError, match=message):
            lines_figure(Z, title="", subtitle="", **{**lines, **given})
    if not given.keys() & {"groups", "order"}:
        with pytest.raises(ValueError, match=message):
            thumbnail_figure(Z, title="", subtitle="", **{"images": numbered(4), **given})


def test_bad_factors_and_animations_are_refused():
    good, bad = Factor(np.arange(4.0), ""), Factor(np.array([0, 1, 2, np.nan]), "")
    for z, factors in ((cloud(4, 4), {"f": good}), (Z, {}), (Z, {"f": bad}), (Z[:3], {"f": good})):
        with pytest.raises(ValueError, match=r"z of shape|finite|points with"):
            factor_figure(z, factors, "", "")
    for z, factor, more in (
        (Z[:, :2], good, {}),
        (Z, bad, {}),
        (Z, good, {"frames": 0}),
        (Z, good, {"size": 99}),
    ):
        with pytest.raises(ValueError, match=r"z of shape|finite"):
            rotating_gif(z, "f", factor, **more)
