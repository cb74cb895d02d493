"""Steps that take seconds name themselves."""

import io
import sys
import time

import pytest

from dimred import steps


class Terminal(io.StringIO):
    def isatty(self):
        return True


def a_terminal(monkeypatch):
    """The standard error, where both streams are a terminal's; not a fixture, since pytest replaces
    the streams again before a test begins."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def shown(stream):
    """What is left on the lines of a terminal."""
    lines = [line.rpartition("\033[K")[2].strip("\r") for line in stream.getvalue().split("\n")]
    return [line for line in lines if line]


def test_on_a_terminal_a_step_becomes_its_seconds(monkeypatch):
    terminal = a_terminal(monkeypatch)
    monkeypatch.setattr(steps, "_SHORT", 0.0)
    with steps.step("counting"):
        assert shown(terminal) == ["counting ..."]
    assert shown(terminal) == ["counting: 0 s"]


def test_on_a_terminal_a_quick_step_or_one_that_fails_leaves_nothing(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with steps.step("counting"):
        pass
    with pytest.raises(KeyError), steps.step("failing"):
        raise KeyError
    assert shown(terminal) == []


def test_a_bar_hands_out_all_things(monkeypatch):
    terminal = a_terminal(monkeypatch)
    monkeypatch.setattr(steps, "_SHORT", 0.0)
    assert list(steps.bar([1, 2, 3], 3, "adding")) == [1, 2, 3]
    assert "adding" in terminal.getvalue()


def test_elsewhere_only_a_long_step_is_a_line(monkeypatch, capsys):
    with steps.step("quick"):
        pass
    monkeypatch.setattr(steps, "_PATIENCE", 0.01)
    with steps.step("slow"):
        deadline = time.monotonic() + 30
        said = ""
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
            said = capsys.readouterr().err
    assert said == "slow ...\n"
    assert list(steps.bar([1], 1, "adding")) == [1]
    assert capsys.readouterr().err == "", "no bar in a log"


def test_workers_are_silent(monkeypatch):
    terminal = a_terminal(monkeypatch)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with steps.step("counting"):
        list(steps.bar([1], 1, "adding"))
    assert terminal.getvalue() == ""
