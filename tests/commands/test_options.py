"""The command `dimred options`."""

import pytest

from dimred.commands.main import main
from dimred.config.compose import composed
from dimred.config.conf_folder import choices
from dimred.options.option import leaves, walk
from dimred.options.registry import registered


@pytest.fixture
def printed(capsys):
    def lines(*words):
        assert main(["options", *words]) == 0
        return capsys.readouterr().out.splitlines()

    return lines


def test_without_words_all_is_printed_and_what_matters_before(printed):
    lines = printed()
    assert lines[0] == "What matters first"
    first = lines[: lines.index("")]
    assert "schedule.batch_size = 1024" in first
    assert any(line.startswith("dataset.image_size (with dataset=image_folder") for line in first)
    settings = {line.partition(" = ")[0] for line in lines[len(first) :] if " = " in line}
    assert {key for key, _, _ in walk(composed([]))} <= settings
    assert "experiment: a whole configuration; keys that you set yourself override it" in lines


def test_words_filter_keys_by_name_before_meaning(printed):
    lines = printed("schedule=single_2d", "epochs")
    names = [line for line in lines if line[0] != " "]
    assert names[:2] == ["schedule.stages.train.epochs = 1000", "schedule.epochs_scale = 1.0"]
    assert not any("batch_size" in line for line in names)
    # `amp` is another name of it; lr_update only speaks of a learning rate.
    assert printed("amp")[0] == "device.precision = auto"
    rates = [line for line in printed("learning", "rate") if line[0] != " "]
    assert rates[0] == "schedule.optimizer.lr_per_256 = null"
    assert "schedule.lr_update = epoch" in rates


def test_what_is_typed_is_said_where_the_type_does_not(printed):
    keys = {"window": "auto, type, [low,high], or a list of such ranges"}
    keys |= {"pages": "channels, images or null", "store": "one of auto, memory, disk"}
    for key, form in keys.items():
        lines = printed("dataset=image_folder", key)
        (at,) = (i for i, line in enumerate(lines) if line.startswith(f"dataset.{key} = "))
        assert lines[at + 1] == f"    {form}"


def every_choice():
    return [f"{group}={name}" for group in ("pairing", "loss", "model") for name in choices(group)]


@pytest.mark.parametrize("word", every_choice())
def test_the_keys_of_a_choice_are_printed_whatever_goes_with_it(printed, word):
    group, _, name = word.partition("=")
    settings = {line.partition(" = ")[0] for line in printed(word)}
    chosen = registered(group).get(name) or type(getattr(composed([]), group))
    own = {leaf for leaf, _ in leaves(chosen)} - {"metric"}  # which is a loss with keys of its own
    assert {f"{group}.{leaf}" for leaf in own} <= settings


def test_why_choices_cannot_be_trained_together_is_said_where_their_keys_are(printed):
    lines = printed("loss=dvml")
    said = [i for i, line in enumerate(lines) if "does not go with" in line]
    assert len(said) == 1  # and not once for each stage
    assert lines[said[0]].endswith("loss=dvml goes with pairing=class_batches")
    assert lines[said[0] - 1].startswith("choices: binary_logistic, contrastive, ")
    assert not any("does not go with" in line for line in printed("loss=simclr"))
    assert "loss.variance_scale = null" in printed("loss=dvml", "variance_scale")
    assert main(["options", "loss=dvml", "loss.variance_scale=-1"]) == 2  # values are checked


def test_a_flag_that_is_a_key_of_a_loss_is_explained_before_its_pairing_is_chosen(capsys):
    assert main(["train", "loss=triplet", "--margin", "3"]) == 2
    assert "keys are typed KEY=VALUE; did you mean loss.margin=3?" in capsys.readouterr().err


def test_words_find_choices_and_the_keys_of_other_choices(printed):
    others = "loss=drlim or loss=lifted_structure or loss=triplet"
    assert f"loss.margin (with {others})" in printed("margin")
    assert "experiment=smoke" in printed("experiment")
    # Short words are words of their own.
    assert all("k" in line for line in printed("k") if line[0] != " ")
    assert not any(line.startswith("eval.linear ") for line in printed("k"))


def test_a_word_that_finds_nothing_asks_what_was_meant(capsys):
    assert main(["options", "warmpu"]) == 2
    line = capsys.readouterr().err
    assert (
        line == "dimred: warmpu: no key or choice is called or explained so; did you mean warmup?\n"
    )
    assert main(["options", "qqq"]) == 2
    assert "dimred options without words lists all" in capsys.readouterr().err
