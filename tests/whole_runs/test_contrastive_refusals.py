"""What contrastive runs are refused for: exit code 2 and one line that names the key, the value and
what is allowed; nothing is left behind. In this process, to import torch once."""

import contextlib
import io
import sys

import numpy as np
import pytest
from command import refused

from dimred.commands.main import main

KNN = ["experiment=drlim_digits"]
INVARIANT = ["experiment=drlim_digits_shifts_invariant"]
GENERALIZED = ["experiment=generalized_digits_shifts"]
REGRESSION = ["experiment=regression_digits_shifts"]
VIEWS = ["experiment=generalized_turntable"]
PLAIN = ["dataset=npz", "dataset.path=plain.npz", "schedule=drlim_digits"]
CLASSIFIER = [
    *["dataset=digits", "pairing=class_target", "loss=cross_entropy", "schedule=classifier"],
    "model.hidden_dim=null",
]


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """A folder with images that nothing is known of."""
    path = tmp_path_factory.mktemp("refused")
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(path / "plain.npz", images=images)
    return path


def refusal(cwd, *words):
    """The one line of a refusal."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setattr(sys, "argv", sys.argv)  # `launch` sets it for Hydra
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["train", *words])
    line = err.getvalue()
    assert code == 2, line
    assert out.getvalue() == ""
    assert line.startswith("dimred: ")
    assert line.count("\n") == 1
    assert not (cwd / "outputs").exists()
    return line


def check(cwd, words, parts):
    line = refusal(cwd, *words)
    for part in parts:
        assert part in line, line


def test_a_refusal_of_the_command_itself(cwd):
    line = refused(cwd, "train", *KNN, "pairing.k=151")
    assert line == refusal(cwd, *KNN, "pairing.k=151")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            [*KNN, "dataset.classes=[4,x]"],
            ["dataset.classes=['4', 'x']", "no class 'x'", "'0', '1'", "'9'"],
        ),
        ([*KNN, "dataset.classes=[4,12]"], ["no class '12'", "the classes are"]),
        (
            [*KNN, "dataset.train_per_class=1000"],
            ["dataset.train_per_class=1000", "class '4' has 151", "at most"],
        ),
        ([*KNN, "dataset.train_per_class=0"], ["dataset.train_per_class=0", "at least 1"]),
        (
            [*PLAIN, "pairing=augmentation", "dataset.train_per_class=5"],
            ["dataset.train_per_class=5", "no labels"],
        ),
        ([*KNN, "pairing.k=151"], ["pairing.k=151", "class '4' has 151", "at most 150"]),
        ([*KNN, "pairing.k=0"], ["pairing.k=0", "at least 1"]),
        (
            [*PLAIN, "pairing=knn", "loss=drlim"],
            ["pairing.same_class=true", "no labels", "pairing.same_class=false"],
        ),
        (
            [*PLAIN, "pairing=knn", "loss=drlim", "pairing.same_class=false", "pairing.k=60"],
            ["pairing.k=60", "there are 60 training image(s)", "at most 59"],
        ),
        (
            [*PLAIN, "pairing=class_label", "loss=drlim"],
            ["pairing=class_label", "no labels", "pairing.same_class=false"],
        ),
        (
            [*PLAIN, "pairing=class_target", "loss=cross_entropy"],
            ["pairing=class_target", "no labels"],
        ),
        (
            ["dataset=digits", "pairing=viewpoint", "loss=drlim", "schedule=drlim_digits"],
            ["pairing=viewpoint", "no azimuth", "dataset=turntable", "dataset=norb_small"],
        ),
        (
            ["experiment=drlim_norb", "dataset.root=nowhere"],
            ["dataset.root='nowhere'", "-training-dat.mat", "https://", "dataset.root=FOLDER"],
        ),
        ([*VIEWS, "dataset.n_test=972"], ["dataset.n_test=972", "at most 971"]),
    ],
)
def test_what_the_images_do_not_have(cwd, words, parts):
    check(cwd, words, parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["loss.groups=[1,1]"], ["loss.groups=[1, 1]", "add up", "stages.train.out_dim=3"]),
        (["loss.groups=[2,2]"], ["loss.groups=[2, 2]", "add up", "out_dim=3"]),
        (["loss.groups=[]"], ["loss.groups=[]", "add up", "out_dim=3"]),
        (["loss.groups=[3,0]"], ["loss.groups=[3, 0]", "at least 1"]),
        (["loss.groups=[4,-1]"], ["loss.groups=[4, -1]", "at least 1"]),
        (["schedule.stages.train.out_dim=2"], ["loss.groups=[2, 1]", "out_dim=2"]),
        (["loss.margins=[1]"], ["loss.margins=[1.0]", "each of the 2 groups", "[2, 1]"]),
        (["loss.margins=[1,1,1]"], ["loss.margins=[1.0, 1.0, 1.0]", "each of the 2 groups"]),
        (["loss.margins=[1,0]"], ["loss.margins=[1.0, 0.0]", "above 0"]),
        (["loss.margins=[-1,1]"], ["loss.margins=[-1.0, 1.0]", "above 0"]),
        (["loss.weights=[1]"], ["loss.weights=[1.0]", "each of the 2 groups"]),
        (["loss.weights=[1,-1]"], ["loss.weights=[1.0, -1.0]", "at least 0"]),
    ],
)
def test_groups_that_do_not_fit(cwd, words, parts):
    check(cwd, [*GENERALIZED, *words], parts)


@pytest.mark.parametrize("margin", ["0", "-1", "nan", "inf"])
def test_a_margin_that_is_not_positive_and_finite(cwd, margin):
    allowed = "a finite number" if margin in ("nan", "inf") else "above 0"
    check(cwd, [*KNN, f"loss.margin={margin}"], [f"loss.margin={float(margin)}", allowed])


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["loss=drlim"],
            [
                "loss=drlim",
                "pairing=augmentation_digits",
                "loss=infonce or simclr or tsimcne",
                "or knn or",
            ],
        ),
        (
            ["pairing=knn"],
            ["loss=tsimcne", "pairing=knn", "loss=drlim or generalized_contrastive"],
        ),
        (
            ["loss=cross_entropy"],
            ["loss=cross_entropy goes with pairing=class_target"],
        ),
        (
            ["pairing=factor_target"],
            ["pairing=factor_target, which goes with loss=squared_error"],
        ),
        (
            [*KNN, "+loss@schedule.stages.train.loss=tsimcne"],
            ["loss=tsimcne: does not go with pairing=knn"],
        ),
        # As many labels as groups.
        (
            ["pairing=viewpoint", "pairing.label=separate", "loss=drlim"],
            [
                "loss=drlim: requires 1",
                "pairing=viewpoint provides 2 here",
                "generalized_contrastive",
            ],
        ),
        (
            [*VIEWS, "pairing.label=merged"],
            [
                "loss=generalized_contrastive: requires 2",
                "pairing=viewpoint provides 1 here",
                "1, or 2 with pairing.label=separate (viewpoint)",
            ],
        ),
        (
            ["pairing=knn", "loss=generalized_contrastive", "loss.groups=[64,64]"],
            [
                "loss=generalized_contrastive: requires 2",
                "pairing=knn provides 1 here",
                "1 (drlim)",
            ],
        ),
        # The stage whose dimension does not fit is named.
        (
            ["pairing=neighborhood_transformation", "loss=generalized_contrastive"],
            ["loss.groups=[2, 1]", "schedule.stages.pretrain.out_dim=128"],
        ),
        (
            [*GENERALIZED, "loss.groups=[1,1,1]", "loss.margins=[1,1,1]", "loss.weights=[1,1,1]"],
            ["requires 3", "provides 2 here", "one for each of loss.groups"],
        ),
    ],
)
def test_a_loss_and_a_pairing_that_do_not_go_together(cwd, words, parts):
    check(cwd, words, parts)


@pytest.mark.parametrize("experiment", [INVARIANT, REGRESSION])
@pytest.mark.parametrize(
    ("strengths", "parts"),
    [
        ("shift=[0,1]", ["shift=[0, 1]", "each strength once, and not 0"]),
        ("shift=[2,1,2]", ["shift=[2, 1, 2]", "each strength once"]),
        ("rotation=[10,10]", ["rotation=[10.0, 10.0]", "each strength once"]),
        # Nothing would be left of the image.
        ("shift=[-8,1]", ["shift=[-8, 1]", "8 pixels wide", "at most 7"]),
    ],
)
def test_strengths_that_say_nothing_new(cwd, experiment, strengths, parts):
    check(cwd, [*experiment, f"pairing.transformations.{strengths}"], parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            [*GENERALIZED, "pairing.transformations.shift=[]"],
            ["pairing.transformations", "at least one strength", "shift=[-3,3]"],
        ),
        (
            [*INVARIANT, "pairing.transformations.shfit=[1]"],
            [
                "pairing.transformations.shfit",
                "no such key",
                "did you mean 'pairing.transformations.shift=[1]'?",
            ],
        ),
        ([*INVARIANT, "pairing.transformations.shift=[1.5]"], ["shift=[1.5]", "whole number"]),
        ([*INVARIANT, "pairing.transformations.blur=[0]"], ["blur=[0]", "at least 1"]),
        ([*INVARIANT, "pairing.transformations.shear=[90]"], ["shear=[90.0]", "below 90"]),
        ([*INVARIANT, "pairing.transformations.rotation=[200]"], ["[200.0]", "at most 180"]),
        (
            [*KNN, "pairing.transformations.shift=[1]"],
            ["pairing.transformations.shift=[1]: no such key", "pairing=knn_translations)?"],
        ),
        (
            [*INVARIANT, "pairing.variant=foo"],
            ["pairing.variant=foo", "neighbors, shifted_neighbors, invariant"],
        ),
        ([*VIEWS, "pairing.label=two"], ["pairing.label=two", "merged, separate"]),
        ([*VIEWS, "pairing.adjacency=xor"], ["pairing.adjacency=xor", "both, either"]),
        ([*KNN, "pairing.sampling=all"], ["pairing.sampling=all", "in_batch, pairs"]),
        ([*KNN, "pairing.samples_per_step=1"], ["pairing.samples_per_step=1", "at least 2"]),
        ([*KNN, "loss.form=hinge"], ["loss.form=hinge", "squared_hinge, legacy_caffe"]),
    ],
)
def test_options_of_pairings(cwd, words, parts):
    check(cwd, words, parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            [*REGRESSION, "pairing.factors=[class,tilt]"],
            ["pairing.factors", "'tilt'", "their factors are class, shift"],
        ),
        (
            [*PLAIN, "pairing=factor_target", "loss=squared_error"],
            ["pairing.factors", "'azimuth'", "their factors are none"],
        ),
        ([*REGRESSION, "pairing.factors=[]"], ["pairing.factors=[]", "at least one factor"]),
        (
            [*REGRESSION, "pairing.factors=[class,class]"],
            ["pairing.factors=['class', 'class']", "each once"],
        ),
        (
            [*REGRESSION, "schedule.stages.train.out_dim=2"],
            ["schedule.stages.train.out_dim=2", "must be 3", "pairing=factor_target"],
        ),
        (
            [*CLASSIFIER, "dataset.classes=[4,9]"],
            ["schedule.stages.train.out_dim=10", "must be 2", "pairing=class_target"],
        ),
        ([*CLASSIFIER, "schedule.stages.train.out_dim=9"], ["out_dim=9", "must be 10"]),
        ([*CLASSIFIER, "pairing.shift_x=-1"], ["pairing.shift_x=-1", "at least 0"]),
        ([*CLASSIFIER, "eval.shifted_test=[3]"], ["eval.shifted_test=[3]", "two numbers"]),
        ([*CLASSIFIER, "eval.shifted_test=[-3,3]"], ["eval.shifted_test=[-3, 3]", "at least 0"]),
        ([*CLASSIFIER, "eval.tsne=5"], ["eval.tsne=5", "at least 100"]),
        ([*VIEWS, "eval.lle=5"], ["eval.lle=5", "at least 20"]),
        (
            [*CLASSIFIER, "model=lenet"],
            ["model=lenet", "8x8", "at least 16x16", "model=convnet"],
        ),
        (
            ["dataset=digits", "model=drlim_cnn", "pairing=knn", "loss=drlim"],
            ["model=drlim_cnn", "8x8", "model.kernels=[5, 9]", "model.pool=9", "smaller"],
        ),
        ([*KNN, "model.kernels=[3]"], ["model.kernels=[3]", "two sides"]),
        (
            [*CLASSIFIER, "schedule.stages.train.frozen_blocks=4"],
            ["stages.train.frozen_blocks=4", "model=convnet has 3 blocks"],
        ),
    ],
)
def test_targets_models_and_measures(cwd, words, parts):
    check(cwd, words, parts)
