"""Checkpoints, written so that a crash at any moment leaves the previous one intact."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dimred.errors import InputError
from dimred.files import write_atomically

FORMAT = 1


class Position(NamedTuple):
    """The next step: its stage, the epoch in the stage and the step in the epoch, each from 0."""

    stage: int
    epoch: int
    step: int


@dataclass
class Checkpoint:
    """The state of an unfinished run.

    identity: of the run (configuration and data), so that another run's checkpoint is refused.
    position: the next step.
    encoder: state dict. out_dim: dimension of Z.
    optimizer: state dict, or None at the start of a stage.
    losses: losses of the epoch so far, or None. seconds: time spent in the epoch so far.
    rows: the rows of metrics.jsonl.
    loss: state dict of the loss, or None if it has no parameters.
    """

    identity: dict[str, Any]
    position: Position
    encoder: dict[str, Tensor]
    out_dim: int
    optimizer: dict[str, Any] | None
    losses: Tensor | None
    seconds: float
    rows: list[dict[str, Any]]
    loss: dict[str, Tensor] | None = None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint. Raises OSError when it cannot be written; the previous one is kept."""
    buffer = io.BytesIO()
    content = {**vars(checkpoint), "position": tuple(checkpoint.position), "format": FORMAT}
    torch.save(content, buffer)
    write_atomically(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, with its tensors on the CPU. Only tensors and plain values are unpickled,
    never code.

    Raises InputError if it is corrupt or of another format, OSError if it cannot be read.
    """
    try:
        # PyTorch's reader does not verify the checksums that its writer stores.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"checksum of {damaged}")
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("format") != FORMAT:
            raise InputError(
                f"{path}: written by another version of dimred; continue with that version, or "
                "start again with restart=true"
            )
        content["position"] = Position(*content["position"])
        return Checkpoint(**content)
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: the checkpoint is corrupt ({reason}); start again with restart=true"
        ) from error
