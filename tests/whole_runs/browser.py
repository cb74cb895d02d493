"""A real browser, headless, where there is one."""

import shutil
import time

import numpy as np
from sklearn.neighbors import NearestNeighbors

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without a network of its own, and with WebGL in software where there is no GPU.
FLAGS = (
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-gpu-rasterization",  # Debian's default, which takes longer where there is no GPU
)


def executable():
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


WICKED = "<img src=x onerror=document.title='caught'>"


class Watched:
    """A file in a window of a browser, with everything that it asks for and complains of."""

    def __init__(self, page, file):
        self.page = page
        self.requests, self.complaints = [], []
        self.beside = None  # the folder of a page that has one
        self._heard = {
            "request": lambda request: self.requests.append(request.url),
            "console": lambda message: self.complaints.append(message.text),
            "pageerror": lambda error: self.complaints.append(str(error)),
        }
        for name, handler in self._heard.items():
            page.on(name, handler)
        self.url = file.absolute().as_uri()
        page.goto(self.url)
        self.wait("performance.getEntriesByName('dimred-first-frame').length")

    def close(self):
        """Leave the window empty; there must have been nothing to complain of, and nothing asked
        for but the file itself."""
        for name, handler in self._heard.items():
            self.page.remove_listener(name, handler)
        self.page.mouse.move(0, 0)
        self.page.goto("about:blank")
        assert self.complaints == []
        url, *others = self.requests
        assert url == self.url
        assert all(self.beside and other.startswith(self.beside.as_uri()) for other in others)

    def state(self, expression):
        """A value from the page's own objects: `page`, `scene`, `state`."""
        return self.page.evaluate(
            f"(() => {{ const {{ page }} = window.dimred; const {{ scene, state }} = page; "
            f"return {expression}; }})()"
        )

    def wait(self, expression, seconds=60):
        """Until an expression holds. Playwright's own way is eval, which the page forbids."""
        until = time.monotonic() + seconds
        while not self.page.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < until, expression
            time.sleep(0.01)

    def drawn(self):
        """Wait for what is to be drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def place(self, row):
        """Where a row is, in pixels of the window."""
        box = self.page.locator("#map").bounding_box()
        x, y = self.state(f"scene.placeOf({row})")
        return box["x"] + x, box["y"] + y

    def places(self):
        """Where all rows are, in pixels of the window, (n, 2)."""
        box = self.page.locator("#map").bounding_box()
        all_of_them = self.state("Array.from({ length: scene.n }, (_, row) => scene.placeOf(row))")
        return np.add(all_of_them, (box["x"], box["y"]))

    def lonely(self):
        """A row with no other near it on the screen, so that the pointer means it alone."""
        places = self.places()
        apart = NearestNeighbors(n_neighbors=1).fit(places).kneighbors()[0][:, 0]
        box = self.page.locator("#map").bounding_box()
        low = np.add((box["x"], box["y"]), 30)
        high = np.add(low, (box["width"] - 60, box["height"] - 60))
        inside = ((places > low) & (places < high)).all(axis=1)
        return int(np.argmax(np.where(inside, apart, 0)))

    def drag(self, points):
        """Press the mouse on the first point of the window, move over the others, release."""
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point, steps=4)
        self.page.mouse.up()
        self.drawn()


def arrays(run, name="embedding.npz"):
    with np.load(run / name) as content:
        return dict(content)


def rows_of(locator):
    return [int(row) for row in locator.evaluate_all("all => all.map((one) => one.dataset.row)")]


def tints(page):
    return np.array(page.state("Array.from(page.tints)")).reshape(-1, 3)
