"""The YAML files of a user's folder (--config-dir), checked before Hydra reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_origin

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.plugins.config_source import ConfigResult

from dimred.config.quoting import declarations, without_none
from dimred.config.safe_yaml import read_yaml_file
from dimred.errors import InputError


class OwnYaml(FileConfigSource):
    """Hydra's source of configurations for a user's folder. It only checks each file before Hydra
    reads it, which would recurse, run out of memory, or name neither file nor key."""

    @staticmethod
    def scheme() -> str:
        """How paths of this source begin, in Hydra's search path."""
        return "dimred"

    def load_config(self, config_path: str) -> ConfigResult:
        """The content of a file. Raises InputError, naming the file, for one that is no mapping of
        options."""
        file = Path(self.path) / self._normalize_file_name(config_path)
        if file.exists():  # else Hydra says that there is none
            content, written = read_yaml_file(file), read_yaml_file(file, as_texts=True)
            group = str(Path(config_path).parent)
            prefix = "" if group in (".", "experiment") else f"{group}."
            for problem in _problems(content, written, prefix):
                raise InputError(f"{file}: {problem}")
        return super().load_config(config_path)


def _problems(content: Any, written: Any, prefix: str) -> Iterator[str]:
    """One line for each part of a file that Hydra would refuse without naming it, or take for
    something else. written: the content with all values as texts. prefix: of the keys, if the file
    does not say otherwise."""
    if content is not None and not isinstance(content, Mapping):
        yield f"must hold lines KEY: VALUE, and is a {_kind(content)}"
        return
    defaults = (content or {}).get("defaults", [])
    if not isinstance(defaults, list):
        yield f"defaults: must be a list, and is a {_kind(defaults)}"
    elif odd := [entry for entry in defaults if not isinstance(entry, str | Mapping)]:
        yield f"defaults: {odd[0]}: must be a name or GROUP: NAME"
    yield from _of_keys(content or {}, written or {}, prefix)


def _of_keys(content: Mapping[Any, Any], written: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in content.items():
        key = f"{prefix}{name}"
        if not isinstance(name, str):
            yield f"{key}: is a {_kind(name)}, and must be a name; put it into quotes"
            return
        types = [without_none(hint) for hint, _ in declarations(key)]  # of each choice
        if isinstance(value, Mapping):
            yield from _of_keys(value, written[name], f"{key}.")
        elif value is not None and types and all(map(_holds_options, types)):
            yield f"{key}: must hold lines OPTION: VALUE, and is a {_kind(value)}: {value}"
        elif set(types) in ({str}, {list[str]}):
            yield from _not_as_written(key, value, written[name])


def _holds_options(hint: Any) -> bool:
    return is_dataclass(hint) or get_origin(hint) is dict


def _not_as_written(key: str, value: Any, written: Any) -> Iterator[str]:
    """One line for a text, or one of a list, that YAML reads as a number or truth value which is
    written otherwise: 1_0 is 10."""
    if isinstance(value, list):
        for part, text in zip(value, written, strict=True):
            yield from _not_as_written(key, part, text)
    elif isinstance(value, int | float | date) and str(value) != written:
        yield f"{key}: {written} means {value} in YAML; put the text into quotes"


def _kind(value: object) -> str:
    kinds = {list: "list", dict: "mapping", str: "text", bool: "truth value", type(None): "null"}
    return kinds.get(type(value), "number")
