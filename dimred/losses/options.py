"""Options of the group `loss`: what a batch of embeddings and its pairs are judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from dimred.options.option import option

if TYPE_CHECKING:
    from dimred.losses import Loss


class Form(Enum):
    """What is squared where a dissimilar pair is nearer than the margin."""

    squared_hinge = "squared_hinge"
    legacy_caffe = "legacy_caffe"


_FORM = (
    "squared_hinge = max(0, margin - d)^2, the printed formula; legacy_caffe = "
    "max(0, margin - d^2), what the thesis' Caffe computed."
)


class Layout(NamedTuple):
    """Groups of dimensions with a label each.

    groups: their sizes; None for one group of all dimensions.
    margins: of each group; empty for losses without.
    """

    groups: list[int] | None
    margins: list[float]


@dataclass
class LossOptions:
    """What every loss has.

    hears: what a pairing has to say of a batch, as `PairingOptions.says`.
    """

    choices: ClassVar[tuple[str, ...]] = ()
    hears: ClassVar[str] = "partners"
    name: str = option("", "Which loss this is; set by loss=NAME.")

    def build(self) -> Loss:
        """The loss, a function of (embeddings, pairs)."""
        raise NotImplementedError

    @property
    def layout(self) -> Layout:
        """What a contrastive loss compares."""
        return Layout(None, [])

    def problems(self, stage: str, out_dim: int) -> Iterator[str]:
        """One line for each contradiction among the options and with the dimension of a stage."""
        return iter(())


@dataclass
class TSimCNE(LossOptions):
    """t-SimCNE: InfoNCE with a Cauchy kernel on Euclidean distances."""

    choices: ClassVar[tuple[str, ...]] = ("tsimcne",)
    name: str = option("tsimcne", "Which loss this is; set by loss=NAME.")

    def build(self) -> Loss:
        from dimred.losses import tsimcne_loss

        return tsimcne_loss


@dataclass
class SimCLR(LossOptions):
    """SimCLR: InfoNCE on cosine similarities."""

    choices: ClassVar[tuple[str, ...]] = ("simclr",)
    name: str = option("simclr", "Which loss this is; set by loss=NAME.")
    temperature: float = option(0.5, "Temperature tau of the cosine similarities.", at_least=0.003)

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses import simclr_loss

        return partial(simclr_loss, temperature=self.temperature)


@dataclass
class Drlim(LossOptions):
    """DrLIM's contrastive loss of labelled pairs."""

    choices: ClassVar[tuple[str, ...]] = ("drlim",)
    hears: ClassVar[str] = "labels"
    name: str = option("drlim", "Which loss this is; set by loss=NAME.")
    margin: float = option(1.0, "Distance up to which dissimilar pairs repel.", above=0)
    form: Form = option(Form.squared_hinge, _FORM)

    @property
    def layout(self) -> Layout:
        return Layout(None, [self.margin])

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses import HingeForm, drlim_loss

        return partial(drlim_loss, margin=self.margin, form=HingeForm(self.form.value))


@dataclass
class GeneralizedContrastive(LossOptions):
    """The thesis' contrastive loss: groups of dimensions, each with a label of its own."""

    choices: ClassVar[tuple[str, ...]] = ("generalized_contrastive",)
    hears: ClassVar[str] = "labels"
    name: str = option("generalized_contrastive", "Which loss this is; set by loss=NAME.")
    groups: list[int] = option(
        [2, 1],
        "Dimensions of each group, in the order of the pairing's labels; they add up to the "
        "dimension of Z.",
        at_least=1,
    )
    margins: list[float] = option(
        [1.0, 1.0], "Distance in each group up to which dissimilar pairs repel.", above=0
    )
    weights: list[float] = option([1.0, 1.0], "What each group counts.", at_least=0)
    form: Form = option(Form.squared_hinge, _FORM)

    @property
    def layout(self) -> Layout:
        return Layout(self.groups, self.margins)

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

        from dimred.losses import HingeForm, generalized_contrastive_loss

        return partial(
            generalized_contrastive_loss,
            groups=self.groups,
            margins=self.margins,
            weights=self.weights,
            form=HingeForm(self.form.value),
        )


@dataclass
class SquaredError(LossOptions):
    """Mean squared error to fixed targets: a regression to compare maps with."""

    choices: ClassVar[tuple[str, ...]] = ("squared_error",)
    hears: ClassVar[str] = "targets"
    name: str = option("squared_error", "Which loss this is; set by loss=NAME.")

    def build(self) -> Loss:
        from dimred.losses import squared_error_loss

        return squared_error_loss


@dataclass
class CrossEntropy(LossOptions):
    """Cross-entropy of Z as logits of the classes: a classifier."""

    choices: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    hears: ClassVar[str] = "classes"
    name: str = option("cross_entropy", "Which loss this is; set by loss=NAME.")

    def build(self) -> Loss:
        from dimred.losses import cross_entropy_loss

        return cross_entropy_loss
