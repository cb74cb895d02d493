"""What a run's network has begun with, as the run says and records it."""

from __future__ import annotations

from dimred.files import escaped, expanded
from dimred.models.pretrained import Begun, Source
from dimred.run_folder.configuration import configuration_digest
from dimred.run_folder.record import read_record

_MAX_NAMED = 4


def begun_line(begun: Begun) -> str:
    """A line on whose weights a network has, which of its layers are new, and which of the others'
    it has no place for."""
    head = f"new: {', '.join(begun.new)}" if begun.new else "and its head"
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in begun.left_out))
    left_out = ""
    if layers and begun.source.key != "model.init_from":
        more = f" and {len(layers) - _MAX_NAMED} more" if len(layers) > _MAX_NAMED else ""
        left_out = f"; left out of the file: {', '.join(layers[:_MAX_NAMED])}{more}"
    return escaped(f"begins with the backbone of {begun.source.what}; {head}{left_out}")


def begun_record(source: Source | None) -> dict[str, dict[str, str]]:
    """The part of summary.json on the weights that a run begins with, as they are now; {} for
    random ones. Raises InputError where they cannot be read."""
    if source is None:
        return {}
    found = {"option": source.key, "value": source.value, "sha256": source.sha256}
    if source.key == "model.init_from":
        found["configuration"] = configuration_digest(read_record(expanded(source.value)))
    return {"begins_with": found}
