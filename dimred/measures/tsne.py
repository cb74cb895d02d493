"""A t-SNE map of H."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.measures.protocol import Arrays, Embedding, LeftOut, Measure, Picture, Setting
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.measurement import Measurement

_MIN_IMAGES = 12  # that t-SNE can place


@register("measure", "tsne")
@dataclass
class TsneOfH(Measure):
    """A t-SNE map of H of test images (of unseen classes, where there are any), after PCA to 50
    dimensions: tsne.npz, a plot, and the map's kNN accuracy (Angel 2015, section 5.3.1)."""

    arrays: ClassVar[tuple[str, ...]] = ("tsne",)
    pictures: ClassVar[tuple[str, ...]] = ("tsne",)
    tsne: int | None = option(
        None,
        "Also map H of at most this many test images by t-SNE, after PCA to 50 dimensions; null = "
        "off.",
        at_least=100,
    )

    def applies(self, setting: Setting) -> bool:
        return self.tsne is not None

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Arrays | Picture]:
        import numpy as np

        from dimred.evaluation.classical import tsne_map
        from dimred.evaluation.knn import knn_accuracy, random_split
        from dimred.evaluation.measurement import Measurement
        from dimred.plots.maps import map_figure

        setting, config = embedding.setting, embedding.setting.config
        measured = np.random.default_rng(0).permutation(setting.measured)
        chosen = np.sort(measured[: self.tsne])
        images = setting.images.take(chosen)
        if len(chosen) < _MIN_IMAGES:
            raise LeftOut(f"{len(chosen)} test images are too few for t-SNE to place")
        z = tsne_map(embedding.h[chosen], config.seed)
        yield Arrays("tsne", {"z": z, "index": images.index})
        of = "images of unseen classes" if images.is_unseen is not None else "test images"
        subtitle = f"{len(z):,} {of}, PCA to 50 dimensions first"
        title = f"{config.title}: t-SNE of H"
        yield Picture("tsne", map_figure(z, images.labels, title, subtitle))
        if images.labels is None:
            return
        train, test = random_split(images.labels.values, len(z) // 6, 0)
        y, k = images.labels.values, min(setting.ks[0], len(train))
        device = setting.compute.device
        accuracies = knn_accuracy(z[train], y[train], z[test], y[test], [k], device)
        yield Measurement(accuracies[k], "knn", "tsne", k=k)
