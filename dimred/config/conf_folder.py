"""The groups of choices, and the folder of YAML that holds them."""

from __future__ import annotations

from pathlib import Path

GROUPS = {
    "dataset": "which images",
    "pairing": "which images are similar (digits and mnist choose augmentation_digits)",
    "model": "the network",
    "loss": "what the embedding is judged by",
    "schedule": "stages, epochs, learning rates",
    "device": "where to compute",
    "experiment": "a whole recipe; what you set besides it wins",
}


def config_folder() -> Path:
    """The folder of YAML choices: the packaged copy, or the checkout's."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def choices(group: str) -> list[str]:
    """The choices of a group, as the YAML files of conf/ name them."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))
