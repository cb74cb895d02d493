"""Which classes images show, and where: average precision of scores, and of the points where they
are highest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any, ClassVar

from dimred.files import escaped
from dimred.measures.protocol import Detail, Embedding, LeftOut, Measure, Setting, When
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.data.presence import Presence
    from dimred.evaluation.measurement import Measurement

MEAN_AP = "mean_ap"
HALF = 0.5  # a stride, of tolerance

_KINDS = {"ap": "AP", "location_ap": "location AP", "center_ap": "center AP"}
_NUMBER = re.compile(f"({'|'.join(_KINDS)}|shown)_(.+)")


@dataclass
class _OfPresence(Measure):
    """Base of measures of networks whose Z are scores of which classes an image shows."""

    def applies(self, setting: Setting) -> bool:
        return scores_presence(setting)

    def prepare(self, setting: Setting) -> None:
        if not presence_at(setting).values.any():
            raise LeftOut("no class is in any of the images to measure")


@register("measure", "presence")
@dataclass
class PresenceOfClasses(_OfPresence):
    """The mean over classes of the average precision of Z on held-out images; where their boxes are
    known and positions have scores, also that of the points where these are highest, and of the
    center of the image with the same scores.

    A point is right inside a box of its class that is larger by `location_tolerance` on every side;
    any other is a false positive, and an image that shows the class a miss (Oquab et al. 2015,
    section 5). Images that show a class without a box of it do not count for the points of that
    class. The tolerance is fixed beforehand, as tuning it would be a hidden use of boxes.
    """

    when: ClassVar[When] = When.every

    location_tolerance: float = option(
        HALF,
        "How far outside a box of its class a point may be and still be right, in strides of the "
        "score map: 0.5 as Oquab et al. (2015), whose 18 pixels are half of 36.",
        at_least=0,
        at_most=100,
        unit="strides",
    )

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        import numpy as np

        from dimred.evaluation.measurement import Measurement

        for kind, of_class in embedding.found.values.items():
            yield Measurement(float(np.nanmean(of_class)), f"mean_{kind}")


@register("measure", "classes")
@dataclass
class EachClass(_OfPresence):
    """The same of each class, for the finished network, and the share of the classes shown with a
    box whose point is right."""

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Detail]:
        import numpy as np

        from dimred.evaluation.measurement import Measurement

        it, presence = embedding.found, presence_at(embedding.setting)
        of = embedding.setting.held_out_in_words(len(presence.values))
        yield Detail("images", _described(it, of))
        parts = parts_for(presence.names)
        for k, (part, shown) in enumerate(zip(parts, presence.values.T, strict=True)):
            if part != presence.names[k]:
                yield Detail(f"name_{part}", presence.names[k])
            yield Measurement(float(shown.sum()), "shown", part=part)
            if shown.any():
                for kind, of_class in it.values.items():
                    if not np.isnan(of_class[k]):
                        yield Measurement(float(of_class[k]), kind, part=part)
        if it.located is not None:
            yield Measurement(it.located, "located")

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        rows: dict[str, dict[str, float]] = {}
        for key, value in results.items():
            match = _NUMBER.fullmatch(key)
            if match and isinstance(value, float):
                rows.setdefault(match[2], {})[match[1]] = value
        if not rows:
            return []
        kinds = [kind for kind in _KINDS if any(kind in row for row in rows.values())]
        names = {part: escaped(str(results.get(f"name_{part}", part))) for part in rows}
        first = max(len(name) for name in ["class", *names.values()]) + 2
        head = "class".ljust(first) + "images".rjust(7)
        lines = [f"classes shown in      {results.get('images', '')}"]
        lines += [head + "".join(_KINDS[kind].rjust(13) for kind in kinds)]
        for part, row in rows.items():
            cells = [f"{row[kind]:.4f}" if kind in row else "" for kind in kinds]
            images = f"{row.get('shown', 0):,.0f}".rjust(7)
            lines.append(
                names[part].ljust(first) + images + "".join(cell.rjust(13) for cell in cells)
            )
        if "located" in results:
            lines.append(f"located               {results['located']:.4f} of the classes shown")
        return [line.rstrip() for line in lines]


def parts_for(names: Sequence[str]) -> list[str]:
    """The parts of names of numbers for classes: their own names, with one _ in place of characters
    that cannot stand there, such as blanks; numbered where that is another's."""
    plain = [re.sub(r"[^\w.-]+", "_", name) for name in names]
    taken = set(names)
    parts = []
    for name, part in zip(names, plain, strict=True):
        if part != name:
            numbered = (f"{part}{k}" for k in count(2))
            part = next(it for it in chain([part], numbered) if it not in taken)
            taken.add(part)
        parts.append(part)
    return parts


def scores_presence(setting: Setting) -> bool:
    """Whether Z are scores of which classes each image shows."""
    return setting.images.presence is not None and setting.config.scores_presence


def presence_at(setting: Setting) -> Presence:
    """Which classes each of the held-out images shows."""
    presence = setting.images.presence
    assert presence is not None
    return presence.take(setting.images.held_out)


@dataclass(frozen=True)
class Found:
    """Average precision of each class (K,), by kind: "ap", and where it can be known "location_ap"
    and "center_ap"; NaN for a class that none of the images shows, or of which none has a box.

    shown: how many classes the images show, each image counted for itself; None without boxes.
    boxed: how many of these have a box. located: the share of these whose point is right.
    tolerance: of points, in pixels. The last two are None where points are not judged.
    """

    values: dict[str, NDArray[np.float64]]
    shown: int | None = None
    boxed: int = 0
    located: float | None = None
    tolerance: float | None = None


def found(embedding: Embedding) -> Found:
    """How well the classes of the held-out images are found."""
    from dimred.evaluation.average_precision import class_precision
    from dimred.evaluation.localization import center_points, have_boxes, inside_boxes

    images, rows = embedding.setting.images, embedding.setting.images.held_out
    shown, scores = presence_at(embedding.setting).values, embedding.z[rows]
    values = {"ap": class_precision(scores, shown, shown)}
    if images.boxes is None or embedding.encoder.pool is None:
        return Found(values)
    boxes, (n, classes) = images.boxes.take(rows), shown.shape
    boxed = have_boxes(boxes, n, classes) & shown
    counts = int(shown.sum()), int(boxed.sum())
    if not boxed.any():
        return Found(values, *counts)
    points, stride = _points(embedding, rows)
    tolerance = stride * getattr(embedding.setting.config.eval, "location_tolerance", HALF)
    height, width = images.images.shape[2:]
    centers = center_points(n, classes, (height, width))
    right, central = (inside_boxes(it, boxes, tolerance) & shown for it in (points, centers))
    # Where an object is that has no box is not known: no point is right or wrong there.
    judged = boxed | ~shown
    values["location_ap"] = class_precision(scores, right, shown, judged)
    values["center_ap"] = class_precision(scores, central, shown, judged)
    return Found(values, *counts, float(right[boxed].mean()), tolerance)


def _points(embedding: Embedding, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Where the score of each class is highest in the images at `rows`, (n, K, 2), and the stride
    of the score map."""
    import torch

    from dimred.training.score_points import score_points

    setting = embedding.setting
    samples = torch.from_numpy(rows * setting.n_variants).to(setting.compute.device)
    size = setting.config.eval.batch_size
    return score_points(embedding.encoder, setting.resident, samples, size, setting.compute)


def _described(found: Found, of: str) -> str:
    """What was measured, in words, by those of the images."""
    if found.tolerance is not None:
        of += f"; a point is right in a box of its class or within {found.tolerance:g} pixels"
    if found.shown is not None and found.boxed < found.shown:
        of += f"; {found.boxed:,} of {found.shown:,} classes shown have a box"
    return of
