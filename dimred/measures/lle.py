"""How well locally linear embedding represents the known factors of variation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dimred.measures.factors import factor_measures
from dimred.measures.protocol import Embedding, LeftOut, Measure, Picture, Setting
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.measurement import Measurement

_MAX_DIMS = 10
_MIN_SAMPLES = 20  # LLE needs more images than neighbors


@register("measure", "lle")
@dataclass
class LleOfPixels(Measure):
    """The measures of `Factors` for a map by locally linear embedding of some images in all
    transformations (the comparison of Hadsell, Chopra, LeCun 2006)."""

    pictures: ClassVar[tuple[str, ...]] = ("lle",)
    lle: int | None = option(
        None,
        "Also measure locally linear embedding (LLE) of at most this many images, in as many "
        "dimensions as Z; null = off.",
        at_least=20,
    )

    def applies(self, setting: Setting) -> bool:
        return self.lle is not None and bool(setting.samples.factors)

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Picture]:
        import numpy as np

        from dimred.evaluation.classical import lle
        from dimred.evaluation.factors import FactorMeasures
        from dimred.plots.maps import map_figure

        assert self.lle is not None
        setting, dim = embedding.setting, embedding.z.shape[1]
        if dim > _MAX_DIMS:
            raise LeftOut(f"Z has {dim} dimensions, more than {_MAX_DIMS}")
        n_variants = setting.n_variants
        order = np.random.default_rng(0).permutation(len(setting.images))
        chosen = np.sort(order[: max(self.lle // n_variants, 2)])
        rows = chosen[:, None] * n_variants + np.arange(n_variants)
        samples = setting.samples.take(rows.ravel())
        if len(samples) < _MIN_SAMPLES:
            raise LeftOut(f"{len(samples)} images are too few")
        try:
            z = lle(samples.images.flatten(1).numpy() / 255.0, dim)
        except (ValueError, RuntimeError) as error:  # the eigenvalue solver does not converge
            raise LeftOut(f"of {len(samples)} images: {error}") from error
        yield Picture("lle", map_figure(z, samples.labels, "LLE", "of pixels"))
        groups = factor_measures(setting).groups
        yield from FactorMeasures(samples, n_variants, groups).measure(z)

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        return []  # they are a column of the run's table
