"""Command lines in the documentation are ones that the commands understand."""

import re
import shlex
from importlib import import_module
from itertools import zip_longest

import pytest
from pages import PAGES, ROOT, Page

from dimred.analysis.run_figures import FIGURES
from dimred.commands import COMMANDS
from dimred.commands.messages import Parser
from dimred.config.compose import composed
from dimred.tables import NAMES

_SHELL = ("", "sh")


def command_lines():
    """Each line of a block of shell, continued lines joined, without what is repeated."""
    lines = {}
    for path in PAGES:
        for block in Page(path).blocks:
            if block.language in _SHELL:
                for line in block.text.replace("\\\n", " ").splitlines():
                    words = " ".join(line.split())
                    lines.setdefault(words, f"{path.relative_to(ROOT)}: {words}")
    return lines


LINES = command_lines()


class Parsed(Exception):
    """Stops a command once its arguments are parsed."""


@pytest.fixture
def parsed(monkeypatch):
    """What a command makes of its arguments; it does nothing with them."""
    for name in ("parse_args", "parse_known_intermixed_args"):
        parse = getattr(Parser, name)

        def stop(parser, arguments, namespace=None, parse=parse):
            parsed = parse(parser, arguments)
            args, others = parsed if isinstance(parsed, tuple) else (parsed, [])
            assert not others
            raise Parsed(args)

        monkeypatch.setattr(Parser, name, stop)

    def arguments(command, words):
        with pytest.raises(Parsed) as stopped:
            import_module(f"dimred.commands.{command}").run(words)
        return stopped.value.args[0]

    return arguments


def words_of(line, program):
    """The arguments of a line that calls this program, or None."""
    if line.split()[:1] not in ([program], ["torchrun"]):
        return None  # prose, or code that shlex cannot read
    words = shlex.split(line, comments=True)
    if words[:1] == ["torchrun"] and words.count("-m"):
        words = words[words.index("-m") + 1 :]
    return words[1:] if words[:1] == [program] and words[1:] else None


def without_sweep(words):
    """The words of each job of a sweep, every value in at least one of them."""
    values = [
        [f"{word.partition('=')[0]}={value}" for value in split(word.partition("=")[2])]
        for word in words
    ]
    return [
        [job or first[0] for job, first in zip(jobs, values, strict=True)]
        for jobs in zip_longest(*values)
    ]


def split(value):
    return re.split(r",(?![^\[]*\])", value)


def test_commands_of_dimred_parse_and_compose(parsed, tmp_path, monkeypatch):
    (recipe,) = (
        block
        for block in Page(ROOT / "docs" / "getting-started.md").blocks
        if block.language == "yaml"
    )
    (tmp_path / "FOLDER" / "experiment").mkdir(parents=True)
    (tmp_path / "FOLDER" / "experiment" / "mine.yaml").write_text(recipe.text)
    monkeypatch.chdir(tmp_path)
    composes, seen = set(), set()
    for line, where in LINES.items():
        words = words_of(line, "dimred")
        if words is None or "--help" in words:
            continue
        command, *arguments = words
        assert command in COMMANDS, where
        seen.add(command)
        given = parsed(command, arguments)
        if command == "plot":
            assert given.figure in (*FIGURES, "views"), where
        if command in ("table", "reproduce"):
            assert vars(given).get("table", vars(given).get("name")) in NAMES, where
        overrides = getattr(given, "overrides", None)
        if command == "options":
            overrides = [word for word in overrides if "=" in word]
        if command == "reproduce":
            overrides = ["experiment=table1_row1", *overrides]
        if overrides is not None and not getattr(given, "plugin", None):
            folder = getattr(given, "config_dir", None)
            words = [word for word in overrides if not re.fullmatch(r"seed=[\d,]+", word)]
            composes |= {(folder, *job) for job in without_sweep(words)}
    for folder, *job in sorted(composes, key=str):
        # Composing takes a fifth of a second: not for words that are among those of another line.
        if not any({folder, *job} < {*other} for other in composes):
            composed(job, folder)
    assert seen == set(COMMANDS), "no page shows " + ", ".join(set(COMMANDS) - seen)


def test_targets_of_make_are_there():
    targets = re.findall(r"^([\w%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shapes = [re.compile(target.replace("%", ".+")) for target in targets]
    lines = [line for line in LINES if words_of(line, "make")]
    assert lines
    for line in lines:
        target = words_of(line, "make")[0]
        assert any(shape.fullmatch(target) for shape in shapes), LINES[line]


def is_part(path, script):
    """Whether a file beside or below a script belongs to it: by its name, or as it is imported."""
    imported = re.search(rf"^from {path.stem} import", script.read_text(), re.MULTILINE)
    return path.stem.startswith(script.stem[:4]) or imported


def test_scripts_are_there_and_know_their_flags():
    checked = 0
    for line, where in LINES.items():
        words = words_of(line.replace("[", "").replace("]", ""), "python")
        if not words or not words[0].startswith("scripts/"):
            continue
        script = ROOT / words[0]
        assert script.exists(), where
        parts = [path for path in script.parent.rglob("*.py") if is_part(path, script)]
        sources = "".join(path.read_text() for path in parts)
        for flag in (word for word in words if word.startswith("--")):
            assert f'"{flag}"' in sources, where
        checked += 1
    assert checked
