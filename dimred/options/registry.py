"""The choices of every group of options: losses, pairings, datasets, models.

A choice is a dataclass of options that is defined beside what it builds and registers itself:

    @register("loss", "dcl")
    @dataclass
    class DCL(LossOptions):
        \"\"\"Decoupled contrastive learning.\"\"\"

        temperature: float = option(0.1, "Temperature of the similarities.", above=0)

        def build(self): ...

The command line, its help, the configuration checks and the reader of finished runs take their
choices from here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, make_dataclass
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from dimred.errors import InputError
from dimred.options.option import leaves, option
from dimred.options.origin import Origin, origin_of

# Packages whose modules may register choices.
_PACKAGES = ("data", "loggers", "losses", "measures", "models", "pairing")
_MARK = "\n@register("

_choices: dict[str, dict[str, type[Choice]]] = {}
_discovered = False

C = TypeVar("C", bound="Choice")


@dataclass
class Choice:
    """Base class of the options of every choice.

    group: name of the group, set by its base class.
    builder: method of the base class that each choice must define.
    choices: names of this choice.
    origin: plug-in that it comes from; None for choices of dimred.
    """

    group: ClassVar[str] = ""
    builder: ClassVar[str] = ""
    choices: ClassVar[tuple[str, ...]] = ()
    origin: ClassVar[Origin | None] = None

    name: str = option("", "Which choice this is.")

    def data_files(self) -> Sequence[str | PathLike[str]]:
        """Files whose content affects a run's result, besides the images of a dataset."""
        return ()


class Unknown:
    """Mixin for the options of a choice whose code is not here: plain values, whose methods raise
    InputError naming the plug-in. See `unknown`."""


def register(group: str, *names: str) -> Callable[[type[C]], type[C]]:
    """Decorator that registers a dataclass of options under these names; the first is the default.

    Raises TypeError for an unsuitable class, or a name that another class has.
    """

    def decorate(options: type[C]) -> type[C]:
        origin = origin_of(options.__module__)
        if origin is not None:
            _discover()  # so that names of dimred are known to be taken
        _check(group, names, options)
        options.choices, options.origin = names, origin
        _name(options, names[0])
        _choices.setdefault(group, {}).update(dict.fromkeys(names, options))
        return options

    return decorate


def registered(group: str) -> dict[str, type[Any]]:
    """The dataclass of each choice of a group, by name in alphabetical order."""
    _discover()
    return dict(sorted(_choices.get(group, {}).items()))


def forget(module: str) -> None:
    """Drop the choices of a module, before it is imported again."""
    for group in _choices.values():
        for name in [name for name, options in group.items() if options.__module__ == module]:
            del group[name]


def is_same_code(options: type[Choice], origin: Mapping[str, Any]) -> bool:
    """Whether a choice comes from the same source as a run's. origin: the run's, as returned by
    `Origin.as_json`; without a digest of either source they count as the same."""
    here, there = options.origin and options.origin.sha256, origin.get("sha256")
    return None in (here, there) or here == there


def unknown(
    base: type[C],
    values: Mapping[str, Any],
    origin: Mapping[str, Any],
    loaded: Origin | None = None,
    run: str = "the run",
) -> C:
    """Options of a choice whose code is not here, as plain values.

    base: base class of the group. values: by key, including `name`. origin: the plug-in, as
    returned by `Origin.as_json`. loaded: the plug-in of other code that has the choice here.
    run: whose options they are, for messages.
    All public methods and properties of the base class, except `problems`, raise InputError.
    """
    message = f"{base.group}={values['name']}: comes from the plug-in {origin.get('name')}, "
    if loaded is None:
        message += "which is not loaded; name its file or module by --plugin"
    else:
        message += (
            f"which has been edited since {run} was trained: its SHA-256 was {_short(origin)}, and "
            f"that of the {loaded.name} loaded here is {_short(loaded.as_json())}; name the source "
            "of then by --plugin"
        )

    def refuse(*_: object, **__: object) -> Any:
        raise InputError(message)

    members: dict[str, Any] = {"data_files": refuse}
    for name, member in vars(base).items():
        if isinstance(member, property):
            members[name] = property(refuse)
        elif callable(member) and not name.startswith("_") and name != "problems":
            members[name] = refuse
    for key in values:
        if key.startswith("_") or key in members:
            raise TypeError(f"{base.group}.{key} is no option")
    specs = [(key, Any, option(value, "Of a plug-in.")) for key, value in values.items()]
    options: type[C] = make_dataclass(
        f"Unknown{base.__name__}", specs, bases=(Unknown, base), namespace=members
    )
    options.choices = (str(values["name"]),)
    return options()


def _short(origin: Mapping[str, Any]) -> str:
    return str(origin.get("sha256"))[:8]


def _discover() -> None:
    """Import the modules of dimred that register choices."""
    global _discovered
    if _discovered:
        return
    _discovered = True
    for package in _PACKAGES:
        spec = find_spec(f"dimred.{package}")  # without importing it
        for folder in (spec and spec.submodule_search_locations) or ():
            for path in sorted(Path(folder).glob("*.py")):
                if _MARK in path.read_text(encoding="utf-8"):
                    import_module(f"dimred.{package}.{path.stem}")


def _check(group: str, names: Sequence[str], options: type[Choice]) -> None:
    """Raise TypeError for a class that cannot be registered under these names."""
    where = options.__qualname__
    if not (isinstance(options, type) and issubclass(options, Choice) and options.group == group):
        raise TypeError(f"{where}: is registered as a {group}, but is no {group}'s options")
    if "__dataclass_fields__" not in vars(options):
        raise TypeError(f"{where}: must be a dataclass; put @dataclass below @register")
    # For a dataclass without a docstring Python generates one from its signature.
    if not options.__doc__ or options.__doc__.startswith(f"{options.__name__}("):
        raise TypeError(f"{where}: needs a docstring of at least a sentence")
    if not names:
        raise TypeError(f"{where}: is registered without a name")
    builder = options.builder
    if builder and getattr(options, builder) is getattr(_base(options), builder):
        raise TypeError(f"{where}: must define {builder}()")
    for key, spec in leaves(options):
        if not spec.metadata.get("doc"):
            raise TypeError(f"{where}.{key}: needs a sentence of documentation: option(..., '...')")
        if "Path" in str(spec.type):
            raise TypeError(f"{where}.{key}: must be a str: option(..., is_path=True)")
    for name in names:
        if not re.fullmatch(r"[A-Za-z]\w*", name):
            raise TypeError(f"{where}: {name!r} is no name; use letters, digits and _")
        other = _choices.get(group, {}).get(name)
        if other is not None and _place(other) != _place(options):
            raise TypeError(f"{where}: {group}={name} is already {_owner(other)}")


def _place(options: type[Choice]) -> tuple[str, str]:
    """Module and name of a class: unchanged when its module is imported again."""
    return options.__module__, options.__qualname__


def _owner(options: type[Choice]) -> str:
    """Where a class comes from, for messages."""
    if options.origin is None:
        return ".".join(_place(options))
    file = getattr(sys.modules.get(options.__module__), "__file__", None)
    return f"that of the plug-in {file or options.origin.name}, loaded before in this session"


def _base(options: type[Choice]) -> type[Choice]:
    """The base class of a choice's group."""
    return next(kind for kind in reversed(options.__mro__) if getattr(kind, "group", ""))


def _name(options: type[Choice], name: str) -> None:
    """Set the default of the field `name`: in the fields, the class, and the generated constructor,
    where it is the first parameter."""
    specs: dict[str, Any] = vars(options)["__dataclass_fields__"]
    specs["name"] = copy(specs["name"])  # the base class shares the field object
    specs["name"].default = name
    options.name = name
    constructor: Any = vars(options).get("__init__")
    if constructor is not None:
        constructor.__defaults__ = (name, *constructor.__defaults__[1:])
