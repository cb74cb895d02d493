"""The command itself: help and names of commands."""

import pytest

from dimred.commands import COMMANDS
from dimred.commands.main import main


@pytest.mark.parametrize("words", [["--help"], ["help"], [], ["help", "--help"]])
def test_help_names_every_command(words, capsys):
    assert main(words) == 0
    assert all(f"dimred {name} " in capsys.readouterr().out for name in list(COMMANDS)[:1])


@pytest.mark.parametrize("words", [["help", "view"], ["view", "--help"], ["view", "x", "-h"]])
def test_help_of_a_command(words, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("dimred view [RUN] ")


@pytest.mark.parametrize("words", [["veiw"], ["help", "veiw"], ["help", "nonsense"]])
def test_a_command_that_is_none_is_refused(words, capsys):
    assert main(words) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"dimred: {words[-1]}: no such command; ")
    assert ("did you mean view?" in line) == (words[-1] == "veiw")
