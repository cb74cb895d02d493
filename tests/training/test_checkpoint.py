"""Checkpoints: what is saved comes back, what is damaged is refused, nothing runs."""

import errno
import os
import zipfile

import pytest
import torch

from dimred.errors import InputError
from dimred.run_folder.folder import RunFolder
from dimred.training.checkpoint import Checkpoint, Position


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
    folder = RunFolder(tmp_path)
    folder.write_checkpoint(saved)
    loaded = folder.read_checkpoint()
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
    folder = RunFolder(tmp_path)
    folder.write_checkpoint(checkpoint())
    content = bytearray(folder.checkpoint.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flip":
        content[len(content) // 2] ^= 1
    else:
        content = b"" if damage == "empty" else b"not a checkpoint"
    folder.checkpoint.write_bytes(content)
    refuses(folder)


def refuses(folder):
    with pytest.raises(InputError, match=r"checkpoint\.pt.*restart=true") as error:
        folder.read_checkpoint()
    assert "\n" not in str(error.value)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    folder = RunFolder(tmp_path)
    torch.save({"format": 1, "harm": Harm()}, folder.checkpoint)
    refuses(folder)
    assert not (tmp_path / "harm").exists()


HUGE = torch.zeros(1).expand(2**40)
ROW = {"stage": "a", "epoch": 1, "loss": 0.5}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"position": position} for position in ((0, 0), (0, -1, 0), (0.5, 0, 0), "abc", None)),
        *({"out_dim": value} for value in (-1, 0, "2", 2.0, None)),
        *({"rows": rows} for rows in (None, "", [1], [{}], [{**ROW, "loss": "x"}])),
        *({"encoder": state} for state in (None, {"w": 1}, {"w": torch.tensor([torch.nan])})),
        {"encoder": {"w": HUGE}},
        {"optimizer": {"state": {0: {"momentum_buffer": HUGE}}, "param_groups": []}},
        {"optimizer": []},
        {"encoder": {"w": torch.eye(2).to_sparse()}},
        {"losses": torch.zeros(2, 2)},
        {"seconds": float("nan")},
        {"identity": None},
        {"loss": 3},
    ],
)
def test_other_values_than_a_run_saves_are_refused(tmp_path, wrong):
    folder = RunFolder(tmp_path)
    content = {**vars(checkpoint()), "position": (1, 2, 3), "format": 1}
    torch.save({**content, **wrong}, folder.checkpoint)
    refuses(folder)


def test_a_compressed_file_is_refused_before_it_is_unpacked(tmp_path):
    folder = RunFolder(tmp_path)
    with zipfile.ZipFile(folder.checkpoint, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))
    refuses(folder)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.write_checkpoint(checkpoint(step=3))

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        folder.write_checkpoint(checkpoint(step=4))
    monkeypatch.undo()
    assert error.value.filename == str(folder.checkpoint)
    assert folder.read_checkpoint().position.step == 3
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]
