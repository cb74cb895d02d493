"""docs/results.md says what docs/runs.jsonl holds, and no number on it is typed by hand."""

import copy
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dimred.run_folder.record import read_records
from dimred.tables.protocols import protocols

ROOT = Path(__file__).resolve().parent.parent.parent
WIDEST_CELL, WIDEST_ROW = 60, 125


@pytest.fixture
def results_page(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import results_page

    yield results_page
    for name in [name for name in sys.modules if name.startswith("results_")]:
        sys.modules.pop(name)


@pytest.fixture
def records(results_page):
    return read_records(results_page.RECORDS)[0]


def rows_of(text):
    """The rows of the tables in a text, by cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def part(text, heading):
    """What stands under a heading "## ..."."""
    (found,) = [part for part in re.split("^## ", text, flags=re.M) if part.startswith(heading)]
    return found


def row9(records, scale, seed=0, **changed):
    """A run of Table 1, row 9, as on a GPU: ResNet-18, all images of the JPEG copy."""
    small = next(r for r in records if r.name == "table1_row9" and r.data == "cifar10-jpeg")
    run = replace(copy.deepcopy(small), folder=f"table1_row9-seed{seed}-gpu")
    values = {k: v for k, v in protocols("table1")["9"].items() if not k.startswith("eval.")}
    for name, stage in run.config["schedule"]["stages"].items():
        key = f"schedule.stages.{name}.epochs"
        stage["epochs"] = values[key] = round(scale * values[key])
    values |= {"dataset.name": "image_folder", "seed": seed, **changed}
    run.environment["identity"] = {"config": values, "data": "all images"}
    run.config["budget"] = None
    run.summary["seed"] = seed
    run.summary["dataset"]["images"] = 60_000
    run.summary["eval"]["linear"] = "sgd"
    run.summary["linear"] = {"method": "sgd", "accuracy": 0.75}
    run.summary["final"] |= {"knn15_z_random": 0.7, "knn15_z_official": 0.69}
    return run


def test_the_page_is_that_of_the_records(results_page, records):
    assert results_page.PAGE.read_text() == results_page.page(records)


def test_records_name_no_place_of_the_machine_that_made_them(results_page):
    text = results_page.RECORDS.read_text()
    for word in ("output_dir", "run_dir", "/home/", "/root/", "/tmp/"):
        assert word not in text


def test_no_cell_holds_a_command_and_rows_are_short(results_page, records):
    text = results_page.page([*records, row9(records, 0.7)])
    for row in rows_of(text):
        assert len("| " + " | ".join(row) + " |") <= WIDEST_ROW
        for cell in row:
            assert len(cell) <= WIDEST_CELL
            assert "=" not in cell
            assert "dimred" not in cell


def test_every_measured_row_has_its_command_in_appendix_b(results_page, records):
    text = results_page.page(records)
    made = re.findall(r"^- \*\*(B\d+)\*\* .*`dimred train .*", text, flags=re.M)
    named = {cell for row in rows_of(text) for cell in row if re.fullmatch(r"B\d+", cell)}
    demo = set(re.findall(r"run (B\d+)\.", text))
    assert named | demo == set(made)
    assert len(made) == len(set(made))
    for head, _, *rows in [rows_of(b) for b in text.split("\n\n") if b.startswith("|")]:
        if "run" in head:
            assert all(re.fullmatch(r"B\d+", row[head.index("run")]) for row in rows)


def test_all_records_stand_on_the_page(results_page, records):
    """Each with the command of its row, which has its experiment."""
    appendix = part(results_page.page(records), "Appendix B")
    for record in records:
        experiments = [word for word in record.command if word.startswith("experiment=")]
        word = (experiments or record.command)[0]
        assert f" {word} " in appendix


def test_what_holds_has_no_small_run(results_page, records):
    holds = part(results_page.page(records), "What holds")
    assert not [row for row in rows_of(holds) if re.search("convnet|Fashion|row ", str(row))]
    assert "Published numbers without a run: Table 1 (all rows)" in holds


def test_a_run_on_a_gpu_stands_beside_its_published_number(results_page, records):
    holds = part(results_page.page([*records, row9(records, 0.7)]), "What holds")
    found = [row for row in rows_of(holds) if row[0].startswith("row 9")]
    what = "row 9, 2-D, 500 epochs: "
    said = "JPEG copy; 350 epochs instead of 500"
    assert [row[:5] for row in found[:2]] == [
        [what + "kNN, %", "85.7 ± 0.4", "70.0 (-15.7)", "1", said],
        [what + "linear in H, %", "87.9 ± 0.2", "75.0 (-12.9)", "1", said],
    ]
    assert "Table 1 (rows 1, 2, 3, 4, 5, 6, 7, 8)" in holds


def test_its_other_batch_size_is_said_and_its_loss_not_compared(results_page, records):
    run = row9(records, 1.0, **{"schedule.batch_size": 512, "device.precision": "bf16"})
    text = results_page.page([*records, run])
    found = [row for row in rows_of(part(text, "What holds")) if "row 9" in row[0]]
    assert [row[4] for row in found] == ["JPEG copy; batch 512; bf16"] * 2
    assert ["9", "CIFAR-10 as JPEG, 60,000", "resnet18", "500 of 500", "70.0"] in [
        row[:5] for row in rows_of(part(text, "Appendix A"))
    ]


def test_twenty_epochs_of_it_say_nothing_about_a_published_number(results_page, records):
    text = results_page.page([*records, row9(records, 0.04)])
    assert "| row 9" not in part(text, "What holds")
    assert "| 9 | CIFAR-10 as JPEG, 60,000 | resnet18 | 20 of 500 |" in part(text, "Appendix A")
