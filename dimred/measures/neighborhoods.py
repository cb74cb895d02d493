"""How well the map preserves the neighborhoods of H, for images without labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.measures.knn import check_ks
from dimred.measures.presence import scores_presence
from dimred.measures.protocol import Embedding, Measure, Setting, When
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.evaluation.measurement import Measurement

MAX_TRUSTWORTHINESS_POINTS = 5_000


@register("measure", "neighborhoods")
@dataclass
class Neighborhoods(Measure):
    """Trustworthiness of Z against H, and the share of neighbors in H that are neighbors in Z, for
    every k. Trustworthiness is computed for at most 5,000 images, always on the CPU; the share for
    10,000, where there are more than 100,000."""

    when: ClassVar[When] = When.every

    def applies(self, setting: Setting) -> bool:
        return setting.images.labels is None and not scores_presence(setting)

    def prepare(self, setting: Setting) -> None:
        n = len(setting.images)
        check_ks(setting.ks, max_k(n), n)

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        yield from neighborhood_measurements(embedding.setting, embedding.h, embedding.z, "z", "hz")


def max_k(n: int) -> int:
    """The largest number of neighbors that can be measured with n images: scikit-learn's
    trustworthiness needs less than half the number of points."""
    return (min(n, MAX_TRUSTWORTHINESS_POINTS) - 1) // 2


def neighborhood_measurements(
    setting: Setting, h: NDArray[np.float32], z: NDArray[np.float32], of_z: str, of_both: str
) -> Iterator[Measurement]:
    """Trustworthiness of z (N, d) against h (N, e), and the overlap of both, for every k. of_z,
    of_both: names of their spaces."""
    from dimred.evaluation.measurement import Measurement
    from dimred.evaluation.neighborhood import neighbor_overlap, trustworthiness

    for k in setting.ks:
        trust = trustworthiness(h, z, k, MAX_TRUSTWORTHINESS_POINTS, seed=0)
        yield Measurement(trust, "trustworthiness", of_z, k=k)
        overlap = neighbor_overlap(h, z, k, setting.compute.device)
        yield Measurement(overlap, "overlap", of_both, k=k)
