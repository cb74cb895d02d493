"""Options of the loss `dvml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from dimred.losses.options import LossOptions
from dimred.options.option import option
from dimred.options.registry import Unknown, register
from dimred.options.trial import tried
from dimred.pairing.formats import PairFormat

if TYPE_CHECKING:
    from dimred.losses import Loss, LossSizes


class Release(Enum):
    """When the gradient of the reconstruction reaches the encoder."""

    later = "later"
    always = "always"
    never = "never"


@register("loss", "dvml")
@dataclass
class Dvml(LossOptions):
    """Deep Variational Metric Learning (Lin et al., ECCV 2018): z = z_I + z_V, where Z is the class
    part z_I, around a loss of classes."""

    requires: ClassVar[PairFormat] = PairFormat.class_pairs

    metric: LossOptions | None = option(
        None,
        "The loss that it is around, chosen by loss@loss.metric=NAME; null = triplet. Of a loss of "
        "unit vectors only the direction of z_I + z_V counts, in which the noise of z_V, of length "
        "sqrt(dimensions), outweighs z_I at first.",
    )
    weights: list[float] = option(
        [1.0, 1.0, 0.1, 1.0],
        "Weights of the KL divergence, the reconstruction, the loss of z_I + z_V and the loss of "
        "z_I in the first stage (section 3.5).",
        at_least=0,
        at_most=1e6,
    )
    later_weights: list[float] = option(
        [0.8, 1.0, 0.2, 0.8],
        "The same in later stages: the paper's second phase (section 3.5).",
        at_least=0,
        at_most=1e6,
    )
    release: Release = option(
        Release.later,
        "Whether the gradient of the reconstruction reaches the encoder through the decoder, and "
        "does not train the decoder and the heads of z_V only: later = from the second stage on, "
        "as the paper prints; always; never, as two re-implementations have it.",
    )
    samples: int = option(
        20,
        "T, samples of z_V of each image that are decoded; the paper's.",
        at_least=1,
        at_most=1000,
    )
    metric_samples: int = option(
        1,
        "How many of these samples the loss of z_I + z_V is taken of; its mean. The paper does not "
        "say.",
        at_least=1,
        at_most=1000,
    )
    decoder_dim: int = option(
        512, "Width of the decoder's hidden layer; the paper's.", at_least=1, at_most=2**16
    )
    tanh_output: bool = option(
        False,
        "End the decoder with a tanh too. The paper says 512, tanh, 1024, which leaves it open; H "
        "after a ReLU is not bounded by 1.",
    )
    squared: bool = option(
        False,
        "Squared norm of the reconstruction's difference; equation 9 prints the norm itself, "
        "re-implementations square it.",
    )
    detach_target: bool = option(
        True,
        "No gradient through the target of the reconstruction, H, which the encoder could shrink "
        "otherwise, whatever loss.release says. The paper does not say.",
    )
    variance_dim: int | None = option(
        None,
        "Dimensions of z_V, which is added to the first ones of Z; null = as many as Z, the "
        "paper's.",
        at_least=1,
        at_most=2**16,
    )
    variance_scale: float | None = option(
        None,
        "Length of z_V relative to that of z_I (root mean squares over the batch), to which it is "
        "scaled; null = not scaled, the paper's.",
        above=0,
        at_most=1e3,
        unit="a factor",
    )
    kl_warmup: float = option(
        0.0,
        "Share of the first stage over which the weight of the KL divergence rises from 0; 0 = it "
        "is there from the start, the paper's.",
        at_least=0,
        at_most=1,
        unit="a share",
    )

    def weights_of(self, stage: int) -> list[float]:
        """The four weights of a stage, counted from 0."""
        return list(self.later_weights if stage else self.weights)

    def is_released(self, stage: int) -> bool:
        """Whether the gradient of the reconstruction reaches the encoder in a stage."""
        return self.release is Release.always or (self.release is Release.later and stage > 0)

    @property
    def metric_options(self) -> LossOptions:
        """The options of the loss that it is around."""
        from dimred.losses.metric_options import Triplet

        return Triplet() if self.metric is None else self.metric

    def problems(self, stage: str, out_dim: int) -> Iterator[str]:
        metric = self.metric_options
        for key in ("weights", "later_weights"):
            values = getattr(self, key)
            if len(values) != 4:
                yield f"loss.{key}={values}: must be 4 numbers"
            elif not values[3]:
                yield f"loss.{key}={values}: the last one, of the loss of z_I, must be above 0"
        if self.metric_samples > self.samples:
            yield (
                f"loss.metric_samples={self.metric_samples}: must be at most "
                f"loss.samples={self.samples}"
            )
        if self.variance_dim is not None and self.variance_dim > out_dim:
            yield (
                f"loss.variance_dim={self.variance_dim}: must be at most the dimension of Z, "
                f"schedule.stages.{stage}.out_dim={out_dim}"
            )
        if isinstance(metric, Unknown):
            return  # of a finished run, whose plug-in is not here
        if metric.requires is not self.requires or isinstance(metric, Dvml):
            yield (
                f"loss.metric={metric.name}: must be a loss of classes, such as triplet, n_pair, "
                "contrastive, lifted_structure or proxy_nca"
            )
        elif metric.name not in metric.choices:
            yield (
                f"loss.metric.name={metric.name}: the name follows the choice; choose with "
                "loss@loss.metric=NAME instead"
            )
        else:
            with tried(metric, "problems"):
                for line in metric.problems(stage, out_dim):
                    yield line.replace("loss.", "loss.metric.", 1)

    def build(self) -> Loss:
        raise TypeError("dvml has parameters of the sizes of H and Z: use build_for")

    def build_for(self, sizes: LossSizes) -> Loss:
        from dimred.losses.dvml import DvmlLoss

        with tried(self.metric_options, "build"):
            metric = self.metric_options.build_for(sizes)
        return DvmlLoss(self, sizes, metric)
