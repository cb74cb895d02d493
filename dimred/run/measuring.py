"""Takes the measures of a run, and records which are left out and why."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.config import measured_alike, measures_of
from dimred.evaluation.measurement import Measurement
from dimred.evaluation.splits import Splits
from dimred.measures.presence import MEAN_AP, presence_at, scores_presence
from dimred.measures.protocol import (
    Arrays,
    Detail,
    Embedding,
    LeftOut,
    Measure,
    Picture,
    Setting,
    When,
)
from dimred.options.registry import registered
from dimred.options.trial import place_of
from dimred.plots.style import to_png
from dimred.run.inputs import Inputs
from dimred.run.stages import new_encoder
from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder
from dimred.steps import step

_RESERVED = (
    *("name", "seed", "dataset", "headline", "eval", "stages", "final"),
    *("training_seconds", "measures"),
)
_OF_RUN = re.compile(r"loss|thumbnails|factors|(map|lines|baseline)_.*")
# What is said while a measure is taken; others by their names.
_WORDS = {
    "linear": "a linear classifier on H",
    "references": "raw pixels and their principal components",
    "untrained": "the network before training",
    "views": "other views of images",
    "tsne": "t-SNE of H",
    "retrieval": "the map as a metric",
    "classes": "each class",
    "pointing": "what holds images at their places",
    "lle": "locally linear embedding",
    "knn_curves": "kNN accuracy for k = 1..30",
}
# The measures of earlier runs, whose summary does not list them.
_UNLISTED = (
    "contrast",
    "drlim",
    "errors",
    "factors",
    "knn",
    "knn_curves",
    "linear",
    "lle",
    "neighborhoods",
    "references",
    "tsne",
)


def setting_of(inputs: Inputs) -> Setting:
    """The `Setting` for measures of a run."""
    images, config = inputs.images, inputs.config
    return Setting(
        config=config,
        images=images,
        samples=inputs.samples,
        resident=inputs.resident,
        test=inputs.test_scope,
        splits=Splits(images, config.eval.random_test) if images.labels else None,
        compute=inputs.compute,
        new_encoder=partial(new_encoder, config, images, source=inputs.source),
    )


@dataclass(frozen=True)
class _Drawn:
    """A figure as PNG."""

    name: str
    png: bytes


_Result = Measurement | Detail | Arrays | _Drawn


@dataclass
class EndResults:
    """What the measures of `When.end` found: numbers and details by measure and name; arrays and
    figures (PNG) by name, which are not written yet."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    figures: dict[str, bytes] = field(default_factory=dict)


class Measuring:
    """Takes the measures of a run.

    A measure that fails, for whatever reason, or gives something else than its protocol says, is
    left out: it is printed and added to `left_out`, and the run goes on.

    described: the parts of each number's name (measure, space, split, k), by name.
    left_out: reason by measure. failed: those of them that raised something else than LeftOut.
    """

    def __init__(self, setting: Setting):
        self.setting = setting
        self.described: dict[str, dict[str, Any]] = {}
        self.left_out: dict[str, str] = {}
        self.failed: set[str] = set()
        self._announced = False
        self._taken_by: dict[str, str] = {}  # the measure that each number or file is of
        measures = {
            name: measure
            for name, measure in measures_of(setting.config).items()
            if self._applies(name, measure)
        }
        # The measure of the headline comes first.
        self._measures: dict[str, Measure] = dict(
            sorted(measures.items(), key=lambda item: item[0] != self._first)
        )

    @property
    def _first(self) -> str:
        if scores_presence(self.setting):
            return "presence"
        return "knn" if self.setting.splits else "neighborhoods"

    @property
    def names(self) -> list[str]:
        """All measures that apply to the run, including those left out."""
        return list(dict.fromkeys((*self._measures, *self.left_out)))

    @property
    def headline(self) -> str:
        """The name of the number that summarizes how good a map is."""
        setting, k = self.setting, self.setting.ks[0]
        if scores_presence(setting):
            return MEAN_AP
        if setting.splits is None:
            return f"trustworthiness{k}_z"
        return f"knn{k}_z_{setting.splits.first}"

    @property
    def headline_label(self) -> str:
        """A short name of the headline, for the progress line."""
        k = self.setting.ks[0]
        if scores_presence(self.setting):
            return "mean AP"
        return f"knn{k}" if self.setting.splits else f"trust{k} of Z against H"

    @property
    def plugins(self) -> dict[str, dict[str, Any]]:
        """The plug-ins of the measures that apply, by measure."""
        kinds = registered("measure")
        origins = {name: kinds[name].origin for name in self.names}
        return {name: it.as_json() for name, it in origins.items() if it is not None}

    def covers(self, summary: dict[str, Any]) -> bool:
        """Whether a finished run has all these measures, taken with the same options by the same
        code; those that failed are to be taken again."""
        known = summary.get("measures", {})
        taken = set(known.get("taken", _UNLISTED)) - set(known.get("failed", ()))
        same_code = all(known.get("plugins", {}).get(k) == v for k, v in self.plugins.items())
        return same_code and self.measured_alike(summary) and set(self.names) <= taken

    def measured_alike(self, summary: dict[str, Any]) -> bool:
        """Whether a finished run was measured with the same options."""
        return measured_alike(self.setting.config, summary.get("eval", {}))

    def same_numbers(self, summary: dict[str, Any]) -> bool:
        """Whether the measures that are taken every time were taken with the same options, so that
        numbers of earlier stages can stand beside new ones."""
        kinds = registered("measure").values()
        keys = {"k", "random_test"}
        keys |= {spec.name for kind in kinds if kind.when is When.every for spec in fields(kind)}
        return measured_alike(self.setting.config, summary.get("eval", {}), keys)

    @property
    def chance(self) -> float:
        """The headline by chance: see `Splits.chance`; without labels, the overlap of random
        neighbors; of scores of classes, the mean share of images that show one."""
        setting = self.setting
        if scores_presence(setting):
            return float(presence_at(setting).values.mean())
        if setting.splits is None:
            return setting.ks[0] / (len(setting.images) - 1)
        return setting.splits.chance

    def measure(self, embedding: Embedding) -> dict[str, float]:
        """Take the measures of `When.every`: their numbers by name."""
        numbers: dict[str, float] = {}
        for name in self._names_of(When.every):
            for result in self._results(name, embedding):
                if isinstance(result, Measurement):
                    numbers[result.name] = result.value
        return numbers

    def finish(self, embedding: Embedding) -> EndResults:
        """Take the measures of `When.end`."""
        results = EndResults()
        for name in self._names_of(When.end):
            found: dict[str, Any] = {}
            with step(f"measuring {_WORDS.get(name, name)}"):
                taken = self._results(name, embedding)
            for result in taken:
                match result:
                    case Measurement():
                        found[result.name] = result.value
                    case Detail():
                        found[result.key] = result.value
                    case Arrays():
                        results.arrays[result.name] = result.arrays
                    case _Drawn():
                        results.figures[result.name] = result.png
            results.found[name] = found
        return results

    def remove_files(self, folder: RunFolder) -> None:
        """Remove what measures wrote when the run was measured before."""
        for measure in measures_of(self.setting.config).values():
            folder.files.remove(*map(layout.measure_arrays, measure.arrays))
            folder.files.remove(*map(layout.plot, measure.pictures))

    def _names_of(self, when: When) -> list[str]:
        return [name for name, measure in self._measures.items() if measure.when is when]

    def _applies(self, name: str, measure: Measure) -> bool:
        try:
            if not measure.applies(self.setting):
                return False
            if name in _RESERVED:
                raise LeftOut(f"{name} is a key of summary.json already")
            measure.prepare(self.setting)
        except Exception as error:
            self._leave_out(name, error)
            return False
        return True

    def _results(self, name: str, embedding: Embedding) -> list[_Result]:
        """All results of a measure; none if it fails part-way."""
        try:
            yielded = self._measures[name].measure(embedding)
            results = [self._checked(name, result) for result in yielded]
        except Exception as error:
            self._leave_out(name, error)
            return []
        for result in results:
            if isinstance(result, Measurement):
                self.described[result.name] = result.described()
        return results

    def _checked(self, name: str, result: object) -> _Result:
        """A result as plain values. Raises LeftOut for one that cannot be kept."""
        match result:
            case Measurement():
                self._claim(name, result.name, "number")
                value = float(result.value)
                if not math.isfinite(value):
                    raise LeftOut(f"{result.name} is {value}")
                return replace(result, value=value)
            case Detail():
                return Detail(str(result.key), str(result.value))
            case Arrays():
                self._claim_declared(name, result.name, "arrays")
                arrays = {str(key): np.asarray(part) for key, part in result.arrays.items()}
                if any(array.dtype.hasobject for array in arrays.values()):
                    raise LeftOut(f"arrays {result.name!r}: must hold numbers or texts")
                return Arrays(result.name, arrays)
            case Picture():
                self._claim_declared(name, result.name, "pictures")
                return _Drawn(result.name, to_png(result.figure))
        raise LeftOut(f"it yields {type(result).__name__}, which is no result of a measure")

    def _claim_declared(self, name: str, what: str, kind: str) -> None:
        """Raise LeftOut for a file that the measure does not declare, or that is another's."""
        if what not in getattr(self._measures[name], kind):
            raise LeftOut(f"it yields {kind} {what!r}, which it does not declare in `{kind}`")
        if kind == "pictures" and _OF_RUN.fullmatch(what):
            raise LeftOut(f"pictures {what!r}: is a plot of the run itself")
        self._claim(name, what, kind)

    def _claim(self, name: str, what: str, kind: str) -> None:
        """Raise LeftOut for a name that is no name, or of the training or another measure."""
        if not re.fullmatch(r"\w[\w.-]*", what):
            raise LeftOut(f"{kind} {what!r}: is no name; use letters, digits, _, - and .")
        if kind == "number" and self._measures[name].when is When.end:
            return  # those stand in a part of the summary of their own
        of_training = kind == "number" and layout.is_of_training(what)
        owner = "the training" if of_training else self._taken_by.setdefault(kind + what, name)
        if owner != name:
            raise LeftOut(f"{kind} {what!r}: is of {owner} already")

    def _leave_out(self, name: str, error: Exception) -> None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if not isinstance(error, LeftOut):
            reason = f"{type(error).__name__}: {reason}{place_of(error)}"
            self.failed.add(name)
        if self._announced and self.left_out.get(name) != reason:
            _print_left_out(name, reason)
        self.left_out[name] = reason

    def announce(self) -> None:
        """Print which measures are left out so far, and from now on each one as it is left out."""
        self._announced = True
        for name, reason in self.left_out.items():
            _print_left_out(name, reason)


def _print_left_out(name: str, reason: str) -> None:
    print(f"the measure {name} is left out: {reason}", flush=True)
