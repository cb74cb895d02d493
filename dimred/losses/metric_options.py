"""Options of the losses of deep metric learning, for the pairing class_batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dimred.losses.mining import Average, Mining
from dimred.losses.options import LossOptions
from dimred.options.option import option
from dimred.options.registry import register
from dimred.pairing.formats import PairFormat

if TYPE_CHECKING:
    from dimred.losses import Loss, LossSizes

_LARGEST = 1e6  # Such margins and scales leave float32 room for squares.


@dataclass
class MetricLossOptions(LossOptions):
    """Options of every loss of batches of classes."""

    requires: ClassVar[PairFormat] = PairFormat.class_pairs


@register("loss", "triplet")
@dataclass
class Triplet(MetricLossOptions):
    """The triplet loss: a positive is to be nearer than a negative by a margin."""

    margin: float = option(
        0.2,
        "By how much: max(0, margin + D(a,p)^2 - D(a,n)^2); 0.2 in FaceNet (Schroff et al. 2015) "
        "and Roth et al. (2020), and DVML prints none.",
        at_least=0,
        at_most=_LARGEST,
        also=("alpha",),
    )
    squared: bool = option(
        True,
        "Squared distances, as FaceNet and DVML's equation 2 print; false = plain distances, as "
        "Wu et al. (2017) and DVML's equation 4.",
    )
    normalize: bool = option(
        True,
        "Compare embeddings at length 1, as FaceNet; DVML does not say whether it does.",
        also=("normalize_embeddings", "l2_normalize"),
    )
    mining: Mining = option(
        Mining.semi_hard,
        "The negatives of each anchor and positive: semi_hard = the nearest one that is farther "
        "than the positive, else the farthest (TensorFlow's rule for FaceNet's); all = each in a "
        "triplet; distance_weighted = one drawn with probability 1/q(d), at distances of 0.5 to "
        "1.4 (Wu et al. 2017, DVML's DWS, with loss.squared=false).",
        also=("miner", "sampling"),
    )
    average: Average = option(
        Average.all,
        "What the sum over triplets is divided by: all = the number of mined triplets; above_zero "
        "= of those with a loss above 0 (Hermans et al. 2017), for mining=all, where most have "
        "none. FaceNet and DVML print a sum, whose scale depends on the batch.",
        also=("reducer",),
    )

    def problems(self, stage: str, out_dim: int) -> Iterator[str]:
        if self.mining is Mining.distance_weighted and not self.normalize:
            yield (
                "loss.mining=distance_weighted: is for embeddings of length 1; set "
                "loss.normalize=true"
            )

    def build(self) -> Loss:
        from dimred.losses.triplet import TripletLoss

        return TripletLoss(self.margin, self.squared, self.normalize, self.mining, self.average)


@register("loss", "n_pair")
@dataclass
class NPair(MetricLossOptions):
    """The N-pair loss (Sohn 2016): softmax of raw dot products of anchors and positives."""

    l2: float = option(
        3e-3,
        "Weight of the penalty l2/4 (mean |anchor|^2 + mean |positive|^2): 3e-3 for Cars and "
        "1.5e-2 for CUB in the code of DVML's laboratory (HDML), 0.02 after Sohn (2016) in that of "
        "Roth et al. (2020); DVML prints none.",
        at_least=0,
        at_most=_LARGEST,
        also=("l2_weight", "reg_lambda"),
    )

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses.n_pair import n_pair_loss

        return partial(n_pair_loss, l2=self.l2)


@register("loss", "contrastive")
@dataclass
class MarginContrastive(MetricLossOptions):
    """The contrastive loss of deep metric learning; loss=drlim is its squared twin."""

    positive_margin: float = option(
        0.0,
        "Distance from which on pairs of a class attract: max(0, d - positive_margin), 0 in Roth "
        "et al. (2020). DrLIM has d^2 / 2.",
        at_least=0,
        at_most=_LARGEST,
        also=("pos_margin",),
    )
    negative_margin: float = option(
        1.0,
        "Distance up to which pairs of two classes repel: max(0, negative_margin - d), 1 in Roth "
        "et al. (2020); Musgrave et al. (2020) found 0.4 to 0.5 best. DrLIM has half the square.",
        above=0,
        at_most=_LARGEST,
        also=("neg_margin", "margin"),
    )
    normalize: bool = option(
        True,
        "Compare embeddings at length 1, as Roth et al. (2020); DrLIM compares them as they are.",
        also=("normalize_embeddings", "l2_normalize"),
    )
    average: Average = option(
        Average.all,
        "Of each kind of pairs, the mean over all, or over those above_zero, as "
        "pytorch-metric-learning, where few negatives within the margin weigh as much as many.",
        also=("reducer",),
    )

    def problems(self, stage: str, out_dim: int) -> Iterator[str]:
        if self.positive_margin >= self.negative_margin:
            yield (
                f"loss.positive_margin={self.positive_margin}: must be below "
                f"loss.negative_margin={self.negative_margin}"
            )

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses.margin_contrastive import margin_contrastive_loss

        return partial(
            margin_contrastive_loss,
            positive_margin=self.positive_margin,
            negative_margin=self.negative_margin,
            normalize=self.normalize,
            average=self.average,
        )


@register("loss", "lifted_structure")
@dataclass
class LiftedStructure(MetricLossOptions):
    """The lifted structured loss (Song et al. 2016): each pair against all its negatives."""

    margin: float = option(
        1.0,
        "Added to minus the distance of each negative, before the logarithm of the sum of "
        "exponentials; Song et al. (2016) train with 1.",
        at_least=0,
        at_most=_LARGEST,
    )
    normalize: bool = option(
        False,
        "Compare embeddings at length 1; Song et al. (2016) compare them as they are.",
        also=("normalize_embeddings", "l2_normalize"),
    )

    def build(self) -> Loss:
        from functools import partial

        from dimred.losses.lifted_structure import lifted_structure_loss

        return partial(lifted_structure_loss, margin=self.margin, normalize=self.normalize)


@register("loss", "proxy_nca")
@dataclass
class ProxyNCA(MetricLossOptions):
    """Proxy-NCA (Movshovitz-Attias et al. 2017): a learned point for each class to be near to."""

    scale: float = option(
        3.0,
        "Length at which embeddings and proxies are compared by squared distances: 3 in Roth et "
        "al. (2020), 1 in pytorch-metric-learning.",
        above=0,
        at_most=1e3,
    )
    own_in_sum: bool = option(
        False,
        "Whether the sum over proxies has that of the own class: false as printed, true = the "
        "softmax that pytorch-metric-learning takes.",
    )
    lr_factor: float = option(
        50.0,
        "Factor of the learning rate for the proxies: 50 in Roth et al. (2020), at a rate of 1e-5; "
        "on scikit-learn's digits with Adam, factors of 1 to 200 reach the same.",
        above=0,
        at_most=1e6,
        unit="a factor",
        also=("proxy_lr", "proxylr"),
    )

    def build(self) -> Loss:
        from dimred.errors import InputError

        raise InputError(
            "loss=proxy_nca: has a proxy for each class, so it is built for a number of classes: "
            "build_for(LossSizes(h_dim, out_dim, n_classes))"
        )

    def build_for(self, sizes: LossSizes) -> Loss:
        from dimred.errors import InputError
        from dimred.losses.proxy_nca import ProxyNCALoss

        if sizes.n_classes is None:
            raise InputError(
                "loss=proxy_nca: has a proxy for each class, and the pairing does not say how many "
                "there are; pairing=class_batches does"
            )
        return ProxyNCALoss(
            sizes.n_classes, sizes.out_dim, self.scale, self.own_in_sum, self.lr_factor
        )
