"""The HTML file, without a browser."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import dimred.page
from dimred.errors import InputError
from dimred.page import Column, Finding, MapPage, Movement, StageMap, make_atlas, page_parts

PAGE = Path(dimred.page.__file__).parent
WICKED = "</script><img src=x onerror=alert(1)><!--"


class Elements(HTMLParser):
    """Elements by id with their text, and the names of all tags."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.tags, self.open = {}, [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open = dict(attributes).get("id") or tag
        self.texts.setdefault(self.open, "")

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open:
            self.texts[self.open] += data


def html_of(text="digits", count=5, dims=2, **changes):
    z = np.random.default_rng(0).normal(size=(count, dims)).astype(np.float32)
    names = (text, f"{text}2")
    content = {
        "title": text,
        "subtitle": text,
        "run": text,
        "stages": [StageMap(text, text, z[::-1] * 3 + 1), StageMap(text, text, z)],
        "projected": False,
        "columns": [
            Column("class", text, np.arange(count) % 2, names),
            Column("loss", text, [np.full(count, np.nan), np.linspace(0, 1, count)], unit=text),
        ],
        "index": np.arange(count) * 7,
        "sources": [f"{text}{i}" for i in range(count)],
        "near": {"z": np.zeros((count, 2), dtype=int), "h": np.ones((count, 2), dtype=int)},
        "atlas": make_atlas(torch.zeros(count, 1, 4, 4, dtype=torch.uint8), z),
        "palette": ["#000000"],
        "findings": [Finding(text, text, [(text, [0, 1])])],
        **changes,
    }
    return b"".join(page_parts(MapPage(**content))).decode()


def array(elements, about, name):
    raw = base64.b64decode(elements.texts[f"array-{name}"])
    return np.frombuffer(raw, "<" + about["arrays"][name])


def test_a_page_with_a_folder_names_it_in_letters_that_can_be_shown():
    elements = Elements(html_of(folder="p%FF_files/0123456789abcdef/", approximate={"h": "nearly"}))
    about = json.loads(elements.texts["about"])
    assert about["atlas"]["folder"] == "p%FF_files/0123456789abcdef/"
    assert about["atlas"]["beside"] == "p\ufffd_files"
    assert "sheet-0" not in elements.texts
    assert about["approximate"] == {"h": "nearly"}
    assert json.loads(Elements(html_of()).texts["about"])["atlas"]["beside"] is None


def test_the_file_holds_what_it_was_given():
    elements = Elements(html_of(dims=3))
    about = json.loads(elements.texts["about"])
    assert (about["n"], about["dims"], about["k"]) == (5, 3, 2)
    assert array(elements, about, "index").tolist() == [0, 7, 14, 21, 28]
    z = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert (array(elements, about, "z-1").reshape(5, 3) == z).all()
    assert (array(elements, about, "z-0").reshape(5, 3) == z[::-1] * 3 + 1).all()
    assert array(elements, about, "column-class").tolist() == [0, 1, 0, 1, 0]
    assert np.isnan(array(elements, about, "column-loss-0")).all()
    assert array(elements, about, "near-h").tolist() == [1] * 10
    assert sorted(array(elements, about, "slot").tolist()) == [0, 1, 2, 3, 4]
    for number, own in enumerate((z[::-1] * 3 + 1, z)):
        stage = about["stages"][number]
        places = (own - stage["center"]) / stage["scale"]
        assert np.abs(places).max() == pytest.approx(1)
        assert np.allclose(places.max(0), -places.min(0), atol=1e-6)


def test_large_coordinates_are_drawn_and_larger_ones_refused():
    z = np.array([[3e38, -3e38], [-3e38, 3e38], [0, 0], [1, 1], [2, 2]], dtype=np.float32)
    about = json.loads(Elements(html_of(stages=[StageMap("one", "", z)])).texts["about"])
    assert about["stages"][0]["center"] == [0, 0]
    assert about["stages"][0]["scale"] == pytest.approx(3e38)
    for wrong in (z.astype(float) * 10, np.where(z == 1, np.nan, z)):
        with pytest.raises(InputError, match=r"^digits, stage one: cannot be drawn: .* 3.4e\+38$"):
            html_of(stages=[StageMap("one", "", wrong)])


def test_numbers_that_float32_does_not_hold_are_unknown():
    values = np.array([1e300, -1e300, np.inf, np.nan, 1])
    column = Column("angle", "angle", values, period=np.inf)
    elements = Elements(html_of(columns=[column]))
    about = json.loads(elements.texts["about"])
    assert about["columns"][0]["period"] is None
    assert np.isfinite(array(elements, about, "column-angle")).tolist() == [False] * 4 + [True]


@pytest.mark.parametrize(("count", "kind"), [(2**16, "u2"), (2**16 + 4, "u4")])
def test_every_class_has_a_code_of_its_own(count, kind):
    codes = np.arange(count)[-5:]
    column = Column("class", "class", codes, tuple(map(str, range(count))))
    elements = Elements(html_of(columns=[column]))
    about = json.loads(elements.texts["about"])
    assert about["arrays"]["column-class"] == kind
    assert array(elements, about, "column-class").tolist() == codes.tolist()
    # The script reads arrays of this kind.
    assert re.search(rf"const KINDS = .*\b{kind}: Uint", (PAGE / "src" / "data.js").read_text())


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=30)
@given(st.sampled_from([WICKED, "<b>", "&amp;", "]]>", "\0data\0sheets", "$title"]) | TEXT)
def test_no_text_becomes_markup(text):
    expected = Elements(html_of("plain"))
    elements = Elements(html_of(text))
    assert elements.tags == expected.tags
    about = json.loads(elements.texts["about"])
    assert about["columns"][0]["names"] == [text, f"{text}2"]
    assert about["sources"][3] == f"{text}3"
    assert about["findings"][0]["title"] == text
    assert about["run"] == text


def test_nothing_but_the_pages_own_script_and_style_may_run():
    text = html_of(WICKED)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    elements = Elements(text)
    for kind in ("script", "style"):
        digest = hashlib.sha256(elements.texts[kind].encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    # What `default-src` does not cover is named.
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none';")
    assert not re.search(r"https?:", policy)
    assert elements.texts["script"].strip() == (PAGE / "page.js").read_text().strip()


def test_the_bundle_is_of_these_sources():
    """`make page` writes it anew."""
    digest = hashlib.sha256()
    sources = sorted(f"src/{path.name}" for path in (PAGE / "src").iterdir())
    for name in ["package-lock.json", *sources]:
        digest.update((PAGE / name).read_bytes())
    bundle = (PAGE / "page.js").read_text()
    assert bundle.splitlines()[0] == f"// sources {digest.hexdigest()}"
    assert "three.js authors" in bundle
    assert "Permission is hereby granted" in bundle
    assert "</script" not in bundle


def test_movements_are_kept_to_a_half_of_a_127th_of_an_images_largest():
    rng = np.random.default_rng(0)
    moved = rng.normal(size=(4, 3, 2, 2)) * np.array([1e-20, 1e-3, 1, 1e6])[:, None, None, None]
    moved[2] = 0
    arrays = dict(Movement(moved, np.ones(4), (0.2, 0.5, 0.8), (0.3, 0.7), 15).arrays())
    steps = arrays["heat-step"].astype(float)[:, None]
    found = arrays["heat-moved"] * steps
    flat = moved.reshape(4, -1)
    largest = np.abs(flat).max(axis=1, keepdims=True)
    assert (np.abs(found - flat) <= largest * (0.5 / 127 + 1e-6)).all()
    assert arrays["heat-moved"].dtype == "i1"
