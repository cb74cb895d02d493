"""The two forms of the contrastive loss' hinge."""

from __future__ import annotations

from enum import Enum


class HingeForm(Enum):
    """The cost of a dissimilar pair at distance d, with margin m."""

    squared_hinge = "squared_hinge"
    """max(0, m - d)^2, the printed formula."""
    legacy_caffe = "legacy_caffe"
    """max(0, m - d^2), which Angel's (2015) build of Caffe computed: the margin applies to d^2."""
