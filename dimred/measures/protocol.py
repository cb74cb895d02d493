"""The base class of measures, their inputs and their results.

A new measure is one file:

    @register("measure", "silhouette")
    @dataclass
    class Silhouette(Measure):
        \"""How well H separates the classes: scikit-learn's silhouette, in [-1, 1].\"""

        silhouette: bool = option(False, "Also measure the silhouette of the classes in H.")

        def applies(self, setting):
            return self.silhouette and setting.images.labels is not None

        def measure(self, embedding):
            from sklearn.metrics import silhouette_score

            labels = embedding.setting.images.labels.values
            yield Measurement(silhouette_score(embedding.h, labels), "silhouette", space="h")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from dimred.data.options import FitOn
from dimred.options.registry import Choice

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dimred.config import RunConfig
    from dimred.data.image_set import ImageSet
    from dimred.data.resident import ResidentImages
    from dimred.evaluation.measurement import Measurement
    from dimred.evaluation.splits import Splits
    from dimred.losses import Loss
    from dimred.measures.presence import Found
    from dimred.models import Encoder
    from dimred.pairing import PairingScope
    from dimred.training.compute import Compute


class When(Enum):
    """When a measure is taken."""

    every = "every"
    """At the end of every stage, and every `eval.every` epochs."""
    end = "end"
    """Once, for the finished map."""


@dataclass(frozen=True)
class Setting:
    """What measures need besides the map; the same throughout a run.

    images: the N images. samples: each of them in n_variants variants, image-major.
    resident: the samples on the device, or on the host where they do not fit there.
    test: the pairing's view of the images of unseen classes (see `measured`), else of the held-out
        images, or of all images where none are held out.
    splits: train/test splits of labeled images; None without labels.
    compute: device and arithmetic. config: the run's configuration.
    new_encoder: makes the run's network as it was before training, with Z of so many dimensions, on
        the CPU; None where there is none to be had.
    """

    config: RunConfig
    images: ImageSet
    samples: ImageSet
    resident: ResidentImages
    test: PairingScope
    splits: Splits | None
    compute: Compute
    new_encoder: Callable[[int], Encoder] | None = None

    @property
    def n_variants(self) -> int:
        """Samples per image: the image itself and its transformations."""
        return len(self.samples) // len(self.images)

    @property
    def measured(self) -> NDArray[np.int64]:
        """Positions of the images that a distance is measured on: see `ImageSet.measured`."""
        return self.images.measured(self.config.dataset.fit_on is FitOn.train)

    def held_out_in_words(self, n: int) -> str:
        """What n of the held-out images are, and whether the network has learned from them."""
        what = "test images" if self.images.is_test.any() else "images"
        learned = self.config.dataset.fit_on is not FitOn.train
        return f"{n:,} {what}{', which were learned from' if learned else ''}"

    @property
    def ks(self) -> list[int]:
        """Numbers of neighbors; the first is that of the headline."""
        return self.config.eval.k


@dataclass(frozen=True)
class Embedding:
    """A map of a run.

    samples_h: float32 (N * n_variants, h), features of every sample.
    samples_z: float32 (N * n_variants, d), positions on the map.
    encoder: the encoder that computed them.
    loss: what it is trained by, with what that has learned, on the run's device; None where it is
        not known.
    """

    setting: Setting
    samples_h: NDArray[np.float32]
    samples_z: NDArray[np.float32]
    encoder: Encoder
    loss: Loss | None = None

    @property
    def h(self) -> NDArray[np.float32]:
        """float32 (N, h), features of the untransformed images."""
        return self.samples_h[:: self.setting.n_variants]

    @property
    def z(self) -> NDArray[np.float32]:
        """float32 (N, d), positions of the untransformed images on the map."""
        return self.samples_z[:: self.setting.n_variants]

    @cached_property
    def found(self) -> Found:
        """How well the classes of the held-out images are found, and where; computed once. For runs
        whose Z are scores of which classes an image shows."""
        from dimred.measures.presence import found

        return found(self)

    @cached_property
    def hits(self) -> dict[str, NDArray[np.bool_]]:
        """Which test images of the first split the first number of neighbors classifies correctly,
        in "z" and in "h"; searched once. For runs with splits."""
        from dimred.measures.knn import hits_of

        setting, points = self.setting, {"z": self.z, "h": self.h}
        assert setting.splits is not None
        split, ks, device = setting.splits.first, setting.ks[:1], setting.compute.device
        return {
            space: hits_of(points[space], setting.splits, split, ks, device)[ks[0]]
            for space in points
        }


@dataclass(frozen=True)
class Picture:
    """A figure, written to plots/NAME.png."""

    name: str
    figure: Figure


@dataclass(frozen=True)
class Arrays:
    """Arrays, written to measures/NAME.npz."""

    name: str
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Detail:
    """A text beside the numbers of a measure, such as the method used."""

    key: str
    value: str


Finding = "Measurement | Picture | Arrays | Detail"


class LeftOut(Exception):
    """A measure cannot be taken; the message says why. The run goes on without it."""


@dataclass
class Measure(Choice):
    """Base class of measures. One instance, with the values of its options, measures a run's maps.

    when: when it is taken. arrays, pictures: names of those that it may yield,
        which are removed before it is taken again.

    A measure never fails a run: any exception leaves it out, with a line that gives the reason.
    """

    group: ClassVar[str] = "measure"
    builder: ClassVar[str] = "measure"
    when: ClassVar[When] = When.end
    arrays: ClassVar[tuple[str, ...]] = ()
    pictures: ClassVar[tuple[str, ...]] = ()

    def problems(self) -> Iterator[str]:
        """One line for each contradiction among its options."""
        return iter(())

    def applies(self, setting: Setting) -> bool:
        """Whether it is switched on and meaningful for these images."""
        return True

    def prepare(self, setting: Setting) -> None:
        """Prepare what is the same for all maps of the run; called once, before the first map.

        Raises LeftOut where it cannot be taken.
        """

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Picture | Arrays | Detail]:
        """Yield the results for a map. Raises LeftOut where it cannot be taken."""
        raise NotImplementedError

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        """The lines printed at the end of a run, for a measure of When.end.

        results: its entry in summary.json.
        """
        numbers = {key: value for key, value in results.items() if isinstance(value, float)}
        return [f"{key.replace('_', ' '):<22}{value:.4f}" for key, value in numbers.items()]
