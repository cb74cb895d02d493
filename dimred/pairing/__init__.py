"""Pairing: which rows of a batch are similar, dissimilar or not compared."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dimred.pairing.augmentation import TwoViews as TwoViews
    from dimred.pairing.formats import PairFormat as PairFormat
    from dimred.pairing.kinds import Classes as Classes
    from dimred.pairing.kinds import Neighbours as Neighbours
    from dimred.pairing.kinds import Viewpoints as Viewpoints
    from dimred.pairing.labeled_options import RelationOptions as RelationOptions
    from dimred.pairing.neighbours import neighbour_graph as neighbour_graph
    from dimred.pairing.options import Augmentation as Augmentation
    from dimred.pairing.options import PairingOptions as PairingOptions
    from dimred.pairing.pairs import LabelledPairs as LabelledPairs
    from dimred.pairing.pairs import Partners as Partners
    from dimred.pairing.relation import Relation as Relation
    from dimred.pairing.relation import azimuth_and_elevation as azimuth_and_elevation
    from dimred.pairing.relation import merged_viewpoint as merged_viewpoint
    from dimred.pairing.relation import neighbourhood as neighbourhood
    from dimred.pairing.relation import (
        neighbourhood_and_transformation as neighbourhood_and_transformation,
    )
    from dimred.pairing.relation import same_class as same_class
    from dimred.pairing.sampling import InBatchSampling as InBatchSampling
    from dimred.pairing.sampling import PairSampling as PairSampling
    from dimred.pairing.scope import PairingScope as PairingScope
    from dimred.pairing.scope import RelationOfItems as RelationOfItems
    from dimred.pairing.strategy import Pairing as Pairing
    from dimred.pairing.strategy import Selection as Selection
    from dimred.pairing.targets import FixedTargets as FixedTargets
    from dimred.pairing.targets import Targets as Targets
    from dimred.pairing.targets import randomly_shifted as randomly_shifted

_MODULES = {
    "Augmentation": "options",
    "Classes": "kinds",
    "FixedTargets": "targets",
    "InBatchSampling": "sampling",
    "LabelledPairs": "pairs",
    "Neighbours": "kinds",
    "PairFormat": "formats",
    "PairSampling": "sampling",
    "Pairing": "strategy",
    "PairingOptions": "options",
    "PairingScope": "scope",
    "Partners": "pairs",
    "Relation": "relation",
    "RelationOfItems": "scope",
    "RelationOptions": "labeled_options",
    "Selection": "strategy",
    "Targets": "targets",
    "TwoViews": "augmentation",
    "Viewpoints": "kinds",
    "azimuth_and_elevation": "relation",
    "merged_viewpoint": "relation",
    "neighbour_graph": "neighbours",
    "neighbourhood": "relation",
    "neighbourhood_and_transformation": "relation",
    "randomly_shifted": "targets",
    "same_class": "relation",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    """A name of the package, imported when it is asked for: PyTorch takes seconds."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
