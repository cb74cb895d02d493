"""Sweeps: one run a job, in this process or in others that submitit starts."""

import os
import signal
import time
from pathlib import Path

import pytest
from command import SMOKE, dimred, only_run, refused, rows, start, summary, wait_for

LOCAL = ["-m", "hydra/launcher=submitit_local"]


def runs(cwd):
    return [path for path in (cwd / "outputs").iterdir() if path.name != "sweeps"]


def logs(cwd, kind):
    return list(cwd.glob(f"outputs/sweeps/*/.submitit/*/*_0_log.{kind}"))


def test_a_sweep_reports_what_failed_and_runs_the_rest(tmp_path):
    out, err = dimred(tmp_path, *SMOKE, "-m", "seed=0,1", "schedule.batch_size=64,1000", code=2)
    assert "2 job(s) of the sweep failed" in err
    assert "seed=0 schedule.batch_size=1000" in err
    assert "seed=0 schedule.batch_size=64: outputs/smoke-seed0-" in out
    assert sorted(summary(path)["seed"] for path in runs(tmp_path)) == [0, 1]


def test_a_sweep_over_losses_and_seeds_gives_one_folder_each(tmp_path):
    out, _ = dimred(tmp_path, *SMOKE, "-m", "seed=0,1", "loss=tsimcne,simclr")
    finished = runs(tmp_path)
    assert len(finished) == 4
    assert all((path / "summary.json").exists() for path in finished)
    assert len({(path / "embedding.npz").read_bytes() for path in finished}) == 4
    assert "seed=1 loss=simclr" in out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["seed=0,-1"], "seed=-1: must be at least 0"),
        (["seed=0,1", "+model.width=8"], "model.width: no such key"),
        (["loss=tsimcne,drlim"], "loss=drlim"),
    ],
)
def test_a_sweep_with_a_job_that_cannot_run_is_refused_before_the_first(tmp_path, words, part):
    assert part in refused(tmp_path, *SMOKE, "-m", *words)
    assert not (tmp_path / "outputs").exists()


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


def test_jobs_in_other_processes_report_to_the_sweep(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - smoke\nname: mine\n"
    )
    words = ["train", "--config-dir", "mine", "experiment=mine", *SMOKE[2:], *LOCAL]
    out, err = dimred(tmp_path, *words, "schedule.batch_size=64,1000", code=2)
    assert "1 job(s) of the sweep failed" in err
    assert "schedule.batch_size=1000: schedule.batch_size=1000: dataset=digits has 300" in err
    log = Path(err.partition("(log: ")[2].partition(")")[0])
    assert log in logs(tmp_path, "err")
    assert "dataset=digits has 300 images" in log.read_text()
    assert str(next((tmp_path / "outputs/sweeps").iterdir()).relative_to(tmp_path)) in out
    run = only_run(tmp_path)
    assert f"schedule.batch_size=64: {run.relative_to(tmp_path)}\n" in out
    assert '"--config-dir",\n        "mine"' in (run / "environment.json").read_text()


def test_a_preempted_job_is_requeued_and_goes_on_from_its_checkpoint(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = [*SMOKE, "schedule.stages.pretrain.epochs=50", "checkpoint_every=0"]
    process = start(tmp_path, *words, *LOCAL)
    metrics = "outputs/*/metrics.jsonl"
    wait_for(process, lambda: any(len(rows(p.parent)) >= 2 for p in tmp_path.glob(metrics)))
    job = int((only_run(tmp_path) / ".lock").read_text())
    os.kill(job, signal.SIGTERM)
    time.sleep(0.2)
    os.kill(job, signal.SIGUSR2)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    (log,) = logs(tmp_path, "out")
    assert "continuing in stage pretrain" in log.read_text()
    assert len(rows(only_run(tmp_path))) == 53


def test_a_key_that_only_the_swept_choices_have_goes_to_all_jobs(tmp_path):
    words = ["experiment=drlim_turntable,generalized_turntable", "schedule.epochs_scale=0.001"]
    out, _ = dimred(tmp_path, "train", "-m", *words, "dataset.root='my data'", "eval.lle=null")
    assert out.count("run folder") == 2
    assert (tmp_path / "my data").is_dir()
