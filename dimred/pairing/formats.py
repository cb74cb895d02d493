"""Formats of the pairs or targets that a pairing gives to a loss."""

from __future__ import annotations

from enum import Enum


class PairFormat(Enum):
    """What a pairing provides and a loss requires; they fit together if the two are equal."""

    positive_pairs = "positive_pairs"
    """`PositivePairs`: each row has one similar row."""
    labeled_pairs = "labeled_pairs"
    """`LabeledPairs`: pairs of rows with one or more labels each."""
    class_pairs = "class_pairs"
    """`ClassPairs`: the class of each row, and pairs of rows of one class."""
    classes = "classes"
    """`Targets`: the class of each row."""
    targets = "targets"
    """`Targets`: the target embedding of each row."""
    presence = "presence"
    """`Targets`: whether each of K classes is present in the image of each row, float 0 or 1."""
