"""The groups of choices: those registered in Python, and those in the YAML files of conf/."""

from __future__ import annotations

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
    "experiment": "a whole configuration; keys that you set yourself override it",
}


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
