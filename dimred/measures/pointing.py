"""Whether what holds images at their places are the objects that they show, by known boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from dimred.measures.protocol import Detail, Embedding, LeftOut, Measure, Setting
from dimred.measures.untrained import has_untrained, untrained_encoder
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.evaluation.measurement import Measurement
    from dimred.models import Encoder

MAX_IMAGES = 1_000
_SEED = 0  # of their draw
_SPACES = {
    "z": "in Z",
    "untrained_z": "before training",
    "pixels": "in raw pixels",
    "area": "area of the boxes",
}


@register("measure", "pointing")
@dataclass
class Pointing(Measure):
    """The pointing game (Zhang et al. 2016): the share of held-out images in which the square that,
    hidden, moves Z farthest has its center on an object, for the trained network; with references,
    for the one before training and in raw pixels, which squares change most where they differ most
    from their color; and the share of the area that the boxes of objects cover, which a random
    point hits. Of at most 1,000 random images."""

    pointing: bool = option(
        False,
        "Also measure, on images with boxes of objects, whether what moves an image farthest on "
        "the map when hidden is on an object, as of `dimred locate`.",
    )
    pointing_fill: float | None = option(
        None,
        "With eval.pointing: value of the squares that hide a part of an image, 0 black to 1 "
        "white; null = the mean color of the images. Where the ground has nearly that color, a "
        "square hides nothing there, and any network points at what stands out; 0.5 is as far "
        "from black as from white.",
        at_least=0,
        at_most=1,
    )

    def applies(self, setting: Setting) -> bool:
        return self.pointing and setting.images.boxes is not None

    def prepare(self, setting: Setting) -> None:
        if not len(_boxed(setting)):
            raise LeftOut("none of the held-out images has a box")

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Detail]:
        import numpy as np

        from dimred.evaluation.measurement import Measurement
        from dimred.evaluation.pointing import covered, on_objects

        setting = embedding.setting
        images, boxed = setting.images, _boxed(setting)
        rows = np.sort(np.random.default_rng(_SEED).permutation(boxed)[:MAX_IMAGES])
        yield Detail("images", self._described(setting, len(rows)))
        assert images.boxes is not None
        boxes = images.boxes.take(rows)
        encoders = {"z": embedding.encoder}
        if has_untrained(setting):
            encoders["untrained_z"] = untrained_encoder(embedding)
        for space, encoder in encoders.items():
            points = self._points(setting, encoder, rows)
            yield Measurement(float(on_objects(points, boxes).mean()), "pointing", space)
        if getattr(setting.config.eval, "references", True):
            points = self._points(setting, None, rows)
            yield Measurement(float(on_objects(points, boxes).mean()), "pointing", "pixels")
        height, width = images.images.shape[2:]
        area = float(covered(boxes, len(rows), (height, width)).mean())
        yield Measurement(area, "pointing", "area")

    def _described(self, setting: Setting, n: int) -> str:
        """What is measured, in words."""
        from dimred.models.occlusion import squares

        height, width = setting.images.images.shape[2:]
        fill = self.pointing_fill
        color = "the mean color" if fill is None else f"value {fill:g}"
        of = setting.held_out_in_words(n)
        side = squares((height, width)).side
        return f"{of}; hidden by squares of {side} pixels of {color}"

    def _points(
        self, setting: Setting, encoder: Encoder | None, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The point of each of the images at `rows` whose hiding moves Z of an encoder farthest,
        (n, 2), or without one its pixels."""
        import numpy as np
        import torch

        from dimred.evaluation.unit_length import distance_moved
        from dimred.models.occlusion import squares
        from dimred.steps import bar
        from dimred.training.occlusion import occluded

        images = setting.images.images
        height, width = images.shape[2:]
        places, fill = squares((height, width)), self.pointing_fill
        mean = torch.tensor(setting.images.mean).view(-1, 1, 1)
        color = mean if fill is None else torch.full_like(mean, fill)
        size = setting.config.eval.batch_size
        parts_of_rows = torch.split(torch.from_numpy(rows), size)
        if encoder is None:
            batches = (images[part].float() / 255 for part in parts_of_rows)
            parts = [places.hottest(places.changes(batch, color).numpy()) for batch in batches]
            return np.concatenate(parts)
        moves = chain.from_iterable(
            occluded(encoder, images[part], places, color, size, setting.compute)
            for part in parts_of_rows
        )
        points = [
            places.hottest(distance_moved(z, below))
            for z, below in bar(moves, -(-len(rows) // size), "hiding squares")
        ]
        return np.concatenate(points)

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        shares = [
            f"{name} {results[f'pointing_{space}']:.3f}"
            for space, name in _SPACES.items()
            if f"pointing_{space}" in results
        ]
        said = f"points on objects     {', '.join(shares)}"
        return [said, f"  {results.get('images', '')}"] if shares else []


def _boxed(setting: Setting) -> NDArray[np.int64]:
    """The held-out images that have boxes."""
    import numpy as np

    assert setting.images.boxes is not None
    held_out = setting.images.held_out
    return held_out[np.isin(held_out, setting.images.boxes.image)]
