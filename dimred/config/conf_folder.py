"""The groups of choices: those registered in Python, and those in the YAML files of conf/."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from dimred.options.registry import registered
from dimred.training.device import DeviceName

GROUPS = {
    "dataset": "which images",
    "pairing": "which images are similar (digits and mnist choose augmentation_digits)",
    "model": "the network",
    "loss": "the loss that is minimized",
    "schedule": "stages, epochs, learning rates",
    "device": "where to compute",
    "log": "where numbers are also written while training",
    "experiment": "a whole configuration; keys that you set yourself override it",
}

ALSO_CALLED = {
    "dataset": ("data", "images"),
    "pairing": ("augmentation", "augment", "aug", "transform", "views", "pairs"),
    "model": ("network", "net", "backbone", "arch", "architecture", "encoder"),
    "loss": ("objective", "criterion", "method"),
    "schedule": ("stages", "scheduler"),
    "device": ("gpu", "accelerator"),
    "experiment": ("exp", "preset", "recipe"),
}
"""Other names that a group is looked for by."""
OTHER_NAMES = {
    "dataset": {"photos": "image_folder", "images": "image_folder", "imagenet": "image_folder"},
    "loss": {"ntxent": "simclr", "siamese": "drlim", "lifted": "lifted_structure"},
    "model": {"cnn": "convnet", "mlp": "linear_20_3"},
    "log": {"tb": "tensorboard"},
    "device": {"gpu": "cuda", "mps": "cpu (Apple's GPUs are not used)"},
}
"""Other names that a choice is looked for by, and what to type for it."""
_MANY = 20  # choices, which are listed by families


def config_folder() -> Path:
    """The folder of YAML choices: the packaged copy, or the checkout's."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def choices(group: str) -> list[str]:
    """The choices of a group: the registered ones, and those of the YAML files of conf/."""
    names = {path.stem for path in (config_folder() / group).glob("*.yaml")}
    if group == "device":
        names.update(DeviceName.__members__)
    return sorted(names.union(registered(group)))


def folded(names: Iterable[str]) -> list[str]:
    """Names for a list that is read: where they are many, those of one family of three or more,
    as one `BEGINNING* (NUMBER)`, behind the others."""
    names = list(names)
    if len(names) <= _MANY:
        return names
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(name.partition("_")[0], []).append(name)
    alone = [name for family in families.values() if len(family) < 3 for name in family]
    large = [family for family in families.values() if len(family) >= 3]
    return alone + [f"{_beginning(family)}* ({len(family)})" for family in large]


def _beginning(names: Sequence[str]) -> str:
    """What all these names begin with."""
    columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in columns)


def meaning(group: str, choice: str) -> str:
    """The first sentence or two on a choice: its docstring, or the first comment of its YAML."""
    kind = registered(group).get(choice)
    if kind is not None:
        return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
    file = config_folder() / group / f"{choice}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    comments = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    return next((line for line in comments if not line.startswith("@package")), "")
