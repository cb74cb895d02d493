"""How well the map preserves the neighborhoods of H, for images without labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.measures.knn import check_ks
from dimred.measures.protocol import Embedding, Measure, Setting, When
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.measurement import Measurement

MAX_TRUSTWORTHINESS_POINTS = 5_000


@register("measure", "neighborhoods")
@dataclass
class Neighborhoods(Measure):
    """Trustworthiness of Z against H, and the share of neighbors in H that are neighbors in Z, for
    every k. Trustworthiness is computed for at most 5,000 images, always on the CPU."""

    when: ClassVar[When] = When.every

    def applies(self, setting: Setting) -> bool:
        return setting.images.labels is None

    def prepare(self, setting: Setting) -> None:
        n = len(setting.images)
        # scikit-learn's trustworthiness needs k below half the number of points.
        check_ks(setting.ks, (min(n, MAX_TRUSTWORTHINESS_POINTS) - 1) // 2, n)

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        from dimred.evaluation.measurement import Measurement
        from dimred.evaluation.neighborhood import neighbor_overlap, trustworthiness

        h, z, device = embedding.h, embedding.z, embedding.setting.compute.device
        for k in embedding.setting.ks:
            trust = trustworthiness(h, z, k, MAX_TRUSTWORTHINESS_POINTS, seed=0)
            yield Measurement(trust, "trustworthiness", "z", k=k)
            yield Measurement(neighbor_overlap(h, z, k, device), "overlap", "hz", k=k)
