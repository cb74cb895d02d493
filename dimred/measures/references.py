"""References to compare a map with, which need no learning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dimred.measures.knn import check_ks, errors_against, reference_measurements
from dimred.measures.protocol import Embedding, LeftOut, Measure, Setting
from dimred.measures.retrieval import MAX_PIXEL_VALUES
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.measurement import Measurement


@register("measure", "references")
@dataclass
class References(Measure):
    """kNN accuracy in raw pixels and in their first two principal components, and the standard
    errors of the differences from Z and H on the same test images."""

    references: bool = option(
        True,
        "Also measure references: the network before training; with labels also raw pixels and "
        "their first two principal components (skipped above 3e8 pixel values).",
    )

    def applies(self, setting: Setting) -> bool:
        return self.references and setting.splits is not None

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        import numpy as np

        from dimred.evaluation.principal import principal_components

        setting, splits = embedding.setting, embedding.setting.splits
        assert splits is not None
        check_ks(setting.ks, splits.max_k, len(setting.images))
        if setting.images.images.numel() > MAX_PIXEL_VALUES:
            raise LeftOut(f"the images have more than {MAX_PIXEL_VALUES:,} values")
        pixels = setting.images.images.flatten(1).numpy().astype(np.float32) / 255
        plane = principal_components(pixels, min(2, *pixels.shape)).coordinates
        k, split, own = setting.ks[0], splits.first, embedding.hits
        yield from errors_against({"z": own["z"]}, own["h"], "h", k, split)
        yield from reference_measurements(pixels, "pixels", embedding)
        yield from reference_measurements(plane, "pca2", embedding)

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        return []  # they are columns of the run's table
