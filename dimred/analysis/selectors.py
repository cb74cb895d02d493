"""Images of a run chosen by what is known of them, such as RUN:test,class=4."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dimred.data.spelling import composed, listed
from dimred.errors import InputError, did_you_mean
from dimred.run_folder.arrays import CLASS_SPLIT, LEARNED, UNSEEN, RunMap

_MAX_LISTED = 20
_SPLITS = ("train", "test")
_CLASS_SPLITS = (LEARNED, UNSEEN)
_ALL = "all"
# Longer ones first, as < begins <=.
_OPERATORS: dict[str, Callable[[Any, Any], NDArray[np.bool_]]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}

Rows = NDArray[np.int64]


def conditions_in(source: object, prefixes: Sequence[str] = ()) -> str | None:
    """What follows `RUN:`, in capitals or not, or one of `prefixes` and a colon, in a text; None
    for anything else, such as a file."""
    if not isinstance(source, str):
        return None
    if source[:4].lower() == "run:":
        return source[4:]
    own = (f"{prefix}:" for prefix in prefixes if prefix)
    return next((source[len(start) :] for start in own if source.startswith(start)), None)


def selected_rows(on: RunMap, conditions: str, named: str) -> Rows:
    """The rows of a map that fulfil all conditions, ascending (n,), n at least 1.

    conditions: separated by commas: `train`, `test`, `all`, for a run that did not learn from all
        classes `learned`, `unseen`, or KEY OP VALUE with a KEY of `class` (or `label`), `split`,
        `class_split` and the further columns, and an OP of = != < <= > >=. A class
        is given by its name or, where no name is a whole number, by its position. "" for all rows.
        Of images in several variants, these are the untransformed ones, unless a condition is on
        what the transformations change, such as `shift`.
    named: how error messages begin.
    Raises InputError for a key or value that is unknown, a comparison of names by size, and
    conditions that no row fulfils.
    """
    keys = _Keys(on, named)
    chosen, of_variants = np.ones(len(on), np.bool_), False
    rest: str | None = conditions if conditions.strip() else _ALL
    while rest is not None:
        condition, rest = keys.first(rest)
        if not condition.holds.any():
            raise InputError(f"{named}: no image fulfills {condition.text!r}; {condition.there}")
        chosen &= condition.holds
        of_variants |= _differs_in_variants(condition.values, on.n_variants)
    if not of_variants:
        chosen &= np.arange(len(on)) % on.n_variants == 0
    rows = np.flatnonzero(chosen)
    if not len(rows):
        raise InputError(f"{named}: no image fulfills all of these conditions")
    return rows


class _Condition(NamedTuple):
    """One condition. text: as typed. values: of the key (n,). holds: whether each row fulfills it.
    there: the values that there are, in words."""

    text: str
    values: NDArray[Any]
    holds: NDArray[np.bool_]
    there: str


class _Keys:
    """What is known of a map's rows, by key: numbers, or positions among names."""

    def __init__(self, on: RunMap, named: str):
        self.named = named
        self.numbers: dict[str, NDArray[Any]] = {}
        self.names: dict[str, tuple[str, ...]] = {}
        for key, values in on.extra_columns.items():
            if values.dtype == object:
                names, values = np.unique(values, return_inverse=True)
                self.names[key] = tuple(map(str, names))
            self.numbers[key] = values
        self._add("split", (on.split == "test").astype(np.int64), _SPLITS)
        self.words = dict.fromkeys(_SPLITS, "split")
        if on.class_split is not None:
            unseen = (on.class_split == UNSEEN).astype(np.int64)
            self._add(CLASS_SPLIT, unseen, _CLASS_SPLITS)
            self.words |= dict.fromkeys(_CLASS_SPLITS, CLASS_SPLIT)
        if on.labels is not None:
            for key in ("label", "class"):
                self._add(key, on.labels, on.class_names)

    def _add(self, key: str, values: Rows, names: tuple[str, ...]) -> None:
        self.numbers[key], self.names[key] = values, names

    def first(self, text: str) -> tuple[_Condition, str | None]:
        """The first condition of a text, and what follows its comma; None where it is the last."""
        word, _, rest = (part.strip() for part in text.partition(","))
        follows = rest if "," in text else None
        if word == _ALL:
            every = np.zeros(len(self.numbers["split"]), np.int64)
            return _Condition(word, every, every == 0, ""), follows
        if word in self.words:
            return self._of_names(self.words[word], "=", word, word), follows
        key, symbol, values = self._key(text.lstrip())
        if key not in self.names:
            value, comma, rest = values.partition(",")
            condition = self._of_numbers(key, symbol, value.strip())
            return condition, rest if comma else None
        if symbol not in ("=", "!="):
            raise InputError(
                f"{self.named}: {key} is no number; only = and != can be used with it, not {symbol}"
            )
        value, follows = self._known_name(key, values)
        return self._of_names(key, symbol, value, f"{key}{symbol}{value}"), follows

    def _key(self, text: str) -> tuple[str, str, str]:
        """Key, operator, and the text after these. A key may hold an operator itself."""
        for key in sorted(self.numbers, key=len, reverse=True):
            after = text.removeprefix(key).lstrip()
            symbol = next((symbol for symbol in _OPERATORS if after.startswith(symbol)), None)
            if text.startswith(key) and symbol is not None:
                return key, symbol, after[len(symbol) :]
        word = re.split("[=!<>,]", text)[0].strip()
        keys = [key for key in ("class", *self.numbers) if key in self.numbers and key != "label"]
        known = list(dict.fromkeys(keys))
        raise InputError(
            f"{self.named}: {word!r} is not known of the run's images; "
            f"{did_you_mean(word, [*known, *self.words, _ALL])}must be {', '.join(self.words)}, "
            f"all, or KEY=VALUE (or != < <= > >=) with a KEY of {listed(known, _MAX_LISTED)}"
        )

    def _known_name(self, key: str, text: str) -> tuple[str, str | None]:
        """The longest known name that a text begins with, as names may hold commas, and what
        follows its comma."""
        parts = text.split(",")
        for count in range(len(parts), 0, -1):
            typed = ",".join(parts[:count])
            for word in (typed, typed.strip()):
                name = _name(word, self.names[key], by_position=key in ("class", "label"))
                if name is not None:
                    return name, ",".join(parts[count:]) if count < len(parts) else None
        word, names = parts[0].strip(), self.names[key]
        raise InputError(
            f"{self.named}: no {key} {word!r}; {did_you_mean(word, names)}{self._there(key)}"
        )

    def _of_names(self, key: str, symbol: str, name: str, text: str) -> _Condition:
        values = self.numbers[key]
        holds = _OPERATORS[symbol](values, self.names[key].index(name))
        return _Condition(text, values, holds, self._there(key))

    def _of_numbers(self, key: str, symbol: str, typed: str) -> _Condition:
        values, text, there = self.numbers[key], f"{key}{symbol}{typed}", self._there(key)
        try:
            number = float(typed)
        except ValueError:
            number = np.nan
        if not np.isfinite(number):
            raise InputError(f"{self.named}: {text}: must be a number; {there}")
        # Of what is not known, nothing is true.
        return _Condition(
            text, values, _OPERATORS[symbol](values, number) & ~np.isnan(values), there
        )

    def _there(self, key: str) -> str:
        if key in self.names:
            there = np.unique(self.numbers[key])
            return f"there are {listed((repr(self.names[key][i]) for i in there), _MAX_LISTED)}"
        known = self.numbers[key][np.isfinite(self.numbers[key])]
        if not len(known):
            return f"{key} is unknown of all images"
        return f"{key} is from {known.min():g} to {known.max():g}"


def _name(word: str, names: Sequence[str], by_position: bool) -> str | None:
    """The name that a word means; None for none."""
    if word in names:
        return word
    of_form = {composed(name): name for name in names}
    if composed(word) in of_form:
        return of_form[composed(word)]
    positions = [str(i) for i in range(len(names))]
    if by_position and word in positions and not any(name.isdecimal() for name in names):
        return names[int(word)]
    return None


def _differs_in_variants(values: NDArray[Any], n_variants: int) -> bool:
    """Whether the variants of an image have different values. values: (n * n_variants,)."""
    of_image = values.reshape(-1, n_variants)
    is_nan = of_image != of_image
    same = (of_image == of_image[:, :1]) | (is_nan & is_nan[:, :1])
    return bool((~same).any())
