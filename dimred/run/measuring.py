"""The measures of a run: which are taken, what they find, and why one is left out."""

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
from dimred.run_folder.folder import RunFolder

# The measures of runs whose summary does not name them.
_FORMER = (
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
    """What the maps of a run are measured on."""
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

    A measure that cannot be taken, for whatever reason, is left out with a line and named in
    `left_out`; the run goes on.

    described: what each number found is a number of, by its name. left_out: reasons by measure.
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
        # That of the headline first.
        self._measures = dict(sorted(self._measures.items(), key=lambda kv: kv[0] != self._first))

    @property
    def _first(self) -> str:
        return "knn" if self.setting.splits else "neighborhoods"

    @property
    def names(self) -> list[str]:
        """The measures that are taken, or were to be."""
        return [*self._measures, *self.left_out]

    @property
    def headline(self) -> str:
        """The name of the number that stands for how good a map is."""
        setting, k = self.setting, self.setting.ks[0]
        if setting.splits is None:
            return f"trustworthiness{k}_z"
        return f"knn{k}_z_{setting.splits.first}"

    @property
    def headline_label(self) -> str:
        """The headline in a word, for a line of progress."""
        return f"{'knn' if self.setting.splits else 'trustworthiness'}{self.setting.ks[0]}"

    def covers(self, summary: dict[str, Any]) -> bool:
        """Whether a finished run was measured as this would measure it."""
        known = summary.get("measures", {}).get("taken", _FORMER)
        same = measured_alike(self.setting.config, summary.get("eval", {}))
        return same and set(self.names) <= set(known)

    @property
    def chance(self) -> float:
        """The accuracy of the largest class; without labels, the overlap of random neighbors."""
        setting = self.setting
        if setting.splits is None:
            return setting.ks[0] / (len(setting.images) - 1)
        return setting.splits.chance

    def measure(self, embedding: Embedding) -> dict[str, float]:
        """The numbers of a map, by name, of the measures that are taken every time."""
        found: dict[str, float] = {}
        for name in self._of(When.every):
            for finding in self._findings(name, embedding):
                if isinstance(finding, Measurement):
                    found[finding.name] = self._noted(finding)
        return found

    def finish(self, embedding: Embedding, folder: RunFolder) -> dict[str, dict[str, Any]]:
        """What the measures of the end find, by measure; their arrays and figures are written."""
        for measure in measures_of(self.setting.config).values():
            folder.remove(*measure.files)  # of an earlier measuring
        results: dict[str, dict[str, Any]] = {}
        for name in self._of(When.end):
            found: dict[str, Any] = {}
            for finding in self._findings(name, embedding):
                match finding:
                    case Measurement():
                        found[finding.name] = self._noted(finding)
                    case Detail():
                        found[finding.key] = finding.value
                    case Arrays():
                        folder.write_arrays(f"{finding.name}.npz", finding.arrays)
                    case Picture():
                        folder.write_plot(finding.name, to_png(finding.figure))
            results[name] = found
        return results

    def _of(self, when: When) -> list[str]:
        return [name for name, measure in self._measures.items() if measure.when is when]

    def _noted(self, finding: Measurement) -> float:
        self.described[finding.name] = finding.described()
        return finding.value

    def _applies(self, name: str, measure: Measure) -> bool:
        try:
            if not measure.applies(self.setting):
                return False
            measure.prepare(self.setting)
        except Exception as error:
            self._leave_out(name, error)
            return False
        return True

    def _findings(
        self, name: str, embedding: Embedding
    ) -> Iterator[Measurement | Picture | Arrays | Detail]:
        """What a measure finds, all of it or nothing."""
        try:
            yield from list(self._measures[name].measure(embedding))
        except Exception as error:
            self._leave_out(name, error)

    def _leave_out(self, name: str, error: Exception) -> None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if not isinstance(error, LeftOut):
            reason = f"{type(error).__name__}: {reason}"
        if self._announced and self.left_out.get(name) != reason:
            _say(name, reason)
        self.left_out[name] = reason

    def announce(self) -> None:
        """Say which measures are left out, now and from now on."""
        self._announced = True
        for name, reason in self.left_out.items():
            _say(name, reason)


def _say(name: str, reason: str) -> None:
    print(f"the measure {name} is left out: {reason}", flush=True)
