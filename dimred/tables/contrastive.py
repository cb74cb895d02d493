"""The tables of labeled pairs: DrLIM (Hadsell, Chopra, LeCun 2006) and Angel (2015)."""

from __future__ import annotations

from dimred.tables.published import Column, Row, Table, printed

_ANGEL2015 = "Angel 2015, sections 5.3.1 to 5.3.3; losses in its legacy form"

_SMOKE = ("schedule.epochs_scale=0.001", "device=cpu")
# LeNet's kernels do not fit into 8x8 pixels.
_ON_DIGITS = (
    "dataset=digits",
    "model=convnet",
    "model.widths=[8,16]",
    "model.hidden_dim=null",
    "eval.shifted_test=[1,1]",
)
_TRUE_NEIGHBORS = "neighbors by true distances (Angel 2015: in uint8 that wraps around)"
_TEN_SHIFTS = "ten random shifts of each test image (Angel 2015: every shift)"
_OUR_TRAINING = (
    "printed form, AdamW, all pairs of a batch (Angel 2015: legacy form, SGD, drawn pairs)"
)
# Brief remarks. "own training": AdamW on all pairs of a batch; for LeNet, other rates and epochs.
_OWN = {"": "own training"}
_LENET = {"": "own training", "shifted": "own training; ten shifts each"}
_ANGEL2015_TRAINING = ("schedule=angel2015", "pairing.sampling=pairs", "loss.form=legacy_caffe")

_KNN_Z12 = Column("knn", "kNN by z1 z2, %", "final.knn15_class_z12", 100)
_SHIFT_Z12 = Column("shift", "R² of shift, z1 z2", "final.r2_shift_z12", digits=3)
_SPREAD = Column("spread", "spread by shift", "final.invariance_shift_z12", digits=3)

DRLIM = Table(
    "DrLIM paper: MNIST's 4s and 9s, and NORB's airplane",
    "Hadsell, Chopra, LeCun 2006, which prints maps and no numbers",
    (
        Column("loss", "loss, own pairs", "final.contrast_squared_hinge", digits=3),
        Column("drlim", "loss, pairs of (c)", "final.drlim_squared_hinge", digits=3),
        Column("knn", "kNN in Z, %", "final.knn15_z_official", 100),
        _SHIFT_Z12,
        _SPREAD,
        Column("azimuth", "R² of azimuth", "final.r2_azimuth_z123", digits=3),
        Column("elevation", "R² of elevation", "final.r2_elevation_z123", digits=3),
        Column("lighting", "spread by lighting", "final.invariance_lighting_z123", digits=3),
        Column("lighting_lle", "spread by lighting, LLE", "lle.invariance_lighting_z123", digits=3),
    ),
    (
        Row("a", "4s and 9s, neighbors only", "drlim_mnist", small=("experiment=drlim_digits",),
            brief=_OWN),
        Row("b", "with shifts, naive", "drlim_mnist_shifts_naive",
            small=("experiment=drlim_digits_shifts_naive",), brief=_OWN),
        Row("c", "with shifts, invariant", "drlim_mnist_shifts_invariant",
            small=("experiment=drlim_digits_shifts_invariant",), brief=_OWN),
        Row("d", "airplane, 3-D", "drlim_norb", small=("experiment=drlim_turntable",),
            brief=_OWN),
    ),
    {"smoke": _SMOKE},
)  # fmt: skip

ANGEL2015_MNIST = Table(
    "Angel (2015), MNIST: DrLIM against the generalized loss, and LeNet",
    _ANGEL2015,
    (
        Column("loss", "DrLIM's loss", "final.drlim_legacy_caffe", digits=3),
        _KNN_Z12,
        _SHIFT_Z12,
        Column("order", "order of shift, z3", "final.order_shift_z3", digits=3),
        Column("shift_z3", "R² of shift, z3", "final.r2_shift_z3", digits=3),
        Column("predicted", "R² of shifted Z", "final.transformed_r2_shift", digits=3),
        Column("error", "error, %", "errors.test_error", 100, 2),
        Column("shifted", "shifted error, %", "errors.shifted_test_error", 100, 2),
    ),
    (
        Row("drlim", "DrLIM, 2-D, 10,000 iterations", "angel2015_mnist_drlim",
            {"loss": printed("0.160")},
            ("experiment=drlim_digits_shifts_invariant", "name=angel2015_mnist_drlim",
             *_ANGEL2015_TRAINING), remark=_TRUE_NEIGHBORS,
            brief={"": "neighbors by true distances"}),
        Row("generalized", "generalized, 3-D, 10,000 iterations", "angel2015_mnist_generalized",
            {"loss": printed("0.145")},
            ("experiment=generalized_digits_shifts", "name=angel2015_mnist_generalized",
             *_ANGEL2015_TRAINING, "schedule.stages.train.out_dim=3"),
            remark=_TRUE_NEIGHBORS
            + "; a drawn pair counts for one of two labels (Angel 2015: both)",
            brief={"": "true neighbors; one label a pair"}),
        Row("drlim_in_batch", "DrLIM, 2-D, all pairs of a batch", "drlim_mnist_shifts_invariant",
            small=("experiment=drlim_digits_shifts_invariant",)),
        Row("generalized_in_batch", "generalized, 3-D, all pairs of a batch",
            "generalized_mnist_shifts", small=("experiment=generalized_digits_shifts",)),
        Row("regression", "regression to class and shift", "regression_mnist_shifts",
            small=("experiment=regression_digits_shifts",)),
        Row("lenet", "LeNet", "lenet_mnist_classifier", {"error": printed("1.0")},
            ("experiment=lenet_mnist_classifier", *_ON_DIGITS), remark=_TEN_SHIFTS,
            brief=_LENET),
        Row("lenet_shifts", "LeNet, shifted training images", "lenet_mnist_classifier_shifts",
            {"error": printed("3.5"), "shifted": printed("8.5")},
            ("experiment=lenet_mnist_classifier_shifts", *_ON_DIGITS, "pairing.shift_x=1",
             "pairing.shift_y=1"), remark=_TEN_SHIFTS, brief=_LENET),
    ),
    {"smoke": _SMOKE},
)  # fmt: skip

ANGEL2015_NORB = Table(
    "Angel (2015), NORB: azimuth in z1 z2, elevation in z3",
    _ANGEL2015 + "; at 50,000 iterations, generalized with m = 10, on its own test pairs",
    (
        Column("loss", "loss, legacy form"  , "final.contrast_legacy_caffe", digits=4),
        Column("azimuth", "loss of azimuth", "final.contrast_legacy_caffe_azimuth", digits=3),
        Column("elevation", "loss of elevation", "final.contrast_legacy_caffe_elevation", digits=3),
        Column("circular", "circular corr. azimuth, z1 z2", "final.circular_azimuth_z12", digits=3),
        Column("spearman", "Spearman elevation, z3", "final.spearman_elevation_z3", digits=3),
        Column("leak", "R² of elevation, z1 z2", "final.r2_elevation_z12", digits=3),
        Column("lighting", "spread by lighting, z1 z2", "final.invariance_lighting_z12", digits=3),
        Column("predicted", "R² of turned Z", "final.transformed_r2_azimuth", digits=3),
    ),
    (
        Row("drlim", "DrLIM, 3-D (turned as it likes)", "drlim_norb", {"loss": printed("0.0134")},
            ("experiment=drlim_turntable",), remark=_OUR_TRAINING, brief=_OWN),
        Row("generalized", "generalized, 3-D", "generalized_norb",
            {"loss": printed("0.856"), "azimuth": printed("0.771"), "elevation": printed("0.0855")},
            ("experiment=generalized_turntable",), remark=_OUR_TRAINING, brief=_OWN),
        Row("regression", "regression", "regression_norb",
            small=("experiment=regression_turntable",)),
    ),
    {"smoke": _SMOKE},
)  # fmt: skip
