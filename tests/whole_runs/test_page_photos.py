"""The page of photographs in a real browser, made of arrays as a run would give them."""

import io
import json

import numpy as np
import pytest
from browser import WICKED, rows_of
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from dimred.page import Atlas, Column, Finding, MapPage, PlacedImages, StageMap, page_parts

N, M, K, SIDE = 60, 4, 5, 96
NAMES = (
    "cats",
    "dogs & co",
    WICKED,
    "a class of a name that is too long to be written in full",
    "sea",
)
CENTERS = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [5, 5]])
SHAPES = [(96, 64), (64, 96), (96, 96), (96, 54)]
CODES = np.arange(N) % 5
RATING = np.where(np.arange(N) == 7, np.nan, np.arange(N) % 10)
LOSSES = [np.arange(N) / N, np.arange(N)]
VERDICT = {"word": "good", "text": f"much better than {WICKED}", "advice": "none is needed"}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def color_of(row):
    """Of a row's photograph: each its own."""
    return (30 + 37 * row % 200, 30 + 91 * row % 200, 30 + 53 * row % 200)


def atlas():
    size = np.array([SHAPES[row % 4] for row in range(N + M)], dtype=np.uint8)
    columns = 1024 // SIDE
    sheet = Image.new("RGB", (columns * SIDE, columns * SIDE), "red")
    for row in range(N + M):
        cell = Image.new("RGB", tuple(map(int, size[row])), color_of(row))
        sheet.paste(cell, (row % columns * SIDE, row // columns * SIDE))
    file = io.BytesIO()
    sheet.save(file, "WEBP", lossless=True)
    slot = np.arange(N + M, dtype=np.uint32)
    return Atlas((file.getvalue(),), slot, SIDE, SIDE, SIDE, columns, size)


def near(points, others=None):
    search = NearestNeighbors(n_neighbors=K).fit(points)
    return search.kneighbors(others, return_distance=False)


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """A page of 60 photographs in five classes, each an island of the map, and 4 new ones."""
    folder = tmp_path_factory.mktemp("album")
    rng = np.random.default_rng(0)
    z = (CENTERS[CODES] + rng.normal(size=(N, 2))).astype(np.float32)
    sources = [f"{CODES[row]} class/photo #{row}?.png" for row in range(N)]
    for row in range(N - 1):  # the last is gone
        file = folder / "photos" / sources[row]
        file.parent.mkdir(parents=True, exist_ok=True)
        width, height = SHAPES[row % 4]
        Image.new("RGB", (width * 5, height * 5), color_of(row)).save(file)
    new = np.array([[5, 0], [0, 5], [10, 5], [16, 5]], dtype=np.float32)
    page = MapPage(
        title="album",
        subtitle="60 images, knn5_z 0.9",
        run="album",
        stages=[StageMap("early", "early", z[::-1]), StageMap("late", "late, 2 dimensions", z)],
        projected=False,
        columns=[
            Column("class", "class", CODES, NAMES, help="Given"),
            Column("rating", "rating", RATING, help=f"Stars of {WICKED}"),
            Column("cluster", "island", CODES + (CODES > 0), ("none", *"12345"), help="Apart"),
            Column("loss", "loss in this stage", LOSSES, skewed=True, help="High"),
        ],
        index=np.arange(N) + 1000,
        sources=sources,
        near={"z": near(z), "h": near(z)},
        atlas=atlas(),
        palette=["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"],
        findings=[Finding("outliers", "outliers", [("", [1, 2])], {1: WICKED})],
        placed=PlacedImages(
            names=["new 0.jpg", WICKED, "new 2.jpg", "new 3.jpg"],
            votes=["cats", "sea", WICKED, "sea"],
            shares=[0.8, 1, 0.6, 0.4],
            far=[False, False, False, True],
            sets=["holiday", "holiday", "scans", "scans"],
            z=new,
            near=near(z, new),
        ),
        verdict=VERDICT,
        files=(folder / "photos").as_uri() + "/",
        absent=[N - 2],  # the file is there, but another than it was
        missing=f"1 file is gone: {WICKED}",
    )
    file = folder / "map.html"
    file.write_bytes(b"".join(page_parts(page)))
    return file


def boxes(page):
    return page.state("page.overlay.names.shown")


def settle(page):
    page.wait("window.dimred.page.scene.motion === null")
    page.drawn()


def test_a_small_map_opens_in_whole_photographs(album, opened, tmp_path):
    page = opened(album)
    assert page.state("page.overlay.side") >= 22
    assert page.state("page.overlay.images.length") == N
    page.page.uncheck("#names")
    page.page.uncheck("#placed-shown")
    # One of each shape, each on an island of its own.
    page.state("(scene.show((row) => (row >= 4 && row < 8 ? 2 : 0)), page.overlay.refresh())")
    page.wait("window.dimred.page.overlay.side > 60")
    page.page.wait_for_timeout(150)
    page.drawn()
    page.page.screenshot(path=tmp_path / "page.png")
    screen = np.asarray(Image.open(tmp_path / "page.png").convert("RGB")).astype(int)
    side = page.state("page.overlay.side")
    for row in (4, 5, 6, 7):
        down, across = np.nonzero(np.abs(screen - color_of(row)).max(axis=2) <= 2)
        width, height = np.array(SHAPES[row % 4]) * side / SIDE - 2  # within its frame
        assert np.ptp(across) + 1 == pytest.approx(width, abs=2)
        assert np.ptp(down) + 1 == pytest.approx(height, abs=2)
        middle = np.mean([across.min(), across.max()]), np.mean([down.min(), down.max()])
        assert middle == pytest.approx(page.place(row), abs=2)
    page.page.uncheck("#thumbnails")
    assert page.state("page.overlay.side") == 0


def test_the_pinned_photograph_is_shown_in_full(album, opened):
    page = opened(album)
    page.state("page.pin(5)")
    large = page.page.locator("#pinned-picture canvas").bounding_box()
    assert large["width"] / large["height"] == pytest.approx(64 / 96, rel=0.02)
    assert max(large["width"], large["height"]) > 250
    page.page.click("#pinned-picture")
    image = page.page.locator("#full img")
    assert image.get_attribute("src") == (
        (album.parent / "photos").as_uri() + "/0%20class/photo%20%235%3F.png"
    )
    page.wait("document.querySelector('#full img').naturalWidth === 320")
    assert page.requests.pop() == image.get_attribute("src")
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#full").is_visible()
    assert page.state("state.pinned") == 5
    # By keys alone: Enter pins what is in the middle, and Enter again shows it.
    page.page.focus("#map")
    page.page.keyboard.press("Enter")
    middle = page.state("state.pinned")
    page.page.keyboard.press("Enter")
    assert page.page.locator("#full-title").inner_text().startswith(str(1000 + middle))
    page.page.click("#full-close")
    page.drawn()
    page.requests[1:] = []
    # The thumbnail where the file is gone, and where there has never been one.
    page.state(f"page.pin({N - 1})")
    page.page.click("#pinned-picture")
    page.page.locator("#full canvas").wait_for(timeout=5_000)
    assert "photo #59?.png is no longer there" in page.page.locator("#full-said").inner_text()
    page.page.keyboard.press("Escape")
    page.state(f"page.pin({N - 2})")
    page.page.click("#pinned-picture")
    page.page.locator("#full canvas").wait_for(timeout=5_000)
    assert "photo #58?.png is gone or has changed" in page.page.locator("#full-said").inner_text()
    page.page.keyboard.press("Escape")
    page.requests[1:], page.complaints[:] = [], []  # Chromium says that it is not there
    page.state(f"page.pin({N})")
    page.page.click("#pinned-picture")
    assert page.page.locator("#full canvas").count() == 1
    assert "does not know of a file" in page.page.locator("#full-said").inner_text()


@pytest.mark.parametrize(
    ("name", "windowed", "of"),
    [("a b.tif", False, "a%20b.tif"), ("c.tif[3]", False, "c.tif"), ("d.png", True, "d.png")],
)
def test_what_browsers_do_not_show_is_downloaded(album, opened, tmp_path, name, windowed, of):
    content = album.read_text()
    content = content.replace("0 class/photo #5?.png", name)
    if windowed:
        content = content.replace('"windowed": false', '"windowed": true', 1)
        assert '"windowed": true' in content
    (tmp_path / "page.html").write_text(content)
    page = opened(tmp_path / "page.html")
    page.state("page.pin(5)")
    page.page.click("#pinned-picture")
    assert page.page.locator("#full canvas").count() == 1
    said = page.page.locator("#full-said").inner_text()
    assert said.startswith(f"This is the thumbnail: browsers do not show {name} as the map does.")
    link = page.page.locator("#full-said a")
    assert link.inner_text() == "Download the file"
    assert link.get_attribute("href") == f"{(album.parent / 'photos').as_uri()}/{of}"


def test_names_are_written_where_they_belong_and_apart(album, opened, tmp_path):
    page = opened(album, viewport={"width": 1400, "height": 900})
    shown = boxes(page)
    assert sorted(one["code"] for one in shown) == [0, 1, 2, 3, 4]
    frame = page.page.locator("#map").bounding_box()
    places = page.places() - (frame["x"], frame["y"])
    for one in shown:
        middle = np.array([one["x"] + one["width"] / 2, one["y"] + one["height"] / 2])
        own = places[one["code"] == CODES]
        away = np.linalg.norm(own - middle, axis=1)
        assert np.argmin(np.linalg.norm(places - middle, axis=1)) in np.flatnonzero(
            one["code"] == CODES
        )
        assert np.median(away) < np.ptp(places[:, 0]) / 6
    assert {one["text"] for one in shown} >= {"cats", "dogs & co"}
    assert all(len(one["text"]) <= 26 for one in shown)

    def ink():
        page.drawn()
        page.page.screenshot(path=tmp_path / "page.png")
        screen = np.asarray(Image.open(tmp_path / "page.png").convert("L"))
        box = max(shown, key=lambda one: one["width"])
        left, top = int(box["x"] + frame["x"]), int(box["y"] + frame["y"])
        return (screen[top : top + 18, left : left + int(box["width"])] < 60).sum()

    page.page.uncheck("#thumbnails")
    written = ink()
    page.page.uncheck("#names")
    assert written > ink() + 100
    assert boxes(page) == []
    # Names leave the canvas as it was: round joins would make frames of images slow.
    assert page.state("page.overlay.context.lineJoin") == "miter"
    page.page.check("#names")
    page.page.locator("#legend").get_by_role("checkbox", name="cats").uncheck()
    page.drawn()
    assert sorted(one["code"] for one in boxes(page)) == [1, 2, 3, 4]
    page.page.select_option("#color", label="island")
    page.drawn()
    assert {one["text"] for one in boxes(page)} == {"island 2", "island 3", "island 4", "island 5"}
    page.page.select_option("#color", label="rating")
    page.drawn()
    assert boxes(page) == []


@pytest.fixture
def many_names(tmp_path):
    """A page of 200 classes that lie on one another."""
    rng = np.random.default_rng(1)
    count = 3000
    z = (rng.normal(size=(200, 2)) * 3)[np.arange(count) % 200] + rng.normal(size=(count, 2)) * 0.3
    tiny = Image.new("RGB", (1024, 1024))
    file = io.BytesIO()
    tiny.save(file, "WEBP")
    names = tuple(f"class number {i}" for i in range(200))
    page = MapPage(
        title="many",
        subtitle="",
        run="many",
        stages=[StageMap("one", "one", z.astype(np.float32))],
        projected=False,
        columns=[Column("class", "class", np.arange(count) % 200, names)],
        index=np.arange(count),
        sources=None,
        near={},
        atlas=Atlas((file.getvalue(),), np.zeros(count, dtype=np.uint32), 16, 16, 16, 64),
        palette=["#0072b2"],
    )
    path = tmp_path / "map.html"
    path.write_bytes(b"".join(page_parts(page)))
    return path


def test_no_name_lies_on_another_at_any_zoom(many_names, opened):
    page = opened(many_names)
    frame, corner = (page.page.locator(one).bounding_box() for one in ("#map", "#corner"))
    buttons = (
        corner["x"] - frame["x"],
        corner["y"] - frame["y"],
        corner["width"],
        corner["height"],
    )
    for zoom in (0.5, 1, 2.5, 9, 40):
        page.state(f"(scene.center(17, 1), scene.zoomBy({zoom} / scene.camera.zoom))")
        if zoom == 2.5:  # many names where the buttons are
            page.state("scene.panBy(-scene.width * 0.45, scene.height * 0.4)")
        page.drawn()
        shown = boxes(page)
        assert 0 < len(shown) <= 40
        taken = [buttons, *[(one["x"], one["y"], one["width"], one["height"]) for one in shown]]
        for i, (x, y, w, h) in enumerate(taken):
            assert x >= 0
            assert x + w <= frame["width"]
            for ox, oy, ow, oh in taken[:i]:
                assert x >= ox + ow or ox >= x + w or y >= oy + oh or oy >= y + h
        places = np.array(page.state("Array.from({ length: 3000 }, (_, i) => scene.placeOf(i))"))
        for one in shown if zoom > 2 else []:  # of what is there, not of one image among others
            middle = one["x"] + one["width"] / 2, one["y"] + one["height"] / 2
            near = np.flatnonzero(np.abs(places - middle).max(axis=1) < frame["width"] / 8)
            assert (near % 200 == one["code"]).mean() > 0.1


def bars(page, title):
    """What the bars of a composition say: {name: (count, percent)}."""
    texts = page.page.get_by_role("list", name=f"Selected, by {title}").locator("li").all()
    found = {}
    for one in texts:
        count, percent = one.locator(".count").inner_text().removesuffix(" %)").split(" (")
        found[one.locator(".name").inner_text()] = (int(count), percent)
    return found


def test_a_selection_says_of_what_it_is_made(album, opened):
    page = opened(album)
    rows = [2, *[row for row in range(50) if row % 5 < 2]]
    page.state(f"page.select({rows})")
    assert bars(page, "class") == {
        "cats": (10, "48"),
        "dogs & co": (10, "48"),
        WICKED: (1, "5"),
    }
    assert sum(count for count, _ in bars(page, "island").values()) == len(rows)
    # The column of the colors comes first, where it has categories.
    page.page.select_option("#color", label="island")
    heads = page.page.locator("#selection-parts h3").all_inner_texts()
    assert heads == ["By island", "By class"]
    page.state("page.select([0, 5, 10])")
    page.page.click("#selection-zoom")
    shown = np.array(page.state("[0, 5, 10].map((row) => scene.placeOf(row))"))
    width, height = page.state("[scene.width, scene.height]")
    assert (shown > 0).all()
    assert (shown < (width, height)).all()
    assert (np.ptp(shown, axis=0) / (width, height)).max() > 0.6


def test_numbers_and_categories_filter_the_map_together(album, opened):
    page = opened(album)

    def hidden():
        return np.array(page.state("Array.from(scene.states)")) == 0

    page.page.select_option("#color", label="rating")
    low = page.page.get_by_role("slider", name="Show rating from")
    high = page.page.get_by_role("slider", name="Show rating to")
    low.fill("70")  # of 200 steps from 0 to 9: 3.15
    assert (hidden() == ~(RATING >= 3.15)).all()  # what is not known is not shown either
    high.fill("160")
    wanted = (RATING >= 3.15) & (RATING <= 7.2)
    assert (hidden() == ~wanted).all()
    assert page.page.locator(".limits output").inner_text() == "Show 3.15 to 7.2"
    page.page.select_option("#color", label="class")
    page.page.locator("#legend").get_by_role("checkbox", name="sea").uncheck()
    assert (hidden() == ~(wanted & (CODES != 4))).all()
    said = page.page.locator("#shown").inner_text()
    assert said == f"{(wanted & (CODES != 4)).sum()} of 60 images shown, by class, rating"
    # The sliders stand where they were left.
    page.page.select_option("#color", label="rating")
    assert (low.input_value(), high.input_value()) == ("70", "160")
    page.page.click("#show-all")
    assert not hidden().any()
    assert (low.input_value(), high.input_value()) == ("0", "200")
    # Steps of a loss are so many images, since its ends are far out.
    page.page.select_option("#color", label="loss in this stage")
    page.page.get_by_role("slider", name="Show loss in this stage from").fill("100")
    assert hidden().sum() == 30


def test_what_is_searched_for_comes_into_sight(album, opened):
    page = opened(album, viewport={"width": 1280, "height": 600})

    def find(text):
        page.page.fill("#search", text)
        page.page.press("#search", "Enter")

    def in_sight(panel):
        panels = page.page.locator("#panels").bounding_box()
        box = page.page.locator(panel).bounding_box()
        return panels["y"] <= box["y"] < panels["y"] + 150

    find("photo #23?")
    assert page.state("[state.pinned, state.selection]") == [23, None]
    assert in_sight("#pinned")
    page.page.locator("#panels").evaluate("one => one.scrollTop = 400")
    find("sea")
    assert page.state("[state.pinned, state.selection.rows.length]") == [23, 12]
    assert in_sight("#selection")
    # A click on one of them pins it, above.
    page.page.locator("#selection .thumbnail").nth(3).click()
    assert page.state("state.pinned") == 19
    assert in_sight("#pinned")
    find("new 2")
    assert page.state("state.pinned") == N + 2
    find("no such thing")
    said = page.page.locator("#said")
    assert (said.inner_text(), said.is_visible()) == ("Nothing there", True)
    page.page.press("#search", "x")
    assert said.inner_text() == ""


def test_new_images_are_drawn_and_listed(album, opened, tmp_path):
    page = opened(album)
    page.page.uncheck("#thumbnails")
    page.page.uncheck("#names")
    rows = page.page.locator("#placed-body li:has(button)")
    assert page.page.locator("#placed-title").inner_text().startswith("New: 4 images")
    assert rows.locator(".name").all_inner_texts()[1] == WICKED
    assert rows.nth(0).locator(".faint").inner_text() == "cats, 80 %"
    assert rows.nth(3).locator(".warned").inner_text() == "sea, 40 %; far from everything"
    # Diamonds where they are, hollow for the one far from everything.
    z = np.array(page.state("Array.from(scene.further)")).reshape(-1, 3)
    own = np.array(page.state("Array.from(scene.positions)")).reshape(-1, 3)
    assert z[3, 0] > own[:, 0].max()
    page.state("scene.zoomBy(0.7)")

    def middle_of(row):
        page.drawn()
        page.page.screenshot(path=tmp_path / "page.png")
        x, y = page.place(row)
        return np.asarray(Image.open(tmp_path / "page.png").convert("L"))[int(y), int(x)]

    assert middle_of(N) < 40
    assert middle_of(N + 3) > 215
    page.page.mouse.move(*page.place(N + 3))
    page.drawn()
    assert page.page.locator("#tip").inner_text().split("\n")[0] == "new 3.jpg"
    page.page.mouse.click(*page.place(N))
    assert page.state("state.pinned") == N
    expected = page.state("Array.from({ length: 60 }, (_, row) => scene.placeOf(row))")
    away = np.linalg.norm(np.array(expected) - page.state(f"scene.placeOf({N})"), axis=1)
    assert rows_of(page.page.locator(".near-z button")) == np.argsort(away)[:K].tolist()
    # Only on the map that they were placed on, to which a look at one leads back.
    page.page.locator("#stage").fill("0")
    settle(page)
    assert page.state("page.overlay.placedRows") == []
    rows.nth(2).locator("button").click()
    settle(page)
    assert page.state("[state.pinned, state.stage]") == [N + 2, 1]
    assert page.state("page.overlay.placedRows.length") == M
    page.page.uncheck("#placed-shown")
    page.page.mouse.move(2, 2)
    assert middle_of(N) > 215


def test_a_phone_has_room_for_the_map(album, opened):
    page = opened(album, **PHONE)
    frame = page.page.locator("#map").bounding_box()
    assert frame["y"] <= 0.15 * 844
    assert frame["height"] >= 0.7 * 844
    assert frame["width"] == 390
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    assert not page.page.locator("#tools").is_visible()
    assert not page.page.locator("#legend").is_visible()
    page.page.tap("#tools-toggle")
    assert page.page.locator("#color").is_visible()
    assert page.page.locator("#tools-toggle").get_attribute("aria-expanded") == "true"
    page.page.touchscreen.tap(195, 700)
    assert not page.page.locator("#tools").is_visible()
    page.page.tap("#sheet")
    assert page.page.locator("#legend").is_visible()
    page.page.tap("#sheet")
    assert not page.page.locator("#legend").is_visible()
    # A pinned image opens the sheet.
    page.state("page.pin(3)")
    assert page.page.locator("#pinned-picture").is_visible()
    assert page.page.locator("#sheet-name").inner_text().startswith("Pinned 1003")
    assert page.page.locator("#map").bounding_box()["height"] > 200


def test_a_laptop_has_its_tools_in_one_row(album, opened):
    page = opened(album, viewport={"width": 1400, "height": 800})
    for width in (1400, 1280):
        page.page.set_viewport_size({"width": width, "height": 800})
        tools, one, frame, caption = (
            page.page.locator(name).bounding_box()
            for name in ("#tools", "#color", "#map", "#caption")
        )
        assert tools["height"] < 1.6 * one["height"]
        assert caption["y"] >= frame["y"] + frame["height"]
        assert page.page.evaluate("document.documentElement.scrollWidth") == width


def test_words_are_explained_where_they_stand(album, opened):
    page = opened(album, reduced_motion="reduce")
    page.state("page.pin(1)")
    words = page.page.locator(".what")
    named = words.evaluate_all("all => all.map((one) => one.ariaLabel)")
    wanted = ["kNN accuracy", "stage", "class", "rating", "island", "loss in this stage", "z"]
    wanted += ["Nearest in Z", "Nearest in H", "outliers", "new images"]
    assert {f"What is “{word}”?" for word in wanted} <= set(named)
    box = page.page.locator("#meaning")
    assert not box.is_visible()
    rating = page.page.locator("dt .what[aria-label*='rating']")
    rating.focus()
    page.page.keyboard.press("Enter")
    assert box.inner_text() == f"Stars of {WICKED}"
    place, frame = rating.bounding_box(), box.bounding_box()
    assert abs(frame["y"] - place["y"]) < 150
    assert frame["x"] + frame["width"] <= 1000
    page.page.keyboard.press("Escape")
    assert not box.is_visible()
    assert page.state("state.pinned") == 1
    # Of which stage what is pinned tells.
    assert page.page.locator("#of-last").count() == 0
    page.page.locator("#stage").fill("0")
    assert "those after late, the last stage" in page.page.locator("#of-last").inner_text()
    assert page.page.locator(".key-z").inner_text() == "Nearest in Z after late"
    said = page.page.locator("#pinned dl").inner_text()
    assert "0.01667" in said  # the loss of the stage shown


def test_verdict_and_notes_are_text(album, opened):
    page = opened(album)
    assert page.page.locator("#verdict-said").inner_text() == f"good {VERDICT['text']}"
    assert page.page.locator("#verdict-advice").inner_text() == VERDICT["advice"]
    assert page.page.locator("#missing").inner_text() == f"1 file is gone: {WICKED}"
    page.state("page.pin(2)")
    page.state("page.hover(61, [50, 50])")
    page.state("page.select([2, 7])")
    page.state("page.pin(61)")
    assert page.page.locator("img, svg, b").count() == 0
    assert page.page.title() == "album"
    about = json.loads(page.page.locator("#about").text_content())
    assert about["placed"]["names"][1] == WICKED
