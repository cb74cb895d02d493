"""The page of a run in a real browser: what a user does on the map, and what must come of it."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from browser import arrays, rows_of, tints
from command import dimred
from matplotlib.path import Path as Outline
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from dimred import load_run
from dimred.data.digits import load_digits
from dimred.page import atlas
from dimred.run_folder.finished import FinishedRun


def test_hovering_shows_the_image_and_its_label(digits, opened):
    page = opened(digits / "map.html")
    row = page.lonely()
    page.page.mouse.move(*page.place(row))
    page.drawn()
    tip = page.page.locator("#tip")
    assert tip.is_visible()
    content = arrays(digits)
    name = content["class_names"][content["label"][row]]
    assert tip.inner_text().split("\n")[0] == f"{content['index'][row]}: {name}"
    shown = tip.locator("canvas").evaluate(
        "one => Array.from(one.getContext('2d').getImageData(0, 0, one.width, one.height).data)"
    )
    pixels = np.array(shown).reshape(8, 8, 4)[:, :, 0]
    assert (pixels == load_digits().images[content["index"][row], 0].numpy()).all()
    page.page.mouse.move(2, 2)
    assert not tip.is_visible()
    # It goes with its point.
    page.page.mouse.move(*page.place(row))
    page.drawn()
    assert tip.is_visible()
    page.page.mouse.wheel(0, -300)
    page.drawn()
    assert not tip.is_visible()


def test_a_click_pins_an_image_with_its_neighbors(digits, opened):
    page = opened(digits / "map.html")
    row = page.lonely()
    page.page.mouse.click(*page.place(row))
    panel = page.page.locator("#pinned")
    assert panel.is_visible()
    z = arrays(digits)["z"]
    search = NearestNeighbors(n_neighbors=10).fit(z)
    assert rows_of(panel.locator(".near-z button")) == list(
        search.kneighbors(return_distance=False)[row]
    )
    assert panel.locator("dd").first.inner_text() == str(arrays(digits)["index"][row])
    assert [f"{value:.3f}" for value in z[row]] == panel.locator("dd").last.inner_text().split(", ")
    # A neighbor is an image of its own.
    other = panel.locator(".near-h button").first
    wanted = rows_of(other)
    other.focus()
    page.page.keyboard.press("Enter")
    assert page.state("state.pinned") == wanted[0]
    assert page.page.evaluate("document.activeElement.id") == "unpin"
    page.page.click("#unpin")
    assert not panel.is_visible()


def test_neighbors_in_h_are_those_of_the_encoder(digits, opened):
    run = FinishedRun(digits)
    h, _ = run.embed(run.images(), run.compute())
    expected = NearestNeighbors(n_neighbors=10).fit(h).kneighbors(return_distance=False)
    page = opened(digits / "map.html")
    for row in (0, 17, 299):
        page.state(f"page.pin({row})")
        assert rows_of(page.page.locator(".near-h button")) == list(expected[row])


@pytest.mark.parametrize("tool", ["box", "lasso", "shift"])
def test_an_outline_selects_what_lies_in_it(digits, opened, tool):
    page = opened(digits / "map.html")
    if tool != "shift":
        page.page.get_by_role("radio", name=tool).check()
    corners = [(180, 160), (520, 160), (520, 480), (180, 480)]
    if tool == "shift":
        page.page.keyboard.down("Shift")
    # A lasso may end where it began.
    page.drag([corners[0], corners[2]] if tool == "box" else [*corners, corners[0]])
    page.page.keyboard.up("Shift")
    expected = np.flatnonzero(Outline(corners).contains_points(page.places()))
    assert 10 < len(expected) < 290
    assert page.state("state.selection.rows") == expected.tolist()
    gallery = page.page.locator("#selection-body button")
    assert rows_of(gallery) == expected[:60].tolist()
    while page.page.locator("#selection-more").is_visible():
        page.page.click("#selection-more")
    assert rows_of(gallery) == expected.tolist()
    with page.page.expect_download() as download:
        page.page.click("#export")
    lines = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    content = arrays(digits)
    assert [int(line["row"]) for line in lines] == expected.tolist()
    assert [int(line["index"]) for line in lines] == content["index"][expected].tolist()
    assert [line["class"] for line in lines] == [str(c) for c in content["label"][expected]]
    assert [line["split"] for line in lines] == content["split"][expected].tolist()
    losses = [float(line["loss in this stage"]) for line in lines]
    assert np.allclose(losses, arrays(digits, "stages/finetune.npz")["loss"][expected], rtol=1e-6)
    # One that catches nothing leaves it; to look at a class ends it.
    page.state("page.select([])")
    assert page.state("state.selection.rows") == expected.tolist()
    page.page.locator("#legend .highlight").first.click()
    assert page.state("state.selection") is None
    page.state("page.select([1, 2])")
    page.page.click("#deselect")
    assert page.state("state.selection") is None
    assert not page.page.locator("#selection").is_visible()


def test_the_slider_goes_through_the_stages(digits, opened):
    page = opened(digits / "map.html", reduced_motion="reduce")
    slider = page.page.locator("#stage")
    names = ["pretrain", "readout", "finetune"]
    seen = []
    for number, name in reversed(list(enumerate(names))):
        slider.fill(str(number))
        assert page.page.locator("#stage-name").inner_text() == name
        positions = np.array(page.state("Array.from(scene.positions)")).reshape(-1, 3)[:, :2]
        z = arrays(digits, f"stages/{name}.npz")["z"].astype(float)
        if name != "pretrain":  # turned and scaled, so that distances keep their ratios
            shown, own = (np.linalg.norm(p - p[:1], axis=1)[1:] for p in (positions, z))
            np.testing.assert_allclose(shown / own, (shown / own)[0], rtol=2e-3)
        assert np.abs(positions).max() == pytest.approx(1, abs=1e-5)
        seen.append(positions)
    assert "principal components" in page.page.locator("#caption").inner_text()
    assert not np.allclose(seen[0], seen[1], atol=0.05)
    # Colors by loss are those of the stage.
    page.page.select_option("#color", label="loss in this stage")
    early = tints(page)
    slider.fill("2")
    assert not np.allclose(early, tints(page))
    loss = arrays(digits, "stages/finetune.npz")["loss"]
    brightness = tints(page) @ [0.2126, 0.7152, 0.0722]
    rank = np.corrcoef(np.argsort(np.argsort(loss)), np.argsort(np.argsort(brightness)))[0, 1]
    assert rank > 0.95  # viridis becomes brighter


def test_stages_glide_into_one_another(digits, opened):
    page = opened(digits / "map.html")
    before = page.state("Array.from(scene.positions)")
    page.page.locator("#stage").fill("0")
    page.wait("window.dimred.page.scene.motion === null")
    page.page.locator("#stage").fill("2")
    page.wait("window.dimred.page.scene.motion === null")
    assert page.state("Array.from(scene.positions)") == before


def test_points_are_painted_where_and_how_they_are_said_to_be(digits, opened, tmp_path):
    """The pixels of the screen, which nothing above has looked at."""
    for dark in (False, True):
        page = opened(digits / "map.html", color_scheme="dark" if dark else "light")
        page.page.screenshot(path=tmp_path / "page.png")
        screen = np.asarray(Image.open(tmp_path / "page.png").convert("RGB")).astype(int)
        for row in (page.lonely(), 5, 250):
            x, y = page.place(row)
            patch = screen[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].reshape(-1, 3)
            back = np.array([22, 24, 29] if dark else [255, 255, 255])
            expected = 0.85 * tints(page)[row] * 255 + 0.15 * back
            if row == page.lonely():
                assert np.abs(patch - expected).max(axis=1).min() < 12
            else:
                assert np.abs(patch - back).max() > 30


def test_images_replace_points_when_close(digits, opened, tmp_path):
    page = opened(digits / "map.html")
    row = page.lonely()
    assert page.state("page.overlay.side") == 0
    page.page.mouse.move(*page.place(row))
    for _ in range(6):
        page.page.mouse.wheel(0, -1000)
        page.drawn()
    # Zoomed to where the pointer was.
    assert page.state("scene.camera.zoom") > 5
    x, y = page.place(row)
    page.page.wait_for_timeout(300)
    shown = page.state("page.overlay.images.map(([row]) => row)")
    assert row in shown
    side = page.state("page.overlay.side")
    assert side > 18
    page.page.mouse.move(2, 2)
    page.drawn()
    page.page.screenshot(path=tmp_path / "page.png")
    screen = np.asarray(Image.open(tmp_path / "page.png").convert("L")).astype(float)
    half = int(side / 2) - 4
    seen = screen[int(y) - half : int(y) + half, int(x) - half : int(x) + half]
    image = load_digits().images[arrays(digits)["index"][row], 0].numpy()
    expected = np.kron(image, np.ones((16, 16)))[8:-8, 8:-8]
    expected = np.asarray(Image.fromarray(expected.astype(np.uint8)).resize(seen.shape))
    assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.8
    page.page.get_by_role("checkbox", name="images").uncheck()
    assert page.state("page.overlay.side") == 0


def test_a_slow_map_is_thinned_only_while_it_moves(digits, opened):
    page = opened(digits / "map.html")
    count = "scene.cloud.geometry.drawRange.count"
    page.state("(scene.learn = () => {}, 1)")  # what this machine is like
    page.wait("!window.dimred.page.scene.moving")
    page.state("(scene.share = 0.5, scene.draw())")
    page.drawn()
    assert page.state(count) == 300
    page.state("scene.panBy(5, 5)")
    page.drawn()
    assert page.state(count) == 150
    page.wait(f"window.dimred.page.{count} === 300")


def test_only_slow_pictures_thin_a_map(digits, opened):
    page = opened(digits / "map.html")
    page.wait("!window.dimred.page.scene.moving")
    after = "(() => {{ scene.share = {}; scene.learn({}); return scene.share; }})()"
    assert page.state(after.format(1, 34)) == 1  # a screen of 30 Hz
    assert page.state(after.format(1, 90)) < 1
    assert page.state(after.format(0.5, 34)) > 0.5
    # Time in which nothing was to be drawn is no picture's.
    page.state("(state.took = [], scene.learn = (took) => state.took.push(took), 1)")
    for _ in range(3):
        page.page.mouse.move(400, 400)
        page.page.mouse.wheel(0, -50)
        page.page.wait_for_timeout(450)
    took = page.state("state.took")
    assert len(took) >= 3
    assert max(took) < 400


def test_images_of_many_sheets_come_to_rest(shifts, opened, tmp_path, monkeypatch):
    """More sheets in view than are kept decoded otherwise."""
    monkeypatch.setattr(atlas, "_SHEET", 32)
    dimred(tmp_path, "view", str(shifts), "--out", "large.html")
    page = opened(tmp_path / "large.html", viewport={"width": 1500, "height": 1000})
    page.page.evaluate(
        "(() => { window.decoded = 0; const decode = Image.prototype.decode;"
        "Image.prototype.decode = function () { window.decoded++; return decode.call(this); }; })()"
    )
    page.state("scene.zoomBy(1.25)")
    page.page.wait_for_timeout(1500)
    assert page.state("page.overlay.images.length") > 300
    decoded = page.page.evaluate("window.decoded")
    assert decoded > 24
    page.page.wait_for_timeout(700)
    assert page.page.evaluate("window.decoded") == decoded


def test_a_lost_context_is_drawn_again(digits, opened, tmp_path):
    page = opened(digits / "map.html")
    page.state("(state.lose = scene.renderer.getContext().getExtension('WEBGL_lose_context')) && 1")
    page.state("state.lose.loseContext()")
    trouble = page.page.locator("#trouble")
    trouble.wait_for(state="visible", timeout=5_000)
    assert "WebGL was lost" in trouble.inner_text()
    page.page.wait_for_timeout(100)
    page.state("state.lose.restoreContext()")
    trouble.wait_for(state="hidden", timeout=5_000)
    page.page.wait_for_timeout(300)
    page.drawn()
    page.page.locator("#map").screenshot(path=tmp_path / "map.png")
    screen = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(int)
    assert (np.ptp(screen, axis=2) > 60).sum() > 2000
    page.complaints.clear()  # three.js says that it was lost


def test_fingers_move_zoom_and_pin(digits, opened):
    page = opened(digits / "map.html", has_touch=True)
    row = page.lonely()
    page.page.touchscreen.tap(*page.place(row))
    assert page.state("state.pinned") == row
    session = page.page.context.new_cdp_session(page.page)

    def touch(kind, *points):
        session.send(
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)],
            },
        )

    before = page.place(row)
    touch("touchStart", (300, 300))
    touch("touchMove", (340, 330))
    touch("touchMove", (380, 350))
    touch("touchEnd")
    assert np.subtract(page.place(row), before) == pytest.approx([80, 50], abs=1)
    # A second finger ends a lasso.
    page.page.get_by_role("radio", name="lasso").check()
    touch("touchStart", (300, 300))
    touch("touchMove", (340, 330))
    assert len(page.state("state.outline")) > 1
    touch("touchStart", (340, 330), (500, 300))
    assert page.state("state.outline") == []
    touch("touchEnd")
    assert page.state("state.selection") is None
    page.page.get_by_role("radio", name="move").check()
    touch("touchStart", (300, 300), (400, 300))
    touch("touchMove", (250, 300), (450, 300))
    touch("touchMove", (200, 300), (500, 300))
    touch("touchEnd")
    assert page.state("scene.camera.zoom") > 1.5
    assert page.state("state.pinned") == row


def test_a_3d_map_is_turned_and_colored_by_its_factors(shifts, opened):
    page = opened(shifts / "map.html")
    content = arrays(shifts)
    assert page.state("scene.n") == len(content["z"]) == 500
    z = np.array(page.state("Array.from(scene.positions)")).reshape(-1, 3)
    assert np.corrcoef(z[:, 2], content["z"][:, 2])[0, 1] == pytest.approx(1)
    page.page.select_option("#color", label="shift")
    shades = tints(page)
    assert len(np.unique(shades, axis=0)) == 5
    assert page.page.locator("#legend .ends").inner_text().split() == [
        "-2",
        "pixels",
        "2",
        "pixels",
    ]
    before = page.state("scene.camera.position.toArray()")
    page.drag([(300, 300), (420, 340)])
    after = page.state("scene.camera.position.toArray()")
    assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(before))
    assert not np.allclose(before, after, atol=0.5)
    page.page.focus("#map")
    page.page.keyboard.press("Shift+ArrowLeft")
    assert not np.allclose(page.state("scene.camera.position.toArray()"), after, atol=0.1)


def test_images_of_other_shapes_and_colors_are_shown(wicked, opened):
    """Random colors, compressed: near the pixels, and each its own."""
    page = opened(wicked / "map.html")
    root, sources = FinishedRun(wicked).config.dataset.root, FinishedRun(wicked).map.sources
    images = np.stack([np.array(Image.open(Path(root) / source)) for source in sources])
    images = images.astype(float)
    for row in (0, 9, 23):
        page.state(f"page.pin({row})")
        page.page.wait_for_timeout(50)
        shown = page.page.locator("#pinned-picture canvas").evaluate(
            "one => Array.from(one.getContext('2d').getImageData(0, 0, one.width, one.height).data)"
        )
        pixels = np.array(shown).reshape(20, 30, 4)[:, :, :3]
        away = np.abs(images.mean(-1) - pixels.mean(-1)).mean(axis=(1, 2))
        assert away.argmin() == row
        assert away[row] < 25  # noise, compressed; another image is some 50 away


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(digits, browser, tmp_path):
    """Which is drawn, and can neither read the notebook nor ask for anything."""
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><p>cell</p>{load_run(digits).view(height=400)._repr_html_()}")
    page = browser.new_page()
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    frame = page.frames[1]
    frame.wait_for_selector("#legend .highlight")
    assert frame.evaluate("window.dimred.page.scene.n") == 300
    assert frame.evaluate("window.origin") == "null"
    assert complaints == []
    assert requests == [file.as_uri()]
    page.close()
