"""Which folder a run goes to, and what is said of others of its name."""

import json
from dataclasses import replace

import pytest
from made_runs import made

from dimred.config.compose import composed
from dimred.config.renamed import current_identity
from dimred.config.same_run import differing_keys, is_same_run
from dimred.run.identity import identity_values, run_path, sibling_note


@pytest.fixture(scope="module")
def config():
    return composed(["experiment=smoke", "device=cpu"])


@pytest.fixture
def here(config, tmp_path):
    return replace(config, output_dir=str(tmp_path))


def identity(config, **changes):
    values = identity_values(config, config.device.compute())
    return {"config": {**values, **changes}, "data": "0" * 64}


def begun(path, identity, **more):
    """A run folder of this identity."""
    made(path, **more)
    content = json.loads((path / "environment.json").read_text())
    (path / "environment.json").write_text(json.dumps({**content, "identity": identity}))
    return path


def test_runs_of_earlier_versions_keep_their_folders(here, tmp_path):
    """The hash of a run of the version before, which had the threads in its identity."""
    before = {"config": {"seed": 0, "device.threads": None}, "data": "abc"}
    now = {"config": {"seed": 0}, "data": "abc"}
    assert current_identity(before) == now
    assert run_path(here, now).name == "smoke-seed0-ee9f0332"


@pytest.mark.parametrize("threads", [None, 1, 8])
def test_a_run_with_another_number_of_threads_is_gone_on_with(here, tmp_path, threads):
    old = {**identity(here), "config": {**identity(here)["config"], "device.threads": threads}}
    folder = begun(tmp_path / "smoke-seed0-01234567", old)
    changed = replace(here, device=replace(here.device, threads=3))
    assert run_path(changed, identity(changed)) == folder
    assert run_path(replace(here, name="other"), identity(here)).name.startswith("other-seed0-")
    other = identity(here, **{"schedule.batch_size": 7})
    assert run_path(here, other) != folder


def test_options_added_since_count_as_their_defaults(here):
    old, new = identity(here)["config"], identity(here)["config"]
    del old["model.init"], old["dataset.limit"]
    new["dataset.limit"] = None
    assert differing_keys(old, new) == []
    assert differing_keys(new, old) == []
    assert differing_keys(old, {**new, "model.init": "xavier"}) == ["model.init"]
    assert not is_same_run({**identity(here), "data": "1"}, identity(here))


def test_a_run_of_a_sweep_and_the_single_command_have_one_folder(here, tmp_path):
    named = run_path(here, identity(here), "loss=simclr-lr_per_256=1e-05")
    single = run_path(here, identity(here))
    digest = single.name.rpartition("-")[2]
    assert named.name == f"smoke-loss=simclr-lr_per_256=1e-05-seed0-{digest}"
    begun(named, identity(here))
    assert run_path(here, identity(here)) == named
    assert run_path(here, identity(here), "other=1") == named
    # Not that of another name, which begins alike.
    other = replace(here, name="smo")
    assert run_path(other, identity(other)) == tmp_path / f"smo-seed0-{digest}"


def test_a_name_may_be_of_a_folder_in_a_folder(here, tmp_path):
    nested = replace(here, name="a/b")
    folder = begun(tmp_path / "a/b-seed0-01234567", identity(here))
    assert run_path(nested, identity(here)) == folder


def test_the_nearest_run_that_was_stopped_is_named(here, tmp_path):
    values = {"schedule.batch_size": 7, "pairing.zoom": [1.0, 1.0]}
    begun(tmp_path / "smoke-seed0-00000001", identity(here, **values), rows=2)
    begun(tmp_path / "smoke-seed0-00000002", identity(here, **{"schedule.batch_size": 9}), rows=1)
    begun(tmp_path / "smoke-seed0-00000003", identity(here, **{"loss.name": "simclr"}), knn=0.5)
    begun(tmp_path / "smoke-seed1-00000004", identity(here, seed=1), rows=1)
    note = sibling_note(here, identity(here), run_path(here, identity(here)))
    assert note == (
        f"{tmp_path}/smoke-seed0-00000002 (unfinished, epoch 1 of 5, in stage pretrain) differs in "
        "schedule.batch_size (9 there, 64 here); dimred train experiment=made goes on with it"
    )


def test_a_finished_run_is_named_only_for_other_images(here, tmp_path):
    begun(tmp_path / "smoke-seed0-00000003", identity(here, **{"loss.name": "simclr"}), knn=0.5)
    path = run_path(here, identity(here))
    assert sibling_note(here, identity(here), path) == ""
    begun(tmp_path / "smoke-seed0-00000005", {**identity(here), "data": "1" * 64}, knn=0.5)
    note = sibling_note(here, identity(here), path)
    why = "differs in its images, which have changed since"
    assert note == f"{tmp_path}/smoke-seed0-00000005 (finished) {why}"
    path.mkdir()
    assert sibling_note(here, identity(here), path) == ""
