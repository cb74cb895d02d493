"""`dimred view` without a browser: what it writes, and what it refuses."""

import json

import pytest
from command import SMOKE, dimred, only_run, refused

TINY = [*SMOKE, "dataset.limit=120", "eval.linear=none"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("view")
    dimred(cwd, *TINY)
    return only_run(cwd)


def test_the_page_is_written_where_it_says(run, tmp_path):
    out, _ = dimred(tmp_path, "view", str(run))
    assert (
        out == f"{run / 'map.html'}: {(run / 'map.html').stat().st_size / 1e6:.1f} MB; "
        "opens in any browser\n"
    )
    first = (run / "map.html").read_bytes()
    dimred(tmp_path, "view", str(run), "--out", "other/page.html")
    assert (tmp_path / "other" / "page.html").read_bytes() == first


def test_open_opens_it(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    dimred(tmp_path, "view", str(run), "--open", "--out", "a page.html")
    assert opened == [(tmp_path / "a page.html").as_uri()]


def test_larger_thumbnails_make_a_larger_page(run, tmp_path):
    sizes = []
    for side in ("8", "64"):
        dimred(tmp_path, "view", str(run), "--thumbnail", side, "--out", "page.html")
        sizes.append((tmp_path / "page.html").stat().st_size)
    assert sizes[1] > sizes[0] + 10_000


def test_bad_words_are_refused(run, tmp_path):
    assert "required: run" in refused(tmp_path, "view")
    assert "--thumbnail 3: must be from 4 to 256" in refused(
        tmp_path, "view", str(run), "--thumbnail", "3"
    )
    assert "invalid int value: 'big'" in refused(tmp_path, "view", str(run), "--thumbnail", "big")
    assert "unrecognized arguments: --no" in refused(tmp_path, "view", str(run), "--no")
    assert "holds no finished run" in refused(tmp_path, "view", "nowhere")


@pytest.mark.parametrize("name", ["embedding.npz", "stages/readout.npz"])
def test_damaged_arrays_are_refused(run, tmp_path, name):
    content = (run / name).read_bytes()
    try:
        (run / name).write_bytes(content[: len(content) // 2])
        assert str(run / name) in refused(tmp_path, "view", str(run))
    finally:
        (run / name).write_bytes(content)


@pytest.mark.parametrize(
    "content", ["{", "[]", {"outliers": [120]}, {"islands": [[1]]}, {"near_duplicates": [3]}]
)
def test_damaged_findings_are_refused(run, tmp_path, content):
    file = run / "inspect" / "findings.json"
    file.parent.mkdir(exist_ok=True)
    try:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        line = refused(tmp_path, "view", str(run))
        assert f"{file}: cannot be read" in line
        assert "run dimred inspect again" in line
    finally:
        file.unlink()


def test_restart_takes_the_page_away(run, tmp_path):
    dimred(tmp_path, "view", str(run))
    dimred(tmp_path, *TINY, f"run_dir={run}", "restart=true")
    assert not (run / "map.html").exists()
