"""Every configuration of runs is a line of a figure, and every run is in one."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from records import record

from dimred.analysis.run_figures import _by_configuration
from dimred.tables.compare import configuration_key

CHANGES = {
    "loss.name": ["tsimcne", "simclr"],
    "schedule.batch_size": [64, 128, None],
    "loss.temperature": [0.5, "0.5", None],
    "schedule.stages.train.epochs": [5, 10],
}
RUNS = st.lists(
    st.tuples(
        st.fixed_dictionaries({key: st.sampled_from(values) for key, values in CHANGES.items()}),
        st.integers(0, 1),
        st.sampled_from(["smoke", "demo"]),
        st.sampled_from(["1", "2"]),
    ),
    min_size=1,
    max_size=9,
)


@given(RUNS)
def test_a_figure_has_a_line_for_every_configuration_and_drops_no_run(drawn):
    runs = [
        SimpleNamespace(record=record(name, seed, values=values, data=data), number=i)
        for i, (values, seed, name, data) in enumerate(drawn)
    ]
    curves, _ = _by_configuration(runs, lambda run: (np.array([1.0]), np.array([run.number])))
    assert len(curves) == len({configuration_key(run.record) for run in runs})
    averaged = sorted(y[0] for group in curves.values() for _, y in group)
    assert averaged == list(range(len(runs)))


def test_eight_runs_of_four_configurations_are_four_lines_that_say_what_differs():
    runs = [
        SimpleNamespace(
            record=record("smoke", seed, values={"loss.name": loss, "schedule.batch_size": size})
        )
        for seed in (0, 1)
        for loss in ("tsimcne", "simclr")
        for size in (128, 64)
    ]
    curves, common = _by_configuration(runs, lambda _: (np.array([1.0]), np.array([1.0])))
    assert list(curves) == [
        "loss=simclr, batch_size=64",
        "loss=simclr, batch_size=128",
        "loss=tsimcne, batch_size=64",
        "loss=tsimcne, batch_size=128",
    ]
    assert [len(group) for group in curves.values()] == [2, 2, 2, 2]
    assert common == "smoke, cifar10; mean of 2 runs, band: one standard deviation"
