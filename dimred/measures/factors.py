"""How well a map represents the known factors of variation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.measures.protocol import Embedding, Measure, Setting, When
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.factors import FactorMeasures
    from dimred.evaluation.measurement import Measurement


@register("measure", "factors")
@dataclass
class Factors(Measure):
    """How the map represents known factors of variation, such as a shift or an azimuth:
    correlations, R^2, invariance (see `dimred.evaluation.factors`)."""

    when: ClassVar[When] = When.every

    def applies(self, setting: Setting) -> bool:
        return bool(setting.samples.factors)

    def prepare(self, setting: Setting) -> None:
        self._measures = factor_measures(setting)

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        yield from self._measures.measure(embedding.samples_z)


def factor_measures(setting: Setting) -> FactorMeasures:
    """Measures of the groups of dimensions that the run's loss or pairing defines."""
    from dimred.evaluation.factors import FactorMeasures

    groups = setting.config.last_loss.embedding_groups.groups
    sizes = groups or setting.config.pairing.group_sizes(setting.test)
    return FactorMeasures(setting.samples, setting.n_variants, sizes)
