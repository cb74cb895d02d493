"""`dimred reproduce c2st`: experiments with classifier two-sample tests, without any training."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from dimred.commands.messages import complain, shown
from dimred.config.compose import composed
from dimred.errors import InputError, did_you_mean
from dimred.files import expanded
from dimred.steps import duration, step
from dimred.tables.c2st import METHODS, ROWS, Recipe, Result, read_result, recipe

if TYPE_CHECKING:
    from dimred.analysis.c2st_samples import Digits
    from dimred.config import RunConfig

_KEYS = ("dataset.root", "dataset.download", "output_dir")


def run(args: Namespace) -> int:
    """Make the rows that the arguments name; returns the exit code.

    Rows on MNIST are skipped, with a line that says so, where it is not at hand and nobody has
    asked for them. Raises InputError for what these experiments do not have.
    """
    config = _config(args)
    outputs = expanded(config.output_dir)
    rows = _rows(args.rows)
    made = [recipe(ROWS[key], args.budget) for key in rows]
    left = [each for each in made if not _is_finished(outputs, each)]
    words = ["--budget", args.budget] if args.budget != "full" else []
    for each in made:
        command = ["dimred", "reproduce", "c2st", *words, "--rows", each.key, *args.overrides]
        print(f"{'' if each in left else 'finished: '}{shlex.join(command)}")
    print(f"\n{len(made) - len(left)} of {len(made)} rows are finished", flush=True)
    if args.list:
        return 0
    asked_for = bool(args.rows) or any(word.startswith("dataset.") for word in args.overrides)
    left, digits = _with_digits(left, config, asked_for)
    from dimred.analysis.c2st_experiments import make_row

    for number, each in enumerate(left, start=1):
        print(f"[{number}/{len(left)}] {_line(make_row(each, outputs, digits))}", flush=True)
    print("\ndimred table c2st shows them")
    return 0


def _config(args: Namespace) -> RunConfig:
    """Where MNIST is and where results go, of the overrides."""
    for flag in ("seeds", "plugin", "config_dir"):
        if value := getattr(args, flag):
            word = value[0] if flag == "plugin" else value
            reason = "c2st trains nothing, and its trials have seeds of their own"
            raise InputError(f"--{flag.replace('_', '-')} {word}: {reason}")
    for override in args.overrides:
        if override.partition("=")[0] not in _KEYS:
            raise InputError(f"{override}: c2st takes only {', '.join(_KEYS)}")
    return composed(["dataset=mnist", *args.overrides])


def _rows(text: str | None) -> list[str]:
    keys = list(dict.fromkeys(text.split(","))) if text else list(ROWS)
    for key in keys:
        if key not in ROWS:
            asked = did_you_mean(key, ROWS)
            raise InputError(f"--rows {key}: no such row; {asked}the rows are {', '.join(ROWS)}")
    return keys


def _is_finished(outputs: Path, made: Recipe) -> bool:
    try:
        return read_result(outputs, made) is not None
    except ValueError as error:
        complain(str(error))
        return False


def _with_digits(
    left: list[Recipe], config: RunConfig, asked_for: bool
) -> tuple[list[Recipe], Digits | None]:
    """The rows that can be made, and the images for them."""
    on_mnist = [made for made in left if ROWS[made.key].sets == "mnist"]
    if not on_mnist:
        return left, None
    try:
        config.dataset.check_place()
        from dimred.analysis.c2st_samples import Digits

        with step("reading MNIST"):
            return left, Digits(config.dataset.load(seed=0))
    except InputError as error:
        if asked_for:
            raise
        print(f"{len(on_mnist)} rows on MNIST are skipped: {shown(str(error))}", flush=True)
        return [made for made in left if made not in on_mnist], None


def _line(result: Result) -> str:
    """A row's result in a line."""
    trials = result.recipe.trials
    shares = [
        f"{head} {100 * result.rejected[method] / trials:.0f} %"
        for method, head in METHODS.items()
        if method in result.rejected
    ]
    return f"{result.recipe.key}: {', '.join(shares)}; {duration(result.seconds)}"
