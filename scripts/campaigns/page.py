"""Pages of runs whose data are hostile, and pages into which something was injected, in Chromium.

    python scripts/campaigns/page.py --count 200 --seed 0

A case of data puts markup and strange texts into the names of classes, files and the run, strange
numbers into the map, or 70,000 classes; `dimred view` must refuse them with one line, or make a
page that is then clicked through: nothing of the data may execute, nothing be asked for, nothing
complained of. A case of policy adds an element or a call to a sound page: the page's policy must
block it. Needs Chromium and playwright, as the tests do.
"""

from __future__ import annotations

# ruff: noqa: SIM905  (texts stand side by side)
import contextlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml
from campaign import OTHER, Campaign, Result, sound, words_of
from playwright.sync_api import Error, sync_playwright
from warm import ROOT, run

sys.path.insert(0, str(ROOT / "tests" / "whole_runs"))
from browser import FLAGS, executable

CAUGHT = "document.title='caught'"
TEXTS = (
    *(f"<img src=x onerror={CAUGHT}>", f"</script><script>{CAUGHT}</script>"),
    *(f"<svg onload={CAUGHT}>", f'"><b onmouseover="{CAUGHT}" style="all:unset">'),
    *(f"javascript:{CAUGHT}", f"{{{{{CAUGHT}}}}}", f"`${{{CAUGHT}}}`", f"';{CAUGHT};//"),
    *"<!-- --> ]]> &lt;b&gt; </title> </style> __proto__ constructor hasOwnProperty".split(),
    *"toString null undefined NaN -1 0 =1+1 @SUM(1)".split(),
    *("a\0b", "\u2028", "\u202egnp.exe", "e\u0301", "\U0001f600", "x" * 5000, " ", "\x1b[31m"),
    *("%s%n", "../../x", "a\nb\r\nc", "\ufeff", "\ud7ff", "http://localhost/", "a,b;c\td"),
)
MAPS = {
    "as it is": lambda z: z,
    "zeros": lambda z: z * 0,
    "3e38": lambda z: np.where(z > np.median(z), 3e38, -3e38),
    "one 3e38": lambda z: np.concatenate([z[:1] * 0 + 3e38, z[1:]]),
    "1e-45": lambda z: z * 0 + 1e-45,
    "far away": lambda z: z + 1e30,
    "close": lambda z: 1 + z * 1e-7,
    "NaN": lambda z: np.concatenate([z[:1] * np.nan, z[1:]]),
    "inf": lambda z: np.concatenate([z[:1] + np.inf, z[1:]]),
    "-inf": lambda z: np.concatenate([z[:1] - np.inf, z[1:]]),
}
ELEMENTS = (
    '<base href="URL">',
    '<form action="URL" method="get"><button class="evil">x</button></form>',
    '<form><button class="evil" formaction="URL">x</button></form>',
    f"<script>{CAUGHT}</script>",
    f"<script type=module>{CAUGHT}</script>",
    "<script src=URL></script>",
    "<style>body { display: none !important }</style>",
    "<link rel=stylesheet href=URL>",
    "<link rel=prefetch href=URL>",
    "<link rel=manifest href=URL>",
    "<link rel=modulepreload href=URL>",
    f"<img src=URL onerror={CAUGHT} onload={CAUGHT}>",
    '<img src="data:," srcset="URL 2x">',
    f"<b class=evil onclick={CAUGHT}>x</b>",
    f"<svg onload={CAUGHT}><image href=URL /><use href=URL#a /></svg>",
    f'<a class=evil href="javascript:{CAUGHT}">x</a>',
    f'<iframe src="javascript:parent.{CAUGHT}"></iframe>',
    f'<iframe srcdoc="<script>parent.{CAUGHT}</script>"></iframe>',
    "<iframe src=URL></iframe>",
    "<object data=URL></object><embed src=URL>",
    "<video src=URL autoplay></video><audio src=URL autoplay></audio>",
    "<input type=image src=URL>",
    '<div style="background: url(URL); position: fixed; inset: 0">x</div>',
    f"<details open ontoggle={CAUGHT}>x</details>",
    f"<math><mtext></table><img src=x onerror={CAUGHT}></mtext></math>",
    f"<template><script>{CAUGHT}</script></template><input autofocus onfocus={CAUGHT}>",
)
CALLS = (
    f'eval("{CAUGHT}")',
    f'new Function("{CAUGHT}")()',
    'fetch("URL")',
    "new Promise((d, r) => { const x = new XMLHttpRequest(); x.onerror = r;"
    'x.open("GET", "URL"); x.send() })',
    'new Promise((d, r) => { new EventSource("URL").onerror = r })',
    'new Promise((d, r) => { new WebSocket("URL".replace("http", "ws")).onerror = r })',
    'new Promise((d, r) => { new Worker("URL").onerror = r })',
    "new Promise((d, r) => { new Worker(URL.createObjectURL(new Blob([]))).onerror = r })",
    'import("URL")',
    'new Promise((d, r) => setTimeout(r, 300, navigator.sendBeacon("URL")))',
)
N_POLICIES = len(ELEMENTS) * 2 + len(CALLS)
CAMPAIGN = Campaign(__doc__, 200)


def prepare() -> None:
    """A finished run and its page."""
    assert executable(), "no Chromium here (on Debian: apt-get install chromium)"
    CAMPAIGN.make_base(each=8)
    for words in (words_of("folder"), ["view", "run"]):
        sound(run(words, CAMPAIGN.base, 90))


def case(number: int, random: Random, folder: Path) -> Result:
    """Every other case is one of policy, until all have been tried."""
    if number % 2 == 0 and number // 2 < N_POLICIES:
        return policy(number // 2, folder)
    return data(random, folder)


def data(random: Random, folder: Path) -> Result:
    """A page with hostile data."""
    CAMPAIGN.lay_out(folder)
    (folder / "run" / "map.html").unlink()
    variant, many = random.choice(list(MAPS)), random.random() < 0.1
    result = Result("page data", what=f"map {variant}{', 70,000 classes' if many else ''}")
    _forge(folder / "run", random, variant, many)
    if not result.judge(run(["view", "run"], folder, 60)) or not (folder / "run/map.html").exists():
        return result
    with _opened(folder / "run" / "map.html") as (page, seen):
        try:
            _click_through(page, random)
        except Error as error:
            result.wrong(OTHER, f"clicking: {str(error)[:600]}")
        if page.title() == "caught" or page.evaluate("'caught' in window"):
            result.wrong(OTHER, "something of the data executed")
        asked = [url for url in seen["requests"] if not url.startswith(("data:", "blob:"))][1:]
        if asked or seen["complaints"]:
            result.wrong(OTHER, f"asked for {asked[:3]}, complained of {seen['complaints'][:3]}")
    return result


def _forge(run_folder: Path, random: Random, variant: str, many: bool) -> None:
    file = run_folder / "embedding.npz"
    with np.load(file) as content:
        arrays = dict(content)
    with np.errstate(all="ignore"):
        arrays["z"] = MAPS[variant](arrays["z"].astype(np.float64)).astype(np.float32)
    names = random.sample(TEXTS, len(arrays["class_names"]))
    if many:
        names += [f"{random.choice(TEXTS)[:40]}{n}" for n in range(70_000)]
        arrays["label"] = np.array([random.randrange(len(names)) for _ in arrays["label"]])
    arrays["class_names"] = np.array(names)
    arrays["source"] = np.array([random.choice(TEXTS) for _ in arrays["source"]])
    np.savez(file, **arrays)
    name = random.choice([text for text in TEXTS if text.isprintable()])
    config = yaml.safe_load((run_folder / "config.yaml").read_text()) | {"name": name}
    (run_folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    summary = json.loads((run_folder / "summary.json").read_text()) | {"name": name}
    (run_folder / "summary.json").write_text(json.dumps(summary))


def _click_through(page: Any, random: Random) -> None:
    box = page.locator("#map").bounding_box()

    def place() -> tuple[float, float]:
        return (
            box["x"] + random.uniform(5, box["width"] - 5),
            box["y"] + random.uniform(5, box["height"] - 5),
        )

    page.evaluate("window.dimred.page.pin(0)")
    page.evaluate("window.dimred.page.select([0, 1, 2, 3, 4, 5])")
    for choice in ("#color", "#marks"):
        if page.locator(choice).is_visible():
            for number in range(page.locator(f"{choice} option").count()):
                page.select_option(choice, index=number)
    for text in (*random.sample(TEXTS, 4), "0", "1"):
        page.fill("#search", text.replace("\n", " ").replace("\r", " ")[:200])
        page.press("#search", "Enter")
    for _ in range(6):
        page.mouse.move(*place())
        page.mouse.click(*place())
        page.mouse.wheel(0, random.choice((-600, 300)))
    for button in ("#zoom-in", "#zoom-out", "#reset", "#theme", "#legend-none", "#legend-all"):
        if page.locator(button).is_visible():
            page.click(button)
    for kind in (".highlight", "input"):
        for number in range(min(page.locator(f"#legend {kind}").count(), 3)):
            page.locator(f"#legend {kind}").nth(number).click()
    page.keyboard.press("Escape")


def policy(number: int, folder: Path) -> Result:
    """A sound page with something added."""
    source = (CAMPAIGN.base / "run" / "map.html").read_text(encoding="utf-8")
    server, hits = _server()
    url = f"http://127.0.0.1:{server.server_port}/evil"
    file = folder / "map.html"
    call = CALLS[number - 2 * len(ELEMENTS)] if number >= 2 * len(ELEMENTS) else ""
    element = "" if call else ELEMENTS[number // 2].replace("URL", url)
    head = number % 2 == 0
    result = Result("page policy", what=call or f"{element} in {'head' if head else 'body'}")
    mark = "</head>" if head else "</body>"
    assert source.count(mark) >= 1
    before, _, after = source.rpartition(mark)
    file.write_text(f"{before}{element}{mark}{after}" if element else source, encoding="utf-8")
    with _opened(file) as (page, _):
        if call:
            target = call.replace('"URL', f'"{url}')
            blocked = page.evaluate(
                f"Promise.resolve().then(() => {target}).then(() => false, () => true)"
            )
            if not blocked:
                result.wrong(OTHER, "was not blocked")
        for evil in page.locator(".evil").all():
            with contextlib.suppress(Error):
                evil.dispatch_event("click")
        page.wait_for_timeout(400)
        if page.url != file.absolute().as_uri():
            result.wrong(OTHER, f"the page went to {page.url}")
        elif page.title() == "caught":
            result.wrong(OTHER, "it executed")
        elif page.evaluate("document.baseURI") != page.url:
            result.wrong(OTHER, "the base was obeyed")
        elif page.evaluate("getComputedStyle(document.body).display") == "none":
            result.wrong(OTHER, "the style was obeyed")
    if hits:
        result.wrong(OTHER, f"asked for {hits[:3]}")
    server.shutdown()
    return result


def _server() -> tuple[HTTPServer, list[str]]:
    hits: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, hits


@contextlib.contextmanager
def _opened(file: Path) -> Any:
    """A page in a browser of its own; what it asks for and complains of."""
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            page = browser.new_page()
            page.set_default_timeout(20_000)
            seen: dict[str, list[str]] = {"requests": [], "complaints": []}
            page.on("request", lambda request: seen["requests"].append(request.url))
            page.on("console", lambda message: seen["complaints"].append(message.text))
            page.on("pageerror", lambda error: seen["complaints"].append(str(error)))
            page.goto(file.absolute().as_uri())
            page.wait_for_timeout(300)
            yield page, seen
        finally:
            browser.close()


if __name__ == "__main__":
    CAMPAIGN.run(case, prepare)
