"""Options of the group `loss`: what training minimizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from dimred.losses.hinge import HingeForm
from dimred.options.option import option
from dimred.options.registry import Choice, register
from dimred.pairing.formats import PairFormat

if TYPE_CHECKING:
    from dimred.losses import Loss, LossSizes


_FORM = (
    "squared_hinge = max(0, margin - d)^2, the printed formula; legacy_caffe = "
    "max(0, margin - d^2), what Angel's (2015) Caffe computed."
)


class EmbeddingGroups(NamedTuple):
    """Groups of dimensions with a label each.

    groups: their sizes; None for one group of all dimensions.
    margins: one for each group; empty for losses without margins.
    """

    groups: list[int] | None
    margins: list[float]


@dataclass
class LossOptions(Choice):
    """Options of every loss.

    requires: the format that the pairing must provide. n_labels: for losses of labeled pairs, the
    number of labels that a pair must have, in words.
    """

    group: ClassVar[str] = "loss"
    builder: ClassVar[str] = "build"
    requires: ClassVar[PairFormat] = PairFormat.positive_pairs
    n_labels: ClassVar[str] = "1"

    name: str = option("", "Which loss this is; set by loss=NAME.")

    def build(self) -> Loss:
        """The loss, a function of (embeddings, pairs)."""
        raise NotImplementedError

    def build_for(self, sizes: LossSizes) -> Loss:
        """The loss for embeddings of these sizes. To be overridden, beside `build`, by a loss with
        parameters whose shapes depend on them."""
        return self.build()

    @property
    def embedding_groups(self) -> EmbeddingGroups:
        """The groups of dimensions and their margins, for contrastive losses."""
        return EmbeddingGroups(None, [])

    def problems(self, stage: str, out_dim: int) -> Iterator[str]:
        """One line for each contradiction among the options and with the dimension of a stage."""
        return iter(())


@register("loss", "tsimcne")
@dataclass
class TSimCNE(LossOptions):
    """t-SimCNE: InfoNCE with a Cauchy kernel on Euclidean distances."""

    def build(self) -> Loss:
        from dimred.losses import tsimcne_loss

        return tsimcne_loss


@register("loss", "simclr")
@dataclass
class SimCLR(LossOptions):
    """SimCLR: InfoNCE on cosine similarities."""

    temperature: float = option(
        0.5,
        "Temperature tau of the cosine similarities.",
        at_least=0.003,
        also=("tau",),
    )

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses import simclr_loss

        return partial(simclr_loss, temperature=self.temperature)


@register("loss", "drlim")
@dataclass
class Drlim(LossOptions):
    """DrLIM's contrastive loss of labeled pairs."""

    requires: ClassVar[PairFormat] = PairFormat.labeled_pairs
    margin: float = option(
        1.0, "Distance up to which dissimilar pairs repel.", above=0, at_most=1e6
    )
    form: HingeForm = option(HingeForm.squared_hinge, _FORM)

    @property
    def embedding_groups(self) -> EmbeddingGroups:
        return EmbeddingGroups(None, [self.margin])

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses import drlim_loss

        return partial(drlim_loss, margin=self.margin, form=self.form)


@register("loss", "generalized_contrastive")
@dataclass
class GeneralizedContrastive(LossOptions):
    """Angel's (2015) contrastive loss: one label for each group of dimensions."""

    requires: ClassVar[PairFormat] = PairFormat.labeled_pairs
    n_labels: ClassVar[str] = "one for each of loss.groups"

    groups: list[int] = option(
        [2, 1],
        "Dimensions of each group, in the order of the pairing's labels; they add up to the "
        "dimension of Z.",
        at_least=1,
    )
    margins: list[float] = option(
        [1.0, 1.0],
        "Distance in each group up to which dissimilar pairs repel.",
        above=0,
        at_most=1e6,
    )
    weights: list[float] = option([1.0, 1.0], "Weight of each group.", at_least=0, at_most=1e6)
    form: HingeForm = option(HingeForm.squared_hinge, _FORM)

    @property
    def embedding_groups(self) -> EmbeddingGroups:
        return EmbeddingGroups(self.groups, self.margins)

    def problems(self, stage: str, out_dim: int) -> Iterator[str]:
        if sum(self.groups) != out_dim:
            yield (
                f"loss.groups={self.groups}: must add up to the dimension of Z, "
                f"schedule.stages.{stage}.out_dim={out_dim}"
            )
        if not any(self.weights):
            yield f"loss.weights={self.weights}: at least one must be above 0"
        for key in ("margins", "weights"):
            values = getattr(self, key)
            if len(values) != len(self.groups):
                yield (
                    f"loss.{key}={values}: must be one for each of the "
                    f"{len(self.groups)} groups in loss.groups={self.groups}"
                )

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses import generalized_contrastive_loss

        return partial(
            generalized_contrastive_loss,
            groups=self.groups,
            margins=self.margins,
            weights=self.weights,
            form=self.form,
        )


@register("loss", "squared_error")
@dataclass
class SquaredError(LossOptions):
    """Mean squared error to fixed targets: a regression to compare maps with."""

    requires: ClassVar[PairFormat] = PairFormat.targets

    def build(self) -> Loss:
        from dimred.losses import squared_error_loss

        return squared_error_loss


@register("loss", "cross_entropy")
@dataclass
class CrossEntropy(LossOptions):
    """Cross-entropy of Z as logits of the classes: a classifier."""

    requires: ClassVar[PairFormat] = PairFormat.classes

    def build(self) -> Loss:
        from dimred.losses import cross_entropy_loss

        return cross_entropy_loss


@register("loss", "binary_logistic")
@dataclass
class BinaryLogistic(LossOptions):
    """Z as scores of classes of which any number may be present: a logistic loss of each class
    (Oquab et al. 2015)."""

    requires: ClassVar[PairFormat] = PairFormat.presence

    def build(self) -> Loss:
        from dimred.losses import binary_logistic_loss

        return binary_logistic_loss


class KernelName(Enum):
    """Kernels of `InfoNCE`."""

    cauchy = "cauchy"
    gaussian = "gaussian"
    cosine = "cosine"


@register("loss", "infonce")
@dataclass
class InfoNCE(LossOptions):
    """InfoNCE with a kernel of your choice; tsimcne and simclr are special cases."""

    kernel: KernelName = option(
        KernelName.cauchy,
        "Similarity q of two points at distance d: cauchy = (1 + d^2/nu)^(-(nu+1)/2), with nu = "
        "loss.degrees_of_freedom; gaussian = exp(-d^2 / (2 loss.bandwidth^2)); cosine = "
        "exp(cos / loss.temperature).",
    )
    degrees_of_freedom: float = option(
        1.0,
        "For kernel=cauchy: 1 is t-SimCNE's, larger values have lighter tails.",
        above=0,
        at_most=1e6,
    )
    bandwidth: float = option(
        1.0, "For kernel=gaussian: its standard deviation.", at_least=1e-6, at_most=1e6
    )
    temperature: float = option(
        0.5, "For kernel=cosine: SimCLR's tau.", at_least=0.003, also=("tau",)
    )
    learn_temperature: bool = option(
        False,
        "For kernel=cosine: learn the temperature, which starts at loss.temperature, anew in every "
        "stage.",
    )
    decoupled: bool = option(
        False, "Leave the positive pair out of the denominator (DCL, Yeh et al. 2022)."
    )

    def problems(self, stage: str, out_dim: int) -> Iterator[str]:
        kernels = {
            "degrees_of_freedom": KernelName.cauchy,
            "bandwidth": KernelName.gaussian,
            "temperature": KernelName.cosine,
            "learn_temperature": KernelName.cosine,
        }
        for key, kernel in kernels.items():
            value = getattr(self, key)
            if self.kernel is not kernel and value != getattr(type(self), key):
                yield (
                    f"loss.{key}={str(value).lower()}: applies to loss.kernel={kernel.value} only, "
                    f"and the kernel is {self.kernel.value}"
                )

    def build(self) -> Loss:
        from dimred.losses import (
            CauchyKernel,
            CosineKernel,
            GaussianKernel,
            InfoNCE,
            Kernel,
            LearnedCosineKernel,
        )

        kernel: Kernel
        if self.kernel is KernelName.cauchy:
            kernel = CauchyKernel(self.degrees_of_freedom)
        elif self.kernel is KernelName.gaussian:
            kernel = GaussianKernel(self.bandwidth)
        else:
            make = LearnedCosineKernel if self.learn_temperature else CosineKernel
            kernel = make(self.temperature)
        return InfoNCE(kernel, self.decoupled)
