"""Runs that learn where classes are from which classes images show."""

import numpy as np
import pytest
from command import dimred, only_run, summary
from crash import Crash, crash_after

TINY = [
    *("train", "experiment=locate_digits", "dataset.n_train=60", "dataset.n_test=20"),
    *("model.widths=[3,4]", "schedule.batch_size=20", "schedule.stages.train.epochs=2"),
    *("pairing.scales=[0.7,1.4]", "model.test_scales=[0.7,1]", "model.score_pool=lse"),
    *("view=false", "checkpoint_every=0", "eval.every=1", "pairing.shift_x=1"),
]

pytestmark = pytest.mark.usefixtures("no_figures_here")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    dimred(path, *TINY)
    return only_run(path)


@pytest.mark.parametrize("count", [2, 5])
def test_a_run_of_random_sizes_cut_short_goes_on_to_the_same_result(
    whole, tmp_path, monkeypatch, count
):
    with monkeypatch.context() as patch:
        crash_after(patch, count)
        with pytest.raises(Crash):
            dimred(tmp_path, *TINY)
    dimred(tmp_path, *TINY)
    run = only_run(tmp_path)
    for file in ("embedding.npz", "weights.safetensors"):
        assert (run / file).read_bytes() == (whole / file).read_bytes(), file
    ours, theirs = summary(run), summary(whole)
    assert ours["classes"] == theirs["classes"]
    assert ours["final"]["mean_location_ap"] == theirs["final"]["mean_location_ap"]


def test_another_tolerance_is_measured_without_training_again(whole):
    before = summary(whole)["final"]
    out, _ = dimred(whole.parents[1], *TINY, "eval.location_tolerance=30")
    assert "measuring again" in out
    after = summary(whole)["final"]
    assert after["mean_ap"] == before["mean_ap"]
    # Everywhere is near enough, so that only what is shown counts.
    assert after["mean_location_ap"] == after["mean_center_ap"] == after["mean_ap"]
    assert after["mean_location_ap"] > before["mean_location_ap"]
    dimred(whole.parents[1], *TINY)
    assert summary(whole)["final"]["mean_location_ap"] == before["mean_location_ap"]


def stripes(path):
    """Noisy images that show a patch of stripes across, one of stripes down, both or none, with
    their boxes."""
    rng, n, side, long = np.random.default_rng(0), 400, 28, 6
    images = rng.integers(0, 150, (n, side, side), dtype=np.uint8)
    labels, boxes = rng.random((n, 2)) < 0.4, []
    for image, kind in np.argwhere(labels):
        left, top = rng.integers(0, side - long + 1, 2)
        patch = images[image, top : top + long, left : left + long]
        (patch if kind == 0 else patch.T)[::2] = 255
        boxes.append([image, kind, left, top, left + long, top + long])
    names = np.array(["across", "down"])
    split = np.where(np.arange(n) < 300, "train", "test")
    np.savez(path, images=images, labels=labels, class_names=names, boxes=boxes, split=split)


def test_patches_are_found_without_having_been_told_where(tmp_path):
    stripes(tmp_path / "stripes.npz")
    dimred(
        tmp_path,
        *("train", "experiment=locate", "dataset=npz", "dataset.path=stripes.npz"),
        *("pairing=class_presence", "model.widths=[6,8]", "schedule.batch_size=25", "view=false"),
        *("schedule.stages.train.epochs=12", "schedule.stages.train.out_dim=2"),
        *("eval.location_tolerance=0.5",),
    )
    found = summary(only_run(tmp_path))["final"]
    assert found["mean_location_ap"] > 3 * found["mean_center_ap"]
    assert found["mean_location_ap"] > found["mean_ap"] - 0.05
    assert found["mean_ap"] > 0.8
