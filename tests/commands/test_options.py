"""The command `dimred options`."""

import pytest

from dimred.commands.main import main
from dimred.config.compose import composed
from dimred.options.option import walk


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


def test_words_find_choices_and_the_keys_of_other_choices(printed):
    assert "loss.margin (with loss=drlim)" in printed("margin")
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
