"""What a finished run prints."""

import json
from pathlib import Path

from dimred.commands.summary import describe
from dimred.run_folder.names import headline_text

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


def test_the_verdict_comes_first_and_older_runs_have_none():
    summary = json.loads(RUNS.read_text(encoding="utf-8").splitlines()[0])["summary"]
    without = describe(Path("run"), summary)
    summary["verdict"] = {"word": "fair", "text": "it is so", "advice": "train longer"}
    assert describe(Path("run"), summary) == f"map: fair. it is so\n  train longer\n\n{without}"
    summary["verdict"]["advice"] = None
    assert describe(Path("run"), summary) == f"map: fair. it is so\n\n{without}"


def test_the_network_before_training_stands_beside_numbers_of_the_same_space():
    summary = json.loads(RUNS.read_text(encoding="utf-8").splitlines()[0])["summary"]

    def part(measure, space, k=15):
        return {"measure": measure, "space": space, "split": "", "k": k, "part": ""}

    summary |= {"lle": {}, "references": {}, "stages": {"one": {}}}
    summary["final"] = {"trustworthiness15_z": 0.9, "overlap15_hz": 0.4}
    summary["stages"]["one"] = {"loss": 1.0, **summary["final"]}
    summary["untrained"] = {
        "trustworthiness15_untrained_z": 0.6,
        "overlap15_untrained_hz": 0.1,
        "error15_z-untrained_z": 0.01,
    }
    summary["measures"] = {
        "numbers": {
            "trustworthiness15_z": part("trustworthiness", "z"),
            "overlap15_hz": part("overlap", "hz"),
            "trustworthiness15_untrained_z": part("trustworthiness", "untrained_z"),
            "overlap15_untrained_hz": part("overlap", "untrained_hz"),
            "error15_z-untrained_z": part("error", "z-untrained_z"),
        }
    }
    lines = [" ".join(line.split()) for line in describe(Path("run"), summary).splitlines()]
    assert "one untrained" in lines
    assert "trustworthiness15 of Z against H 0.9000 0.6000" in lines
    assert "overlap15 of Z and H 0.4000 0.1000" in lines
    assert headline_text(summary | {"headline": "trustworthiness15_z"}) == (
        "trustworthiness15 of Z against H 0.900, 0.600 before training"
    )
