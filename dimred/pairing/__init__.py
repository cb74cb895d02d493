"""Pairing: which rows of a batch are similar, dissimilar or not compared."""

from typing import TYPE_CHECKING

from dimred.options.lazy import lazy_names

if TYPE_CHECKING:
    from dimred.pairing.augmentation import TwoViews as TwoViews
    from dimred.pairing.categories import Classes as Classes
    from dimred.pairing.categories import Neighbors as Neighbors
    from dimred.pairing.categories import PairCategories as PairCategories
    from dimred.pairing.categories import Viewpoints as Viewpoints
    from dimred.pairing.check import check_pairing as check_pairing
    from dimred.pairing.class_batches import ClassBatches as ClassBatches
    from dimred.pairing.formats import PairFormat as PairFormat
    from dimred.pairing.labeled_options import RelationOptions as RelationOptions
    from dimred.pairing.neighbors import neighbor_graph as neighbor_graph
    from dimred.pairing.options import Augmentation as Augmentation
    from dimred.pairing.options import PairingOptions as PairingOptions
    from dimred.pairing.pairs import ClassPairs as ClassPairs
    from dimred.pairing.pairs import LabeledPairs as LabeledPairs
    from dimred.pairing.pairs import PositivePairs as PositivePairs
    from dimred.pairing.protocol import Pairing as Pairing
    from dimred.pairing.protocol import StepBatch as StepBatch
    from dimred.pairing.relation import Relation as Relation
    from dimred.pairing.relation import azimuth_and_elevation as azimuth_and_elevation
    from dimred.pairing.relation import merged_viewpoint as merged_viewpoint
    from dimred.pairing.relation import neighborhood as neighborhood
    from dimred.pairing.relation import (
        neighborhood_and_transformation as neighborhood_and_transformation,
    )
    from dimred.pairing.relation import same_class as same_class
    from dimred.pairing.sampling import InBatchSampling as InBatchSampling
    from dimred.pairing.sampling import PairSampling as PairSampling
    from dimred.pairing.scope import PairingScope as PairingScope
    from dimred.pairing.scope import RelationOfSamples as RelationOfSamples
    from dimred.pairing.targets import FixedTargets as FixedTargets
    from dimred.pairing.targets import Targets as Targets
    from dimred.pairing.targets import randomly_shifted as randomly_shifted

_MODULES = {
    "Augmentation": "options",
    "ClassBatches": "class_batches",
    "ClassPairs": "pairs",
    "Classes": "categories",
    "FixedTargets": "targets",
    "InBatchSampling": "sampling",
    "LabeledPairs": "pairs",
    "Neighbors": "categories",
    "PairCategories": "categories",
    "PairFormat": "formats",
    "PairSampling": "sampling",
    "Pairing": "protocol",
    "PairingOptions": "options",
    "PairingScope": "scope",
    "PositivePairs": "pairs",
    "Relation": "relation",
    "RelationOfSamples": "scope",
    "RelationOptions": "labeled_options",
    "StepBatch": "protocol",
    "Targets": "targets",
    "TwoViews": "augmentation",
    "Viewpoints": "categories",
    "azimuth_and_elevation": "relation",
    "check_pairing": "check",
    "merged_viewpoint": "relation",
    "neighbor_graph": "neighbors",
    "neighborhood": "relation",
    "neighborhood_and_transformation": "relation",
    "randomly_shifted": "targets",
    "same_class": "relation",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
