"""The contrastive loss on fixed pairs of test samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.evaluation.measurement import Measurement
from dimred.losses import HingeForm, component_losses
from dimred.pairing.pairs import LabeledPairs

_BLOCK = 500_000  # pairs at a time


class PairLosses:
    """The contrastive loss on fixed pairs of samples, in both forms of the hinge.

    name: first part of the measures' names: `NAME_legacy_caffe`, `NAME_squared_hinge`, and with
        more than one component `NAME_legacy_caffe_COMPONENT`.
    pairs: of rows of the embedding; one component for each group.
    components: their names.
    groups: sizes of the groups of dimensions, from the first dimension on, ignoring later ones;
        None for one group of all dimensions.
    margins: of each group.
    """

    def __init__(
        self,
        name: str,
        pairs: LabeledPairs,
        components: Sequence[str],
        groups: Sequence[int] | None,
        margins: Sequence[float],
    ):
        self.name = name
        self.pairs = pairs
        self.components = components
        self.groups = groups
        self.margins = margins

    def measure(self, z: NDArray[np.floating]) -> Iterator[Measurement]:
        """The losses of Z, float (samples, d); none if Z has fewer dimensions than the groups."""
        groups = self.groups or [z.shape[1]]
        if sum(groups) > z.shape[1]:  # a stage with fewer dimensions
            return
        points = torch.from_numpy(np.ascontiguousarray(z[:, : sum(groups)], np.float64))
        for form in HingeForm:
            losses = sum(
                component_losses(points, block, groups, self.margins, form)
                for block in self.pairs.blocks(_BLOCK)
            )
            assert isinstance(losses, torch.Tensor)
            measure = f"{self.name}_{form.value}"
            yield Measurement(float(losses.sum()), measure)
            if len(losses) > 1:
                for component, loss in zip(self.components, losses.tolist(), strict=True):
                    yield Measurement(loss, measure, part=component)
