"""The texts of --help, in the project's own words."""

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


def command_help() -> str:
    """The text of `dimred --help`."""
    return """\
dimred learns low-dimensional maps of image sets with contrastive losses.

  dimred train [GROUP=CHOICE ...] [KEY=VALUE ...]   train a map and write it to a run folder
  dimred options [GROUP=CHOICE ...]                 every key with its type, value and meaning
  dimred COMMAND --help                             more about a command
  dimred --version

First steps:  dimred train experiment=demo"""


def config_folder() -> Path:
    """The folder of YAML choices: the packaged copy, or the checkout's."""
    package = Path(__file__).resolve().parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def choices(group: str) -> list[str]:
    """The choices of a group, as the YAML files of conf/ name them."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


def train_help() -> str:
    """The text of `dimred train --help`."""
    lines = []
    for group, meaning in GROUPS.items():
        lines.append(f"  {group:<11} {meaning}")
        lines += _wrapped(choices(group))
    return "\n".join([_TRAIN_HEAD, *lines, _TRAIN_TAIL])


def _wrapped(words: list[str], width: int = 84) -> list[str]:
    lines = [" " * 13]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append(" " * 13)
        lines[-1] += f" {word}"
    return lines


def options_help() -> str:
    """The text of `dimred options --help`."""
    return """\
dimred options [GROUP=CHOICE ...] [KEY=VALUE ...]

Prints every key of the configuration that these words make: its type, its value, what it may be,
and a sentence on what it does. The words are those of `dimred train`.

  dimred options
  dimred options loss=simclr dataset=image_folder"""


_TRAIN_HEAD = """\
dimred train [GROUP=CHOICE ...] [KEY=VALUE ...] [-m]

Learns a map of an image set: builds the network, trains it stage by stage, measures the map after
each stage, and writes embedding, metrics, weights and plots to a run folder.

Groups and their choices:"""

_TRAIN_TAIL = """
Examples:
  dimred train experiment=demo
  dimred train dataset=fashion_mnist dataset.root=data dataset.download=true model=resnet18 \\
      schedule=annealed_1500 device=cuda seed=3
  dimred train -m seed=0,1,2 loss=tsimcne,simclr            a sweep: one run for each combination

Results go to outputs/NAME-seedSEED-HASH/ (output_dir=FOLDER or run_dir=FOLDER change that).
The same command goes on where a stopped run was; a finished run is not repeated unless
restart=true, only measured again where what is measured at the end differs (see dimred options).

Single values:  schedule.stages.finetune.epochs=20   dataset.classes=[4,9]
All of them:    dimred options
Your own YAML:  dimred train --config-dir FOLDER ..., FOLDER laid out like conf/"""
