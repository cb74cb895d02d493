"""A map judged as a metric: whether near images, and those of a cluster, are of one class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dimred.measures.protocol import Detail, Embedding, LeftOut, Measure, Setting
from dimred.measures.untrained import has_untrained, untrained_encoder
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.evaluation.measurement import Measurement

    Points = NDArray[np.floating]
    Positions = NDArray[np.int64]

MAX_PIXEL_VALUES = 300_000_000
_LEARNED = "learned"  # the split of test images of classes that are learned from
_NOTES = ("alone", "no_")  # the beginnings of details that are said at the end of a run
_NUMBER = re.compile(rf"(recall\d+|map_at_r|nmi|ami|f1|spread)_(\w+?)(_{_LEARNED})?")
_ALONE = "images that are the only one of their class, which are not asked for others: {n:,}"
_ROWS = {
    "map_at_r": "MAP@R",
    "nmi": "NMI",
    "ami": "AMI",
    "f1": "F1 of pairs",
    "spread": "spread of classes",
}


@register("measure", "retrieval")
@dataclass
class RetrievalOfClasses(Measure):
    """Recall@K, MAP@R, K-means clusters against classes (NMI, AMI, F1 of pairs) and the spread
    within classes, in Z, in H, in raw pixels and before training; of the images of classes that
    were not learned from, else of the held-out images (see `Setting.measured`)."""

    retrieval: bool = option(
        False,
        "Also measure the map as a metric, on classes that were not learned from or else on test "
        "images: recall, MAP@R, NMI, AMI and F1 of clusters, spread within classes.",
    )
    recall: list[int] = option(
        [1, 2, 4, 8],
        "Numbers of neighbors of the recall of eval.retrieval; papers take [1,10,100] for Stanford "
        "Online Products.",
        at_least=1,
    )
    unit_length: bool | None = option(
        None,
        "Scale points to unit length before eval.retrieval, as metric learning does; null = all "
        "but Z of up to 3 dimensions, which is a map.",
    )

    def problems(self) -> Iterator[str]:
        if not self.recall:
            yield "eval.recall=[]: must hold at least one number of neighbors"

    def applies(self, setting: Setting) -> bool:
        return self.retrieval

    def prepare(self, setting: Setting) -> None:
        import numpy as np

        if setting.splits is None:
            raise LeftOut("the images have no labels")
        classes = classes_at(setting, setting.measured)
        n, (_, sizes) = len(classes), np.unique(classes, return_counts=True)
        if max(self.recall) >= n:
            raise LeftOut(f"eval.recall={self.recall}: must be at most {n - 1} with {n:,} images")
        if len(sizes) < 2:
            raise LeftOut(f"the {n:,} images to measure are all of one class")
        if sizes.max() < 2:
            raise LeftOut(f"the {n:,} images to measure are each of another class")

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Detail]:
        from dimred.data.options import FitOn

        setting = embedding.setting
        yield Detail("images", described(setting))
        yield from self._of(embedding, setting.measured)
        if setting.images.has_unseen and setting.config.dataset.fit_on is FitOn.train:
            yield from self._of_learned(embedding)

    def _of(self, embedding: Embedding, rows: Positions) -> Iterator[Measurement | Detail]:
        """All numbers of the images at `rows`, in each space."""
        from dimred.evaluation.clusters import agreement, kmeans_clusters
        from dimred.evaluation.measurement import Measurement
        from dimred.evaluation.paired import difference_error
        from dimred.evaluation.retrieval import class_retrieval
        from dimred.evaluation.spread import class_spread

        setting = embedding.setting
        classes, device = classes_at(setting, rows), setting.compute.device
        of_z: NDArray[np.bool_] | None = None
        for space, points in self._spaces(embedding, rows):
            found = class_retrieval(points, classes, self.recall, device)
            if of_z is None:
                of_z = found.first_right
                yield Measurement(found.chance, "recall", "chance", k=1)
                yield Measurement(float(found.queries), "queries")
            else:
                error = difference_error(of_z, found.first_right)
                yield Measurement(error, "error", f"z-{space}", k=1)
            for k, share in found.recall.items():
                yield Measurement(share, "recall", space, k=k)
            yield Measurement(found.map_at_r, "map_at_r", space)
            if space == "z" and found.alone:
                yield Detail("alone", _ALONE.format(n=found.alone))
            clusters, text = kmeans_clusters(points, len(set(classes.tolist())))
            yield Detail(f"clusters_{space}", text)
            for name, value in vars(agreement(classes, clusters)).items():
                yield Measurement(value, name, space)
            try:
                yield Measurement(class_spread(points, classes), "spread", space)
            except ValueError as error:  # of a map that has collapsed, what is left is worth seeing
                yield Detail(f"no_spread_{space}", f"no spread in {space}: {error}")
        if getattr(setting.config.eval, "references", True) and not _has_pixels(setting, rows):
            text = f"no raw pixels: the images have more than {MAX_PIXEL_VALUES:,} values"
            yield Detail("no_pixels", text)

    def _of_learned(self, embedding: Embedding) -> Iterator[Measurement | Detail]:
        """Recall@1 and MAP@R of the test images of learned classes, so that one sees what is lost
        from these to classes that were not learned from."""
        import numpy as np

        from dimred.evaluation.measurement import Measurement
        from dimred.evaluation.retrieval import class_retrieval

        setting, images = embedding.setting, embedding.setting.images
        rows = np.flatnonzero(images.is_test & ~np.asarray(images.is_unseen))
        classes = classes_at(setting, rows)
        if len(np.unique(classes)) in (0, 1, len(classes)):
            yield Detail(
                "no_learned", f"no number of learned classes: {len(rows):,} test images are too few"
            )
            return
        for space, points in self._spaces(embedding, rows):
            found = class_retrieval(points, classes, [1], setting.compute.device)
            yield Measurement(found.recall[1], "recall", space, _LEARNED, k=1)
            yield Measurement(found.map_at_r, "map_at_r", space, _LEARNED)

    def _spaces(self, embedding: Embedding, rows: Positions) -> Iterator[tuple[str, Points]]:
        """The images at `rows` in each space, by name, one at a time."""
        from dimred.evaluation.unit_length import unit_vectors, usual_distance

        for space, points in _points(embedding, rows):
            usual = usual_distance(space, points.shape[1]) == "cosine"
            scaled = usual if self.unit_length is None else self.unit_length
            yield space, unit_vectors(points) if scaled else points

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        columns: dict[str, dict[str, float]] = {}
        for key, value in results.items():
            match = _NUMBER.fullmatch(key)
            if match and isinstance(value, float):
                row = _ROWS.get(match[1]) or match[1].replace("recall", "Recall@")
                row += ", learned classes" if match[3] else ""
                columns.setdefault(match[2].replace("_", " "), {})[row] = value
        if not columns:
            return []
        if "chance" in columns:
            columns["chance"] = columns.pop("chance")  # the last one
        head = f"retrieval among       {results.get('images', '')}"
        notes = [f"  {results[key]}" for key in results if key.startswith(_NOTES)]
        return [head, *_table(columns), *notes]


def _table(columns: dict[str, dict[str, float]]) -> list[str]:
    """Lines of a table of numbers, by name in columns by name."""
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    first = max(map(len, rows))
    widths = {name: max(len(name), 6) + 2 for name in columns}
    lines = [" " * first + "".join(name.rjust(width) for name, width in widths.items())]
    for row in rows:
        numbers = {name: column.get(row) for name, column in columns.items()}
        cells = {name: "" if it is None else f"{it:.4f}" for name, it in numbers.items()}
        lines.append(row.ljust(first) + "".join(cells[it].rjust(widths[it]) for it in columns))
    return [line.rstrip() for line in lines]


def _points(embedding: Embedding, rows: Positions) -> Iterator[tuple[str, Points]]:
    """The images at `rows` in Z and H, and with references in raw pixels and before training."""
    import numpy as np
    import torch

    from dimred.training.embed import embed

    setting = embedding.setting
    yield "z", embedding.z[rows]
    yield "h", embedding.h[rows]
    if not getattr(setting.config.eval, "references", True):
        return
    if _has_pixels(setting, rows):
        images = setting.images.images[torch.from_numpy(rows)]
        yield "pixels", images.flatten(1).numpy().astype(np.float32) / 255
    if has_untrained(setting):
        encoder, size = untrained_encoder(embedding), setting.config.eval.batch_size
        of = rows * setting.n_variants
        h, z = embed(encoder, setting.resident, size, setting.compute, of)
        yield "untrained_z", z
        yield "untrained_h", h


def _has_pixels(setting: Setting, rows: Positions) -> bool:
    return len(rows) * setting.images.images[0].numel() <= MAX_PIXEL_VALUES


def classes_at(setting: Setting, rows: Positions) -> NDArray[np.int64]:
    """The classes of the images at `rows` (n,)."""
    assert setting.images.labels is not None
    return setting.images.labels.values[rows]


def described(setting: Setting) -> str:
    """Which images are measured, in words."""
    import numpy as np

    from dimred.data.options import FitOn

    images, rows = setting.images, setting.measured
    test = "test images" if images.is_test[rows].all() else "images"
    classes = len(np.unique(classes_at(setting, rows)))
    text = f"{len(rows):,} {test} of {classes:,} classes"
    if images.has_unseen:
        return f"{text} that were not learned from"
    learned = setting.config.dataset.fit_on is not FitOn.train
    return f"{text}, which were learned from" if learned else text
