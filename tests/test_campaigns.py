"""What the campaigns of scripts/campaigns find wrong, tried with planted faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dimred

SCRIPTS = Path(dimred.__file__).resolve().parent.parent / "scripts" / "campaigns"


@pytest.fixture
def campaign(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import campaign

    return campaign


def outcome(campaign, code, err=""):
    return campaign.Outcome(("view",), code, "", err, 0.1, 0)


def test_ends_of_commands_are_judged(campaign):
    def kinds(code, err="", **options):
        result = campaign.Result("planted")
        assert result.judge(outcome(campaign, code, err), **options) == (not result.faults)
        return [fault.kind for fault in result.faults]

    assert kinds(0) == kinds(2, "dimred: no such key\n") == []
    assert kinds(None) == ["hangs"]
    assert kinds(1, "Traceback (most recent call last):\n  KeyError: 'z'\n") == ["tracebacks"]
    assert kinds(1, "dimred: the loss became nan\n") == ["other"]
    assert kinds(1, "dimred: the loss became nan\n", codes=(0, 1)) == []
    assert kinds(2, "") == kinds(2, "a\ndimred: b\n") == kinds(2, "KeyError\n") == ["other"]
    assert kinds(2, "dimred: a\ndimred: b\n", one_line=False) == []


def test_files_that_differ_are_named(campaign, tmp_path):
    def make(name, **files):
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file.replace("_", ".")).write_text(text)
        return campaign.contents(tmp_path / name)

    first = make("a", z_npz="1", lock="7", metrics_jsonl='{"loss": 1, "seconds": 2}\n')
    good = campaign.stable(
        first, make("b", z_npz="1", lock="8", metrics_jsonl='{"seconds": 3, "loss": 1}\n')
    )
    assert campaign.differences(good, first) == ""
    planted = make("c", z_npz="2", lock="9", z_tmp="")
    left = campaign.differences(good, planted)
    assert left == "missing: metrics.jsonl; more: z.tmp; other: z.npz"


def test_what_is_changed_outside_is_named(campaign, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("a")
    (tmp_path / "link").symlink_to("precious")
    before = campaign.snapshot(tmp_path, ["run"])
    (tmp_path / "run" / "z.npz").write_text("a")
    assert campaign.changed(before, campaign.snapshot(tmp_path, ["run"])) == ""
    (tmp_path / "precious").write_text("b")
    (tmp_path / "link").unlink()
    (tmp_path / "link").write_text("a")
    assert campaign.changed(before, campaign.snapshot(tmp_path, ["run"])) == "link, precious"


def test_a_damaged_file_of_4_gib_takes_no_disk_and_no_time(campaign, tmp_path):
    from damage import damages

    file = tmp_path / "summary.json"
    file.write_text("{}")
    damages(file.name)["sparse"](file, None, tmp_path)
    assert campaign.contents(tmp_path) == {"summary.json": f"{4 << 30} bytes"}
    assert file.stat().st_blocks * 512 < 1 << 20


HALF_WRITTEN = """
import os, sys
from pathlib import Path
import operations

def before(name, path, tear):
    if name == "write":
        tear(0.5)
        os._exit(7)

operations.intercept(Path.cwd(), before)
Path("file").write_bytes(b"whole")
"""


def test_a_file_operation_is_made_the_last_one(tmp_path):
    words = [sys.executable, "-c", HALF_WRITTEN]
    ended = subprocess.run(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(SCRIPTS)})
    assert ended.returncode == 7
    assert (tmp_path / "file").read_bytes() == b"wh"
