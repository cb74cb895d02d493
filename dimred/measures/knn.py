"""kNN accuracy, for labeled images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dimred.measures.protocol import Embedding, LeftOut, Measure, Picture, Setting, When
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from dimred.data.image_set import LabelSet
    from dimred.evaluation.measurement import Measurement
    from dimred.evaluation.splits import Splits

CURVE_MAX_K = 30


@register("measure", "knn")
@dataclass
class KnnAccuracy(Measure):
    """kNN accuracy in Z and in H on every split, for every k; for further labelings, such as
    CIFAR-100's superclasses, in Z (t-SimCNE paper, Table A.1). Distances are Euclidean, also in
    maps of the cosine loss."""

    when: ClassVar[When] = When.every

    def applies(self, setting: Setting) -> bool:
        return setting.splits is not None

    def prepare(self, setting: Setting) -> None:
        assert setting.splits is not None
        check_ks(setting.ks, setting.splits.max_k, len(setting.images))

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        setting, splits = embedding.setting, embedding.setting.splits
        assert splits is not None
        device, ks = setting.compute.device, setting.ks
        yield from knn_measurements(embedding.z, "z", splits, ks, device)
        for part, labels in setting.images.extra_labels.items():
            if (labels.values == labels.values[0]).all():
                continue  # of one class every accuracy is 1
            yield from knn_measurements(embedding.z, "z", splits, ks, device, labels, part)
        yield from knn_measurements(embedding.h, "h", splits, ks, device)


@register("measure", "knn_curves")
@dataclass
class KnnCurves(Measure):
    """A plot of kNN accuracy in Z and H for k = 1..30 (t-SimCNE paper, figure A.3)."""

    pictures: ClassVar[tuple[str, ...]] = ("knn",)

    knn_curves: bool = option(
        True,
        "Also draw kNN accuracy for k = 1..30 (plots/knn.png), which takes a while for a large set "
        "in many dimensions.",
    )

    def applies(self, setting: Setting) -> bool:
        return self.knn_curves and setting.splits is not None

    def measure(self, embedding: Embedding) -> Iterator[Picture]:
        from dimred.plots.curves import knn_figure

        setting, splits = embedding.setting, embedding.setting.splits
        assert splits is not None
        curves = {}
        for split, (train, _) in splits.parts.items():
            ks = range(1, min(CURVE_MAX_K, len(train)) + 1)
            for space, points in (("Z", embedding.z), ("H", embedding.h)):
                curves[f"{space}, {split} split"] = _accuracies(
                    points, splits, split, ks, setting.compute.device
                )
        title = setting.config.title
        # The chance level is that of the first split; those of all images are another.
        chance_of = f" on the {splits.first} split" if splits.first == "unseen" else ""
        yield Picture("knn", knn_figure(curves, splits.chance or None, title, chance_of))


def check_ks(ks: Sequence[int], max_k: int, n_images: int) -> None:
    """Raise LeftOut for numbers of neighbors above max_k."""
    if max(ks) > max_k:
        voters = f", of which {max_k} vote in the smallest split" if max_k < n_images - 1 else ""
        raise LeftOut(
            f"eval.k={list(ks)}: must be at most {max_k} with these {n_images} images{voters}"
        )


def knn_measurements(
    points: NDArray[Any],
    space: str,
    splits: Splits,
    ks: Sequence[int],
    device: torch.device | None,
    labels: LabelSet | None = None,
    part: str = "",
) -> Iterator[Measurement]:
    """kNN accuracy of points (N, d) on every split, for every k.

    labels: of all points, named `part`; None for the classes.
    device: where to search neighbors; None for the CPU.
    """
    from dimred.evaluation.measurement import Measurement

    for split in splits.parts:
        for k, accuracy in _accuracies(points, splits, split, ks, device, labels).items():
            yield Measurement(accuracy, "knn", space, split, k, part)


def reference_measurements(
    points: NDArray[Any], space: str, embedding: Embedding
) -> Iterator[Measurement]:
    """kNN accuracy of other points (N, d) of the same images, as of the map, and the standard error
    of its difference from Z and from H: of the first k on the first split."""
    from dimred.evaluation.measurement import Measurement

    setting = embedding.setting
    splits, ks = setting.splits, setting.ks
    assert splits is not None
    for split in splits.parts:
        hits = hits_of(points, splits, split, ks, setting.compute.device)
        for k, right in hits.items():
            yield Measurement(_share(right), "knn", space, split, k)
        if split == splits.first:
            yield from errors_against(embedding.hits, hits[ks[0]], space, ks[0], split)


def errors_against(
    own: Mapping[str, NDArray[np.bool_]],
    reference: NDArray[np.bool_],
    space: str,
    k: int,
    split: str = "",
) -> Iterator[Measurement]:
    """The standard errors of the differences between shares of right images in the run's own spaces
    and in that of a reference."""
    from dimred.evaluation.measurement import Measurement
    from dimred.evaluation.paired import difference_error

    for name, right in own.items():
        error = difference_error(right, reference)
        yield Measurement(error, "error", f"{name}-{space}", split, k)


def hits_of(
    points: NDArray[Any],
    splits: Splits,
    split: str,
    ks: Sequence[int],
    device: torch.device | None,
    labels: LabelSet | None = None,
) -> dict[int, NDArray[np.bool_]]:
    """Which test images of a split are classified correctly, for every k."""
    from dimred.evaluation.knn import knn_hits

    (train, test), y = splits.parts[split], (labels or splits.labels).values
    return knn_hits(points[train], y[train], points[test], y[test], ks, device)


def _share(right: NDArray[np.bool_]) -> float:
    return int(right.sum()) / len(right)


def _accuracies(
    points: NDArray[Any],
    splits: Splits,
    split: str,
    ks: Sequence[int],
    device: torch.device | None,
    labels: LabelSet | None = None,
) -> dict[int, float]:
    hits = hits_of(points, splits, split, ks, device, labels)
    return {k: _share(right) for k, right in hits.items()}
