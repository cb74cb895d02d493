"""The command `dimred options`: the keys of the configuration, all or those of some words."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from dimred.commands.train import parsed
from dimred.config.conf_folder import GROUPS, choices, meaning
from dimred.errors import InputError, plain
from dimred.options.option import allowed
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.config import RunConfig
    from dimred.config.meant import Key

HELP = """\
dimred options [WORD ...] [GROUP=CHOICE ...] [KEY=VALUE ...]

Prints every key of the configuration that these arguments of `dimred train` make: its value, type,
allowed range and meaning; first the ten that matter most. Choices need not go together here: what
training would refuse of them is said by the group. With WORDs, only the keys and choices
whose names or meanings have all of them, those of other choices too.

  dimred options
  dimred options epochs
  dimred options learning rate
  dimred options loss=simclr dataset=image_folder"""


def run(arguments: list[str]) -> int:
    """Print the keys that the arguments ask for; returns the exit code."""
    args = parsed(arguments)
    if args.multirun:
        raise InputError("-m: options are those of one run")
    words, args.overrides = _parted(args.overrides)
    config = _config(args)
    from dimred.config.meant import keys
    from dimred.config.run import misfits

    known = keys(config)
    print("\n".join(_found(words, known) if words else _all(known, misfits(config))))
    return 0


def _parted(typed: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are looked for, and the rest: what `dimred train` takes."""
    words = [word for word in typed if word and "=" not in word and word[0] not in "~+"]
    return words, [word for word in typed if word not in words]


def _config(args: Namespace) -> RunConfig:
    load_plugins(args.plugin)
    from dimred.config.compose import composed

    # A loss is looked at before one knows which pairing goes with it.
    return composed(args.overrides, args.config_dir, fits=False)


def _all(known: list[Key], misfits: Sequence[str]) -> Iterator[str]:
    """The keys that the configuration has: those that matter first, then all by group.

    misfits: why it cannot be trained, a line each; below the choices of the loss.
    """
    here = [key for key in known if not key.choices]
    yield from _titled("What matters first")
    for key in sorted(known, key=lambda key: bool(key.choices)):
        if key.is_common:
            yield from _explained(key)
    for group, what in {**GROUPS, "eval": "what is measured", "": "the run"}.items():
        chosen = next((key for key in here if key.key == f"{group}.name"), None)
        name = group if chosen is None else f"{group}={_shown(chosen.value)}"
        yield ""
        yield from _titled(f"{name}: {what}" if name else what.capitalize())
        if group in GROUPS:
            yield f"choices: {', '.join(choices(group))}"
        if group == "loss":
            yield from misfits
        for key in here:
            if key.key.rpartition(".")[0].partition(".")[0] == group:
                yield from _explained(key)


def _titled(title: str) -> Iterator[str]:
    yield title
    yield "-" * len(title)


def _found(words: list[str], known: list[Key]) -> list[str]:
    """The keys and choices that words find: by their names before those by their meanings.

    Raises InputError where there are none.
    """
    from dimred.config.meant import alike, question

    name = "_".join(words)
    ordered = sorted(known, key=lambda key: (not key.is_called(name), not key.is_common))
    texts = [
        (" ".join([key.key, *key.names]), key.doc, "\n".join(_explained(key))) for key in ordered
    ]
    for group in GROUPS:
        for choice in choices(group):
            name, doc = f"{group}={choice}", meaning(group, choice)
            texts.append((name, doc, f"{name}\n    {doc}".rstrip()))
    by_name = [shown for names, _, shown in texts if _has(names, words)]
    by_meaning = [shown for names, doc, shown in texts if _has(f"{names} {doc}", words)]
    if found := list(dict.fromkeys([*by_name, *by_meaning])):
        return found
    terms = re.findall("[a-z]+", " ".join(names for names, _, _ in texts).lower())
    misspelled = [name for word in words for name in alike(word, dict.fromkeys(terms))]
    asked = question(misspelled[:3]) or "dimred options without words lists all"
    raise InputError(f"{' '.join(words)}: no key or choice is called or explained so; {asked}")


def _has(text: str, words: Sequence[str]) -> bool:
    """Whether a text has all words, whatever their case, - and _; those of one or two letters as
    words of their own."""
    text = text.lower()
    own, run_together = re.split(r"[^a-z0-9]+", text), text.replace("-", "").replace("_", "")
    return all(
        word.lower() in own or (len(word) > 2 and plain(word) in run_together) for word in words
    )


def _explained(key: Key) -> Iterator[str]:
    """A key with its value, type, range and meaning."""
    if key.choices:
        yield f"{key.key} (with {' or '.join(key.choices)})"
    for name, value in {key.key: key.value, **key.others}.items() if not key.choices else ():
        yield f"{name} = {_shown(value)}"
    if key.spec is not None:
        bounds = allowed(key.spec)
        yield f"    {_type_name(key)}{', ' + bounds if bounds else ''}"
        yield f"    {key.doc}"


def _shown(value: object) -> object:
    value = value.value if isinstance(value, Enum) else value
    return "null" if value is None else value


def _type_name(key: Key) -> str:
    assert key.spec is not None
    example = key.spec.default if key.choices else key.value
    if isinstance(example, Enum):
        return "one of " + ", ".join(member.value for member in type(example))
    if form := key.spec.metadata.get("form"):
        return str(form)
    # Under deferred annotations a field's type is its source text.
    kind = key.spec.type
    text = kind.__name__ if isinstance(kind, type) else str(kind)
    return text.replace(" | None", " or null")
