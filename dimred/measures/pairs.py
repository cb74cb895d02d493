"""The contrastive loss on pairs of test images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.errors import InputError
from dimred.measures.protocol import Embedding, LeftOut, Measure, Setting, When
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.measurement import Measurement
    from dimred.evaluation.pair_losses import PairLosses
    from dimred.pairing import RelationOfSamples

_SEED = 0


@register("measure", "contrast")
@dataclass
class TestPairs(Measure):
    """The contrastive loss, in both forms, on pairs of held-out images by the run's pairing; where
    some classes are not learned from, on pairs of images of these."""

    when: ClassVar[When] = When.every
    __test__: ClassVar[bool] = False  # no test, as pytest would conclude from the name

    def applies(self, setting: Setting) -> bool:
        from dimred.pairing.labeled_options import RelationOptions

        relation = isinstance(setting.config.pairing, RelationOptions)
        return relation and bool(setting.config.last_loss.embedding_groups.margins)

    def prepare(self, setting: Setting) -> None:
        groups, margins = setting.config.last_loss.embedding_groups
        self._losses = _pair_losses("contrast", self._relation(setting), groups, margins)

    def _relation(self, setting: Setting) -> RelationOfSamples:
        try:
            return setting.config.pairing.relation(setting.test)  # type: ignore[attr-defined,no-any-return]
        except InputError as error:
            raise LeftOut(str(error).partition(";")[0]) from error  # drop the advice for training

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        yield from self._losses.measure(embedding.samples_z)


@register("measure", "drlim")
@dataclass
class DrlimPairs(TestPairs):
    """DrLIM's loss on its test pairs (neighbors in all transformations), in the first group of
    dimensions. It is comparable between maps learned from different relations of neighbors."""

    def applies(self, setting: Setting) -> bool:
        from dimred.pairing.labeled_options import Knn

        knn = isinstance(setting.config.pairing, Knn)
        return knn and setting.n_variants > 1 and super().applies(setting)

    def prepare(self, setting: Setting) -> None:
        groups, margins = setting.config.last_loss.embedding_groups
        first = groups[:1] if groups else None
        self._losses = _pair_losses("drlim", self._relation(setting), first, margins[:1])

    def _relation(self, setting: Setting) -> RelationOfSamples:
        from dimred.pairing import neighborhood

        pairing = setting.config.pairing
        try:
            return setting.test.neighbors(pairing.k, pairing.same_class, neighborhood)  # type: ignore[attr-defined]
        except InputError as error:
            raise LeftOut(str(error).partition(";")[0]) from error  # drop the advice for training


def _pair_losses(
    name: str,
    relation_of_samples: RelationOfSamples,
    groups: list[int] | None,
    margins: list[float],
) -> PairLosses:
    import torch

    from dimred.evaluation.pair_losses import PairLosses

    relation, samples = relation_of_samples
    pairs = relation.test_pairs(torch.Generator().manual_seed(_SEED)).at(samples)
    return PairLosses(name, pairs, relation.components, groups, margins)
