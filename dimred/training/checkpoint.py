"""Checkpoints, written so that a crash at any moment leaves the previous one intact."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from dimred.errors import InputError

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


def checkpoint_bytes(checkpoint: Checkpoint) -> memoryview:
    """The content of the file of a checkpoint."""
    buffer = io.BytesIO()
    content = {**vars(checkpoint), "position": tuple(checkpoint.position), "format": FORMAT}
    torch.save(content, buffer)
    return buffer.getbuffer()


def load_checkpoint(file: BinaryIO, name: str) -> Checkpoint:
    """Read a checkpoint, with its tensors on the CPU. Only tensors and plain values are unpickled,
    never code.

    name: of the file, for messages.
    Raises InputError if it is corrupt, holds other values than `Checkpoint` has, or is of another
    format, and OSError if it cannot be read.
    """
    try:
        _check_archive(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sparse tensors, which are refused
            content = torch.load(file, map_location="cpu", weights_only=True)
        if content.pop("format") != FORMAT:
            raise InputError(
                f"{name}: written by another version of dimred; continue with that version, or "
                "start again with restart=true"
            )
        position, rows = content.pop("position"), content["rows"]
        if not all(type(part) is int and part >= 0 for part in position):
            raise ValueError(f"position {position}")
        checkpoint = Checkpoint(position=Position(*position), **content)
        if not isinstance(rows, list):
            raise TypeError("rows are no list")
        _check_values(checkpoint)
        return checkpoint
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{name}: the checkpoint is corrupt ({reason}); start again with restart=true"
        ) from error


def _check_archive(file: BinaryIO) -> None:
    """Raise BadZipFile where a checksum is wrong, which PyTorch's reader does not verify, or a
    member is not stored as it is, as PyTorch stores it: little could stand for much then."""
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise zipfile.BadZipFile("it is compressed")
        if sum(member.file_size for member in members) > size:
            raise zipfile.BadZipFile("its parts are larger than the file")
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"checksum of {damaged}")
    file.seek(0)


def _check_values(checkpoint: Checkpoint) -> None:
    """Raise ValueError or TypeError for values of other kinds than `Checkpoint` has."""
    if not isinstance(checkpoint.identity, dict):
        raise TypeError("the identity is no dict")
    if type(checkpoint.out_dim) is not int or checkpoint.out_dim < 1:
        raise ValueError(f"out_dim {checkpoint.out_dim!r}")
    if not 0 <= checkpoint.seconds < math.inf:
        raise ValueError(f"seconds {checkpoint.seconds!r}")
    if checkpoint.losses is not None and checkpoint.losses.ndim != 1:
        raise ValueError("the losses are no row")
    if checkpoint.optimizer is not None and not checkpoint.optimizer.keys() >= {"state"}:
        raise ValueError("the optimizer has no state")
    for tensor in _tensors_in(vars(checkpoint)):
        if tensor.layout is not torch.strided:
            raise ValueError("a tensor is sparse")
        # A tensor can be declared larger than what is stored of it.
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError("a tensor is larger than its content")
    for state in (checkpoint.encoder, checkpoint.loss or {}):
        if not all(isinstance(part, Tensor) for part in state.values()):
            raise TypeError("weights are no tensors")
        if not all(part.isfinite().all() for part in state.values()):
            raise ValueError("weights are not finite")


def _tensors_in(values: Any, depth: int = 8) -> Iterator[Tensor]:
    """All tensors in nested dicts, lists and tuples."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict | list | tuple) and depth:
        for value in values.values() if isinstance(values, dict) else values:
            yield from _tensors_in(value, depth - 1)
