"""The command `dimred options`: every key of the configuration."""

from __future__ import annotations

from dataclasses import Field
from enum import Enum
from typing import Any

from dimred.commands.train import parsed
from dimred.config.conf_folder import GROUPS, choices
from dimred.errors import InputError
from dimred.options.option import allowed, walk
from dimred.options.plugins import load_plugins

HELP = """\
dimred options [GROUP=CHOICE ...] [KEY=VALUE ...]

Prints every key of the configuration that these arguments of `dimred train` make: its value, type,
allowed range and meaning.

  dimred options
  dimred options loss=simclr dataset=image_folder"""


def run(arguments: list[str]) -> int:
    """Print the configuration that the arguments make, key by key; returns the exit code."""
    args = parsed(arguments)
    if args.multirun:
        raise InputError("-m: options are those of one run")
    load_plugins(args.plugin)
    from dimred.config.compose import composed

    config = composed(args.overrides, args.config_dir)
    for key, spec, value in walk(config):
        shown = value.value if isinstance(value, Enum) else value
        print(f"{key} = {'null' if shown is None else shown}")
        if spec is not None:
            bounds = allowed(spec)
            print(f"    {_type_name(value, spec)}{', ' + bounds if bounds else ''}")
            print(f"    {spec.metadata['doc']}")
    print()
    for group in GROUPS:
        print(f"{group}: {', '.join(choices(group))}")
    return 0


def _type_name(value: object, spec: Field[Any]) -> str:
    if isinstance(value, Enum):
        return "one of " + ", ".join(member.value for member in type(value))
    # Under deferred annotations a field's type is its source text.
    text = spec.type.__name__ if isinstance(spec.type, type) else str(spec.type)
    return text.replace(" | None", " or null")
