"""The command `dimred map`: a map of a folder of images within a time budget."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dimred.commands.messages import Parser
from dimred.errors import InputError, near, plain
from dimred.files import expanded, printable
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.run.automatic import Automatic
    from dimred.run.train import Outcome

HELP = """\
dimred map FOLDER [budget_minutes=10] [KEY=VALUE ...] [--print] [--no-open]
           [--plugin FILE|MODULE]

Makes a map of a folder of images: looks at their number, size and color, measures how fast this
machine trains, and chooses image size, network, batch size, epochs and precision, so that all of it
fits into the budget; then trains, inspects, and opens the map in the browser. It is the command
`dimred train ...` that --print shows, and then `dimred inspect` and `dimred view`. Images that are
neither gray nor RGB get pairing=augmentation_microscopy, others that of photographs. Where the
machine is soon found to be slower than measured, it begins anew with the epochs that fit.

The same folder and budget again go on with a run that was stopped, or open the map of one that is
finished. Photos that were added or removed make a new run.

  budget_minutes  minutes for everything; default 10
  KEY=VALUE       as of `dimred train`; what is given is not chosen
  --print         print the choice and the command, and do nothing
  --no-open       do not open the browser
  --plugin        as of `dimred train`: a Python file or module that registers choices

  dimred map ~/photos
  dimred map ~/photos budget_minutes=60 dataset.image_size=64
  dimred map ~/plankton pairing.rotate=180 --print
  dimred map ~/stacks dataset.pages=images               TIFFs of several pages: each is an image"""

_DEFAULT_MINUTES = 10.0
_MOST_MINUTES = 100_000.0


@dataclass(frozen=True)
class _Arguments:
    """folder: of the images. minutes: the budget. given: the other KEY=VALUE, by key."""

    folder: str
    minutes: float
    given: dict[str, str]
    only_print: bool
    opens: bool
    plugins: list[str]

    @property
    def flags(self) -> list[str]:
        """The flags of the equivalent `dimred train`."""
        return [word for plugin in self.plugins for word in ("--plugin", plugin)]


def run(arguments: list[str]) -> int:
    """Make the map of the folder that the arguments name; returns the exit code."""
    began = time.monotonic()
    args = _parsed(arguments)
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError("dimred map: plans for one process; torchrun takes the command of --print")
    load_plugins(args.plugins)
    from dimred.run.automatic import automatic

    automatic_run = automatic(args.folder, args.minutes, args.given, began)
    for line in automatic_run.lines:
        print(printable(line), flush=True)
    if args.only_print:
        print(f"\n{shlex.join(automatic_run.command(args.flags))}")
        return 0
    print()
    path = _make(automatic_run, args)
    minutes = (time.monotonic() - began) / 60
    print(f"{minutes:.1f} minutes in all; the budget was {args.minutes:g}", flush=True)
    _show(path, args.opens)
    return 0


def _parsed(arguments: list[str]) -> _Arguments:
    parser = Parser(HELP)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--no-open", action="store_true")
    parser.add_argument("--plugin", action="append", default=[])
    args, others = parser.parse_known_intermixed_args(arguments)
    for flag in others:
        _refuse_flag(parser, flag, arguments, args.words)
    folders, given = [], {}
    for word in args.words:
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"[+~]?[\w.@/-]+", key) and not Path(word).exists():
            given[key] = value
        else:
            folders.append(word)
    root = given.pop("dataset.root", None)
    folders += [root] if root is not None else []
    if len(folders) != 1:
        found = f"{len(folders)} folders: {', '.join(folders)}" if folders else "no folder"
        raise InputError(f"{found}; must be one folder of images, such as dimred map ~/photos")
    if not expanded(folders[0]).is_dir():
        is_file = expanded(folders[0]).exists()
        raise InputError(
            f"{folders[0]}: {'is a file' if is_file else 'no such folder'}; must be a folder of "
            "images"
        )
    if given.get("dataset", "image_folder") != "image_folder":
        raise InputError(
            f"dataset={given['dataset']}: dimred map is for a folder of images; dimred train takes "
            "other data"
        )
    for key in {"budget", "minutes"} & given.keys():
        raise InputError(f"{key}={given[key]}: did you mean budget_minutes={given[key]}?")
    minutes = _minutes(given.pop("budget_minutes", None))
    return _Arguments(folders[0], minutes, given, args.only_print, not args.no_open, args.plugin)


def _refuse_flag(parser: Parser, flag: str, arguments: list[str], words: list[str]) -> NoReturn:
    """Raise InputError for a flag that is none, such as --batch-size 64."""
    from dimred.commands.train import explain_flag

    name, _, value = flag.partition("=")
    if plain(name) in ("budget", "minutes", "budgetminutes"):
        following = arguments[arguments.index(flag) + 1 :]
        numbers = [word for word in [value, *following[:1]] if re.fullmatch(r"\d+(\.\d+)?", word)]
        minutes = numbers[0] if numbers else f"{_DEFAULT_MINUTES:g}"
        raise InputError(f"{name}: no such flag; did you mean budget_minutes={minutes}?")
    if near(name, ["--print", "--no-open", "--plugin"]):
        parser.error(f"unrecognized arguments: {flag}")
    raise InputError(explain_flag(flag, arguments, words))


def _minutes(text: str | None) -> float:
    if text is None:
        return _DEFAULT_MINUTES
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= _MOST_MINUTES:
        raise InputError(
            f"budget_minutes={text}: must be a number of minutes above 0, at most "
            f"{_MOST_MINUTES:,.0f}"
        )
    return minutes


def _trained(planned: Automatic, args: _Arguments) -> tuple[Outcome, Automatic]:
    """Train, with fewer epochs where the machine is slower than it was measured to be; returns what
    was trained too."""
    from dimred.config.compose import composed
    from dimred.run.correction import PlannedAnew
    from dimred.run.train import run as train

    while True:
        try:
            command = planned.command(args.flags)
            outcome = train(composed(planned.words), command, watch=planned.watch)
        except PlannedAnew as other:
            planned = planned.anew(other.anew)
            print(*planned.lines, sep="\n", flush=True)
        else:
            assert outcome is not None  # there are no workers
            return outcome, planned


def _advised(summary: dict[str, Any], planned: Automatic, args: _Arguments) -> dict[str, Any]:
    """A summary whose verdict advises what to type to this command: more time. That goes into more
    images first where only a part is mapped, and the advice stays as it is."""
    from dimred.run.plan import MAX_SCALE
    from dimred.run.verdict import with_more_time

    verdict = summary.get("verdict") or {}
    maps_part = any(word.startswith("dataset.limit=") for word in planned.words)
    if not verdict.get("advice") or planned.scale is None or maps_part:
        return summary
    advice = with_more_time(verdict["advice"], args.minutes, MAX_SCALE / planned.scale)
    return {**summary, "verdict": {**verdict, "advice": advice}}


def _make(planned: Automatic, args: _Arguments) -> Path:
    """Train, inspect and write the page, or find that it is done; returns the run folder."""
    from dimred.analysis.end_of_run import write_page
    from dimred.commands import inspect, view
    from dimred.commands.summary import describe

    outcome, planned = _trained(planned, args)
    path = outcome.path
    print(describe(path, _advised(outcome.summary, planned, args)), flush=True)
    if outcome.finished_before and _is_shown(path):
        print(f"\n{printable(path)}: finished before; restart=true makes it again")
        return path
    if outcome.samples is not None and outcome.h is not None:
        # The page comes after the inspection, which it shows.
        for line in write_page(path, outcome.samples, outcome.h, view=False):
            print(line, flush=True)
    print("\ninspecting", flush=True)
    inspect.run([str(path)])
    view.run([str(path)])
    return path


def _is_shown(path: Path) -> bool:
    """Whether a run has been inspected, and its page has the columns of its embedding as it is
    now."""
    from dimred.run_folder import layout

    page = path / layout.PAGE
    if not (page.exists() and (path / layout.FINDINGS).exists()):
        return False
    return page.stat().st_mtime >= (path / layout.EMBEDDING).stat().st_mtime


def _show(path: Path, opens: bool) -> None:
    """Open the page, where there is a screen."""
    from dimred.run_folder import layout

    page = path / layout.PAGE
    if opens and _has_screen() and webbrowser.open(page.absolute().as_uri()):
        return
    print(f"the map: {printable(page)}")


def _has_screen() -> bool:
    # Elsewhere than on these, a browser of the terminal would take it over.
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, displays))
