"""Options of the group `loss`: what a batch of embeddings and its pairs are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.config.option import option

if TYPE_CHECKING:
    from dimred.losses import Loss


@dataclass
class LossOptions:
    """What every loss has."""

    choices: ClassVar[tuple[str, ...]] = ()
    name: str = option("", "Which loss this is; set by loss=NAME.")

    def build(self) -> Loss:
        """The loss, a function of (embeddings, pairs)."""
        raise NotImplementedError


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
    temperature: float = option(0.5, "Temperature tau of the cosine similarities.", above=0)

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses import simclr_loss

        return partial(simclr_loss, temperature=self.temperature)
