"""The page of a run, in a real browser: what a user does, and what must come of it."""

import csv
import io
import json

import numpy as np
import pytest
from browser import FLAGS, Watched, executable
from command import dimred, only_run
from matplotlib.path import Path as Outline
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from dimred.data.digits import load_digits

TINY = ["model.widths=[4,8]", "model.hidden_dim=8", "eval.references=false", "eval.linear=none"]


@pytest.fixture(scope="module")
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


@pytest.fixture
def opened(browser):
    """Opens a page file in a window of its own; at the end it must have had nothing to complain of
    and asked for nothing but itself."""
    watched, contexts = [], []

    def open_page(file, **options):
        context = browser.new_context(viewport={"width": 1000, "height": 700}, **options)
        contexts.append(context)
        watched.append(Watched(context, file))
        return watched[-1]

    yield open_page
    for one in watched:
        assert one.complaints == []
        assert one.requests == [one.url]
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run on embedded data in three stages, from 128-D to 2-D, and its page."""
    cwd = tmp_path_factory.mktemp("digits")
    dimred(cwd, "train", "experiment=smoke", "dataset.limit=300", *TINY)
    run = only_run(cwd)
    out, _ = dimred(cwd, "view", str(run))
    assert str(run / "map.html") in out
    return run


@pytest.fixture(scope="module")
def shifts(tmp_path_factory):
    """A run in 3-D with transformations, and its page."""
    cwd = tmp_path_factory.mktemp("shifts")
    small = ["dataset.limit=100", "schedule.stages.train.epochs=1", "schedule.batch_size=20"]
    dimred(cwd, "train", "experiment=generalized_digits_shifts", *small)
    run = only_run(cwd)
    dimred(cwd, "view", str(run))
    return run


WICKED = "<img src=x onerror=document.title='caught'>"


@pytest.fixture(scope="module")
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
    found = {"near_duplicates": [[0, 3], [5, 6, 7]], "outliers": [2], "label_conflicts": []}
    (run / "inspect").mkdir()
    (run / "inspect" / "findings.json").write_text(json.dumps({**found, "islands": []}))
    dimred(cwd, "view", str(run))
    return run


def arrays(run, name="embedding.npz"):
    with np.load(run / name) as content:
        return dict(content)


def rows_of(locator):
    return [int(row) for row in locator.evaluate_all("all => all.map((one) => one.dataset.row)")]


def tints(page):
    return np.array(page.state("Array.from(page.tints)")).reshape(-1, 3)


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


def test_a_click_pins_an_image_with_its_neighbours(digits, opened):
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
    # A neighbour is an image of its own.
    other = panel.locator(".near-h button").first
    wanted = rows_of(other)
    other.focus()
    page.page.keyboard.press("Enter")
    assert page.state("state.pinned") == wanted[0]
    assert page.page.evaluate("document.activeElement.id") == "unpin"
    page.page.click("#unpin")
    assert not panel.is_visible()


def test_neighbours_in_h_are_those_of_the_encoder(digits, opened):
    from dimred.finished import FinishedRun

    run = FinishedRun(digits)
    h, _ = run.embed(run.images(), run.compute())
    expected = NearestNeighbors(n_neighbors=10).fit(h).kneighbors(return_distance=False)
    page = opened(digits / "map.html")
    for row in (0, 17, 299):
        page.state(f"page.pin({row})")
        assert rows_of(page.page.locator(".near-h button")) == list(expected[row])


def test_classes_are_hidden_shown_and_highlighted(digits, opened):
    page = opened(digits / "map.html")
    label = arrays(digits)["label"]
    legend = page.page.locator("#legend")
    assert legend.locator(".count").all_inner_texts() == [
        str((label == c).sum()) for c in range(10)
    ]
    row = page.lonely()
    place, name = page.place(row), str(label[row])
    box = legend.get_by_role("checkbox", name=name)
    box.uncheck()
    assert (np.array(page.state("Array.from(scene.states)")) == 0).tolist() == (
        label == label[row]
    ).tolist()
    assert f"{300 - (label == label[row]).sum()} of 300" in page.page.locator("#shown").inner_text()
    page.page.mouse.move(*place)
    assert page.state("state.hovered") != row
    page.page.click("#show-all")
    assert box.is_checked()
    legend.get_by_role("button", name=f"Highlight {name}").click()
    states = np.array(page.state("Array.from(scene.states)"))
    assert (states == 3).tolist() == (label == label[row]).tolist()
    assert (states == 1).tolist() == (label != label[row]).tolist()
    # By keys: the button stays, and so does the focus.
    assert page.page.evaluate("document.activeElement.className") == "highlight"
    page.page.keyboard.press("Enter")
    assert page.state("state.highlight") is None
    assert page.page.evaluate("document.activeElement.ariaPressed") == "false"
    page.page.click("#legend-none")
    assert (np.array(page.state("Array.from(scene.states)")) == 0).all()


@pytest.mark.parametrize("tool", ["box", "lasso", "shift"])
def test_an_outline_selects_what_lies_in_it(digits, opened, tool):
    page = opened(digits / "map.html")
    if tool != "shift":
        page.page.get_by_role("radio", name=tool).check()
    corners = [(180, 160), (520, 160), (520, 480), (180, 480)]
    if tool == "shift":
        page.page.keyboard.down("Shift")
    page.drag([corners[0], corners[2]] if tool == "box" else corners)
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
    # To look at a class ends it.
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
    # Colours by loss are those of the stage.
    page.page.select_option("#colour", label="loss in this stage")
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


def test_search_finds_indices_and_labels(digits, opened):
    page = opened(digits / "map.html")
    content = arrays(digits)

    def find(text):
        page.page.fill("#search", text)
        page.page.press("#search", "Enter")

    find(str(content["index"][7]))
    assert page.state("[state.pinned, state.selection]") == [7, None]
    # The name of a class, and an index where there is one.
    find("9")
    assert page.state("state.selection.rows") == np.flatnonzero(content["label"] == 9).tolist()
    assert page.state("state.pinned") == (
        list(content["index"]).index(9) if 9 in content["index"] else 7
    )
    find("TEST")
    assert page.state("state.selection.rows") == np.flatnonzero(content["split"] == "test").tolist()
    find("no such thing")
    assert page.page.locator("#said").inner_text() == "Nothing there"
    find("")
    assert page.state("[state.pinned, state.selection]") == [None, None]


def test_colours_tell_class_or_split(digits, opened):
    page = opened(digits / "map.html")
    content = arrays(digits)
    for label, values in (("class", content["label"]), ("split", content["split"])):
        page.page.select_option("#colour", label=label)
        shades = {
            tuple(tint): value for tint, value in zip(tints(page).tolist(), values, strict=True)
        }
        assert len(shades) == len(set(values.tolist()))
        assert [shades[tuple(tint)] for tint in tints(page).tolist()] == values.tolist()
    assert page.page.locator("#legend .name").all_inner_texts() == ["train", "test"]


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
    for _ in range(40):
        page.page.mouse.wheel(0, -300)
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
    page.page.get_by_role("checkbox", name="images when close").uncheck()
    assert page.state("page.overlay.side") == 0


def test_a_slow_map_is_thinned_only_while_it_moves(digits, opened):
    page = opened(digits / "map.html")
    count = "scene.geometry.drawRange.count"
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
    for _ in range(4):
        page.page.mouse.move(400, 400)
        page.page.mouse.wheel(0, -50)
        page.page.wait_for_timeout(500)
    took = page.state("state.took")
    assert len(took) >= 4
    assert max(took) < 400


def test_images_of_many_sheets_come_to_rest(shifts, opened, tmp_path):
    """More sheets in view than are kept decoded otherwise."""
    dimred(tmp_path, "view", str(shifts), "--thumbnail", "256", "--out", "large.html")
    page = opened(tmp_path / "large.html")
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
    page.page.wait_for_timeout(100)
    page.state("state.lose.restoreContext()")
    page.page.wait_for_timeout(300)
    page.drawn()
    page.page.locator("#map").screenshot(path=tmp_path / "map.png")
    screen = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(int)
    assert (np.ptp(screen, axis=2) > 60).sum() > 2000
    page.complaints.clear()  # three.js says that it was lost


def test_the_keyboard_moves_zooms_and_pins(digits, opened):
    page = opened(digits / "map.html")
    row = page.lonely()
    page.page.focus("#map")
    start = page.place(row)
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowDown")
    assert np.subtract(page.place(row), start).round().tolist() == [-60, -60]
    page.page.keyboard.press("+")
    assert page.state("scene.camera.zoom") == pytest.approx(1.4)
    page.page.keyboard.press("-")
    page.page.keyboard.press("0")
    assert page.place(row) == pytest.approx(start)
    page.page.keyboard.press("Enter")
    middle = page.state("[scene.width / 2, scene.height / 2]")
    places = page.state("Array.from({ length: 300 }, (_, row) => scene.placeOf(row))")
    away = np.hypot(*np.subtract(places, middle).T)
    assert page.state("state.pinned") == int(np.argmin(away))
    page.page.keyboard.press("Escape")
    assert page.state("state.pinned") is None


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


def test_controls_have_names_and_are_reached_by_keys(digits, opened):
    page = opened(digits / "map.html")
    page.state("page.pin(3)")
    page.state("page.select([1, 2])")
    nameless = page.page.evaluate(
        "Array.from(document.querySelectorAll('button, input, select, [tabindex]')).filter((one) =>"
        "one.matches('select') ? !one.labels[0].firstChild.textContent.trim() :"
        "!(one.ariaLabel || one.title || one.textContent.trim() ||"
        "one.labels?.[0]?.textContent.trim()))"
        ".map((one) => one.outerHTML)"
    )
    assert nameless == []
    reached = set()
    for _ in range(80):
        page.page.keyboard.press("Tab")
        reached.add(page.page.evaluate("document.activeElement.id"))
    controls = {
        "search",
        "colour",
        "stage",
        "thumbnails",
        "zoom-in",
        "reset",
        "theme",
        "map",
        "export",
    }
    assert controls <= reached
    assert page.page.locator("#said").get_attribute("role") == "status"


def test_a_3d_map_is_turned_and_coloured_by_its_factors(shifts, opened):
    page = opened(shifts / "map.html")
    content = arrays(shifts)
    assert page.state("scene.n") == len(content["z"]) == 500
    z = np.array(page.state("Array.from(scene.positions)")).reshape(-1, 3)
    assert np.corrcoef(z[:, 2], content["z"][:, 2])[0, 1] == pytest.approx(1)
    page.page.select_option("#colour", label="shift")
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


def test_names_stay_text(wicked, opened):
    page = opened(wicked / "map.html")
    page.state("page.pin(0)")
    page.state("page.hover(1, [50, 50])")
    page.state("page.select([0, 1, 2, 13])")
    page.page.fill("#search", "onerror")
    page.page.press("#search", "Enter")
    page.drawn()
    assert page.page.title() == wicked.name
    assert page.page.locator("img, svg, b, aside script").count() == 0
    assert WICKED in page.page.locator("#legend").inner_text()
    assert '<svg onload=alert(0)>,".png' in page.page.locator("#pinned").inner_text()
    assert len(page.state("state.selection.rows")) == 12
    with page.page.expect_download() as download:
        page.page.click("#export")
    lines = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    assert {line["class"] for line in lines} == {WICKED}
    assert lines[0]["source"] == f'{WICKED}/0<svg onload=alert(0)>,".png'


def test_what_inspect_found_is_marked(wicked, opened):
    page = opened(wicked / "map.html")
    marks = page.page.locator("#marks")
    assert marks.locator("option").all_inner_texts() == [
        "nothing",
        "near-duplicates (5)",
        "outliers (1)",
    ]
    marks.select_option("near_duplicates")
    assert page.state("state.marked") == [0, 3, 5, 6, 7]
    assert page.page.locator("#selection-body h3").all_inner_texts() == ["group 1", "group 2"]
    assert rows_of(page.page.locator("#selection-body button")) == [0, 3, 5, 6, 7]
    page.state("page.pin(1)")
    marks.select_option("")
    assert page.state("[state.marked, state.selection, state.pinned]") == [[], None, 1]
    marks.select_option("outliers")
    page.state("page.select([5])")
    assert marks.input_value() == ""


def test_images_of_other_shapes_and_colours_are_shown(wicked, opened):
    """Random colours, compressed: near the pixels, and each its own."""
    from dimred.finished import FinishedRun

    page = opened(wicked / "map.html")
    images = FinishedRun(wicked).images().images.permute(0, 2, 3, 1).numpy().astype(float)
    for row in (0, 9, 23):
        page.state(f"page.pin({row})")
        page.page.wait_for_timeout(50)
        shown = page.page.locator("#pinned-body > canvas").evaluate(
            "one => Array.from(one.getContext('2d').getImageData(0, 0, one.width, one.height).data)"
        )
        pixels = np.array(shown).reshape(16, 16, 4)[:, :, :3]
        away = np.abs(images.mean(-1) - pixels.mean(-1)).mean(axis=(1, 2))
        assert away.argmin() == row
        assert away[row] < 10
