"""A trial of the pairing before training begins: a faulty pairing gets a one-line error instead of
a crash during the run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor

from dimred.errors import InputError
from dimred.options.trial import described, one_line
from dimred.pairing.pairs import ClassPairs, LabeledPairs, PositivePairs
from dimred.pairing.protocol import Pairing, StepBatch
from dimred.pairing.targets import Targets

_MAX_ANCHORS = 8  # of the trial batch


def check_pairing(
    name: str,
    pairing: Pairing,
    batch_size: int,
    images: Tensor,
    device: torch.device,
    is_plugin: bool = True,
) -> StepBatch:
    """Select a small batch and make its views; returns the batch.

    name: of the pairing, for messages.
    batch_size: anchors of a training step; the trial uses at most 8.
    images: uint8 (samples, C, height, width), on any device.
    device: the training device.
    is_plugin: whether an error in it becomes one line (see `options.trial`).
    Raises InputError for fewer anchors than a batch, and for a pairing that breaks the contract of
    `Pairing`.
    """
    anchors = getattr(pairing, "anchors", None)
    if not isinstance(anchors, Tensor) or anchors.dtype != torch.int64 or anchors.ndim != 1:
        raise InputError(
            f"pairing={name}: anchors are {described(anchors)}; they must be int64 (n,)"
        )
    if not isinstance(getattr(pairing, "same_size", None), bool):
        raise InputError(f"pairing={name}: same_size must be True or False")
    if len(anchors) < batch_size:
        raise InputError(
            f"schedule.batch_size={batch_size}: pairing={name} has {len(anchors)} to make batches "
            f"of; set schedule.batch_size to at most {len(anchors)}, or take more images"
        )

    def generator() -> torch.Generator:
        return torch.Generator(device).manual_seed(0)

    some = anchors[: min(batch_size, _MAX_ANCHORS)].to(device)
    with one_line(f"pairing={name}", "select() fails on a trial batch", is_plugin):
        batch = pairing.select(some, generator())
        if not isinstance(batch, StepBatch) or not isinstance(batch.samples, Tensor):
            raise InputError(
                f"pairing={name}: select() gives {type(batch).__name__}; it must be a StepBatch"
            )
        for fault in chain(_faults_of_batch(batch, len(images)), _faults_of_pairs(batch)):
            raise InputError(f"pairing={name}: {fault}")
    pixels = images[batch.samples.to(images.device)].to(device)
    with one_line(f"pairing={name}", "views() fails on a trial batch", is_plugin):
        views = pairing.views(pixels, generator())
    shape = (batch.rows, *images.shape[1:])
    if isinstance(views, Tensor) and views.ndim == 4 and not pairing.same_size:
        shape = (*shape[:2], *views.shape[2:])
    if not isinstance(views, Tensor) or views.dtype != torch.float32 or views.shape != shape:
        raise InputError(
            f"pairing={name}: views are {described(views)}; they must be float32 {shape}, one for "
            "each row, as large as the images"
        )
    return batch


def _faults_of_batch(batch: StepBatch, n_samples: int) -> Iterator[str]:
    samples = batch.samples
    if samples.dtype != torch.int64 or samples.ndim != 1 or not len(samples):
        yield f"samples are {described(samples)}; they must be int64 (m,), m above 0"
    elif not 0 <= int(samples.min()) <= int(samples.max()) < n_samples:
        yield f"samples must be from 0 to {n_samples - 1}"
    elif batch.rows < 1 or batch.rows % len(samples):
        yield f"rows={batch.rows}: must be a multiple of the {len(samples)} samples"


def _faults_of_pairs(batch: StepBatch) -> Iterator[str]:
    """Faults of pairs in dimred's formats; pairs in a plug-in's own format are left to its loss."""
    rows, pairs = batch.rows, batch.pairs
    if isinstance(pairs, PositivePairs):
        partner = pairs.partner
        numbers = torch.arange(rows, device=partner.device)
        if partner.shape != (rows,) or not _are_rows(partner, rows):
            yield f"partner is {described(partner)}; it must be int64 ({rows},), each a row"
        elif (partner == numbers).any() or (partner[partner] != numbers).any():
            yield "partner: each row must be the partner of its partner, and not of itself"
    elif isinstance(pairs, LabeledPairs):
        count = len(pairs.left)
        if not (pairs.left.shape == pairs.right.shape == (count,)):
            yield f"left and right: {described(pairs.left)}, {described(pairs.right)}"
        elif not (_are_rows(pairs.left, rows) and _are_rows(pairs.right, rows)):
            yield f"left and right must be int64 rows from 0 to {rows - 1}"
        elif (pairs.left == pairs.right).any():
            yield "left and right: a row is paired with itself"
        elif pairs.similar.dtype != torch.bool or pairs.similar.ndim != 2:
            yield f"similar is {described(pairs.similar)}; it must be bool ({count}, p)"
        elif not pairs.similar.shape == pairs.weight.shape == (count, pairs.weight.shape[-1]):
            yield f"weight is {described(pairs.weight)}; similar {described(pairs.similar)}"
        elif not (pairs.weight.isfinite() & (pairs.weight >= 0)).all():
            yield "weight must be finite and at least 0"
    elif isinstance(pairs, ClassPairs):
        yield from _faults_of_class_pairs(pairs, rows)
    elif isinstance(pairs, Targets) and len(pairs.values) != rows:
        yield f"targets are {described(pairs.values)}; they must be one for each of {rows} rows"


def _faults_of_class_pairs(pairs: ClassPairs, rows: int) -> Iterator[str]:
    values, anchor, positive = pairs.values, pairs.anchor, pairs.positive
    paired = torch.cat((anchor, positive))
    if values.dtype != torch.int64 or values.shape != (rows,) or (values < 0).any():
        yield f"values are {described(values)}; they must be classes, int64 ({rows},), from 0"
    elif anchor.shape != positive.shape or anchor.ndim != 1 or not _are_rows(paired, rows):
        yield f"anchor and positive must be int64 rows from 0 to {rows - 1}, two and two"
    elif len(torch.unique(paired)) < len(paired):
        yield "anchor and positive: a row is in two pairs"
    elif (values[anchor] != values[positive]).any():
        yield "anchor and positive: rows of different classes are a pair"


def _are_rows(values: Tensor, rows: int) -> bool:
    return values.dtype == torch.int64 and bool(((values >= 0) & (values < rows)).all())
