"""Whether the features recognize an image in another view of it, for images without labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dimred.measures.knn import check_ks, errors_against
from dimred.measures.protocol import Embedding, Measure, Setting
from dimred.measures.untrained import has_untrained, untrained_encoder
from dimred.options.registry import register
from dimred.pairing.formats import PairFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.evaluation.measurement import Measurement
    from dimred.models import Encoder

    Views = NDArray[np.float32]  # (2, n, d): one view of each of n images, and another

MAX_IMAGES = 1_000
_BATCH = 250  # fixed, since the random views depend on it
_SIDE = 32  # of the pixels compared
_SEED = 0
_SPACES = {
    "h": "in H",
    "z": "in Z",
    "untrained_h": "before training in H",
    "untrained_z": "before training in Z",
    "pixels": "in raw pixels",
    "pca2": "in their PCA in 2-D",
    "chance": "by chance",
}


@register("measure", "views")
@dataclass
class OtherViews(Measure):
    """The share of images whose other view, as the run's pairing draws it, is among the k views
    nearest to their one view, in H and in Z, by chance k / n; with references: raw pixels of the
    views (averaged to at most 32x32), their first two principal components, and the network before
    training. Of at most 1,000 random images, the same views each time; with the default
    network on 32x32 color images about 9 s of CPU time (from 500 in 4.3 s, 2026-11-26)."""

    def applies(self, setting: Setting) -> bool:
        provides = setting.config.pairing.provides
        return setting.splits is None and provides is PairFormat.positive_pairs

    def prepare(self, setting: Setting) -> None:
        n = min(len(setting.images), MAX_IMAGES)
        check_ks(setting.ks, n - 1, n)

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        from dimred.evaluation.measurement import Measurement
        from dimred.evaluation.neighborhood import partners_found

        setting = embedding.setting
        spaces = view_spaces(embedding)
        n, ks = spaces["h"].shape[1], setting.ks
        yield Measurement(float(n), "images")
        found = {
            space: partners_found(one, other, ks, setting.compute.device)
            for space, (one, other) in spaces.items()
        }
        for space, hits in found.items():
            for k, right in hits.items():
                yield Measurement(float(right.mean()), "views", space, k=k)
        own = {space: found.pop(space)[ks[0]] for space in ("z", "h")}
        yield from errors_against({"z": own["z"]}, own["h"], "h", ks[0])
        for space, hits in found.items():
            yield from errors_against(own, hits[ks[0]], space, ks[0])
        for k in ks:
            yield Measurement(k / n, "views", "chance", k=k)

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        found = {key.removeprefix("views"): value for key, value in results.items()}
        ks = [match[1] for match in map(re.compile(r"(\d+)_h").fullmatch, found) if match]
        return [_line(k, results["images"], found) for k in ks]


def _line(k: str, images: float, found: dict[str, Any]) -> str:
    """The shares found among the k nearest in every space, in one line."""
    shares = ", ".join(
        f"{name} {found[f'{k}_{space}']:.3f}"
        for space, name in _SPACES.items()
        if f"{k}_{space}" in found
    )
    return f"other view found      {shares} (among the {k} nearest of {images:,.0f})"


def view_spaces(embedding: Embedding) -> dict[str, Views]:
    """One view and another of each of n images in each space, by name."""
    from dimred.evaluation.principal import principal_components

    h, z, pixels = _seen(embedding, embedding.encoder)
    spaces = {"z": z, "h": h}
    plane = principal_components(pixels.reshape(-1, pixels.shape[-1]), 2).coordinates
    spaces |= {"pixels": pixels, "pca2": plane.reshape(2, -1, 2)}
    if has_untrained(embedding.setting):
        h, z, _ = _seen(embedding, untrained_encoder(embedding))
        spaces |= {"untrained_z": z, "untrained_h": h}
    return spaces


def _seen(embedding: Embedding, encoder: Encoder) -> tuple[Views, Views, Views]:
    """Views of the images in H and Z of an encoder, and in pixels; the same views every time."""
    import numpy as np
    import torch
    import torch.nn.functional as F

    from dimred.training.seeds import generator_at

    setting = embedding.setting
    compute, n = setting.compute, len(setting.images)
    chosen = np.sort(np.random.default_rng(_SEED).permutation(n)[:MAX_IMAGES])
    scope = replace(setting.test, positions=chosen)
    pairing = setting.config.pairing.build(scope, min(_BATCH, len(chosen)), compute.device)
    encoder.eval()
    parts = []
    for number, anchors in enumerate(torch.split(pairing.anchors.to(compute.device), _BATCH)):
        generator = generator_at(compute.device, _SEED, "other view", number)
        with torch.inference_mode():
            batch = pairing.select(anchors, generator)
            (images,) = setting.resident.batches([batch.samples])
            views = pairing.views(images, generator)
            h, z = encoder(views.contiguous(memory_format=compute.memory_format))
            height, width = (min(_SIDE, length) for length in views.shape[2:])
            pixels = F.adaptive_avg_pool2d(views, (height, width)).flatten(1)
        rows = torch.arange(len(views), device=compute.device)
        one = rows[rows < batch.pairs.partner]
        both = torch.stack((one, batch.pairs.partner[one]))
        parts.append([points[both].float().cpu().numpy() for points in (h, z, pixels)])
    of_h, of_z, of_pixels = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return of_h, of_z, of_pixels
