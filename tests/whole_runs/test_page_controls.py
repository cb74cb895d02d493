"""The page of a run in a real browser: the controls beside the map, and names that stay text."""

import csv
import io

import numpy as np
import pytest
from browser import WICKED, arrays, rows_of, tints


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


def test_colors_tell_class_or_split(digits, opened):
    page = opened(digits / "map.html")
    content = arrays(digits)
    for label, values in (("class", content["label"]), ("split", content["split"])):
        page.page.select_option("#color", label=label)
        shades = {
            tuple(tint): value for tint, value in zip(tints(page).tolist(), values, strict=True)
        }
        assert len(shades) == len(set(values.tolist()))
        assert [shades[tuple(tint)] for tint in tints(page).tolist()] == values.tolist()
    assert page.page.locator("#legend .name").all_inner_texts() == ["train", "test"]


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
        "color",
        "stage",
        "thumbnails",
        "names",
        "zoom-in",
        "reset",
        "theme",
        "map",
        "export",
    }
    assert controls <= reached
    assert page.page.locator("#said").get_attribute("role") == "status"


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
        "clusters (3)",
    ]
    marks.select_option("near_duplicates")
    assert page.state("state.marked") == [0, 3, 5, 6, 7]
    assert page.page.locator("#selection-body h3").all_inner_texts() == [
        "group 1: 2 images",
        "group 2: 3 images",
    ]
    pictures = page.page.locator("#selection-body .thumbnail")
    assert rows_of(pictures) == [0, 3, 5, 6, 7]
    page.page.get_by_role("button", name="group 2: 3 images").click()
    assert rows_of(pictures) == page.state("state.selection.rows") == [5, 6, 7]
    page.state("page.pin(1)")
    marks.select_option("")
    assert page.state("[state.marked, state.selection, state.pinned]") == [[], None, 1]
    marks.select_option("outliers")
    page.state("page.select([5])")
    assert marks.input_value() == ""
    page.state("page.pin(2)")
    assert page.page.locator("#pinned dd").all_inner_texts()[-2] == "<b>far</b>"
    page.page.select_option("#color", label="cluster")
    assert page.page.locator("#legend .count").all_inner_texts() == ["21", "3"]
