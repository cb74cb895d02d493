"""One line for each error."""

import errno

import pytest
import torch

from dimred.commands.messages import exit_code, explain, run_reporting_errors, shown
from dimred.errors import InputError

LONG = "x" * 10_000
NUMBERS = ", ".join(["1"] * 3_000)
CHOICES = ", ".join(f"choice{number}" for number in range(60))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (f"name={LONG}: is long", f"name={'x' * 95}...{'x' * 19}: is long"),
        (f"eval.k=[{NUMBERS}]: no", f"eval.k=[{NUMBERS[:99]}...{NUMBERS[-19:]}]: no"),
        (f"no file '{LONG} x'", f"no file '{'x' * 99}...{'x' * 17} x'"),
        (f"it's none; the choices are {CHOICES}", f"it's none; the choices are {CHOICES}"),
        ("name=a\nb\x1b[0m\udce9 日é: no", "name=a\\nb\\x1b[0m\\xe9 日é: no"),
    ],
)
def test_long_values_are_cut_and_choices_are_not(message, line):
    assert shown(message) == line


def test_a_line_of_many_words_ends_too():
    assert len(shown("word " * 10_000)) < 2_000


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("could not create a primitive"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:116] can't allocate memory: you tried"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libtorch.so: failed to map segment from shared object"),
    ],
)
def test_memory_that_runs_out_is_one_line(error, capsys):
    def fail():
        raise error

    assert run_reporting_errors(fail) == 1
    line = capsys.readouterr().err
    assert line.startswith("dimred: memory ran out (")
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "keys"),
    [
        ("dimred.training.stage", "schedule.batch_size"),
        ("dimred.training.embed", "eval.batch_size"),
        ("dimred.data.image_folder", "dataset.limit or dataset.image_size"),
        ("dimred.data.canvases", "dataset.n_train, dataset.n_test or dataset.size"),
    ],
)
def test_memory_that_runs_out_in_training_names_the_keys_that_help(module, keys):
    code = "def run(action):\n    action()\ndef allocate():\n    raise MemoryError\n"
    outer, inner = {"__name__": "dimred.commands.train"}, {"__name__": module}
    exec(code, outer)
    exec(code, inner)
    with pytest.raises(MemoryError) as error:
        outer["run"](inner["allocate"])
    assert f"a smaller {keys} needs less, and the same command goes on" in explain(error.value)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("out of memory"), 2),
        (RuntimeError("x"), None),
        (OSError(errno.EBADF, "x"), None),
    ],
)
def test_other_errors_do_not_count_as_lack_of_memory(error, code):
    assert exit_code(error) == code
