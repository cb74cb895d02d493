"""DrLIM's contrastive loss and its generalization to groups of dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from dimred.losses.hinge import HingeForm
from dimred.losses.protocol import Reduction
from dimred.pairing.pairs import LabeledPairs


def drlim_loss(
    z: Tensor,
    pairs: LabeledPairs,
    margin: float = 1.0,
    form: HingeForm = HingeForm.squared_hinge,
    reduction: Reduction = "mean",
) -> Tensor:
    """Contrastive loss: half of d^2 for a similar pair, half of the hinge for a dissimilar one.

    Hadsell, Chopra, LeCun 2006, equation 4, https://doi.org/10.1109/CVPR.2006.100, where d is the
    Euclidean distance of the two embeddings. The gradient of a pair is zero at d = 0, and that of a
    dissimilar pair where d >= margin (in the legacy form, d^2 >= margin).

    z: embeddings (n, d); bf16 and float16 are computed in float32.
    pairs: labeled pairs with one component.
    margin: m, above 0.
    reduction: "mean", or "none" for the loss of each row, as `generalized_contrastive_loss`.
    Returns a scalar, the weighted sum over the pairs (their mean where all weights are 1 / P).
    Raises ValueError for a margin that is not positive or pairs of more than one component.
    """
    return generalized_contrastive_loss(z, pairs, [z.shape[1]], [margin], None, form, reduction)


def generalized_contrastive_loss(
    z: Tensor,
    pairs: LabeledPairs,
    groups: Sequence[int],
    margins: Sequence[float],
    weights: Sequence[float] | None = None,
    form: HingeForm = HingeForm.squared_hinge,
    reduction: Reduction = "mean",
) -> Tensor:
    """Sum over groups of dimensions of a contrastive loss with separate labels for each group.

    Angel 2015, "Distortion-Predictable Embedding of Neural Networks", equation 4.7, where
    component i of a pair's label applies to the distance within group i. One group is `drlim_loss`.

    z: embeddings (n, d); bf16 and float16 are computed in float32.
    pairs: labeled pairs with one component for each group.
    groups: sizes of the groups, consecutive dimensions; they add up to d.
    margins: of each group, above 0.
    weights: of each group, at least 0; None for 1 each, as in Angel (2015).
    reduction: "mean", or "none" for the loss of each row: n times half the loss of its pairs.
    Returns a scalar, or (n,) whose mean is that scalar.
    Raises ValueError for groups that do not cover every dimension once, a margin that is not
    positive, a negative weight, or numbers of groups, margins, weights and components that differ.
    """
    if weights is not None and (
        len(weights) != len(groups) or not all(w >= 0 and math.isfinite(w) for w in weights)
    ):
        raise ValueError(f"weights={list(weights)}: must be {len(groups)} numbers of at least 0")
    if reduction == "none":
        return _row_losses(z, pairs, _costs(z, pairs, groups, margins, form), weights)
    losses = component_losses(z, pairs, groups, margins, form)
    return losses.sum() if weights is None else (losses * losses.new_tensor(weights)).sum()


def component_losses(
    z: Tensor,
    pairs: LabeledPairs,
    groups: Sequence[int],
    margins: Sequence[float],
    form: HingeForm = HingeForm.squared_hinge,
) -> Tensor:
    """The contrastive loss of each group (p,); `generalized_contrastive_loss` is their sum."""
    costs = _costs(z, pairs, groups, margins, form)
    with torch.autocast(z.device.type, enabled=False):
        weighted = [pairs.weight[:, i].to(cost.dtype) @ cost for i, cost in enumerate(costs)]
        return torch.stack([0.5 * loss for loss in weighted])


def _costs(
    z: Tensor,
    pairs: LabeledPairs,
    groups: Sequence[int],
    margins: Sequence[float],
    form: HingeForm,
) -> list[Tensor]:
    """d^2 of similar pairs and the hinge of dissimilar ones in each group, (P,) each."""
    _check(z.shape[1], pairs.similar.shape[1], groups, margins)
    with torch.autocast(z.device.type, enabled=False):
        z = z if z.dtype == torch.float64 else z.float()
        squares = (z.index_select(0, pairs.left) - z.index_select(0, pairs.right)).square()
        costs = []
        parts = torch.split(squares, list(groups), dim=1)
        for number, (part, margin) in enumerate(zip(parts, margins, strict=True)):
            distances2 = part.sum(1)
            hinge = _hinge(distances2, margin, form)
            costs.append(torch.where(pairs.similar[:, number], distances2, hinge))
        return costs


def _row_losses(
    z: Tensor, pairs: LabeledPairs, costs: Sequence[Tensor], weights: Sequence[float] | None
) -> Tensor:
    """The loss of each row (n,): n times half the loss of its pairs."""
    factors = weights or [1.0] * len(costs)
    total = sum(
        factor * pairs.weight[:, number].to(cost.dtype) * cost
        for number, (factor, cost) in enumerate(zip(factors, costs, strict=True))
    )
    assert isinstance(total, Tensor)
    rows = total.new_zeros(len(z))
    for ends in (pairs.left, pairs.right):
        rows = rows.index_add(0, ends, total)
    # The loss of a pair is half its cost, and half of that goes to either end.
    return rows * (0.25 * len(z))


def _hinge(distances2: Tensor, margin: float, form: HingeForm) -> Tensor:
    """The cost of dissimilar pairs at these squared distances (P,)."""
    if form is HingeForm.legacy_caffe:
        return (margin - distances2).relu()
    apart = distances2 > 0
    # Distance 0 is treated apart, since the root's gradient is infinite there.
    distances = torch.where(apart, distances2, 1.0).sqrt() * apart
    return (margin - distances).relu().square()


def _check(dim: int, components: int, groups: Sequence[int], margins: Sequence[float]) -> None:
    if any(size < 1 for size in groups) or sum(groups) != dim:
        raise ValueError(
            f"groups={list(groups)}: must be positive and add up to the {dim} dimensions of Z"
        )
    if len(margins) != len(groups):
        raise ValueError(f"margins={list(margins)}: must be one for each of {len(groups)} groups")
    if not all(m > 0 and math.isfinite(m) for m in margins):
        raise ValueError(f"margins={list(margins)}: must be above 0")
    if components != len(groups):
        raise ValueError(f"{components} labels a pair, {len(groups)} groups: must be equal")
