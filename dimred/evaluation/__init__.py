"""Measures of a map and of the features behind it: functions of arrays and nothing else."""

from dimred.evaluation.judge import Judge
from dimred.evaluation.knn import knn_accuracy, random_split
from dimred.evaluation.linear import logistic_accuracy, sgd_softmax_accuracy
from dimred.evaluation.neighbourhood import neighbour_overlap, trustworthiness

__all__ = [
    "Judge",
    "knn_accuracy",
    "logistic_accuracy",
    "neighbour_overlap",
    "random_split",
    "sgd_softmax_accuracy",
    "trustworthiness",
]
