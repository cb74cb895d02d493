"""Every YAML composes to a checked, typed configuration; what is wrong is refused by name."""

import copy
from enum import Enum
from functools import cache
from pathlib import Path

import pytest

from dimred.config import check, compose, identity_fields
from dimred.config.conf_folder import GROUPS, choices, config_folder
from dimred.errors import InputError
from dimred.options.option import walk


@cache
def composed_once(*overrides):
    return compose.composed(overrides)


def composed(*overrides):
    """A configuration of one's own; composing it takes a tenth of a second, copying it none."""
    return copy.deepcopy(composed_once(*overrides))


def refusal(*overrides):
    with pytest.raises(InputError) as error:
        composed(*overrides)
    line = str(error.value)
    assert "\n" not in line
    return line


# What a choice cannot be without.
BESIDES = {
    "knn": ["loss=drlim"],
    "knn_translations": ["loss=drlim"],
    "viewpoint": ["loss=drlim"],
    "class_label": ["loss=drlim"],
    "neighborhood_transformation": [
        "loss=generalized_contrastive",
        "schedule=single_2d",
        "schedule.stages.train.out_dim=3",
    ],
    "class_target": ["loss=cross_entropy"],
    "class_presence": ["loss=binary_logistic"],
    "factor_target": ["loss=squared_error"],
    "drlim": ["pairing=knn"],
    "generalized_contrastive": [
        "pairing=neighborhood_transformation",
        "schedule=single_2d",
        "schedule.stages.train.out_dim=3",
    ],
    "class_batches": ["loss=triplet"],
    "triplet": ["pairing=class_batches"],
    "n_pair": ["pairing=class_batches"],
    "contrastive": ["pairing=class_batches"],
    "lifted_structure": ["pairing=class_batches"],
    "proxy_nca": ["pairing=class_batches"],
    "dvml": ["pairing=class_batches"],
    "cross_entropy": ["pairing=class_target"],
    "binary_logistic": ["pairing=class_presence"],
    "squared_error": ["pairing=factor_target"],
}
EVERY_CHOICE = [(group, choice) for group in GROUPS for choice in choices(group)]


@pytest.mark.parametrize(("group", "choice"), EVERY_CHOICE)
def test_every_choice_composes(group, choice):
    besides = BESIDES.get(choice, []) if group in ("pairing", "loss") else []
    config = composed(f"{group}={choice}", *besides)
    if group not in ("schedule", "experiment"):
        value = getattr(config, group).name
        assert getattr(value, "value", value) == choice
    if group == "experiment":
        assert config.name == choice


def test_the_help_names_every_folder_of_conf():
    folders = {path.name for path in Path(config_folder()).iterdir() if path.is_dir()}
    assert folders <= set(GROUPS)


def test_every_option_has_a_sentence_of_documentation():
    # Schedules and experiments bring no keys of their own.
    own_keys = [(g, choice) for g, choice in EVERY_CHOICE if g not in ("schedule", "experiment")]
    for group, choice in own_keys:
        besides = BESIDES.get(choice, []) if group in ("pairing", "loss") else []
        for key, spec, _ in walk(composed(f"{group}={choice}", *besides)):
            assert spec is not None, key
            assert spec.metadata["doc"].endswith("."), key


@pytest.mark.parametrize(
    ("schedule", "epochs"),
    [
        ("annealed_1500", [1000, 50, 450]),
        ("annealed_1000", [775, 25, 200]),
        ("annealed_500", [400, 25, 75]),
    ],
)
def test_the_papers_protocol_is_the_default(schedule, epochs):
    config = composed(f"schedule={schedule}", "dataset=cifar10", "model=resnet18")
    stages = config.schedule.stages
    assert list(stages) == ["pretrain", "readout", "finetune"]
    assert [stage.epochs for stage in stages.values()] == epochs
    assert [stage.out_dim for stage in stages.values()] == [128, 2, 2]
    assert [stage.trainable.value for stage in stages.values()] == ["all", "readout", "all"]
    assert [stage.anneal.value for stage in stages.values()] == ["cosine", "none", "cosine"]
    assert [stage.warmup_epochs for stage in stages.values()] == [10, 0, 10]
    rates = [config.schedule.learning_rate * stage.lr_scale for stage in stages.values()]
    assert rates == pytest.approx([0.12, 0.12, 0.00012])
    optimizer = config.schedule.optimizer
    assert (optimizer.name.value, optimizer.momentum) == ("sgd", 0.9)
    assert optimizer.weight_decay == 5e-4
    assert config.dataset.fit_on.value == "all"
    assert config.pairing.name == "augmentation"
    assert config.pairing.crop_scale == [0.2, 1.0]
    assert config.model.hidden_dim == 1024


@pytest.mark.parametrize(
    ("row", "loss", "dims", "epochs"),
    [
        ("table_a1_row1", "simclr", [128], [1000]),
        ("table_a1_row2", "simclr", [3], [1000]),
        ("table_a1_row3", "tsimcne", [128], [1000]),
        ("table_a1_row4", "tsimcne", [2], [1000]),
        ("table_a1_row6", "tsimcne", [128, 2, 2], [1000, 50, 450]),
        ("table_a1_row7", "tsimcne", [128, 2, 2], [1000, 50, 450]),
        ("table1_row1", "simclr", [128], [1000]),
        ("table1_row2", "simclr", [3], [1000]),
        ("table1_row3", "tsimcne", [128], [1000]),
        ("table1_row4", "tsimcne", [2], [1000]),
        ("table1_row5", "tsimcne", [2], [5000]),
        ("table1_row6", "tsimcne", [128, 2, 2], [1000, 50, 450]),
        ("table1_row7", "tsimcne", [128, 2, 2], [1000, 50, 450]),
        ("table1_row8", "tsimcne", [128, 2, 2], [775, 25, 200]),
        ("table1_row9", "tsimcne", [128, 2, 2], [400, 25, 75]),
    ],
)
def test_rows_of_the_tables(row, loss, dims, epochs):
    config = composed(f"experiment={row}")
    stages = config.schedule.stages
    dataset = "cifar10" if row.startswith("table1") else "cifar100"
    assert (config.dataset.name, config.model.name) == (dataset, "resnet18")
    assert config.eval.linear.value == "sgd"
    assert config.loss.name == loss
    assert [stage.out_dim for stage in stages.values()] == dims
    assert [stage.epochs for stage in stages.values()] == epochs
    pretrain_losses = [stage.loss.name if stage.loss else loss for stage in stages.values()]
    cosine_first = ["simclr", "tsimcne", "tsimcne"]
    assert pretrain_losses == (cosine_first if row.endswith("row6") else [loss] * len(dims))


DRLIM = {
    "drlim_mnist": "knn",
    "drlim_mnist_shifts_naive": "knn_translations",
    "drlim_mnist_shifts_invariant": "knn_translations",
    "generalized_mnist_shifts": "neighborhood_transformation",
    "generalized_mnist_rotations": "neighborhood_transformation",
}


@pytest.mark.parametrize(("experiment", "pairing"), DRLIM.items())
def test_drlims_protocol_on_mnist(experiment, pairing):
    """Hadsell, Chopra, LeCun 2006, sections 3.2 and 3.3; Angel 2015, section 5.3.2."""
    config = composed(f"experiment={experiment}")
    dataset, loss, (stage,) = config.dataset, config.loss, config.schedule.stages.values()
    assert (dataset.name, dataset.classes, dataset.train_per_class) == ("mnist", ["4", "9"], 3000)
    assert dataset.fit_on.value == "train"
    assert (dataset.mean, dataset.std) == ([0.0], [1.0])
    assert (config.model.name, config.model.kernels, config.model.pool) == ("drlim_cnn", [5, 9], 9)
    assert (config.model.hidden_dim, config.model.init.value) == (None, "xavier")
    assert (config.pairing.name, config.pairing.k, config.pairing.same_class) == (pairing, 5, True)
    assert config.pairing.sampling.value == "in_batch"
    assert loss.form.value == "squared_hinge"
    if experiment.startswith("drlim"):
        assert (loss.name, loss.margin, stage.out_dim) == ("drlim", 1.0, 2)
    else:
        assert (loss.name, loss.groups) == ("generalized_contrastive", [2, 1])
        assert (loss.margins, loss.weights, stage.out_dim) == ([1.0, 1.0], [1.0, 1.0], 3)
    if pairing != "knn":
        changes = config.pairing.transformations
        rotated = experiment.endswith("rotations")
        assert changes.shift == ([] if rotated else [-6, -3, 3, 6])
        assert changes.rotation == ([-40, -20, 20, 40] if rotated else [])
        assert (changes.shear, changes.blur, changes.n_variants) == ([], [], 5)
    if pairing == "knn_translations":
        variant = "shifted_neighbors" if experiment.endswith("naive") else "invariant"
        assert config.pairing.variant.value == variant


@pytest.mark.parametrize("loss", ["drlim", "generalized"])
@pytest.mark.parametrize("dataset", ["norb", "turntable"])
def test_the_protocol_of_views(loss, dataset):
    """Hadsell, Chopra, LeCun 2006, section 3.4; Angel 2015, section 5.3.3."""
    config = composed(f"experiment={loss}_{dataset}")
    (stage,) = config.schedule.stages.values()
    assert (config.dataset.n_test, config.dataset.fit_on.value) == (312, "train")
    if dataset == "norb":
        chosen = (config.dataset.category, config.dataset.instance, config.dataset.camera)
        assert chosen == ("airplane", 4, 0)
    assert (config.model.name, config.model.width, stage.out_dim) == ("linear_20_3", 20, 3)
    assert config.pairing.name == "viewpoint"
    if loss == "drlim":
        assert config.pairing.label.value == "merged"
        assert config.pairing.adjacency.value == "both"
        assert config.loss.name == "drlim"
    else:
        assert config.pairing.label.value == "separate"
        assert (config.loss.groups, config.loss.margins) == ([2, 1], [10.0, 10.0])
    assert config.eval.lle == 1000


def test_the_thesis_schedule():
    config = composed("experiment=drlim_mnist", "schedule=angel2015")
    schedule, (stage,) = config.schedule, config.schedule.stages.values()
    assert schedule.batch_size == 64
    assert schedule.learning_rate == pytest.approx(0.01)
    optimizer = schedule.optimizer
    assert (optimizer.name.value, optimizer.momentum) == ("sgd", 0.9)
    assert (optimizer.weight_decay, optimizer.bias_lr_factor) == (0.0, 2.0)
    assert (stage.anneal.value, stage.warmup_epochs, stage.lr_scale) == ("inv", 0, 1.0)
    assert schedule.lr_update.value == "step"
    # 10,000 iterations of the 6,000 images, an incomplete last batch left out.
    assert 10_000 <= stage.epochs * (6000 // 64) < 10_000 + 6000 // 64


@pytest.mark.parametrize("shifted", [False, True])
def test_the_thesis_classifier(shifted):
    config = composed(f"experiment=lenet_mnist_classifier{'_shifts' if shifted else ''}")
    (stage,) = config.schedule.stages.values()
    assert (config.dataset.name, config.dataset.fit_on.value) == ("mnist", "train")
    assert (config.model.name, config.model.hidden_dim, stage.out_dim) == ("lenet", None, 10)
    assert (config.pairing.name, config.loss.name) == ("class_target", "cross_entropy")
    assert (config.pairing.shift_x, config.pairing.shift_y) == ((5, 10) if shifted else (0, 0))
    assert config.eval.shifted_test == [5, 10]
    assert config.eval.tsne == 5000


@pytest.mark.parametrize(
    ("group", "choice"), [entry for entry in EVERY_CHOICE if entry[0] in ("pairing", "loss")]
)
def test_choices_are_typed_by_the_words_that_the_options_show(group, choice):
    for key, _, value in walk(composed(f"{group}={choice}", *BESIDES.get(choice, []))):
        if isinstance(value, Enum):
            assert [member.name for member in type(value)] == [m.value for m in type(value)], key


def test_a_classifier_for_transfer_may_be_any_network():
    assert composed("experiment=transfer", "model=resnet18").model.hidden_dim is None
    assert composed("experiment=transfer_mnist").model.widths == [16, 32, 64]
    assert composed("experiment=transfer_fashion_mnist").model.widths == [16, 32, 64]


def test_datasets_choose_their_pairing_unless_told():
    assert composed("dataset=mnist").pairing.flip == 0
    assert composed("dataset=mnist", "pairing=augmentation").pairing.flip == 0.5
    assert composed("dataset=fashion_mnist").pairing.flip == 0.5


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (
            ["loss=simclr", "loss.temprature=2"],
            ["loss.temprature", "did you mean loss.temperature=2?"],
        ),
        (
            ["+loss.margn=2"],
            ["loss.margn=2: no such key; did you mean loss=drlim loss.margin=2 (or with loss="],
        ),
        (["+foo=1"], ["foo", "no such key"]),
        (["los=tsimcne"], ["los=tsimcne: no such key; did you mean loss=tsimcne?"]),
        (["loss=nope"], ["loss=nope: no such choice", "simclr", "tsimcne", "--plugin"]),
        (["experiment=demoo"], ["experiment=demoo: no such choice; did you mean experiment=demo?"]),
        (["seed=abc"], ["seed=abc", "must be a whole number"]),
        (["seed=-1"], ["seed=-1", "at least 0"]),
        (["device.precision=fp16"], ["device.precision=fp16", "bf16"]),
        (["schedule.stages.pretrain.epochs=0"], ["pretrain.epochs=0", "at least 1"]),
        (["loss=simclr", "loss.temperature=0"], ["loss.temperature=0", "at least 0.003"]),
        (["loss=simclr", "loss.temperature=nan"], ["loss.temperature=nan"]),
        (["schedule.optimizer.lr_per_256=inf"], ["lr_per_256=inf"]),
        (["schedule.stages.readout.warmup_epochs=26"], ["warmup_epochs=26", "at most", "25"]),
        (
            ["schedule.stages.readout.frozen_blocks=1"],
            ["stages.readout.frozen_blocks=1", "only with trainable=all", "trainable=readout"],
        ),
        (
            [
                "schedule.stages.finetune.trainable=head",
                "schedule.stages.finetune.backbone_lr_factor=0.1",
            ],
            ["stages.finetune.backbone_lr_factor=0.1", "only with trainable=all"],
        ),
        (["schedule.stages.finetune.out_dim=3"], ["finetune.out_dim=3", "at most", "2"]),
        (["schedule.stages.finetun.epochs=3"], ["did you mean schedule.stages.finetune.epochs=3?"]),
        (["dataset.name=mnist"], ["dataset.name=mnist", "dataset=NAME"]),
        (["eval.k=[0]"], ["eval.k=[0]", "at least 1"]),
        (["eval.k=[]"], ["eval.k=[]"]),
        (["pairing.crop_scale=[1,0.2]"], ["pairing.crop_scale=[1.0, 0.2]", "smaller first"]),
        (["pairing.crop_scale=[1]"], ["pairing.crop_scale=[1.0]", "two numbers"]),
        (["model.widths=[]"], ["model.widths=[]"]),
        (["model.score_sharpness=3"], ["model.score_sharpness=3.0", "score_pool=lse only"]),
        (
            ["experiment=transfer_digits", "model=resnet18"],
            ["model=resnet18: experiment=transfer_digits sets model.widths"],
        ),
        (["abc"], ["abc"]),
        (["seed=99999999999"], ["seed=99999999999", "at most 2147483647"]),
        (["device.compile=maybe"], ["device.compile=maybe", "auto, true or false"]),
        (["device.compile=3"], ["device.compile", "3"]),
        (["checkpoint_every=inf"], ["checkpoint_every=inf", "finite"]),
        (["run_dir="], ["run_dir="]),
        (["+loss@schedule.stages.finetun.loss=simclr"], ["stages.finetun.", "pretrain, readout"]),
        (["schedule.batch_size=1e400"], ["schedule.batch_size"]),
    ],
)
def test_refuses_by_name(overrides, parts):
    line = refusal(*overrides)
    for part in parts:
        assert part in line


def test_a_stage_is_not_named_like_a_path():
    config = composed()
    config.schedule.stages["../evil"] = config.schedule.stages["finetune"]
    with pytest.raises(InputError, match=r"schedule.stages.\.\./evil"):
        check(config)


def test_adamw_has_a_learning_rate_of_its_own():
    sgd, adamw = composed(), composed("schedule.optimizer.name=adamw")
    assert (sgd.schedule.learning_rate, adamw.schedule.learning_rate) == (0.12, 0.004)


def test_what_may_differ_between_sessions_of_one_run_is_not_decisive():
    same = identity_fields(
        composed("output_dir=x", "checkpoint_every=3", "restart=true", "eval.save_h=true")
    )
    assert same == identity_fields(composed())
    assert identity_fields(composed("seed=1")) != same
    assert identity_fields(composed("schedule.stages.finetune.epochs=70")) != same


def test_epochs_scale_shrinks_every_stage_and_its_warmup_and_is_then_spent():
    config = composed("experiment=table1_row7", "schedule.epochs_scale=0.04")
    stages = config.schedule.stages
    assert [s.epochs for s in stages.values()] == [40, 2, 18]
    assert [s.warmup_epochs for s in stages.values()] == [1, 0, 1]
    assert config.schedule.epochs_scale == 1.0
    typed_out = composed(
        "experiment=table1_row7",
        *(f"schedule.stages.{name}.epochs={stage.epochs}" for name, stage in stages.items()),
        *(f"schedule.stages.{n}.warmup_epochs={s.warmup_epochs}" for n, s in stages.items()),
    )
    assert identity_fields(config) == identity_fields(typed_out)
    tiny = composed("experiment=table1_row7", "schedule.epochs_scale=1e-9")
    assert [(s.epochs, s.warmup_epochs) for s in tiny.schedule.stages.values()] == [(1, 0)] * 3
    longer = composed("experiment=smoke", "schedule.epochs_scale=2")
    assert [s.epochs for s in longer.schedule.stages.values()] == [4, 2, 4]
    assert "above 0" in refusal("schedule.epochs_scale=0")
