"""Words that are no keys and no choices find what they may stand for."""

import pytest

from dimred.config.compose import composed
from dimred.config.conf_folder import GROUPS, choices, folded, meaning
from dimred.config.meant import key_question, keys, not_a_setting
from dimred.errors import InputError


@pytest.fixture(scope="module")
def default():
    return composed([])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (
            "epochs=20",
            "schedule.epochs_scale (a factor), or schedule.stages.pretrain.epochs=20 (and "
            ".readout, .finetune)",
        ),
        (
            "schedule.epochs=20",
            "schedule.epochs_scale (a factor), or schedule.stages.pretrain.epochs=20 (and "
            ".readout, .finetune)",
        ),
        (
            "epochs=5",
            "schedule.epochs_scale (a factor), or schedule.stages.pretrain.epochs=5 (and "
            ".readout, .finetune) with schedule.stages.pretrain.warmup_epochs=5",
        ),
        ("batch_size=64", "schedule.batch_size=64, or eval.batch_size=64"),
        ("Batch-Size=64", "schedule.batch_size=64, or eval.batch_size=64"),
        ("dataset.batch_size=64", "schedule.batch_size=64, or eval.batch_size=64"),
        ("lr=0.1", "schedule.optimizer.lr_per_256=0.1 (for a batch of 256 images)"),
        ("optimizer.lr=0.1", "schedule.optimizer.lr_per_256=0.1 (for a batch of 256 images)"),
        ("optimizer=adamw", "schedule.optimizer.name=adamw"),
        ("momentom=.3", "schedule.optimizer.momentum=.3"),
        ("root=a b", "dataset=image_folder 'dataset.root=a b'"),
        ("image_size=64", "dataset=image_folder dataset.image_size=64"),
        ("images=100", "dataset.limit=100"),
        ("images=photos", "dataset=image_folder dataset.root=photos"),
        ("temperature=.1", "loss=simclr loss.temperature=.1 (or with loss=infonce)"),
        ("num_workers=2", "device.threads=2"),
        ("n_neighbors=5", "'eval.k=[5]'"),
        ("output=x", "output_dir=x"),
        ("network=resnet18", "model=resnet18"),
        ("foo=demo", "experiment=demo, or schedule=demo"),
        ("gpu=true", "device=cuda"),
        ("tensorboard=true", "log=tensorboard"),
        # Nothing is named that would be refused in its turn.
        ("optimizer=adam", "schedule.optimizer.name=adamw"),
        ("precision=fp16", "device.precision=bf16"),
        ("limit=none", "dataset.limit=null"),
        ("amp=true", "device.precision (one of auto, float32, bf16)"),
        ("flip=false", "pairing.flip (a number)"),
        ("random_test=0.1", "eval.random_test (a whole number)"),
        ("wholly=unknown", None),
    ],
)
def test_a_key_that_is_none_asks_for_those_that_it_may_stand_for(typed, meant, default):
    word, _, value = typed.partition("=")
    expected = f"did you mean {meant}?" if meant else ""
    assert key_question(word, value, default) == expected


def test_a_choice_in_place_of_a_key_asks_for_its_group(default):
    asked = key_question("augmentation", "none", default)
    assert asked.startswith("did you mean pairing=NAME, NAME one of augmentation, ")


def test_stages_are_those_of_the_configuration():
    with pytest.raises(InputError, match=r"schedule\.stages\.train\.epochs=20\?$"):
        composed(["schedule=single_2d", "epochs=20"])


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("device=gpu", "device=gpu: no such choice; did you mean device=cuda? the choices are "),
        ("device=mps", "did you mean device=cpu (Apple's GPUs are not used)? "),
        ("dataset=imagefolder", "did you mean dataset=image_folder? "),
        ("dataset=folder", "did you mean dataset=image_folder? "),
        ("loss=t-simcne", "did you mean loss=tsimcne? "),
        ("model=resnet", "did you mean model=resnet18? "),
        ("schedule=annealed", "schedule=annealed_1000, or schedule=annealed_1500? "),
        ("pairing=none", "pairing=none: no such choice; a run needs one: which images are similar"),
        ("pairing=null", "pairing=null: no such choice; a run needs one: which images are similar"),
        ("experiment=dem", "did you mean experiment=demo? "),
        ("device.precision=bf", "must be one of auto, float32, bf16; did you mean bf16?"),
        ("seed=0-3", "seed=0-3: must be a whole number; -m sweeps over several, a run for each: "),
        ("seed=0..3", "-m 'seed=range(0,4)'"),
        ("seed=0,1", "a run for each: -m seed=0,1"),
        ("eval.k=5,15", "a list is 'eval.k=[5,15]'; -m sweeps"),
        ("budget_minutes=5", "no such key; it is one of dimred map FOLDER"),
        ("eval=false", "eval=false: options of eval are set one by one (eval.KEY=VALUE)"),
        ("~epochs", "epochs: no such key; did you mean schedule.epochs_scale"),
    ],
)
def test_choices_and_values_are_refused_with_what_was_meant(typed, line):
    with pytest.raises(InputError) as error:
        composed([typed])
    assert line in str(error.value)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["demo"], "demo: must be KEY=VALUE; did you mean experiment=demo, or schedule=demo?"),
        (
            ["experiment", "demo"],
            "experiment demo: must be KEY=VALUE; did you mean experiment=demo?",
        ),
        (["seed", "=", "3"], "seed: must be KEY=VALUE without spaces: seed=3"),
        (["epochs"], "epochs: must be KEY=VALUE; dimred options epochs looks for keys and choices"),
        (["a/b"], "a/b: must be KEY=VALUE; there is no folder of this name"),
        (["a.npz"], "a.npz: must be KEY=VALUE; a file of images is dataset=npz dataset.path=a.npz"),
    ],
)
def test_words_without_a_value_ask_too(words, line):
    assert not_a_setting(words) == line


def test_a_folder_in_place_of_a_key_is_taken_for_images(tmp_path):
    line = not_a_setting([str(tmp_path)])
    assert f"a folder of images is dataset=image_folder dataset.root={tmp_path}, " in line


def test_ten_keys_matter_first(default):
    common = [key.key for key in keys(default) if key.is_common]
    assert len(common) == 10
    assert {"schedule.epochs_scale", "dataset.root", "dataset.image_size", "seed"} <= {*common}


def test_every_choice_says_what_it_is():
    for group in GROUPS:
        for choice in choices(group):
            assert group == "device" or len(meaning(group, choice)) > 15, (group, choice)


def test_many_choices_are_folded_by_their_beginning_and_few_are_not():
    rows = [f"table_row{number}" for number in range(20)]
    assert folded(["demo", *rows, "table_b"]) == ["demo", "table_* (21)"]
    assert folded(["demo", *rows]) == ["demo", "table_row* (20)"]
    assert folded(rows) == rows
