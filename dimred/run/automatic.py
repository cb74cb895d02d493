"""The run that `dimred map` makes of a folder: one that is there, or one that is planned."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dimred.config import RunConfig
from dimred.config.compose import composed
from dimred.config.quoting import declarations
from dimred.data.own_options import ImageFolder
from dimred.errors import InputError
from dimred.files import expanded, printable
from dimred.options.option import changes_result
from dimred.pairing.formats import PairFormat
from dimred.run import plan, plan_words
from dimred.run.correction import Watch
from dimred.run.survey import digest, image_files, speed, survey
from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder
from dimred.run_folder.sources import with_source_found
from dimred.steps import step

_SCALE = "schedule.epochs_scale"
# What a plan decides, and a run that is there has decided.
_PLANNED = (
    *("schedule", "model", "pairing"),
    *("dataset.image_size", "dataset.limit", "schedule.batch_size"),
    *(_SCALE, "device.precision", "device.threads", "device.compile"),
)
# The keys that say where a run lies, and so are no part of what it is called.
_PLACES = ("output_dir", "run_dir", "restart")


@dataclass(frozen=True)
class Automatic:
    """What to train. words: overrides of `dimred train`. lines: what was chosen, and why.
    scale: the factor on the epochs; None where the user has set it. watch: of the pace of a new
    plan on a CPU."""

    words: list[str]
    lines: list[str]
    scale: float | None = None
    watch: Watch | None = None

    def command(self, flags: Sequence[str] = ()) -> list[str]:
        """The equivalent command. flags: further arguments, such as of plug-ins."""
        return ["dimred", "train", *flags, *self.words]

    def anew(self, watch: Watch) -> Automatic:
        """The same with the epochs of another plan, in the same run folder."""
        scale = f"{_SCALE}={watch.choice.scale:g}"
        words = [scale if word.startswith(f"{_SCALE}=") else word for word in self.words]
        line = f"planned anew with {_epochs(composed(words)):,} epochs"
        lines = [f"the machine is slower than measured: {line}"]
        return Automatic(words, lines, watch.choice.scale, watch)


def automatic(folder: str, minutes: float, given: Mapping[str, str], began: float) -> Automatic:
    """The run of a folder of images within a budget: the one that an earlier call began, or a new
    plan.

    given: overrides of the user, by key, which win. began: when the budget began (time.monotonic).
    Raises InputError for a folder without enough images, and for overrides that cannot be used.
    """
    root = str(expanded(folder))
    own = {
        "dataset": "image_folder",
        "dataset.root": root,
        "name": given.get("name") or _plain(Path(root).resolve().name),
    }
    config = with_source_found(composed(_words({**own, "schedule": plan.SCHEDULE, **given})))
    if config.pairing.provides is not PairFormat.positive_pairs:
        raise InputError(
            f"pairing={config.pairing.name}: dimred map pairs two views of each image; dimred "
            "train takes other pairings"
        )
    assert isinstance(config.dataset, ImageFolder)
    files = image_files(config.dataset)
    if len(files) < plan.MIN_IMAGES:
        raise InputError(
            f"{folder}: {len(files)} images to map; a map needs {plan.MIN_IMAGES} at least, and "
            "shows groups from a few hundred on"
        )
    path = _run_dir(config, digest(root, files), minutes, given)
    if config.run_dir is not None:
        path = Path(config.run_dir)
    place = {"run_dir": str(path)}
    before = {} if config.restart else _planned_before(expanded(str(path)))
    if before:
        lines = [f"goes on with {printable(path)}, or opens it where it is finished"]
        before = {key: value for key, value in before.items() if key not in given}
        scale = _number(before.get(_SCALE, ""))
        return Automatic(_words({**own, **before, **given, **place}), lines, scale)
    lines = _siblings(path)
    with step("looking at the images"):
        looked_at = survey(config.dataset, files, minutes * 60)
    chosen, about, watch = _chosen(config, looked_at, minutes * 60, began, given)
    chosen = {key: chosen[key] for key in _PLANNED if key in chosen}
    scale = _number(chosen.get(_SCALE, ""))
    return Automatic(_words({**own, **chosen, **given, **place}), [*lines, *about], scale, watch)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _words(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def _chosen(
    config: RunConfig,
    looked_at: plan.Survey,
    budget: float,
    began: float,
    given: Mapping[str, str],
) -> tuple[dict[str, str], list[str], Watch | None]:
    """The overrides of a plan, lines on it, and its watch."""
    on_gpu = config.device.device().type == "cuda"
    asked = _asked(config, given)
    unscaled = {**given, _SCALE: "1"}
    model = given.get("model", plan.model_for(on_gpu))
    base = {"dataset": "image_folder", "schedule": plan.SCHEDULE, "model": model}
    pairing = {}
    if config.pairing.name == plan.PAIRING and plan.pairing_for(looked_at) != plan.PAIRING:
        pairing = {"pairing": plan.pairing_for(looked_at)}
    with step("measuring the speed of this machine"):
        timed = composed(_words({**base, **pairing, **unscaled}))
        measure = speed(timed, looked_at.channels)
        ends = began + budget
        choice = plan.choose(looked_at, lambda: ends - time.monotonic(), asked, on_gpu, measure)
    chosen = plan_words.overrides(looked_at, choice, asked, on_gpu) | pairing
    chosen = {key: value for key, value in chosen.items() if key not in given}
    final = composed(_words({"dataset": "image_folder", **chosen, **given}))
    names = plan_words.Names(final.model.name, final.schedule.name, final.pairing.name)
    lines = plan_words.lines(looked_at, choice, names, _epochs(final), budget)
    # A GPU is not shared as cores are, and what is slow there at first says little.
    watched = not (choice.scale_asked or on_gpu)
    return chosen, lines, Watch(looked_at, choice, ends) if watched else None


def _epochs(config: RunConfig) -> int:
    return sum(stage.epochs for stage in config.schedule.stages.values())


def _asked(config: RunConfig, given: Mapping[str, str]) -> plan.Asked:
    """What the user has decided, as it was understood."""
    values: dict[str, Any] = {
        "dataset.image_size": getattr(config.dataset, "image_size", None),
        "dataset.limit": config.dataset.limit,
        "schedule.batch_size": config.schedule.batch_size,
        "device.precision": config.device.precision.value,
        "device.threads": config.device.threads,
    }
    scale, factor = given.get(_SCALE), _number(given.get(_SCALE, ""))
    size, limit, batch, precision, threads = (
        values[key] if key in given else None for key in values
    )
    if getattr(config.dataset, "train_per_class", None) is not None:
        limit = limit or sys.maxsize  # which would leave classes too few
    if scale is not None and factor is None:  # what only Hydra understands
        raise InputError(f"schedule.epochs_scale={scale}: must be a plain number here")
    return plan.Asked(size, batch, precision, threads, limit, factor)


def _plain(name: str) -> str:
    """A name of plain letters and digits."""
    plain = re.sub(r"[^\w.-]+|^[.-]+", "-", printable(name)).strip("-")
    return "images" if plain in ("", "null") else plain  # null is no name but none


def _run_dir(config: RunConfig, files: str, minutes: float, given: Mapping[str, str]) -> Path:
    """The folder of the run of these images, this budget and these overrides.

    files: a digest of the images. What does not change the result does not count.
    """
    ignored = {"name", *_PLACES}
    counted = {key: value for key, value in given.items() if key not in ignored and _counts(key)}
    content = json.dumps([files, minutes, config.seed, counted], sort_keys=True)
    name = hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()[:8]
    return Path(config.output_dir) / f"{config.name}-{minutes:g}min-{name}"


def _counts(key: str) -> bool:
    """Whether a key affects the result, as far as is known."""
    if key == _SCALE:
        return True  # by the epochs that it makes, which are not typed
    specs = [spec for _, spec in declarations(key)]
    return not key.startswith("eval.") and (not specs or any(map(changes_result, specs)))


def _planned_before(path: Path) -> dict[str, str]:
    """What the plan of a run decided that is there; empty without one. Only its plan is taken: the
    folder may be from elsewhere."""
    folder = RunFolder(path)
    if not folder.files.exists(layout.ENVIRONMENT):
        return {}
    sessions = folder.sessions()
    command = sessions[0].get("command") if sessions and isinstance(sessions[0], dict) else None
    words = [word for word in command or () if isinstance(word, str)]
    values = dict(word.split("=", 1) for word in words if "=" in word)
    return {key: values[key] for key in _PLANNED if key in values}


def _siblings(path: Path) -> list[str]:
    """A line where the same folder and budget have runs of other images or keys."""
    pattern = f"{glob.escape(path.name.rpartition('-')[0])}-*/{layout.ENVIRONMENT}"
    others = sorted(str(file.parent) for file in expanded(str(path.parent)).glob(pattern))
    if not others:
        return []
    names = ", ".join(map(printable, others[:3]))
    return [f"a new run: the images or keys are not those of {names}"]
