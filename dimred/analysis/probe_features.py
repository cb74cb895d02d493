"""Networks of `dimred probe`, and H by them, kept in parts as it is computed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.resident import ResidentImages
from dimred.models import Encoder
from dimred.models.check import random_encoder
from dimred.models.options import ScorePool
from dimred.run_folder.arrays import RunArrays
from dimred.run_folder.finished import FinishedRun
from dimred.training.compute import Compute
from dimred.training.embed import embed
from dimred.training.kept_h import backbone_digest
from dimred.training.seeds import derived_seed

_PART = 2_000  # images whose H is kept at a time

Rows = NDArray[np.int64]
Points = NDArray[np.float32]


def classifier(finished: FinishedRun, n_classes: int, trained: bool, *place: int | str) -> Encoder:
    """The run's network with a new readout on H, n_classes wide; on the CPU.

    trained: with the trained weights of its backbone, else with random ones.
    place: of the random weights, derived from the run's seed; ("weights",) for those of the
        backbone that a run without pretrained weights began with.
    """
    head: dict[str, Any] = {"hidden_dim": None, "adaptation": None, "score_pool": ScorePool.none}
    model = replace(finished.config.model, **head)
    source = finished.encoder()
    mean, std = (part.flatten().tolist() for part in (source.mean, source.std))
    seed = derived_seed(finished.config.seed, *place)
    encoder = random_encoder(model, finished.shape, mean, std, n_classes, seed)
    if trained:
        encoder.backbone.load_state_dict(source.backbone.state_dict())
    return encoder


class KeptFeatures:
    """H of images by one network, kept in a run's folder: what is kept is not computed again.

    place: of the files in the run, to which a number is added; those of another network or of other
        images are replaced. encoder: the network, on the device.
    images: all, uint8 (N, C, height, width), on the host. fingerprint: tells them from others.
    h: float32 (N, h), where `known`, (N,).
    """

    def __init__(
        self,
        finished: FinishedRun,
        place: str,
        encoder: Encoder,
        images: Tensor,
        fingerprint: str,
        compute: Compute,
    ):
        self.finished, self.place = finished, place
        self.encoder, self.images, self.compute = encoder, images, compute
        self.h: Points = np.zeros((len(images), encoder.backbone.out_features), np.float32)
        self.known: NDArray[np.bool_] = np.zeros(len(images), bool)
        self._of = np.array([backbone_digest(encoder, fingerprint)])
        self._parts = 0
        while finished.files.exists(self._file):
            part = RunArrays(finished.files, self._file)
            if "of" not in part or (part.get("of", "U", 1) != self._of).any():
                break
            self._take(part)

    @property
    def _file(self) -> str:
        return f"{self.place}-{self._parts:03d}.npz"

    def _take(self, part: RunArrays) -> None:
        rows = part.get("rows", "i")
        if rows.min() < 0 or rows.max() >= len(self.h):
            raise part.error("rows", f"must be from 0 to {len(self.h) - 1}")
        h = part.get("h", "f", len(rows), dims=2)
        if h.shape[1] != self.h.shape[1]:
            raise part.error("h", f"has {h.shape[1]} columns; H has {self.h.shape[1]}")
        self.h[rows], self.known[rows] = h, True
        self._parts += 1

    def missing(self, rows: Rows) -> Rows:
        """Those of the rows whose H is not known."""
        return rows[~self.known[rows]]

    def parts(self, rows: Rows) -> list[Rows]:
        """The missing ones of the rows in parts that are computed and kept one after the other."""
        missing = self.missing(rows)
        return [missing[i : i + _PART] for i in range(0, len(missing), _PART)]

    def compute_parts(self, rows: Rows) -> Iterator[None]:
        """Compute what is missing of the rows; yields after each of `parts`."""
        for some in self.parts(rows):
            h = self.embedded(some)
            buffer = io.BytesIO()
            np.savez(buffer, rows=some, h=h, of=self._of)
            self.finished.files.write(self._file, buffer.getbuffer())
            self.h[some], self.known[some] = h, True
            self._parts += 1
            yield

    def embedded(self, rows: Rows) -> Points:
        """H of some images, computed and not kept."""
        images = self.images[torch.from_numpy(rows)]
        return embedded(self.finished, self.encoder, images, self.compute)[0]


def embedded(
    finished: FinishedRun, encoder: Encoder, images: Tensor, compute: Compute
) -> tuple[Points, Points]:
    """H and Z of images, uint8 (n, C, height, width), by an encoder on the device."""
    fraction, size = finished.config.device.memory_fraction, finished.config.eval.batch_size
    return embed(encoder, ResidentImages(images, compute.device, fraction), size, compute)


def saved_features(finished: FinishedRun) -> Points | None:
    """H of each image of the run, (N, h), as the run kept it; None where it did not."""
    saved = finished.map.h
    if saved is None and finished.kept is not None:
        saved = finished.kept.h
    return None if saved is None else saved[:: finished.n_variants]
