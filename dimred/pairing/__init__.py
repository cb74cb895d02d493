"""Pairing: which rows of a batch are similar, dissimilar or not compared."""

from dimred.pairing.augmentation import TwoViews
from dimred.pairing.kinds import Classes, Neighbours, Viewpoints
from dimred.pairing.neighbours import neighbour_graph
from dimred.pairing.pairs import LabelledPairs, Partners
from dimred.pairing.relation import (
    Relation,
    azimuth_and_elevation,
    merged_viewpoint,
    neighbourhood,
    neighbourhood_and_transformation,
    same_class,
)
from dimred.pairing.sampling import InBatchSampling, PairSampling
from dimred.pairing.scope import PairingScope, RelationOfItems
from dimred.pairing.strategy import Pairing, Selection
from dimred.pairing.targets import FixedTargets, Targets, randomly_shifted

__all__ = [
    "Classes",
    "FixedTargets",
    "InBatchSampling",
    "LabelledPairs",
    "Neighbours",
    "PairSampling",
    "Pairing",
    "PairingScope",
    "Partners",
    "Relation",
    "RelationOfItems",
    "Selection",
    "Targets",
    "TwoViews",
    "Viewpoints",
    "azimuth_and_elevation",
    "merged_viewpoint",
    "neighbour_graph",
    "neighbourhood",
    "neighbourhood_and_transformation",
    "randomly_shifted",
    "same_class",
]
