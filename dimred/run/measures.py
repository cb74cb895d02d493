"""Which measures of its map a run takes besides those of every map."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.config import RunConfig
from dimred.evaluation import FactorMeasures, PairLosses
from dimred.pairing import PairingScope, neighbourhood
from dimred.pairing.labeled_options import Knn, RelationOptions

_TEST_PAIRS_SEED = 0


class Measure(Protocol):
    """Measures an embedding."""

    def measure(self, z: NDArray[np.floating]) -> dict[str, float]:
        """Values by name, of Z (items, d)."""
        ...


def further_measures(config: RunConfig, test: PairingScope) -> list[Measure]:
    """The measures of a run with labelled pairs, or of images with known factors.

    test: the held-out images, or all where there are none.
    Raises InputError where the test images do not allow the pairs, as `PairingScope` does.
    """
    pairing = config.pairing
    groups, margins = config.last_loss.layout
    measures: list[Measure] = []
    if isinstance(pairing, RelationOptions) and margins:
        relation, items = pairing.relation(test)
        pairs = relation.test_pairs(_generator()).at(items)
        measures.append(PairLosses("contrast", pairs, relation.components, groups, margins))
    if isinstance(pairing, Knn) and margins and test.n_transformations > 1:
        # DrLIM's own test pairs, for maps learned from other relations too.
        relation, items = test.neighbours(pairing.k, pairing.same_class, neighbourhood)
        pairs = relation.test_pairs(_generator()).at(items)
        first = groups[:1] if groups else None
        measures.append(PairLosses("drlim", pairs, relation.components, first, margins[:1]))
    if test.items.factors:
        sizes = groups or pairing.group_sizes(test)
        measures.append(FactorMeasures(test.items, test.n_transformations, sizes))
    return measures


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(_TEST_PAIRS_SEED)
