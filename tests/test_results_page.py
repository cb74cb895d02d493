"""docs/results.md says what docs/runs.jsonl holds, and no number on it is typed by hand."""

import sys
from pathlib import Path

import pytest

from dimred.tables import read_records

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def results_page(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import results_page

    yield results_page
    sys.modules.pop("results_page")


def test_the_page_is_that_of_the_records(results_page):
    records, _ = read_records(results_page.RECORDS)
    assert results_page.PAGE.read_text() == results_page.page(records)


def test_records_name_no_place_of_the_machine_that_made_them(results_page):
    text = results_page.RECORDS.read_text()
    for word in ("output_dir", "run_dir", "/home/", "/root/", "/tmp/"):
        assert word not in text
