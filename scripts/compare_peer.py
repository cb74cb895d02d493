"""alibi-detect's ClassifierDrift on draws of `compare_campaign.py`, which runs this with a Python
that has alibi-detect and scikit-learn.

    python compare_peer.py DRAWS.npz

DRAWS.npz has "N is_b" and "N SPACE" for each draw N. Prints a line of JSON: for each draw, p and
CPU seconds in each space, of scikit-learn's logistic regression in five folds, the rest by default:
the Kolmogorov-Smirnov statistic of the folds' probabilities together.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings

import numpy as np
from alibi_detect.cd import ClassifierDrift  # type: ignore[import-not-found, unused-ignore]
from sklearn.linear_model import LogisticRegression


def main() -> None:
    """Test every draw in every space."""
    warnings.simplefilter("ignore")  # of iterations that did not converge
    logging.disable(logging.WARNING)  # of each detector, that folds come before train_size
    found: dict[str, dict[str, dict[str, float]]] = {}
    with np.load(sys.argv[1]) as arrays:
        for key in arrays.files:
            number, name = key.split(" ")
            if name == "is_b":
                continue
            line = found.setdefault(number, {"p": {}, "cpu": {}})
            is_b = arrays[f"{number} is_b"]
            points = arrays[key].astype(np.float32)
            points = (points - points.mean(0)) / (points.std() or 1)  # or it would not converge
            began = time.process_time()
            detector = ClassifierDrift(
                points[~is_b],
                LogisticRegression(max_iter=200),
                backend="sklearn",
                n_folds=5,
                seed=int(number),
                verbose=0,
            )
            line["p"][name] = float(detector.predict(points[is_b])["data"]["p_val"])
            line["cpu"][name] = round(time.process_time() - began, 4)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
