"""Benchmark of the page of `dimred view` in a browser: first paint, and time per frame.

    python scripts/benchmark_page.py RUN/map.html [--browser PATH] [--gpu]

Opens the page in a headless Chromium several times. First paint is the time from the start of
loading to the first picture of the map. A frame is the time between two pictures while the map is
panned, showing points (whole map) or images (zoomed in). With more points than the machine can draw
in time, the page draws only a share of them while it moves; the share is printed. Without --gpu,
WebGL runs on the CPU (SwiftShader). Needs playwright, which is in the extra `dev`.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SOFTWARE = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
_REPEATS = 5
_FRAMES = 120

_PAN = """async (count) => {
  const { scene } = window.dimred.page;
  const times = [];
  let before = await new Promise(requestAnimationFrame);
  for (let i = 0; i < count; i++) {
    const angle = (i / count) * 2 * Math.PI;
    scene.panBy(4 * Math.cos(angle), 4 * Math.sin(angle));
    const now = await new Promise(requestAnimationFrame);
    times.push(now - before);
    before = now;
  }
  return times;
}"""
_HOVER = """(count) => {
  const { page } = window.dimred;
  const map = document.getElementById("map");
  const { left, top, width, height } = map.getBoundingClientRect();
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    const at = { clientX: left + (width * i) / count, clientY: top + height / 2 };
    map.dispatchEvent(new PointerEvent("pointermove", at));
  }
  return (performance.now() - began) / count;
}"""


def main() -> None:
    """Measure and print one page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, _BROWSERS)), None))
    parser.add_argument("--gpu", action="store_true")
    args = parser.parse_args()
    flags = ["--no-sandbox", *(() if args.gpu else _SOFTWARE)]
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=args.browser, args=flags)
        print(f"{browser.browser_type.name} {browser.version}, {platform.machine()}, 1280x800")
        print(f"{args.page.name}: {args.page.stat().st_size / 1e6:.1f} MB")
        firsts, reads = [], []
        for _ in range(_REPEATS):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(args.page.absolute().as_uri(), timeout=120_000)
            while not (first := _mark(page)):
                page.wait_for_timeout(20)
            firsts.append(first)
            reads.append(
                page.evaluate(
                    "performance.timing.domContentLoadedEventEnd"
                    " - performance.timing.navigationStart"
                )
            )
            last = page
        print(f"points                 {last.evaluate('window.dimred.page.scene.n'):,}")
        _print("first paint", firsts)
        _print("whole file read", reads)
        last.evaluate(_PAN, _FRAMES)  # the page learns what the machine can do
        _print("frame, whole map", last.evaluate(_PAN, _FRAMES))
        print(f"points drawn meanwhile {last.evaluate('window.dimred.page.scene.share'):.0%}")
        last.evaluate(
            "window.dimred.page.scene.learn = () => { window.dimred.page.scene.share = 1; }"
        )
        last.evaluate("window.dimred.page.scene.share = 1")
        _print("frame, all points", last.evaluate(_PAN, _FRAMES))
        print(f"pointer moves          {last.evaluate(_HOVER, 100):.1f} ms each")
        last.evaluate(
            "() => { const { scene } = window.dimred.page; scene.center(0, 1);"
            " while (!window.dimred.page.overlay.side) scene.zoomBy(1.2); }"
        )
        last.wait_for_timeout(2_000)  # sheets are decoded
        print(f"images when close      {last.evaluate('window.dimred.page.overlay.images.length')}")
        _print("frame, images", last.evaluate(_PAN, _FRAMES))
        browser.close()


def _mark(page: Page) -> float:
    """Milliseconds from the start of loading to the first picture of the map; 0 before it."""
    milliseconds: float = page.evaluate(
        "performance.getEntriesByName('dimred-first-frame')[0]?.startTime ?? 0"
    )
    return milliseconds


def _print(name: str, times: list[float]) -> None:
    worst = sorted(times)[int(0.95 * (len(times) - 1))]
    print(f"{name:<22} {statistics.median(times):.1f} ms (95 %: {worst:.1f})")


if __name__ == "__main__":
    main()
