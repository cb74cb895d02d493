"""What a finished run prints."""

import json
from pathlib import Path

from dimred.commands.summary import describe

RUNS = Path(__file__).parents[2] / "docs/runs.jsonl"


def test_all_unreadable_files_are_counted_where_only_some_are_named():
    summary = json.loads(RUNS.read_text(encoding="utf-8").splitlines()[0])["summary"]
    look = {"unreadable": [{"count": 2_000}, {"count": 3}]}
    summary["dataset"] |= {"unreadable": ["a", "b"], "first_look": look}
    summary["dataset"]["classes"] = {"a": 20}
    text = describe(Path("run"), summary)
    assert "left out, 2,003 unreadable\n" in text
    assert "1 class of 20," in text


def test_few_test_images_are_said_with_their_error():
    summary = json.loads(RUNS.read_text(encoding="utf-8").splitlines()[0])["summary"]
    assert "standard error" not in describe(Path("run"), summary)
    summary["dataset"]["test_images"] = {"official": 500, "random": 36}
    text = describe(Path("run"), summary)
    assert "accuracies of 36 test images have a standard error of up to 0.08\n" in text
