"""The configuration of a run, and the checks that need more than one field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dimred.config.device import DeviceOptions
from dimred.config.schedule import ScheduleOptions, StageOptions
from dimred.data.options import DatasetOptions
from dimred.errors import InputError
from dimred.losses.options import LossOptions
from dimred.models.options import ModelOptions
from dimred.options.option import nested, option, violations, walk
from dimred.options.registry import Unknown, registered
from dimred.pairing.formats import PairFormat
from dimred.pairing.options import PairingOptions


class LinearProbe(Enum):
    """How linear accuracy in H is measured."""

    logistic = "logistic"
    sgd = "sgd"
    none = "none"


@dataclass
class EvalOptions:
    """What is measured, and when: in eval mode, on unaugmented images (eval.linear=sgd learns from
    augmented ones).

    Options of what is measured only at the end may differ when a finished run is typed again: it is
    then measured again, without training.
    """

    every: int = option(
        0, "Measure every so many epochs besides the end of each stage; 0 = never.", at_least=0
    )
    k: list[int] = option(
        [15], "Numbers of neighbours of the kNN accuracy; the first is the headline.", at_least=1
    )
    random_test: int | None = option(
        None,
        "Test images of the random stratified split; null takes as many as the dataset's own test "
        "split, or a sixth.",
        at_least=1,
    )
    linear: LinearProbe = option(
        LinearProbe.logistic,
        "Linear accuracy in H at the end: logistic = scikit-learn's regression, sgd = the paper's "
        "softmax classifier (the pairing's crops and flips, no colour changes), none.",
        changes_result=False,
    )
    linear_epochs: int = option(100, "Epochs of eval.linear=sgd.", at_least=1, changes_result=False)
    linear_lr: float = option(
        30.0, "Learning rate of eval.linear=sgd.", above=0, changes_result=False
    )
    lle: int | None = option(
        None,
        "Also measure locally linear embedding (LLE) of this many images at most, in as many "
        "dimensions as Z; null for none.",
        at_least=20,
        changes_result=False,
    )
    tsne: int | None = option(
        None,
        "Also map H of this many test images at most by t-SNE, after PCA to 50 dimensions; null "
        "for none.",
        at_least=100,
        changes_result=False,
    )
    shifted_test: list[int] = option(
        [],
        "For classifiers: also measure the error on test images moved at random by up to these "
        "pixels, [horizontally, vertically], ten times each; [] for none.",
        at_least=0,
        changes_result=False,
    )
    references: bool = option(
        True,
        "Also measure kNN accuracy in raw pixels and in their first two principal components "
        "(skipped above 3e8 pixel values).",
        changes_result=False,
    )
    batch_size: int = option(
        1024,
        "Images embedded at a time; also the batch size of eval.linear=sgd.",
        at_least=1,
    )
    save_h: bool = option(False, "Also write H (float32) to embedding.npz.", changes_result=False)


@dataclass
class RunConfig:
    """Everything that decides a run."""

    dataset: DatasetOptions = nested(DatasetOptions, "Which images.")
    pairing: PairingOptions = nested(PairingOptions, "Which of them are similar.")
    model: ModelOptions = nested(ModelOptions, "The network.")
    loss: LossOptions = nested(LossOptions, "What the embedding is judged by.")
    schedule: ScheduleOptions = nested(ScheduleOptions, "The stages of training.")
    device: DeviceOptions = nested(DeviceOptions, "Where to compute.")
    eval: EvalOptions = nested(EvalOptions, "What is measured.")
    seed: int = option(
        0, "Seed of weights, batches and augmentation.", at_least=0, at_most=2**31 - 1
    )
    name: str | None = option(
        None,
        "First part of the run folder's name; null = DATASET-MODEL-LOSS-SCHEDULE.",
        changes_result=False,
        is_path=True,
    )
    budget: str | None = option(
        None,
        "A word for tables on how large the run is, such as smoke; set by dimred reproduce.",
        changes_result=False,
    )
    output_dir: str = option(
        "outputs", "Folder that holds the run folders.", changes_result=False, is_path=True
    )
    run_dir: str | None = option(
        None,
        "The run folder itself; null = OUTPUT_DIR/NAME-seedSEED-HASH, where the hash tells "
        "configurations apart.",
        changes_result=False,
        is_path=True,
    )
    restart: bool = option(
        False, "Begin anew where the run folder holds a run, replacing it.", changes_result=False
    )
    checkpoint_every: float = option(
        60.0,
        "Seconds between checkpoints; they are also written at the end of each stage.",
        at_least=0,
        changes_result=False,
    )

    def loss_of(self, stage: StageOptions) -> LossOptions:
        """The loss of a stage: its own, or that of the run."""
        return stage.loss or self.loss

    @property
    def last_loss(self) -> LossOptions:
        """The loss of the last stage, which made the map that is measured."""
        return self.loss_of(list(self.schedule.stages.values())[-1])


def check(config: RunConfig) -> None:
    """Raise InputError, naming the key, for values that no run could use."""
    for line in (*violations(config), *_choice_mismatches(config), *_contradictions(config)):
        raise InputError(line)


def _choice_mismatches(config: RunConfig) -> Iterator[str]:
    """A group's `name` follows from the choice; changing it alone would mislabel the run."""
    groups = {key: getattr(config, key) for key in ("dataset", "pairing", "model", "loss")}
    for key, group in groups.items():
        if group.name not in group.choices:
            yield (
                f"{key}.name={group.name}: the name follows the choice; "
                f"choose with {key}=NAME instead"
            )


def _contradictions(config: RunConfig) -> Iterator[str]:
    stages = config.schedule.stages
    for key in ("output_dir", "run_dir"):
        if getattr(config, key) == "":
            yield f"{key}=: must name a folder"
    if not stages:
        yield "schedule.stages={}: a schedule needs at least one stage"
    yield from config.pairing.problems()
    if config.device.compile not in (True, False, "auto"):
        yield f"device.compile={config.device.compile}: must be auto, true or false"
    before = None
    for name, stage in stages.items():
        yield from _mismatches(config.pairing, config.loss_of(stage), name, stage.out_dim)
        key = f"schedule.stages.{name}"
        if not re.fullmatch(r"[\w-]+", name):
            yield f"{key}: a stage names files; use letters, digits, - and _"
        if stage.warmup_epochs > stage.epochs:
            yield (
                f"{key}.warmup_epochs={stage.warmup_epochs}: "
                f"must be at most the stage's epochs, {stage.epochs}"
            )
        if before is not None and stage.out_dim > before:
            yield (
                f"{key}.out_dim={stage.out_dim}: must be at most that of the stage before, {before}"
            )
        before = stage.out_dim
    if len(config.eval.shifted_test) not in (0, 2):
        yield f"eval.shifted_test={config.eval.shifted_test}: must be [] or two numbers of pixels"
    if not config.eval.k:
        yield "eval.k=[]: must hold at least one number of neighbours"
    yield from config.model.problems()


def _mismatches(
    pairing: PairingOptions, loss: LossOptions, stage: str, out_dim: int
) -> Iterator[str]:
    """What the loss of a stage requires and a pairing does not provide."""
    if isinstance(pairing, Unknown) or isinstance(loss, Unknown):
        return
    losses, pairings = registered("loss"), registered("pairing")
    if pairing.provides is not loss.requires:
        fitting = [name for name, kind in losses.items() if kind.requires is pairing.provides]
        others = [name for name, kind in pairings.items() if kind.provides is loss.requires]
        yield (
            f"loss={loss.name}: does not go with pairing={pairing.name}, which goes with "
            f"loss={' or '.join(fitting)}; loss={loss.name} goes with pairing={' or '.join(others)}"
        )
        return
    yield from loss.problems(stage, out_dim)
    groups = len(loss.layout.margins)
    if loss.requires is PairFormat.labeled_pairs and groups not in (0, pairing.components):
        wanted = _n_labels(kind for kind in losses.values() if kind.requires is loss.requires)
        given = _n_labels(kind for kind in pairings.values() if kind.provides is loss.requires)
        yield (
            f"loss={loss.name}: wants {groups} label(s) for a pair, and pairing={pairing.name} "
            f"gives {pairing.components} here; losses want {wanted}; pairings give {given}"
        )


def _n_labels(kinds: Iterable[type[Any]]) -> str:
    """How many labels of a pair losses or pairings have, in words."""
    counts: dict[str, list[str]] = {}
    for kind in kinds:
        counts.setdefault(kind.n_labels, []).append(kind.choices[0])
    return ", ".join(f"{count} ({', '.join(names)})" for count, names in counts.items())


def decisive_values(config: RunConfig) -> dict[str, Any]:
    """The values that decide a run's result, by dotted key, as plain JSON types."""
    decisive = {}
    for key, spec, value in walk(config):
        if spec is None or spec.metadata.get("changes_result", True):
            decisive[key] = value.value if isinstance(value, Enum) else value
    # A key that is gone and stands in the identity of every run before: those on CPUs are found
    # again (on a GPU device.compile was false by default and is auto now).
    decisive["device.cuda_graphs"] = False
    return decisive


def eval_values(config: RunConfig) -> dict[str, Any]:
    """What is measured and how, as plain JSON types."""
    pairs = ((key, value) for key, _, value in walk(config.eval))
    return {key: value.value if isinstance(value, Enum) else value for key, value in pairs}
