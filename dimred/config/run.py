"""The configuration of a run, and the checks that need more than one field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, make_dataclass
from enum import Enum
from functools import cache, partial
from itertools import chain
from typing import Any, get_type_hints

from dimred.data.options import DatasetOptions
from dimred.errors import InputError
from dimred.loggers.options import LogOptions
from dimred.losses.options import LossOptions
from dimred.models.options import ModelOptions
from dimred.options.option import changes_result, copied, mistyped, nested, option, violations, walk
from dimred.options.plugins import load_shared_plugins
from dimred.options.registry import Unknown, registered
from dimred.options.trial import tried
from dimred.pairing.formats import PairFormat
from dimred.pairing.options import PairingOptions
from dimred.training.device import DeviceOptions
from dimred.training.schedule import ScheduleOptions, StageOptions


@dataclass
class EvalOptions:
    """What is measured, and when. Every measure adds its options (see `eval_options`).

    None of them affects training: when they change, a finished run is measured again, not trained
    again.
    """

    every: int = option(
        0, "Also measure every this many epochs, not only after each stage; 0 = off.", at_least=0
    )
    k: list[int] = option(
        [15],
        "Numbers of neighbors of the kNN accuracy; the first is the headline.",
        at_least=1,
        also=("neighbors",),
    )
    random_test: int | None = option(
        None,
        "Test images of the random stratified split; null = as many as the dataset's test split "
        "has, or a sixth of the images without one.",
        at_least=1,
    )
    batch_size: int = option(
        1024,
        "Images embedded at a time; a smaller number needs less memory. Does not change results.",
        at_least=1,
    )
    save_h: bool = option(
        False, "Also write H, the network's features (float32), to embedding.npz."
    )


# Options of `eval` that do not affect the numbers of a finished run.
_NOT_COMPARED = ("every", "batch_size")


@cache
def eval_options(measures: tuple[type[Any], ...]) -> type[EvalOptions]:
    """`EvalOptions` with the options of these measures.

    Raises InputError for an option that two of them define.
    """
    owners = {spec.name: "eval" for spec in fields(EvalOptions)}
    added = []
    for measure in measures:
        for spec in fields(measure):
            if spec.name == "name":
                continue
            if spec.name in owners:
                raise InputError(
                    f"eval.{spec.name}: an option of measure={measure.choices[0]}, and already one "
                    f"of {owners[spec.name]}; give it another name"
                )
            owners[spec.name] = f"measure={measure.choices[0]}"
            added.append((spec.name, get_type_hints(measure)[spec.name], copied(spec)))
    return _importable(make_dataclass("EvalSchema", added, bases=(EvalOptions,)))


def run_schema() -> type[RunConfig]:
    """`RunConfig` with the options of all registered measures."""
    return _run_schema(_measures())


def _measures() -> tuple[type[Any], ...]:
    return tuple(dict.fromkeys(registered("measure").values()))


@cache
def _run_schema(measures: tuple[type[Any], ...]) -> type[RunConfig]:
    options = eval_options(measures)
    spec = nested(options, "What is measured.", changes_result=False)
    return _importable(make_dataclass("RunSchema", [("eval", options, spec)], bases=(RunConfig,)))


def _importable(schema: type[Any]) -> type[Any]:
    """Let other processes import a generated class from this module: the jobs of a sweep unpickle
    configurations of it."""
    schema.__module__ = __name__
    return schema


def __getattr__(name: str) -> type[Any]:
    """The classes generated from the registered measures. The jobs of a sweep look them up before
    anything has imported the plug-ins that register some."""
    if name not in ("RunSchema", "EvalSchema"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    load_shared_plugins()
    return run_schema() if name == "RunSchema" else eval_options(_measures())


def measures_of(config: RunConfig) -> dict[str, Any]:
    """All registered measures, by name, with the run's options for them."""
    measures = {}
    for name, kind in registered("measure").items():
        keys = [spec.name for spec in fields(kind) if spec.name != "name"]
        values = {key: getattr(config.eval, key) for key in keys if hasattr(config.eval, key)}
        measures[name] = kind(**values)
    return measures


@dataclass
class RunConfig:
    """The configuration of a run."""

    dataset: DatasetOptions = nested(DatasetOptions, "Which images.")
    pairing: PairingOptions = nested(PairingOptions, "Which images are similar.")
    model: ModelOptions = nested(ModelOptions, "The network.")
    loss: LossOptions = nested(LossOptions, "The loss that is minimized.")
    schedule: ScheduleOptions = nested(ScheduleOptions, "The stages of training.")
    device: DeviceOptions = nested(DeviceOptions, "Where to compute.")
    eval: EvalOptions = nested(EvalOptions, "What is measured.", changes_result=False)
    log: LogOptions = nested(
        LogOptions, "Where numbers are also written while training.", changes_result=False
    )
    seed: int = option(
        0,
        "Seed of weights, batches and augmentation.",
        at_least=0,
        at_most=2**31 - 1,
        also=("random_state", "random_seed", "manual_seed"),
        common=True,
    )
    name: str | None = option(
        None,
        "First part of the run folder's name; null = DATASET-MODEL-LOSS-SCHEDULE.",
        changes_result=False,
        also=("run_name", "title"),
        common=True,
    )
    budget: str | None = option(
        None,
        "The run's size for tables, such as smoke; set by dimred reproduce.",
        changes_result=False,
    )
    output_dir: str = option(
        "outputs",
        "Folder that holds the run folders.",
        changes_result=False,
        is_path=True,
        also=("output", "out", "save_dir"),
    )
    run_dir: str | None = option(
        None,
        "The run folder; null = OUTPUT_DIR/NAME-seedSEED-HASH, with a hash of the configuration "
        "and the data.",
        changes_result=False,
        is_path=True,
    )
    restart: bool = option(
        False, "Replace a run that the run folder already holds.", changes_result=False
    )
    view: bool = option(
        True,
        "Write the page of the map (map.html) at the end, for up to 20,000 images.",
        changes_result=False,
    )
    checkpoint_every: float = option(
        60.0,
        "Seconds between checkpoints. One is also written at the end of each stage.",
        at_least=0,
        changes_result=False,
    )

    @property
    def title(self) -> str:
        """The title of the run's figures."""
        return self.name or self.dataset.name

    @property
    def classifies(self) -> bool:
        """Whether Z are logits of the classes."""
        return self.last_loss.requires is PairFormat.classes

    @property
    def scores_presence(self) -> bool:
        """Whether Z are scores of which classes an image shows."""
        return self.last_loss.requires is PairFormat.presence

    def loss_of(self, stage: StageOptions) -> LossOptions:
        """The loss of a stage: its own, or that of the run."""
        return stage.loss or self.loss

    @property
    def last_loss(self) -> LossOptions:
        """The loss of the last stage, which the final map is learned by."""
        return self.loss_of(list(self.schedule.stages.values())[-1])


def check(config: RunConfig, fits: bool = True) -> None:
    """Raise InputError, naming the key, for invalid values. fits: also for a loss that does not go
    with the pairing, or with a stage."""
    # One after the other: what follows is asked of values of the right type only.
    checks = (mistyped, violations, _choice_mismatches, partial(_contradictions, fits=fits))
    for line in chain.from_iterable(lines(config) for lines in checks):
        raise InputError(line)


def misfits(config: RunConfig) -> list[str]:
    """One line for each loss that does not go with the pairing, or with a stage."""
    lines: dict[str, None] = {}
    for name, stage in config.schedule.stages.items():
        lines |= dict.fromkeys(
            _mismatches(config.pairing, config.loss_of(stage), name, stage.out_dim)
        )
    return list(lines)


def _choice_mismatches(config: RunConfig) -> Iterator[str]:
    """A group's `name` follows from the choice; changing it alone would mislabel the run."""
    groups = {key: getattr(config, key) for key in ("dataset", "pairing", "model", "loss", "log")}
    for key, group in groups.items():
        if group.name not in group.choices:
            yield (
                f"{key}.name={group.name}: the name follows the choice; "
                f"choose with {key}=NAME instead"
            )


def _contradictions(config: RunConfig, fits: bool) -> Iterator[str]:
    stages = config.schedule.stages
    for key in ("output_dir", "run_dir"):
        if getattr(config, key) == "":
            yield f"{key}=: must name a folder"
    if not stages:
        yield "schedule.stages={}: a schedule needs at least one stage"
    yield from _problems(config.pairing)
    if config.device.compile not in (True, False, "auto"):
        yield f"device.compile={config.device.compile}: must be auto, true or false"
    previous = None
    for name, stage in stages.items():
        if fits:
            yield from _mismatches(config.pairing, config.loss_of(stage), name, stage.out_dim)
        key = f"schedule.stages.{name}"
        if not re.fullmatch(r"[\w-]+", name):
            yield f"{key}: a stage names files; use letters, digits, - and _"
        yield from (f"{key}.{line}" for line in stage.problems())
        if stage.warmup_epochs > stage.epochs:
            yield (
                f"{key}.warmup_epochs={stage.warmup_epochs}: "
                f"must be at most the stage's epochs, {stage.epochs}"
            )
        if previous is not None and stage.out_dim > previous:
            yield (
                f"{key}.out_dim={stage.out_dim}: must be at most that of the previous stage, "
                f"{previous}"
            )
        previous = stage.out_dim
    if not config.eval.k:
        yield "eval.k=[]: must hold at least one number of neighbors"
    yield from _problems(config.model)
    for measure in measures_of(config).values():
        yield from _problems(measure)


def _problems(choice: Any, *values: Any) -> Iterator[str]:
    """The lines of a choice's `problems`."""
    with tried(choice, "problems"):
        yield from choice.problems(*values)


def _mismatches(
    pairing: PairingOptions, loss: LossOptions, stage: str, out_dim: int
) -> Iterator[str]:
    """One line for a loss that requires what the pairing does not provide."""
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
    yield from _problems(loss, stage, out_dim)
    groups = len(loss.embedding_groups.margins)
    if loss.requires is PairFormat.labeled_pairs and groups not in (0, pairing.components):
        required = _n_labels(kind for kind in losses.values() if kind.requires is loss.requires)
        provided = _n_labels(kind for kind in pairings.values() if kind.provides is loss.requires)
        yield (
            f"loss={loss.name}: requires {groups} label(s) for a pair, and pairing={pairing.name} "
            f"provides {pairing.components} here; losses require {required}; pairings provide "
            f"{provided}"
        )


def _n_labels(kinds: Iterable[type[Any]]) -> str:
    """A list of how many labels of a pair each loss or pairing has."""
    counts: dict[str, list[str]] = {}
    for kind in kinds:
        counts.setdefault(kind.n_labels, []).append(kind.choices[0])
    return ", ".join(f"{count} ({', '.join(names)})" for count, names in counts.items())


def identity_fields(config: RunConfig) -> dict[str, Any]:
    """The values that affect a run's result, by dotted key, as plain JSON types: all without
    `changes_result=False`."""
    ignored = {spec.name for spec in fields(config) if not changes_result(spec)}
    return {
        key: _plain(value)
        for key, spec, value in walk(config)
        if key.partition(".")[0] not in ignored and (spec is None or changes_result(spec))
    }


def eval_values(config: RunConfig) -> dict[str, Any]:
    """What is measured and how, as plain JSON types."""
    return {key: _plain(value) for key, _, value in walk(config.eval)}


def measured_alike(
    config: RunConfig, recorded: Mapping[str, Any], keys: Collection[str] | None = None
) -> bool:
    """Whether a run was measured as `config` says.

    recorded: `eval` in its summary.json; a key that it lacks, of a measure added since, counts as
        its default. keys: those to compare; None for all.
    """
    defaults = {key: _plain(value) for key, _, value in walk(type(config.eval)())}
    return all(
        recorded.get(key, defaults[key]) == value
        for key, value in eval_values(config).items()
        if key not in _NOT_COMPARED and (keys is None or key in keys)
    )


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
