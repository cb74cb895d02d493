"""Takes the measures of a run, and records which are left out and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dimred.config import measured_alike, measures_of
from dimred.evaluation.measurement import Measurement
from dimred.evaluation.splits import Splits
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
from dimred.plots.style import to_png
from dimred.run.inputs import Inputs
from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder

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
    )


class Measuring:
    """Takes the measures of a run.

    A measure that fails, for whatever reason, is left out: it is printed and added to `left_out`,
    and the run goes on.

    described: the parts of each number's name (measure, space, split, k), by name.
    left_out: reason by measure.
    """

    def __init__(self, setting: Setting):
        self.setting = setting
        self.described: dict[str, dict[str, Any]] = {}
        self.left_out: dict[str, str] = {}
        self._announced = False
        self._measures = {
            name: measure
            for name, measure in measures_of(setting.config).items()
            if self._applies(name, measure)
        }
        # The measure of the headline comes first.
        self._measures = dict(sorted(self._measures.items(), key=lambda kv: kv[0] != self._first))

    @property
    def _first(self) -> str:
        return "knn" if self.setting.splits else "neighborhoods"

    @property
    def names(self) -> list[str]:
        """All measures that apply to the run, including those left out."""
        return [*self._measures, *self.left_out]

    @property
    def headline(self) -> str:
        """The name of the number that summarizes how good a map is."""
        setting, k = self.setting, self.setting.ks[0]
        if setting.splits is None:
            return f"trustworthiness{k}_z"
        return f"knn{k}_z_{setting.splits.first}"

    @property
    def headline_label(self) -> str:
        """A short name of the headline, for the progress line."""
        return f"{'knn' if self.setting.splits else 'trustworthiness'}{self.setting.ks[0]}"

    def covers(self, summary: dict[str, Any]) -> bool:
        """Whether a finished run has all these measures, taken with the same options."""
        taken = summary.get("measures", {}).get("taken", _UNLISTED)
        same = measured_alike(self.setting.config, summary.get("eval", {}))
        return same and set(self.names) <= set(taken)

    @property
    def chance(self) -> float:
        """The headline by chance: the share of the largest class; without labels, the overlap of
        random neighbors."""
        setting = self.setting
        if setting.splits is None:
            return setting.ks[0] / (len(setting.images) - 1)
        return setting.splits.chance

    def measure(self, embedding: Embedding) -> dict[str, float]:
        """Take the measures of `When.every`: their numbers by name."""
        numbers: dict[str, float] = {}
        for name in self._names_of(When.every):
            for result in self._results(name, embedding):
                if isinstance(result, Measurement):
                    numbers[result.name] = self._value(result)
        return numbers

    def finish(self, embedding: Embedding, folder: RunFolder) -> dict[str, dict[str, Any]]:
        """Take the measures of `When.end`: numbers and details by measure and name. Writes their
        arrays and figures."""
        for measure in measures_of(self.setting.config).values():
            # Written when the run was measured before.
            folder.remove(*map(layout.measure_arrays, measure.arrays))
            folder.remove(*map(layout.plot, measure.pictures))
        summaries: dict[str, dict[str, Any]] = {}
        for name in self._names_of(When.end):
            summary: dict[str, Any] = {}
            for result in self._results(name, embedding):
                match result:
                    case Measurement():
                        summary[result.name] = self._value(result)
                    case Detail():
                        summary[result.key] = result.value
                    case Arrays():
                        folder.write_arrays(layout.measure_arrays(result.name), result.arrays)
                    case Picture():
                        folder.write_plot(result.name, to_png(result.figure))
            summaries[name] = summary
        return summaries

    def _names_of(self, when: When) -> list[str]:
        return [name for name, measure in self._measures.items() if measure.when is when]

    def _value(self, measurement: Measurement) -> float:
        """The value of a measurement, whose description is kept."""
        self.described[measurement.name] = measurement.described()
        return measurement.value

    def _applies(self, name: str, measure: Measure) -> bool:
        try:
            if not measure.applies(self.setting):
                return False
            measure.prepare(self.setting)
        except Exception as error:
            self._leave_out(name, error)
            return False
        return True

    def _results(
        self, name: str, embedding: Embedding
    ) -> Iterator[Measurement | Picture | Arrays | Detail]:
        """All results of a measure; none if it fails part-way."""
        try:
            yield from list(self._measures[name].measure(embedding))
        except Exception as error:
            self._leave_out(name, error)

    def _leave_out(self, name: str, error: Exception) -> None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if not isinstance(error, LeftOut):
            reason = f"{type(error).__name__}: {reason}"
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
