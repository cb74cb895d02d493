"""A page whose thumbnails lie in a folder beside it, in a real browser."""

import functools
import http.server
import shutil
import threading

import pytest
from command import dimred

MAP = "map_files"


@pytest.fixture(scope="module")
def site(digits, tmp_path_factory):
    """A folder with the page of a run, with its thumbnails beside it."""
    folder = tmp_path_factory.mktemp("site")
    out, _ = dimred(folder, "view", str(digits), "--folder", "--out", "map.html")
    assert "and map_files beside it" in out
    return folder


def tip_of(page, row):
    """A picture of what is shown where the pointer is on a row."""
    page.page.mouse.move(*page.place(row))
    page.drawn()
    page.page.wait_for_timeout(200)  # its sheet is read
    return page.page.locator("#tip canvas").screenshot()


def test_images_are_those_of_a_page_that_has_them_in_it(digits, site, opened):
    whole = opened(digits / "map.html")
    row = whole.lonely()
    expected = tip_of(whole, row)
    page = opened(site / "map.html")
    page.beside = site / MAP
    assert page.page.locator("script[id^=sheet-]").count() == 0
    assert len(page.requests) == 1  # nothing is read before it is seen
    assert tip_of(page, row) == expected
    assert [url.rsplit("/", 1)[1] for url in page.requests[1:]] == ["0.webp"]
    assert page.page.locator("#missing").is_hidden()


def test_without_its_folder_the_page_says_so(site, opened, tmp_path):
    shutil.copy(site / "map.html", tmp_path)
    page = opened(tmp_path / "map.html")
    page.beside = tmp_path / MAP
    page.page.mouse.move(*page.place(page.lonely()))
    page.wait("!document.getElementById('missing').hidden")
    assert "the folder map_files, which belongs beside this page" in (
        page.page.locator("#missing").inner_text()
    )
    assert len(page.complaints) == 1
    assert "ERR_FILE_NOT_FOUND" in page.complaints.pop()


def test_a_sheet_that_failed_is_read_again(site, browser):
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith(".webp"):
                asked.append(self.path)
                if len(asked) == 1:
                    self.send_error(503)
                    return
            super().do_GET()

        def log_message(self, *words):
            pass

    handler = functools.partial(Handler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with browser.new_context() as context:
            page = context.new_page()
            page.add_init_script(
                "const later = setTimeout;"
                "window.setTimeout = (done, time) => later(done, time === 5000 ? 50 : time);"
            )
            page.goto(f"http://127.0.0.1:{server.server_port}/map.html")
            page.wait_for_timeout(500)
            page.evaluate("window.dimred.page.pin(0)")
            page.locator("#missing").wait_for(state="visible")
            page.wait_for_timeout(200)
            page.evaluate("window.dimred.page.pin(1)")
            page.locator("#missing").wait_for(state="hidden")
            assert len(asked) == 2
        server.shutdown()


def test_a_server_can_show_it(site, browser):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    handler.log_message = lambda *words: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with browser.new_context() as context:
            page = context.new_page()
            said = []
            page.on("console", lambda message: said.append(message.text))
            with page.expect_response(lambda response: response.url.endswith("0.webp")) as got:
                page.goto(f"http://127.0.0.1:{server.server_port}/map.html")
                page.wait_for_timeout(500)
                page.evaluate("window.dimred.page.pin(0)")
            assert got.value.ok
            page.wait_for_timeout(200)
            assert page.locator("#missing").is_hidden()
            assert said == []
        server.shutdown()
