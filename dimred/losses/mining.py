"""Which triplets and pairs of a batch count in a loss of deep metric learning."""

from __future__ import annotations

from enum import Enum


class Mining(Enum):
    """The negatives n of an anchor a and its positive p."""

    semi_hard = "semi_hard"
    """The nearest negative that is farther from a than p is; else the farthest of all."""
    all = "all"
    """Every negative, in a triplet each."""
    distance_weighted = "distance_weighted"
    """One negative, drawn so that all distances are about equally frequent."""


class Average(Enum):
    """What a sum of hinges is divided by."""

    all = "all"
    """The number of all."""
    above_zero = "above_zero"
    """The number of those that are above 0."""
