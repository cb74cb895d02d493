"""The configuration of a run, and the checks that need more than one field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, make_dataclass
from enum import Enum
from functools import cache
from typing import Any, get_type_hints

from dimred.data.options import DatasetOptions
from dimred.errors import InputError
from dimred.losses.options import LossOptions
from dimred.models.options import ModelOptions
from dimred.options.option import copy_of, decides, nested, option, violations, walk
from dimred.options.registry import Unknown, registered
from dimred.pairing.formats import PairFormat
from dimred.pairing.options import PairingOptions
from dimred.training.device import DeviceOptions
from dimred.training.schedule import ScheduleOptions, StageOptions


@dataclass
class EvalOptions:
    """What is measured, and when; to these every measure adds its own (see `eval_options`).

    None of them decides a run's result: a finished run that is typed again with others is measured
    again, without training.
    """

    every: int = option(
        0, "Measure every so many epochs besides the end of each stage; 0 = never.", at_least=0
    )
    k: list[int] = option(
        [15], "Numbers of neighbors of the kNN accuracy; the first is the headline.", at_least=1
    )
    random_test: int | None = option(
        None,
        "Test images of the random stratified split; null takes as many as the dataset's own test "
        "split, or a sixth.",
        at_least=1,
    )
    batch_size: int = option(
        1024,
        "Images embedded at a time: less needs less memory, and changes no result.",
        at_least=1,
    )
    save_h: bool = option(False, "Also write H (float32) to embedding.npz.")


# Of `eval`, what has no bearing on the numbers of a finished run.
_NO_NUMBERS = ("every", "batch_size")


@cache
def eval_options(measures: tuple[type[Any], ...]) -> type[EvalOptions]:
    """`EvalOptions` with the options of these measures.

    Raises TypeError for an option that two of them have.
    """
    known = {spec.name: "eval" for spec in fields(EvalOptions)}
    own = []
    for measure in measures:
        for spec in fields(measure):
            if spec.name == "name":
                continue
            if spec.name in known:
                raise TypeError(
                    f"eval.{spec.name}: an option of {measure.__name__}, and of {known[spec.name]}"
                )
            known[spec.name] = measure.__name__
            own.append((spec.name, get_type_hints(measure)[spec.name], copy_of(spec)))
    return _importable(make_dataclass("EvalSchema", own, bases=(EvalOptions,)))


def run_schema() -> type[RunConfig]:
    """`RunConfig` with the options of all measures that are registered."""
    return _run_schema(_measures())


def _measures() -> tuple[type[Any], ...]:
    return tuple(dict.fromkeys(registered("measure").values()))


@cache
def _run_schema(measures: tuple[type[Any], ...]) -> type[RunConfig]:
    options = eval_options(measures)
    own = nested(options, "What is measured.", changes_result=False)
    return _importable(make_dataclass("RunSchema", [("eval", options, own)], bases=(RunConfig,)))


def _importable(schema: type[Any]) -> type[Any]:
    """A class that other processes find in this module by its name: the jobs of a sweep, which are
    sent configurations of it."""
    schema.__module__ = __name__
    return schema


def __getattr__(name: str) -> type[Any]:
    """The classes made of the measures that are registered."""
    if name == "RunSchema":
        return run_schema()
    if name == "EvalSchema":
        return eval_options(_measures())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def measures_of(config: RunConfig) -> dict[str, Any]:
    """All measures that are registered, with the options that a run has for them."""
    found = {}
    for name, kind in registered("measure").items():
        names = [spec.name for spec in fields(kind) if spec.name != "name"]
        own = {key: getattr(config.eval, key) for key in names if hasattr(config.eval, key)}
        found[name] = kind(**own)
    return found


@dataclass
class RunConfig:
    """Everything that decides a run."""

    dataset: DatasetOptions = nested(DatasetOptions, "Which images.")
    pairing: PairingOptions = nested(PairingOptions, "Which of them are similar.")
    model: ModelOptions = nested(ModelOptions, "The network.")
    loss: LossOptions = nested(LossOptions, "What the embedding is judged by.")
    schedule: ScheduleOptions = nested(ScheduleOptions, "The stages of training.")
    device: DeviceOptions = nested(DeviceOptions, "Where to compute.")
    eval: EvalOptions = nested(EvalOptions, "What is measured.", changes_result=False)
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

    @property
    def title(self) -> str:
        """What figures are called by."""
        return self.name or self.dataset.name

    @property
    def classifies(self) -> bool:
        """Whether Z are logits of the classes."""
        return self.last_loss.requires is PairFormat.classes

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
    if not config.eval.k:
        yield "eval.k=[]: must hold at least one number of neighbors"
    yield from config.model.problems()
    for measure in measures_of(config).values():
        yield from measure.problems()


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
    groups = len(loss.embedding_groups.margins)
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


def identity_fields(config: RunConfig) -> dict[str, Any]:
    """The values that decide a run's result, by dotted key, as plain JSON types: all but those that
    say `changes_result=False` of themselves."""
    free = {spec.name for spec in fields(config) if not decides(spec)}
    return {
        key: _plain(value)
        for key, spec, value in walk(config)
        if key.partition(".")[0] not in free and (spec is None or decides(spec))
    }


def eval_values(config: RunConfig) -> dict[str, Any]:
    """What is measured and how, as plain JSON types."""
    return {key: _plain(value) for key, _, value in walk(config.eval)}


def measured_alike(config: RunConfig, was: Mapping[str, Any]) -> bool:
    """Whether a run whose summary.json has these values of `eval` was measured as `config` asks
    for. A key of a measure that was not known then counts as its default."""
    defaults = {key: _plain(value) for key, _, value in walk(type(config.eval)())}
    return all(
        was.get(key, defaults[key]) == value
        for key, value in eval_values(config).items()
        if key not in _NO_NUMBERS
    )


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
