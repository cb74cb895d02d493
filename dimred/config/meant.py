"""What was meant by a word that is no key and no choice. Such a word is refused all the same; this
finds the keys and choices that it may stand for, by name, part, other name and spelling."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, replace
from difflib import SequenceMatcher
from enum import Enum
from typing import Any

from dimred.config.conf_folder import ALSO_CALLED, GROUPS, OTHER_NAMES, choices, folded
from dimred.config.hydra_schema import CHOICES
from dimred.config.run import RunConfig
from dimred.errors import near, plain
from dimred.files import escaped
from dimred.options.option import leaves, walk
from dimred.options.registry import registered

OFF = ("none", "null", "off", "false", "no", "0", "")
"""Values by which a choice is meant to be dropped."""
_ON = ("true", "yes", "on", "1")
_MOST = 3  # suggestions in a line
_ALIKE = 0.8  # similarity of two spellings of one name
_STAGE = re.compile(r"(schedule\.stages\.)([^.]+)(\..+)")
_FRACTION = re.compile(r"[+-]?\d*\.\d+")
_NUMBER = re.compile(r"[\[(+-]*(\d|\.\d|nan|inf|null|range|choice).*", re.IGNORECASE | re.DOTALL)
# Keys that are not set but chosen, by GROUP=NAME.
_BY_CHOICE = {f"{group}.name" for group in GROUPS}
# Words of names that say nothing of what is meant, as in n_epochs and num_workers.
_IDLE = {"n", "num", "number", "max", "total", "of", "the", "my"}
_SAME, _SPELLED, _PART = 0, 1, 2


@dataclass(frozen=True)
class Key:
    """A key of the configuration, as it is searched for.

    key: dotted; of the first stage, where stages have it. others: value by key of the others.
    choices: those that the configuration would have it with, as GROUP=CHOICE, the usual one first;
        () if it has it.
    """

    key: str
    spec: Field[Any] | None
    value: Any = None
    others: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called, and what else it is looked for by."""
        rest, _, last = self.key.rpartition(".")
        if last == "name" and rest:
            last = rest.rpartition(".")[2]  # schedule.optimizer.name says which optimizer
        return (last, *self._said("also", ()))

    @property
    def is_common(self) -> bool:
        """Whether it is one of the few that matter first."""
        return bool(self._said("common", False))

    @property
    def unit(self) -> str:
        """What its number is, where another could be meant."""
        return str(self._said("unit", ""))

    @property
    def doc(self) -> str:
        """What it means."""
        return str(self._said("doc", ""))

    def takes(self, value: str) -> bool:
        """Whether a value may be of its type: a number is one."""
        if "${" in value:
            return True
        if self._members:
            return plain(value) in map(plain, self._members)
        if self._kind.startswith("bool"):
            return value.lower() in (*_ON, *OFF)
        if self._kind.startswith("int") and _FRACTION.fullmatch(value):
            return False
        numeric = self._kind.startswith(("int", "float"))
        return not numeric or _NUMBER.fullmatch(value) is not None

    @property
    def _kind(self) -> str:
        """The type of its values, or of the elements of its lists."""
        return "" if self.spec is None else str(self.spec.type).removeprefix("list[")

    @property
    def _members(self) -> list[str]:
        """The values that it may have; [] where these are not a few words."""
        kind = type(self.value)
        return [str(member.value) for member in kind] if isinstance(self.value, Enum) else []

    @property
    def _allowed(self) -> str:
        """What its values are."""
        if self._members:
            return f"one of {', '.join(self._members)}"
        if self._kind.startswith("bool"):
            return "true or false"
        return "a whole number" if self._kind.startswith("int") else "a number"

    def rank(self, word: str) -> int | None:
        """How near a word is to its names: _SAME, _SPELLED, _PART, or None for not at all."""
        last = word.rpartition(".")[2]
        typed, parts = plain(last), _parts(last)
        if not typed or not parts or self.key in _BY_CHOICE:
            return None
        if any(typed == plain(name) or parts == _parts(name) for name in self.names):
            return _SAME
        if _is_alike(typed, plain(self.names[0])):
            return _SPELLED
        return _PART if _is_inside(parts, _parts(self.names[0])) else None

    def is_called(self, word: str) -> bool:
        """Whether a word is one of its names, whatever its case, - and _."""
        return self.rank(word) == _SAME

    def typed(self, value: str | None, word: str) -> str:
        """What to type for it in place of `word`; value: the one that was typed, if any."""
        stages = ", ".join(f".{key.split('.')[2]}" for key in self.others)
        others = f" (and {stages})" if stages else ""
        unit = f" ({self.unit})" if self.unit else ""
        # A number of epochs is no factor.
        if value is None or (self.unit and self.rank(word) == _PART):
            return f"{self.key}{others}{unit}"
        if value.lower() in OFF and self.spec is not None and "None" in str(self.spec.type):
            value = "null"
        elif not self.takes(value):
            value = next(iter(near(value, self._members)), None)
        first, *rest = self.choices or [""]
        if value is None:
            return f"{first} {self.key} ({self._allowed}){others}".strip()
        if self.spec is not None and str(self.spec.type).startswith("list[") and value[:1] != "[":
            value = f"[{value}]"
        setting = f"{in_shell(f'{self.key}={value}')}{others}{unit}"
        more = f" (or with {' or '.join(rest)})" if rest and not self.is_common else ""
        return f"{first} {setting}{more}".strip()

    def _said(self, what: str, default: Any) -> Any:
        return default if self.spec is None else self.spec.metadata.get(what, default)


def keys(config: RunConfig) -> list[Key]:
    """Every key: those of a configuration, then those that other choices would add to it."""
    found: dict[str, Key] = {}
    for key, spec, value in walk(config):
        stage = _STAGE.fullmatch(key)
        first = f"{stage[1]}{next(iter(config.schedule.stages))}{stage[3]}" if stage else key
        if stage and first in found:
            found[first] = replace(found[first], others={**found[first].others, key: value})
        else:
            found[key] = Key(key, spec, value)
    others: dict[str, Key] = {}
    for group, choice, key, spec in _of_choices():
        if key in found:
            continue
        others.setdefault(key, Key(key, spec))
        word = f"{group}={choice}"
        earlier = others[key]
        if spec.metadata.get("common") and not earlier.is_common:
            others[key] = Key(key, spec, choices=(word, *earlier.choices))
        else:
            others[key] = replace(earlier, choices=(*earlier.choices, word))
    return [*found.values(), *others.values()]


def _of_choices() -> Iterator[tuple[str, str, str, Field[Any]]]:
    for group in CHOICES:
        kinds = registered(group).items()
        # What has few other options is what it is meant of.
        for choice, kind in sorted(kinds, key=lambda item: len(list(leaves(item[1])))):
            for leaf, spec in leaves(kind):
                if leaf != "name":
                    yield group, choice, f"{group}.{leaf}", spec


def key_question(word: str, value: str | None, config: RunConfig) -> str:
    """The question whether other keys or choices were meant by a key that is none; "" where none
    is near.

    word: the key as typed. value: its value, None where it has none.
    """
    if word == "budget_minutes":
        return "it is one of dimred map FOLDER"
    found = keys_near(word, value, keys(config))
    meant = [f"{key.typed(value, word)}{_warmup(key, value, config)}" for key in found]
    if not any(key.is_called(word) for key in found):
        meant = [*_choices_meant(word, value or ""), *meant]
    return question(meant[:_MOST])


def _warmup(key: Key, value: str | None, config: RunConfig) -> str:
    """The key that has to be set with the epochs of a stage, where these are fewer than it warms up
    for; "" where none has."""
    stage = _STAGE.fullmatch(key.key)
    if not stage or stage[3] != ".epochs" or value is None or not value.isdecimal():
        return ""
    shortened = config.schedule.stages[stage[2]].warmup_epochs > int(value)
    return f" with {stage[1]}{stage[2]}.warmup_epochs={value}" if shortened else ""


def keys_near(word: str, value: str | None, known: list[Key]) -> list[Key]:
    """The keys that a word may stand for, those that matter first before the others."""
    ranked = [(key, rank) for key in known if (rank := key.rank(word)) is not None]
    if value is not None:
        ranked = [(key, rank) for key, rank in ranked if key.takes(value)] or ranked
    if "." in word:  # the end of a key, and not only its last part
        ends = [(key, rank) for key, rank in ranked if f".{key.key}".endswith(f".{word}")]
        ranked = ends or ranked
    best, elsewhere = min(((rank, bool(key.choices)) for key, rank in ranked), default=(0, False))
    chosen = [
        key
        for key, rank in ranked
        # Beside the nearest, what matters first.
        if (rank, bool(key.choices)) == (best, elsewhere)
        or (key.is_common and rank == _PART and (best == _PART or not key.choices))
    ]
    return sorted(chosen, key=lambda key: not key.is_common)


def choice_question(group: str, value: str, names: Sequence[str]) -> str:
    """The question whether another choice was meant by one that is none; "" where none is near.

    names: the choices of the group.
    """
    if value.lower() in OFF:
        return ""
    other = OTHER_NAMES.get(group, {}).get(plain(value))
    return question([f"{group}={name}" for name in ([other] if other else near(value, names))])


def not_a_setting(words: Sequence[str]) -> str:
    """One line for words the first of which is no KEY=VALUE."""
    word, following, *_ = [*words, ""]
    line = f"{word}: must be KEY=VALUE"
    if following[:1] == "=":
        value = f"{following[1:]}{''.join(words[2:3]) if following == '=' else ''}"
        return f"{line} without spaces: {in_shell(f'{word}={value}')}"
    if word in GROUPS and following and "=" not in following:
        asked = choice_question(word, following, choices(word))
        return f"{word} {following}: must be KEY=VALUE; {asked or f'{word}={following}'}"
    asked = question([f"{name}={word}" for name in reversed(GROUPS) if word in choices(name)])
    if asked:
        return f"{line}; {asked}"
    path = os.path.expanduser(word.replace("\0", ""))  # noqa: PTH111  (see `expanded`)
    if path.endswith(".npz"):
        return f"{line}; a file of images is dataset=npz {in_shell(f'dataset.path={word}')}"
    if os.path.isdir(path):  # noqa: PTH112  (not refused for its length)
        folder = in_shell(f"dataset.root={word}")
        return (
            f"{line}; a folder of images is dataset=image_folder {folder}, and dimred map "
            f"{in_shell(word)} chooses the rest"
        )
    if os.sep in word:
        return f"{line}; there is no folder of this name"
    return f"{line}; dimred options {in_shell(word)} looks for keys and choices"


def _choices_meant(word: str, value: str) -> list[str]:
    """What to type for a key that is none but is called like a group or a choice, or has a choice
    as its value; [] for others."""
    group = next((name for name in GROUPS if plain(word) in _called(name)), None)
    by_value = [name for name in reversed(GROUPS) if plain(value) in map(plain, choices(name))]
    if group in by_value:
        return [f"{group}={value}"]
    if by_value and value.lower() not in OFF:  # log=none is not what augmentation=none means
        return [f"{name}={value}" for name in by_value]
    if value.lower() in _ON:
        as_choice = [
            f"{name}={choice}"
            for name in reversed(GROUPS)
            for choice in choices(name)
            if plain(choice) == plain(word)
        ]
        if as_choice:
            return as_choice
    if value.lower() in (*OFF, *_ON):
        for name in GROUPS:
            if word in OTHER_NAMES.get(name, {}):
                return [f"{name}={OTHER_NAMES[name][word]}"]
    return [f"{group}=NAME, NAME one of {', '.join(folded(choices(group)))}"] if group else []


def _called(group: str) -> tuple[str, ...]:
    return (group, *ALSO_CALLED.get(group, ()))


def question(meant: Sequence[str]) -> str:
    """The question whether one of these was meant; "" for none."""
    *rest, last = dict.fromkeys(meant) or [""]
    return f"did you mean {', '.join(rest)}{', or ' if rest else ''}{last}?" if last else ""


def _parts(name: str) -> set[str]:
    """The words of a name, without those that say nothing."""
    words = [word for word in re.split(r"[-_\s]", name.lower()) if word]
    return {word for word in words if word not in _IDLE} or set(words)


def _is_inside(parts: set[str], of: set[str]) -> bool:
    """Whether a name has all words of another, or begins with its only one."""
    if parts <= of or of <= parts:
        return True
    (first, *rest) = parts
    return not rest and len(first) > 3 and any(word.startswith(first) for word in of)


def alike(word: str, names: Iterable[str]) -> list[str]:
    """The names that a word is a misspelling of."""
    return [name for name in names if _is_alike(plain(word), plain(name))]


def _is_alike(typed: str, name: str) -> bool:
    if min(len(typed), len(name)) < 3 or len(typed) > 100:
        return False
    return SequenceMatcher(None, typed, name).ratio() >= _ALIKE


def in_shell(word: str) -> str:
    """A word as it is typed in a shell."""
    return shlex.quote(escaped(word))
