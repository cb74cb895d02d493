"""Heat on the page, in a real browser: where the pinned image and its neighbors are bright."""

import numpy as np
import pytest
import torch
from browser import rows_of

from dimred.models.occlusion import squares
from dimred.page import Column, MapPage, Movement, StageMap, make_atlas, page_parts

N, SQUARES, SIDE = 12, 3, 16
CENTERS = tuple((np.arange(SQUARES) + 1) / (SQUARES + 1))
MOVES = 0.5  # of the brightest square
UNIT = 0.2


def moves():
    """Row i moves right below its square i % 9, and half as far up below the one after."""
    moved = np.zeros((N, SQUARES**2, 2))
    moved[np.arange(N), np.arange(N) % 9, 0] = MOVES
    moved[np.arange(N), (np.arange(N) + 1) % 9, 1] = MOVES / 2
    return moved.reshape(N, SQUARES, SQUARES, 2)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A page of black images in a row from left to right, each with its own heat."""
    heat = Movement(moves(), np.full(N, UNIT), CENTERS, CENTERS, 15)
    return page_of(tmp_path_factory.mktemp("warm"), (SIDE, SIDE), heat)


def page_of(folder, size, heat):
    z = np.stack((np.arange(N), np.zeros(N)), axis=1).astype(np.float32)
    near = np.stack(((np.arange(N) + 1) % N, (np.arange(N) - 1) % N), axis=1)
    page = MapPage(
        title="warm",
        subtitle="12 images",
        run="warm",
        stages=[StageMap("last", "last", z)],
        projected=False,
        columns=[Column("class", "class", np.arange(N) % 2, ("even", "odd"))],
        index=np.arange(N),
        sources=None,
        near={"z": near, "h": near},
        atlas=make_atlas(torch.zeros(N, 1, *size, dtype=torch.uint8), z),
        palette=["#0072b2", "#e69f00"],
        heat=heat,
    )
    file = folder / "map.html"
    file.write_bytes(b"".join(page_parts(page)))
    return file


def lit(page, selector):
    """How bright the squares of a heat are, from 0 to 1, (3, 3)."""
    at = [round(v, 4) for v in CENTERS]
    return np.array(
        page.page.evaluate(
            """([selector, at]) => {
                const canvas = document.querySelector(selector);
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                return at.map((y) => at.map((x) => {
                    const pixel = Math.floor(y * height) * width + Math.floor(x * width);
                    return (data[4 * pixel] + data[4 * pixel + 1]) / 507;
                }));
            }""",
            [selector, at],
        )
    )


def test_the_pinned_image_is_bright_where_hiding_moves_it(warm, opened):
    page = opened(warm)
    for row in (4, 5):
        page.state(f"page.pin({row})")
        bright = lit(page, "#pinned-picture .heat").ravel()
        assert bright[row] > 0.9
        assert 0.2 < bright[row + 1] < 0.8, "moves half as far"
        assert np.delete(bright, [row, row + 1]).max() < 0.1
        text = page.page.locator("#heat").inner_text()
        assert "moves it 2.5 times as far as its 15th nearest" in text


def test_a_neighbor_is_bright_where_it_would_leave_the_pinned_one(warm, opened):
    page = opened(warm)
    page.state("page.pin(4)")
    thumbnails = page.page.locator(".near-z .thumbnail")
    assert rows_of(thumbnails) == [5, 3]
    # Right of the pinned one, 5 moves away to the right; 3, left of it, would come nearer.
    after = lit(page, ".near-z [data-row='5'] .heat").ravel()
    assert after.argmax() == 5
    assert lit(page, ".near-z [data-row='3'] .heat").ravel().argmax() == 4, "a little, upwards"
    # The pinned one leaves 3 by moving right, and 5 only a little by moving up.
    own = {}
    for row in (3, 5):
        page.page.hover(f".near-z [data-row='{row}']")
        own[row] = lit(page, "#pinned-picture .heat").ravel().argmax()
    assert own == {3: 4, 5: 5}
    page.page.mouse.move(5, 5)
    assert lit(page, "#pinned-picture .heat").ravel().argmax() == 4
    assert page.page.locator(".near-h .heat").count() == 0


def test_heat_can_be_switched_off_and_stays_so(warm, opened):
    page = opened(warm)
    page.state("page.pin(4)")
    page.page.uncheck("#heat-shown")
    assert page.page.locator(".heat").count() == 0
    page.state("page.pin(7)")
    assert page.page.locator(".heat").count() == 0
    page.page.check("#heat-shown")
    assert page.page.locator("#pinned-picture .heat").count() == 1


def test_a_page_without_heat_does_not_speak_of_it(digits, opened):
    page = opened(digits / "map.html")
    page.state("page.pin(4)")
    assert page.page.locator("#heat, .heat").count() == 0


def brightest(page, selector):
    """The middle of what is brightest in a heat, x and y as shares of its width and height."""
    return page.page.evaluate(
        """(selector) => {
            const canvas = document.querySelector(selector);
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const light = Array.from({ length: width * height }, (_, i) => data[4 * i + 1]);
            const least = 0.8 * Math.max(...light);
            const all = light.flatMap((value, i) => (value > least ? [i] : []));
            const mean = (of) => all.reduce((sum, i) => sum + of(i) + 0.5, 0) / all.length;
            return [mean((i) => i % width) / width, mean((i) => Math.floor(i / width)) / height];
        }""",
        selector,
    )


def test_heat_is_where_the_square_is_in_images_of_any_shape(tmp_path, opened):
    height, width = 22, 38
    of = squares((height, width))
    assert len(set(np.diff(of.tops))) == 2, "unevenly spaced"
    (rows, columns), chosen = of.shape, [(1, 2), (5, 10), (3, 6), (1, 10), (5, 2)]
    moved = np.zeros((N, rows, columns, 2))
    for row, (i, j) in enumerate(chosen):
        moved[row, i, j] = 1
    y, x = np.array(of.y) / height, np.array(of.x) / width
    page = opened(page_of(tmp_path, (height, width), Movement(moved, np.ones(N), y, x, 15)))
    for row, (i, j) in enumerate(chosen):
        page.state(f"page.pin({row})")
        found = np.array(brightest(page, "#pinned-picture .heat")) * (width, height)
        assert np.abs(found - (of.x[j], of.y[i])).max() < 0.8, "of a pixel"
