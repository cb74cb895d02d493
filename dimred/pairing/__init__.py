"""Pairing: which rows of a batch are similar, dissimilar or not compared."""

from dimred.pairing.augmentation import TwoViews
from dimred.pairing.pairs import Partners
from dimred.pairing.strategy import Pairing, Selection

__all__ = ["Pairing", "Partners", "Selection", "TwoViews"]
