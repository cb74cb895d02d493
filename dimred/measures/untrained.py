"""The run's network before training, as a reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dimred.measures.knn import check_ks, reference_measurements
from dimred.measures.neighborhoods import max_k, neighborhood_measurements
from dimred.measures.presence import scores_presence
from dimred.measures.protocol import Embedding, Measure, Setting
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.evaluation.measurement import Measurement
    from dimred.models import Encoder


@register("measure", "untrained")
@dataclass
class Untrained(Measure):
    """The numbers of the map for Z and H of the run's network before training: the same weights
    that training began with, and a new readout. Takes as long as embedding the images once.
    `eval.references=false` switches it off."""

    def applies(self, setting: Setting) -> bool:
        return has_untrained(setting) and not scores_presence(setting)

    def prepare(self, setting: Setting) -> None:
        n = len(setting.images)
        check_ks(setting.ks, setting.splits.max_k if setting.splits else max_k(n), n)

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        setting = embedding.setting
        h, z = embedded(embedding)
        if setting.splits is None:
            yield from neighborhood_measurements(setting, h, z, "untrained_z", "untrained_hz")
            return
        yield from reference_measurements(z, "untrained_z", embedding)
        yield from reference_measurements(h, "untrained_h", embedding)

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        return []  # they are a column of the run's table


def has_untrained(setting: Setting) -> bool:
    """Whether the network before training is to be measured."""
    return getattr(setting.config.eval, "references", True) and setting.new_encoder is not None


def untrained_encoder(embedding: Embedding) -> Encoder:
    """The network before training on the run's device, with as many dimensions of Z as the map."""
    setting = embedding.setting
    assert setting.new_encoder is not None
    return setting.compute.placed(setting.new_encoder(embedding.z.shape[1]))


def embedded(embedding: Embedding) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """H (N, h) and Z (N, d) of the images before training."""
    from dimred.data.resident import ResidentImages
    from dimred.training.embed import embed

    setting = embedding.setting
    resident = setting.resident
    if setting.n_variants > 1:
        fraction = setting.config.device.memory_fraction
        resident = ResidentImages(setting.images.images, setting.compute.device, fraction)
    size = setting.config.eval.batch_size
    return embed(untrained_encoder(embedding), resident, size, setting.compute)
