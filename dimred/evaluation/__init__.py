"""Measures of maps and features."""

from dimred.evaluation.average_precision import average_precision, class_precision
from dimred.evaluation.clusters import Agreement, agreement, kmeans_clusters, pair_f1
from dimred.evaluation.factors import FactorMeasures
from dimred.evaluation.knn import knn_accuracy, knn_hits, random_split
from dimred.evaluation.linear import logistic_accuracy, sgd_softmax_accuracy
from dimred.evaluation.localization import center_points, have_boxes, inside_boxes
from dimred.evaluation.measurement import Measurement
from dimred.evaluation.neighborhood import neighbor_overlap, partners_found, trustworthiness
from dimred.evaluation.pair_losses import PairLosses
from dimred.evaluation.predictability import (
    circular_correlation,
    factor_r2,
    invariance_ratio,
    one_hot,
    rank_correlation,
    rank_correlation_ceiling,
    targets_of,
    transformed_embedding_r2,
)
from dimred.evaluation.retrieval import Retrieval, class_retrieval
from dimred.evaluation.splits import Splits
from dimred.evaluation.spread import class_spread
from dimred.evaluation.unit_length import unit_vectors

__all__ = [
    "Agreement",
    "FactorMeasures",
    "Measurement",
    "PairLosses",
    "Retrieval",
    "Splits",
    "agreement",
    "average_precision",
    "center_points",
    "circular_correlation",
    "class_precision",
    "class_retrieval",
    "class_spread",
    "factor_r2",
    "have_boxes",
    "inside_boxes",
    "invariance_ratio",
    "kmeans_clusters",
    "knn_accuracy",
    "knn_hits",
    "logistic_accuracy",
    "neighbor_overlap",
    "one_hot",
    "pair_f1",
    "partners_found",
    "random_split",
    "rank_correlation",
    "rank_correlation_ceiling",
    "sgd_softmax_accuracy",
    "targets_of",
    "transformed_embedding_r2",
    "trustworthiness",
    "unit_vectors",
]
