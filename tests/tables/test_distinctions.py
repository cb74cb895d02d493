"""In what runs differ."""

from dimred.tables.distinctions import distinctions, short_names

RUN = {
    "loss.name": "tsimcne",
    "schedule.batch_size": 64,
    "schedule.optimizer.lr_per_256": 0.1,
    "schedule.stages.pretrain.epochs": 10,
    "schedule.stages.finetune.epochs": 20,
    "seed": 0,
}


def test_equal_runs_differ_in_nothing():
    assert distinctions([RUN, RUN]) == [{}, {}]
    assert distinctions([]) == []


def test_choices_come_first_and_what_follows_from_them_is_left_out():
    simclr = {**RUN, "loss.name": "simclr", "loss.temperature": 0.5, "schedule.batch_size": 128}
    found = distinctions([RUN, simclr])
    assert [list(each.items()) for each in found] == [
        [("loss", "tsimcne"), ("batch_size", 64)],
        [("loss", "simclr"), ("batch_size", 128)],
    ]


def test_an_option_that_one_choice_has_twice_is_named_without_none():
    simclr = {**RUN, "loss.name": "simclr"}
    values = [RUN, {**simclr, "loss.temperature": 0.5}, {**simclr, "loss.temperature": 1}]
    assert [each.get("temperature", "") for each in distinctions(values)] == ["", 0.5, 1]


def test_epochs_of_scaled_stages_are_one_number():
    long = {k: v * 10 if k.endswith(".epochs") else v for k, v in RUN.items()}
    assert distinctions([RUN, long]) == [{"epochs": 30}, {"epochs": 300}]
    other = {**RUN, "schedule.stages.pretrain.epochs": 20, "schedule.stages.finetune.epochs": 10}
    found = distinctions([RUN, other])
    assert found[0] == {"finetune.epochs": 20, "pretrain.epochs": 10}


def test_keys_are_as_short_as_they_stay_different():
    assert short_names(["schedule.batch_size", "eval.batch_size", "loss.name"]) == [
        "schedule.batch_size",
        "eval.batch_size",
        "loss",
    ]
