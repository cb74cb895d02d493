"""References to compare a map with, which need no learning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dimred.measures.knn import check_ks, knn_measurements
from dimred.measures.protocol import Embedding, LeftOut, Measure, Setting
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.measurement import Measurement

_MAX_VALUES = 300_000_000


@register("measure", "references")
@dataclass
class References(Measure):
    """kNN accuracy in raw pixels and in their first two principal components."""

    references: bool = option(
        True,
        "Also measure kNN accuracy in raw pixels and in their first two principal components "
        "(skipped above 3e8 pixel values).",
    )

    def applies(self, setting: Setting) -> bool:
        return self.references and setting.splits is not None

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        import numpy as np

        from dimred.evaluation.principal import principal_components

        setting, splits = embedding.setting, embedding.setting.splits
        assert splits is not None
        check_ks(setting.ks, splits.max_k, len(setting.images))
        if setting.images.images.numel() > _MAX_VALUES:
            raise LeftOut(f"the images have more than {_MAX_VALUES:,} values")
        device, ks = setting.compute.device, setting.ks
        pixels = setting.images.images.flatten(1).numpy().astype(np.float32) / 255
        plane = principal_components(pixels, min(2, *pixels.shape)).coordinates
        yield from knn_measurements(pixels, "pixels", splits, ks, device)
        yield from knn_measurements(plane, "pca2", splits, ks, device)

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        return []  # they are columns of the run's table
