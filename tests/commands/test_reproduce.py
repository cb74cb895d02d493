"""What `dimred reproduce` lists and asks, without any run."""

import shlex

import pytest
from command import dimred, refused


@pytest.mark.parametrize(
    ("table", "rows", "said"),
    [
        ("dvml", "mnist_tripet", "did you mean mnist_triplet? the rows are mnist_triplet, "),
        ("dvml", "MNIST-triplet", "did you mean mnist_triplet? the rows are mnist_triplet, "),
        ("table1", "x", "the rows are 1, 2, "),
    ],
)
def test_an_unknown_row_is_asked_for_by_its_name(tmp_path, table, rows, said):
    message = refused(tmp_path, "reproduce", table, "--rows", rows, "--list")
    assert f"--rows {rows}: no such row; {said}" in message


def test_each_listed_command_is_below_the_key_of_its_row(tmp_path):
    rows = "mnist_n_pair,mnist_triplet"
    words = ["--budget", "smoke", "--rows", rows, "--seeds", "0,1", "--list"]
    lines = dimred(tmp_path, "reproduce", "dvml", *words)[0].partition("\n\n")[0].splitlines()
    assert lines[::2] == ["# mnist_n_pair", "# mnist_triplet"] * 2
    for key, command in zip(lines[::2], lines[1::2], strict=True):
        assert f"name=metric_{key[2:]}" in shlex.split(command)
    # What is pasted into a shell is the commands alone.
    pasted = shlex.split("\n".join(lines), comments=True)
    assert pasted == [word for line in lines[1::2] for word in shlex.split(line)]
    one = [*words[:3], "mnist_n_pair", *words[4:]]
    out, _ = dimred(tmp_path, "reproduce", "dvml", *one)
    assert out.count("# mnist_n_pair") == 1  # of both seeds
    for key in ("mnist_n_pair", "mnist_triplet"):  # as `dimred table` prints them
        assert f"\n{key}  " in dimred(tmp_path, "table", "dvml")[0]


def test_a_table_of_measured_rows_is_without_the_others(tmp_path):
    out, _ = dimred(tmp_path, "table", "dvml", "--measured")
    assert "missing: " not in out
    assert "rows without runs are left out" in out
    assert "no run has baselines yet" in dimred(tmp_path, "table", "baselines", "--measured")[0]
    for form in ("markdown", "latex", "csv"):
        assert dimred(tmp_path, "table", "c2st", "--measured", "--format", form)[0]
