"""Sweeps: one run a job, in this process or in others that submitit starts."""

import os
import shutil
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from command import SMOKE, dimred, only_run, refused, rows, summary

from dimred.options import plugins, registry

pytestmark = pytest.mark.usefixtures("no_figures_here")

PLUGINS = Path(__file__).parent.parent / "plugins"
LOCAL = ["-m", "hydra/launcher=submitit_local"]


def runs(cwd):
    return [path for path in (cwd / "outputs").iterdir() if path.name != "sweeps"]


def seed_of(path):
    return summary(path)["seed"]


def logs(cwd, kind):
    return list(cwd.glob(f"outputs/sweeps/*/.submitit/*/*_0_log.{kind}"))


def test_a_sweep_gives_one_folder_each_and_reports_what_failed(tmp_path):
    words = ["seed=0,1", "loss=simclr", "schedule.batch_size=64,1000"]
    out, err = dimred(tmp_path, *SMOKE, "-m", *words, "eval.linear=none", code=2)
    assert "2 job(s) of the sweep failed" in err
    assert "seed=0 loss=simclr schedule.batch_size=1000" in err
    finished = runs(tmp_path)
    assert all(path.name.startswith("smoke-batch_size=64-seed") for path in finished)
    # A line for each as it ends, and a table at the end.
    assert "run folder" not in out
    table = out.partition("\nrun ")[2].splitlines()
    assert [line.split()[:2] for line in table[1:]] == [
        [f"outputs/{path.name}", "finished"] for path in sorted(finished, key=seed_of)
    ]
    # The same run as a single command is that one.
    words = [*SMOKE, "seed=1", "loss=simclr", "schedule.batch_size=64", "eval.linear=none"]
    assert "finished before" in dimred(tmp_path, *words, "device.threads=2")[0]
    assert sorted(summary(path)["seed"] for path in finished) == [0, 1]
    assert len({(path / "embedding.npz").read_bytes() for path in finished}) == 2


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["seed=0,-1"], "seed=-1: must be at least 0"),
        (["seed=0,1", "+model.width=8"], "model.width=8: no such key"),
        (["loss=tsimcne,drlim"], "loss=drlim"),
    ],
)
def test_a_sweep_with_a_job_that_cannot_run_is_refused_before_the_first(tmp_path, words, part):
    assert part in refused(tmp_path, *SMOKE, "-m", *words)
    assert not (tmp_path / "outputs").exists()


def test_hydras_own_word_or_yaml_for_a_sweep_is_heard(tmp_path):
    line = refused(tmp_path, *SMOKE, "hydra.mode=MULTIRUN", "seed=0,-1")
    assert "seed=-1: must be at least 0" in line
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults: [smoke]\nname: mine\nhydra: {mode: MULTIRUN}\n"
    )
    words = ["train", "--config-dir", "mine", "experiment=mine", "seed=0,-1"]
    assert "seed=-1: must be at least 0" in refused(tmp_path, *words)


def test_a_launcher_without_a_sweep_is_refused(tmp_path):
    line = refused(tmp_path, *SMOKE, "hydra/launcher=submitit_slurm")
    assert "hydra/launcher=submitit_slurm" in line
    assert "add -m" in line


@pytest.mark.parametrize("launcher", ["submitit_local", "submitit_slurm"])
def test_without_the_extra_it_is_named(tmp_path, launcher):
    # A package of that name hides the plugins that are installed.
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins/__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    words = ["-m", f"hydra/launcher={launcher}", "hydra.launcher.timeout_min=5", "seed=0,1"]
    line = refused(tmp_path, *SMOKE, *words, PYTHONPATH=path)
    assert f"hydra/launcher={launcher}: is not installed" in line
    assert "pip install -e '.[cluster]' in dimred's clone" in line


@contextmanager
def preempted(cwd):
    """The first job that has trained two epochs meanwhile is told to end and that it is requeued,
    as a cluster does."""
    failures = []

    def preempt():
        try:
            until = time.monotonic() + 120
            while not any(len(rows(p.parent)) >= 2 for p in cwd.glob("outputs/*/metrics.jsonl")):
                assert time.monotonic() < until
                time.sleep(0.01)
            job = int((only_run(cwd) / ".lock").read_text())
            os.kill(job, signal.SIGTERM)
            time.sleep(0.2)
            os.kill(job, signal.SIGUSR2)
        except Exception as error:
            failures.append(error)

    thread = Thread(target=preempt)
    thread.start()
    yield
    thread.join()
    assert failures == []


@contextmanager
def plugins_of_jobs():
    """Takes back how the command shares its plug-ins with jobs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTHONPATH", "DIMRED_PLUGINS"):
            patch.setenv(name, os.environ.get(name, ""))
        yield
    for name in plugins._files:
        registry.forget(name)
    plugins._files.clear()


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    """What a sweep printed whose jobs ran in other processes: one of them was preempted, the other
    cannot run; and its folder."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    cwd = tmp_path_factory.mktemp("submitted")
    (cwd / "mine/experiment").mkdir(parents=True)
    (cwd / "mine/experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - smoke\nname: mine\n"
    )
    words = ["train", "--config-dir", "mine", "experiment=mine", *SMOKE[2:], *LOCAL]
    words += ["schedule.stages.pretrain.epochs=50", "checkpoint_every=0", "eval.every=0"]
    words += ["--plugin", shutil.copy(PLUGINS / "silhouette.py", cwd), "eval.silhouette=true"]
    with preempted(cwd), plugins_of_jobs():
        return cwd, *dimred(cwd, *words, "schedule.batch_size=64,1000", code=2)


def test_jobs_in_other_processes_report_to_the_sweep(submitted):
    cwd, out, err = submitted
    assert "1 job(s) of the sweep failed" in err
    assert "schedule.batch_size=1000: schedule.batch_size=1000: dataset=digits has 300" in err
    log = cwd / err.partition("(log: ")[2].partition(")")[0]
    assert log in logs(cwd, "err")
    assert "dataset=digits has 300 images" in log.read_text()
    (folder,) = (path for path in (cwd / "outputs/sweeps").iterdir() if path.name != "plugins")
    assert str(folder.relative_to(cwd)) in out
    run = only_run(cwd)
    assert f"\n{run.relative_to(cwd)}  finished" in out
    assert '"--config-dir",\n        "mine"' in (run / "environment.json").read_text()


def test_jobs_in_other_processes_have_the_measures_of_a_plugin(submitted):
    """Nothing but the options of one is sent to them."""
    cwd, _, _ = submitted
    assert "silhouette_h" in summary(only_run(cwd))["silhouette"]


def test_a_preempted_job_is_requeued_and_goes_on_from_its_checkpoint(submitted):
    cwd, _, _ = submitted
    printed = [log.read_text() for log in logs(cwd, "out")]
    assert ["continuing in stage pretrain" in text for text in printed].count(True) == 1
    assert len(rows(only_run(cwd))) == 53


def test_a_key_that_only_the_swept_choices_have_goes_to_all_jobs(tmp_path):
    """Such as the folder of the images, which are planted here: to render them takes long."""
    (tmp_path / "my data").mkdir()
    np.savez(tmp_path / "my data/turntable-v1.npz", images=np.zeros((972, 96, 96), np.uint8))
    words = ["experiment=drlim_turntable,generalized_turntable", "schedule.epochs_scale=0.001"]
    words += ["dataset.root='my data'", "eval.lle=null", "view=false"]
    out, _ = dimred(tmp_path, "train", "-m", *words)
    assert out.count(" s of training") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"my data", "outputs"}


def test_folders_are_called_by_the_part_that_is_swept(tmp_path):
    """Not by the loss that is around it, which is the same in all of them."""
    words = ["experiment=metric", "dataset=digits", "dataset.fit_classes=[0-4]", "loss=dvml"]
    swept = "loss@loss.metric=triplet,n_pair"
    out, _ = dimred(tmp_path, "train", "-m", "--list", *words, swept)
    for name in ("metric=triplet", "metric=n_pair"):
        assert f"metric-{name}-seed0-" in out
    assert "loss=dvml" not in out
