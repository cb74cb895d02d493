"""What a pairing can tell a loss of a batch."""

from __future__ import annotations

from enum import Enum


class PairFormat(Enum):
    """What a pairing provides and a loss requires; the two go together where these are equal."""

    positive_pairs = "positive_pairs"
    """Each row has one similar row: `pairing.pairs`."""
    labeled_pairs = "labeled_pairs"
    """Pairs of rows with a label for each of some components: `pairing.pairs`."""
    classes = "classes"
    """The class that each row should become: `pairing.targets`."""
    targets = "targets"
    """The values that each row should become: `pairing.targets`."""
