"""Checkpoints: what is saved comes back, what is damaged is refused, nothing runs."""

import errno
import os

import pytest
import torch

from dimred.errors import InputError
from dimred.training.checkpoint import Checkpoint, Position, load_checkpoint, save_checkpoint

CPU = torch.device("cpu")


def checkpoint(step=3):
    return Checkpoint(
        identity={"config": {"seed": 0, "k": [15], "limit": None}, "data": "abc"},
        position=Position(1, 2, step),
        encoder={"weight": torch.randn(64, 64)},
        out_dim=2,
        optimizer={"state": {0: {"momentum_buffer": torch.randn(4)}}, "param_groups": []},
        losses=torch.tensor([1.0, 2.0]),
        seconds=1.5,
        rows=[{"stage": "a", "epoch": 1, "loss": 0.5}],
    )


def test_what_is_saved_comes_back(tmp_path):
    saved = checkpoint()
    save_checkpoint(tmp_path / "c.pt", saved)
    loaded = load_checkpoint(tmp_path / "c.pt")
    assert loaded.position == saved.position
    assert loaded.identity == saved.identity
    assert loaded.rows == saved.rows
    assert torch.equal(loaded.encoder["weight"], saved.encoder["weight"])
    assert torch.equal(
        loaded.optimizer["state"][0]["momentum_buffer"],
        saved.optimizer["state"][0]["momentum_buffer"],
    )


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_file_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "c.pt"
    save_checkpoint(path, checkpoint())
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flip":
        content[len(content) // 2] ^= 1
    else:
        content = b"" if damage == "empty" else b"not a checkpoint"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"c\.pt.*corrupt.*restart=true") as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    torch.save({"format": 1, "harm": Harm()}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="corrupt"):
        load_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    save_checkpoint(path, checkpoint(step=3))

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        save_checkpoint(path, checkpoint(step=4))
    monkeypatch.undo()
    assert error.value.filename == str(path)
    assert load_checkpoint(path).position.step == 3
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]
