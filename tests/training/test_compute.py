"""What PyTorch is told while a run trains, and that it is told nothing else."""

import pytest
import torch

from dimred.errors import InputError
from dimred.training.compute import torch_settings
from dimred.training.device import DeviceName, DeviceOptions, Precision
from dimred.training.processes import Processes


def settings():
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        cudnn.benchmark,
        cudnn.allow_tf32,
        matmul.allow_tf32,
    )


@pytest.mark.parametrize("deterministic", [False, True])
def test_settings_are_those_of_training_and_then_those_of_before(deterministic):
    before = settings()
    with torch_settings(torch.device("cpu"), threads=2, deterministic=deterministic):
        assert settings() == (2, deterministic, not deterministic, True, False)
    assert settings() == before


def test_settings_are_those_of_before_after_an_error():
    before = settings()
    with pytest.raises(KeyError), torch_settings(torch.device("cpu"), threads=2):
        raise KeyError
    assert settings() == before


def test_to_resolve_a_device_sets_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: pytest.fail("a device was set"))
    before = settings()
    options = DeviceOptions(threads=3, deterministic=True, precision=Precision.bf16)
    assert options.compute().bf16
    assert settings() == before
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    second = Processes(rank=1, size=2, local_rank=1, local_size=2)
    assert options.compute(second).device == torch.device("cuda", 1)


def test_what_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device=cuda: PyTorch sees no GPU here"):
        DeviceOptions(name=DeviceName.cuda).device()
    assert DeviceOptions(name=DeviceName.auto).device() == torch.device("cpu")
    with pytest.raises(InputError, match=r"device\.compile=true: is for one process"):
        DeviceOptions(compile=True).compute(Processes(size=2))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"--nproc-per-node=2: there are 1 GPU"):
        DeviceOptions().device(Processes(size=2, local_size=2))


def test_warnings_instead_of_errors_are_restored_too():
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch_settings(torch.device("cpu")):
            assert not torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
