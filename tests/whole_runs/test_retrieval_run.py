"""A run whose map is judged as a metric."""

import numpy as np
import pytest
from command import SMOKE, dimred, only_run, summary

from dimred.evaluation import class_retrieval, unit_vectors
from dimred.measures.retrieval import RetrievalOfClasses

WORDS = [*SMOKE, "dataset.limit=300", "eval.linear=none", "eval.save_h=true"]


@pytest.mark.usefixtures("no_figures")
def test_a_finished_run_is_measured_as_a_metric_without_training(tmp_path):
    dimred(tmp_path, *WORDS)
    run = only_run(tmp_path)
    assert "retrieval" not in summary(run)
    words = [*WORDS, "eval.retrieval=true", "eval.recall=[1,6]", "eval.references=true"]
    out, _ = dimred(tmp_path, *words)
    assert " epoch " not in out
    found = summary(run)["retrieval"]
    with np.load(run / "embedding.npz") as content:
        test = content["split"] == "test"
        z, h, labels = content["z"][test], content["h"][test], content["label"][test]
    for space, points in (("z", z), ("h", unit_vectors(h))):
        expected = class_retrieval(points, labels, [1, 6])
        assert found[f"recall6_{space}"] == expected.recall[6]
        assert found[f"map_at_r_{space}"] == pytest.approx(expected.map_at_r, abs=1e-12)
    assert found["images"] == "50 test images of 10 classes, which were learned from"
    # Digits are told apart by their pixels.
    assert found["recall1_pixels"] > 0.6 > found["recall1_untrained_z"]
    assert all(line in out for line in RetrievalOfClasses.lines(found))
    part = summary(run)["measures"]["numbers"]["recall6_untrained_z"]
    assert part == {
        "measure": "recall",
        "space": "untrained_z",
        "split": "",
        "k": 6,
        "part": "",
    }
    assert "finished before" in dimred(tmp_path, *words)[0]
    out, _ = dimred(tmp_path, *words, "eval.recall=[50]")
    reason = "eval.recall=[50]: must be at most 49 with 50 images"
    assert f"left out              retrieval: {reason}" in out
    assert "Recall@" not in out
