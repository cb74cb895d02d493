"""What the configuration says of a stage is what its trainer is given."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from test_resume import config, results

import dimred.run.stages
from dimred.config.compose import composed
from dimred.errors import InputError
from dimred.losses.options import SimCLR, TSimCNE
from dimred.pairing import PositivePairs
from dimred.run.identity import identity_values, run_path
from dimred.run.stages import COMPILE_MIN_STEPS, should_compile
from dimred.run.train import run
from dimred.training.compute import Compute
from dimred.training.device import DeviceName, DeviceOptions
from dimred.training.processes import Processes
from dimred.training.schedule import (
    Anneal,
    FrozenBatchNorm,
    LrUpdate,
    OptimizerName,
    OptimizerOptions,
    ReadoutInit,
    ScheduleOptions,
    StageOptions,
    Trainable,
)
from dimred.training.stage import StageTrainer

pytestmark = pytest.mark.usefixtures("no_figures_here")

STAGES = {
    "cosine": StageOptions(
        epochs=2, out_dim=3, warmup_epochs=2, lr_scale=0.5, loss=SimCLR(temperature=0.2)
    ),
    "last": StageOptions(
        epochs=1,
        out_dim=2,
        trainable=Trainable.readout,
        warmup_epochs=0,
        anneal=Anneal.none,
        frozen_batchnorm=FrozenBatchNorm.freeze,
        readout_init=ReadoutInit.default,
    ),
    "again": StageOptions(epochs=1, out_dim=1, warmup_epochs=0, lr_scale=0.25),
}
SCHEDULE = ScheduleOptions(
    batch_size=64,
    lr_update=LrUpdate.step,
    optimizer=OptimizerOptions(OptimizerName.sgd, lr_per_256=0.4, momentum=0.7, weight_decay=0.01),
    stages=STAGES,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The trainer of each stage, and the readout that it began with."""
    trainers = []

    class Recorded(dimred.run.stages.StageTrainer):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            trainers.append((self, self.encoder.readout.weight.detach().clone()))

    options = config(tmp_path_factory.mktemp("plans") / "run")
    options.schedule = SCHEDULE
    options.loss = TSimCNE()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dimred.run.stages, "StageTrainer", Recorded)
        run(options, [])
    return trainers


def test_each_stage_trains_by_its_own_options(trained):
    stages = [trainer.stage for trainer, _ in trained]
    assert [(stage.number, stage.name, stage.options) for stage in stages] == [
        (number, name, options) for number, (name, options) in enumerate(STAGES.items())
    ]
    assert [stage.base_lr for stage in stages] == pytest.approx(
        [0.4 * 64 / 256 * 0.5, 0.4 * 64 / 256, 0.4 * 64 / 256 * 0.25]
    )
    assert [stage.readout_only for stage in stages] == [False, True, False]
    for trainer, _ in trained:
        (group,) = trainer.optimizer.param_groups
        assert (group["momentum"], group["weight_decay"]) == (0.7, 0.01)


def test_the_loss_of_each_stage(trained):
    z = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    pairs = PositivePairs(torch.arange(8).roll(4))
    expected = [SimCLR(temperature=0.2), TSimCNE(), TSimCNE()]
    for (trainer, _), options in zip(trained, expected, strict=True):
        assert trainer.loss(z, pairs) == options.build()(z, pairs)


def test_stages_are_compiled_on_a_gpu_where_their_steps_are_many():
    options = config("run")  # 2 + 2 epochs that train all, 1 of the readout
    gpu = Compute(torch.device("cuda"), compile=None)

    def compiled(compute, steps, same_size=True):
        pairing = SimpleNamespace(same_size=same_size)
        inputs = SimpleNamespace(compute=compute, pairing=pairing, steps=steps)
        return [should_compile(inputs, stage) for stage in options.schedule.numbered(0)]

    assert compiled(gpu, COMPILE_MIN_STEPS // 4) == [True, False, True]
    assert compiled(gpu, COMPILE_MIN_STEPS // 4 - 1) == [False] * 3
    assert compiled(gpu, COMPILE_MIN_STEPS) == [True] * 3
    # What is compiled for one is not for the other.
    frozen = replace(options.schedule.stages["finetune"], frozen_blocks=1)
    options.schedule.stages = {**options.schedule.stages, "finetune": frozen}
    assert compiled(gpu, COMPILE_MIN_STEPS // 4) == [False] * 3
    assert compiled(gpu, COMPILE_MIN_STEPS, same_size=False) == [False] * 3
    for choice in (True, False):
        for same_size in (True, False):
            asked = compiled(replace(gpu, compile=choice), COMPILE_MIN_STEPS // 2, same_size)
            assert asked == [choice] * 3


@pytest.mark.parametrize(
    ("gpu", "size", "asked", "found"),
    [
        (True, 1, "auto", None),
        (True, 2, "auto", False),
        (False, 1, "auto", False),
        (False, 1, True, True),
        (True, 1, False, False),
    ],
)
def test_what_compile_comes_to_on_a_machine(tmp_path, monkeypatch, gpu, size, asked, found):
    """And so in a run's identity, which tells runs of different rounding apart."""
    options = config(tmp_path / "run")
    options.device = DeviceOptions(name=DeviceName.auto, compile=asked)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    compute = options.device.compute(Processes(0, size))
    assert compute.compile is found
    assert identity_values(options, compute)["device.compile"] == (
        "auto" if gpu and size == 1 and asked == "auto" else found
    )


def test_each_run_of_a_sweep_leaves_a_fresh_compiler(tmp_path, monkeypatch):
    resets = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: resets.append(1))
    monkeypatch.setattr(StageTrainer, "compile", StageTrainer.interpret)
    for number in range(2):
        options = config(tmp_path / str(number))
        options.device = DeviceOptions(name=DeviceName.cpu, compile=True)
        run(options, [])
        assert len(resets) == number + 1
    run(config(tmp_path / "plain"), [])
    assert len(resets) == 2


def test_runs_of_before_are_found_again():
    """The folder that README names; its hash is of all that decides the result."""
    options = composed(["experiment=demo", "device=cpu"])
    identity = {
        "config": identity_values(options, options.device.compute()),
        "data": options.dataset.load(options.seed).fingerprint(),
    }
    assert run_path(options, identity).name == "demo-seed0-9b6bf014"


class Broken(StageTrainer):
    """Trains, but cannot compile."""

    def compile(self):
        raise InputError("device.compile=true: cannot compile here: no gcc") from OSError("no gcc")


def test_where_compiling_fails_a_run_goes_on_without_if_it_was_not_asked_for(
    tmp_path, monkeypatch, capsys
):
    plain = config(tmp_path / "plain")
    run(plain, [])
    monkeypatch.setattr(dimred.run.stages, "StageTrainer", Broken)
    monkeypatch.setattr(dimred.run.stages, "COMPILE_MIN_STEPS", 1)
    auto = config(tmp_path / "auto")
    on_a_cpu = Compute(torch.device("cpu"), compile=None)
    monkeypatch.setattr(DeviceOptions, "compute", lambda *_: on_a_cpu)
    capsys.readouterr()
    run(auto, [])
    assert capsys.readouterr().out.count(": goes on without compiling: no gcc") == 1
    assert results(tmp_path / "auto") == results(tmp_path / "plain")
    auto.run_dir = str(tmp_path / "asked")
    monkeypatch.setattr(DeviceOptions, "compute", lambda *_: replace(on_a_cpu, compile=True))
    with pytest.raises(InputError, match="cannot compile here: no gcc"):
        run(auto, [])


def test_a_new_readout_where_the_dimension_changes(trained):
    """PyTorch's default is uniform within 1/sqrt(8); the authors' N(0, 1) goes beyond."""
    _, default, normal = [readout for _, readout in trained]
    assert default.shape == (2, 8)
    assert default.abs().max() <= 8**-0.5
    assert normal.shape == (1, 8)
    assert normal.abs().max() > 8**-0.5
