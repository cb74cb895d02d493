"""Labels of runs tell them apart, whatever they differ in."""

from hypothesis import given
from hypothesis import strategies as st

from dimred.analysis.run_labels import run_labels

KEYS = ["loss.name", "loss.temperature", "model.name", "schedule.batch_size", "a.b.lr", "a.c.lr"]
VALUES = st.one_of(st.none(), st.sampled_from([1, 1.0, "1", True, "x, lr=1", "None", [1], ""]))
RUNS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "", "a, lr=1"]), st.dictionaries(st.sampled_from(KEYS), VALUES)
    ),
    min_size=1,
    max_size=8,
)


@given(RUNS, st.booleans())
def test_no_two_labels_are_equal(runs, with_lr):
    names, values = zip(*runs, strict=True)
    labels = run_labels(names, values, ["a.b.lr"] if with_lr else [])
    assert len(set(labels)) == len(runs)
    for label, name in zip(labels, names, strict=True):
        assert label.startswith(name)


def made(**sweeps):
    """All combinations of values, as Hydra sweeps them."""
    rows = [{}]
    for key, values in sweeps.items():
        rows = [{**row, key.replace("__", "."): value} for row in rows for value in values]
    return rows


def test_two_options_that_differ_are_both_named_and_what_follows_from_a_choice_is_not():
    rows = made(loss__name=["tsimcne", "simclr"], schedule__batch_size=[64, 128])
    for row in rows:
        row["loss.temperature"] = 0.5 if row["loss.name"] == "simclr" else None
        row["loss.kernel"] = "cauchy"
    assert run_labels(["smoke"] * 4, rows) == [
        "smoke, loss=tsimcne, batch_size=64",
        "smoke, loss=tsimcne, batch_size=128",
        "smoke, loss=simclr, batch_size=64",
        "smoke, loss=simclr, batch_size=128",
    ]


def test_an_option_without_a_value_is_left_out():
    assert run_labels(["a", "a"], [{"x.dim": None}, {"x.dim": 2}]) == ["a", "a, dim=2"]


def test_options_of_equal_last_parts_are_named_longer():
    rows = made(schedule__stages__first__lr=[1, 2], schedule__stages__last__lr=[1, 2])
    labels = run_labels([""] * 4, rows)
    assert labels[1] == "first.lr=1, last.lr=2"


def test_runs_of_several_names_need_no_options_and_equal_runs_are_numbered():
    values = [{"loss.name": "a"}, {"loss.name": "b"}, {"loss.name": "b"}]
    assert run_labels(["x", "y", "y"], values) == ["x", "y", "y (2)"]


def test_what_is_always_named_is_named_where_other_options_would_do():
    rows = [{"loss.name": "a", "seed": 0}, {"loss.name": "b", "seed": 1}]
    assert run_labels(["", ""], rows) == ["loss=a", "loss=b"]
    assert run_labels(["", ""], rows, ["seed"]) == ["seed 0", "seed 1"]
