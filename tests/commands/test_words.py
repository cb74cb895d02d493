"""Whatever is typed, a command ends by itself, in one line."""

import copy
import os
import shlex
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest

from dimred.commands.main import main
from dimred.config.compose import composed
from dimred.config.hydra_schema import check_names
from dimred.config.own_yaml import OwnYaml
from dimred.config.quoting import hydra_word
from dimred.errors import InputError
from dimred.options.option import walk

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"
DIGITS = "9" * 5000


@pytest.fixture
def refused(capsys):
    """The one line of a refusal."""

    def line(*words):
        assert main(list(words)) == 2
        text = capsys.readouterr().err
        assert text.startswith("dimred: ")
        assert text.count("\n") == 1, text
        assert len(text) < 3000
        return text.removeprefix("dimred: ").rstrip("\n")

    return line


@pytest.fixture(scope="module")
def default():
    """The default configuration."""
    return composed([])


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import fuzz_options

    yield fuzz_options
    del sys.modules["fuzz_options"]


def test_any_key_with_any_kind_of_value_is_taken_or_refused_in_one_line(fuzz, monkeypatch, capsys):
    """Every kind of value, and every type of key; scripts/fuzz_options.py tries more."""
    from warm import Outcome  # of scripts/campaigns

    runs = ["shifts", "folder"]
    by_type = {}
    monkeypatch.setattr(fuzz, "SMALL", [])
    for run in runs:
        for key, spec, _ in walk(composed(fuzz.RUNS[run])):
            by_type.setdefault(str(spec.type), []).append((run, key))
    by_type["group"] = [("shifts", "loss"), ("shifts", "pairing.transformations")]
    types = sorted(by_type)
    kinds = [*fuzz.VALUES, *list(fuzz.VALUES)[: max(0, len(types) - len(fuzz.VALUES))]]
    for number, kind in enumerate(kinds):
        # By a hash, so that a new option changes few of the others' cases.
        keys = by_type[types[number % len(types)]]
        run, key = keys[crc32(kind.encode()) % len(keys)]
        words = ["options", *fuzz.words_of(run, key, kind)]
        outcome = Outcome(words, main(words), *capsys.readouterr(), 0, 0)
        assert fuzz.Result("options").judge(outcome), outcome


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["options", "=1"], ["=1: ", "no key"]),
        (["options", f"seed={DIGITS}"], ["seed=999", "...", "4300 digits"]),
        (["options", f"seed={'9' * 400}"], ["seed=999", "...", "64 bits"]),
        (["options", "loss={}"], ["loss={}: changes nothing"]),
        (["options", "loss=[a]"], ["loss=a: no such choice", "simclr"]),
        (["options", "seed=???"], ["seed=???: must be given"]),
        (["options", "seed=${seed}"], ["seed: ", "ecursive"]),
        (["options", "seed=0,1"], ["seed=0,1: ", "-m sweeps"]),
        (["options", "pairing.blur_sigma=2"], ["must be a list, such as [0.1,2.0]"]),
        (
            ["options", "dataset=npz", "dataset.store=null"],
            ["must be given, one of auto, memory, "],
        ),
        (["options", "schedule.batch_size=null"], ["must be given; null is no value of it"]),
        (["train", "dataset=npz", "dataset.window=null"], ["dataset.window=null: must be auto, "]),
        (
            ["train", "dataset=npz", "dataset.store_folder=''"],
            ["store_folder='': must be a folder"],
        ),
        (["options", "eval.k=[[1]]"], ["eval.k=[[1]]: must be a list of whole numbers"]),
        (["options", f"eval.k={'[' * 300}"], ["eval.k=[["]),
        (["options", "dataset.classes=${oc.env:HOME}"], ["dataset.classes", "must be a list"]),
        (["options", "dataset.std=[1e-300]"], ["dataset.std=[1e-300]", "at least 0.0001"]),
        (["options", "schedule.stages.finetune=${seed}"], ["finetune=0: must be a mapping"]),
        (["options", "schedule=${seed}"], ["schedule=${seed}: "]),
        (["options", "hydra.searchpath=[nope://x]"], ["hydra.searchpath"]),
        (["options", "name=../../x"], ["name=../../x: ", "must not hold /"]),
        (["train", "-m", "seed=range(1,0)"], ["seed=range(1,0): is a sweep over no values"]),
        (["train", "-m", "dataset=glob(x*)"], ["dataset=glob(x*): is a sweep over no values"]),
        (["train", "-m", "seed=interval(0,1)"], ["seed=interval(0,1): ", "not support"]),
        (["train", "-m", "seed=range(0,3,0)"], ["seed=range(0,3,0): ", "must not be zero"]),
        (["train", "-m", "seed=range(0,1000000000000)"], ["more than 10,000 jobs"]),
        (["train", "-m", f"seed=1,{DIGITS}"], ["seed=1,999", "4300 digits"]),
        (
            ["train", "-m", "hydra/launcher=submitit_local", "output_dir=%j"],
            ["output_dir=%j: ", "without %"],
        ),
        (["reproduce", "table1", "--seeds", DIGITS], ["--seeds 999", "..."]),
    ],
)
def test_words_that_cannot_be_used_are_refused_by_name(words, parts, refused, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    line = refused(*words)
    for part in parts:
        assert part in line


def test_the_default_experiment_may_be_typed(default):
    assert composed(["experiment=null"]) == default


@pytest.mark.parametrize("value", ["café", "it's", "a b(c)", 'x"y$z`\\', "[a", "{a"])
def test_what_a_refusal_advises_can_be_typed(value, refused):
    line = refused("options", f"experiment={value}")
    if "quote the value: " not in line:
        assert f"experiment={value}" in line
        return
    (word,) = shlex.split(line.partition("quote the value: ")[2])
    assert f"experiment={value}: no such choice" in refused("options", word)


def test_a_refusal_of_a_variable_says_how_its_characters_are_typed(refused):
    for value in ("a${b", "a${b}"):
        assert refused("options", f"output_dir={value}").endswith("is typed \\${")
    assert composed(["output_dir=a\\${b}", "budget=\\${"]).output_dir == "a${b}"


TYPED = ["1_0", "café", "it's", "c#", "a&b", "cat=1", "日本", "null", "true", "1e3", "0x10", "a b"]


def test_lists_of_texts_are_taken_as_they_are_typed():
    words = f"dataset.classes=[{','.join(TYPED)}, \"a,b]\",'it\\'s' ,a\\,b]"
    assert composed([words]).dataset.classes == [*TYPED, "a,b]", "it's", "a,b"]
    assert hydra_word(f"+{words}", sweep=False) == "+" + hydra_word(words, sweep=False)
    for unchanged in ("dataset.classes=[]", "dataset.classes=null"):
        assert hydra_word(unchanged, sweep=False) == unchanged


def test_lists_and_texts_of_every_choice_are_taken_as_typed():
    typed = composed(
        ["experiment=regression_digits_shifts", "pairing.factors=[1_0]", "budget=1_0", "name=1e3"]
    )
    assert (typed.pairing.factors, typed.budget, typed.name) == (["1_0"], "1_0", "1e3")


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("[1_0],[x, y]", "['1_0'],['x','y']"),
        ("choice([1_0],[x])", "choice(['1_0'],['x'])"),
        ("null,[1_0]", "null,['1_0']"),
        ("[[1_0]]", "[[1_0]]"),
        ("[1_0", "[1_0"),
        ("[${oc.env:X}]", "['${oc.env:X}']"),
    ],
)
def test_lists_of_texts_of_a_sweep_are_quoted_too(value, quoted):
    assert hydra_word(f"dataset.classes={value}", sweep=True) == f"dataset.classes={quoted}"
    assert hydra_word(f"eval.k={value}", sweep=True) == f"eval.k={value}"


def test_texts_of_a_sweep_are_quoted_too():
    for key in ("budget", "schedule.name", "schedule.stages.a.loss.name"):
        assert hydra_word(f"{key}=1_0,null,x", sweep=True) == f"{key}='1_0',null,'x'"
    assert hydra_word("budget=choice(a,b)", sweep=True) == "budget=choice(a,b)"


@pytest.mark.parametrize(
    ("key", "name", "reason"),
    [
        ("name", "a\nb", "control characters"),
        ("name", "/tmp/x", "must not hold /"),
        ("name", "~", "must not begin with ~"),
        ("name", ".x", "must not begin with ."),
        ("name", "日" * 67, "at most 200 bytes"),
        ("schedule.name", "../x", "must not hold /"),
    ],
)
def test_a_name_makes_one_folder_where_it_should(key, name, reason, default):
    config = copy.deepcopy(default)
    (config if key == "name" else config.schedule).name = name
    with pytest.raises(InputError, match=rf"^{key}=(.|\n)* {reason}"):
        check_names(config)


def test_without_a_home_folder_none_is_made_that_is_called_so(refused, monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert "output_dir=~/o: there is no home folder" in refused("options", "output_dir=~/o")
    assert "no home folder" in refused("table", "table1", "--out", "~/x")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("defaults: [{/loss: 3}]\n", "experiment=mine: "),
        ("defaults: [/loss: nope]\n", "experiment=mine: loss=nope: no such choice"),
        ("# @package _global_\ndefaults:\n  - /experiment: mine\n", "among its own defaults"),
        ("defaults: [mine]\n", "among its own defaults"),
        ("", "begins with the line # @package _global_"),
        ("seed: 1\n", "begins with the line # @package _global_"),
        ("# @package _global_\nloss: null\n", "loss: "),
        ("# @package _global_\nschedule: {stages: {a: [1]}}\n", "schedule.stages.a: must"),
        ("# @package _global_\nseed: ${x\n", "seed: "),
        ("# @package _global_\nseed: 1\nseed: 2\n", "duplicate key"),
        ("# @package a b c\n", "experiment=mine: "),
        ("# @package _global_\nhydra: 3\n", "experiment/mine"),
    ],
)
def test_yaml_of_ones_own_is_refused_by_its_name(text, part, refused, tmp_path):
    folder = tmp_path / "it's mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_bytes(text.encode("latin-1"))
    line = refused("options", f"--config-dir={folder.parent}", "experiment=mine")
    assert part in line


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("defaults: x\n", "defaults: must be a list"),
        ("defaults: {a: b}\n", "defaults: must be a list"),
        ("defaults: [1]\n", "defaults: 1: "),
        ("text\n", "is a text"),
        ("[1]\n", "is a list"),
        ("# @package _global_\nloss: [1]\n", "loss: must hold lines"),
        ("# @package _global_\nloss: text\n", "loss: must hold lines"),
        ("null: 1\n", "null"),
        ("a: &a [*a]\n", "has an alias"),
        ("a: " + "[" * 1500, "is nested"),
        ("# @package _global_\ndataset: {classes: [x, 1_0]}", "classes: 1_0 means 10 in YAML"),
        ("\xff", "is not UTF-8"),
    ],
)
def test_yaml_of_ones_own_is_refused_before_hydra_reads_it(text, part, tmp_path):
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment/mine.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=rf"^{file}: ") as error:
        OwnYaml("mine", f"dimred://{tmp_path}").load_config("experiment/mine")
    assert part in str(error.value)


# Signals and output


def entered(code, **environment):
    """The result of a process that runs this Python code."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


# A job in the background of a shell is begun with SIGINT ignored.
SEND = """import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import dimred.commands.main as m
send = lambda n: os.kill(os.getpid(), n)"""
MOMENTS = {
    "in a command": "m._run = lambda words: send({n})",
    "when it is done": "m._flushed = lambda code: send({n}) or code",
    "before it begins": "m.main = lambda: send({n})",
    "turned into an error": """
def command(words):
    try:
        send({n})
    except BaseException:
        raise ImportError("a library made this of it")
m._run = command""",
    "dropped": """
def command(words):
    class Dropped:
        def __del__(self):
            send({n})
    Dropped()
    return 0
m._run = command""",
    "twice": """
def command(words):
    try:
        send({n})
    finally:
        send({n})
m._run = command""",
}


@pytest.mark.parametrize(
    ("moment", "number"), [*((moment, 2) for moment in MOMENTS), (next(iter(MOMENTS)), 15)]
)
def test_a_signal_ends_the_command_at_any_moment_without_a_traceback(moment, number):
    done = entered(f"{SEND}\n{MOMENTS[moment].format(n=number)}\nm.entry()")
    assert done.returncode == 128 + number, done
    assert done.stderr in ("", "dimred: interrupted\n", "dimred: terminated\n")


def test_a_terminal_of_few_characters_is_printed_to():
    code = "import dimred.commands.main as m; m._run = lambda words: print('→ é') or 0; m.entry()"
    done = entered(code, PYTHONIOENCODING="ascii")
    assert (done.stdout, done.stderr, done.returncode) == ("\\u2192 \\xe9\n", "", 0)


# Flags


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--batch-size", "64"],
            "--batch-size: no such flag; keys are typed KEY=VALUE; did you mean ",
        ),
        (["--batch-size", "64"], "schedule.batch_size=64, or eval.batch_size=64?"),
        (["--lr=0.1", "-m"], "did you mean schedule.optimizer.lr_per_256=0.1 (for a batch of 256"),
        (["experiment=demo", "--seed", "3"], "keys are typed KEY=VALUE: seed=3"),
        (["--restart", "experiment=demo"], "keys are typed KEY=VALUE: restart=true"),
        (
            ["--config_dir", "x"],
            "unrecognized arguments: --config_dir; did you mean --config-dir? ",
        ),
        (["-m", "device=gpu,cpu"], "device=gpu: no such choice; did you mean device=cuda? "),
        (["-m", "lr=1,2", "seed=0,1"], "lr=1,2: no such key; did you mean schedule.optimizer.lr"),
        (["+epochs=3"], "epochs=3: no such key; did you mean schedule.epochs_scale (a factor)"),
    ],
)
def test_flags_and_sweeps_say_what_was_meant(words, line, refused):
    assert line in refused("train", *words)


def test_flags_of_other_commands_say_what_was_meant(refused):
    assert "--opne; did you mean --open? dimred view [RUN]" in refused("view", "x", "--opne")
