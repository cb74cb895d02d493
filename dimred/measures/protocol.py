"""What every measure is, and what it is given.

A measure of one's own is one file:

    @register("measure", "silhouette")
    @dataclass
    class Silhouette(Measure):
        \"""How well H keeps the classes apart: scikit-learn's silhouette, in [-1, 1].\"""

        silhouette: bool = option(False, "Also measure the silhouette of the classes in H.")

        def applies(self, setting):
            return self.silhouette and setting.images.labels is not None

        def measure(self, embedding):
            from sklearn.metrics import silhouette_score

            labels = embedding.setting.images.labels.values
            yield Measurement(silhouette_score(embedding.h, labels), "silhouette", space="h")
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

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
    from dimred.models import Encoder
    from dimred.pairing import PairingScope
    from dimred.training.compute import Compute


class When(Enum):
    """When a measure is taken."""

    every = "every"
    """Each time the map is measured: at the end of every stage, and every `eval.every` epochs."""
    end = "end"
    """Once, of the finished map."""


@dataclass(frozen=True)
class Setting:
    """What the maps of a run are measured on; the same throughout the run.

    images: the N images. samples: each of them in its n_variants transformations, image-major.
    resident: the samples where the network reads them.
    test: the images that are held out, or all where none are, as a pairing sees them.
    splits: of labeled images; None without labels.
    compute: where to compute. config: the run's.
    """

    config: RunConfig
    images: ImageSet
    samples: ImageSet
    resident: ResidentImages
    test: PairingScope
    splits: Splits | None
    compute: Compute

    @property
    def n_variants(self) -> int:
        """Samples of an image: itself and its transformations."""
        return len(self.samples) // len(self.images)

    @property
    def ks(self) -> list[int]:
        """Numbers of neighbors to measure with, the first that of the headline."""
        return self.config.eval.k


@dataclass(frozen=True)
class Embedding:
    """A map of a run.

    samples_h: float32 (N * n_variants, h), features of every sample. samples_z: (N * n_variants,
    d), their places on the map. encoder: what made them.
    """

    setting: Setting
    samples_h: NDArray[np.float32]
    samples_z: NDArray[np.float32]
    encoder: Encoder

    @property
    def h(self) -> NDArray[np.float32]:
        """Features of the untransformed images (N, h)."""
        return self.samples_h[:: self.setting.n_variants]

    @property
    def z(self) -> NDArray[np.float32]:
        """Places of the untransformed images (N, d)."""
        return self.samples_z[:: self.setting.n_variants]


@dataclass(frozen=True)
class Picture:
    """A figure that a measure draws, for plots/NAME.png."""

    name: str
    figure: Figure


@dataclass(frozen=True)
class Arrays:
    """Arrays that a measure keeps, for NAME.npz."""

    name: str
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Detail:
    """Something in words that stands beside what a measure found, such as a method."""

    key: str
    value: str


Finding = "Measurement | Picture | Arrays | Detail"


class LeftOut(Exception):
    """A measure cannot be taken; the message says why. The run goes on without it."""


@dataclass
class Measure(Choice):
    """Measures the maps of a run. Made once a run, with the values of its options.

    when: when it is taken. files: what it may write, which is removed before it is taken anew.

    Whatever it raises leaves it out, with a line that says why: a measure never fails a run.
    """

    group: ClassVar[str] = "measure"
    builder: ClassVar[str] = "measure"
    when: ClassVar[When] = When.end
    files: ClassVar[tuple[str, ...]] = ()

    def problems(self) -> Iterator[str]:
        """One line for each contradiction among its options."""
        return iter(())

    def applies(self, setting: Setting) -> bool:
        """Whether it is asked for, and means something for such images."""
        return True

    def prepare(self, setting: Setting) -> None:
        """Called once, before it is first taken: whatever is the same for all maps of the run.

        Raises LeftOut where it cannot be taken.
        """

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Picture | Arrays | Detail]:
        """What it finds of a map. Raises LeftOut where it cannot be taken."""
        raise NotImplementedError

    @classmethod
    def lines(cls, found: dict[str, Any]) -> list[str]:
        """What the terminal says at the end of a run of what was found, as summary.json has it;
        only for measures of When.end."""
        numbers = {key: value for key, value in found.items() if isinstance(value, float)}
        return [f"{key.replace('_', ' '):<22}{value:.4f}" for key, value in numbers.items()]
