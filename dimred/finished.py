"""A finished run: its configuration, its images and its encoder."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from dimred.config import RunConfig
from dimred.config.device import DeviceName, DeviceOptions
from dimred.config.saved import read_config
from dimred.data.image_set import ImageSet
from dimred.data.resident import ResidentImages
from dimred.errors import InputError
from dimred.models import Encoder
from dimred.stages import new_encoder
from dimred.tables import RunRecord, read_record
from dimred.train import compute_of
from dimred.training import Compute, embed


class FinishedRun:
    """What a finished run learned, and from what.

    record: what its folder says of it. config: its configuration.
    root: where its data are now, if they have moved.
    Raises InputError for a folder that holds no finished run.
    """

    def __init__(self, path: Path, root: str | None = None):
        self.path = path
        self.record: RunRecord = read_record(path)
        file = path / "config.yaml"
        try:
            self.config: RunConfig = read_config(file.read_text())
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        for key in ("root", "path"):
            if root is not None and hasattr(self.config.dataset, key):
                setattr(self.config.dataset, key, root)

    def compute(self) -> Compute:
        """Where to compute: as the run did, or on the CPU where its device is not here."""
        if self.config.device.name is DeviceName.cuda and not torch.cuda.is_available():
            return compute_of(replace(self.config, device=DeviceOptions(name=DeviceName.cpu)))
        return compute_of(self.config)

    def images(self) -> ImageSet:
        """The images of the run, read again from where it had them.

        Raises InputError where they are gone or have changed since.
        """
        images = self.config.dataset.load(self.config.seed)
        if images.fingerprint() != self.record.environment["identity"]["data"]:
            raise InputError(f"{self.path}: its images have changed since it was trained")
        return images

    def arrays(self, name: str = "embedding.npz") -> dict[str, NDArray[Any]]:
        """The arrays of an .npz file of the run. Raises InputError for one that is gone or bad."""
        file = self.path / name
        try:
            with np.load(file, allow_pickle=False) as content:
                return dict(content)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{file}: holds no arrays of this run ({error})") from error

    def items(self, images: ImageSet) -> ImageSet:
        """The run's images in all transformations of its pairing, one for each row of its map."""
        return self.config.pairing.items(images)

    def encoder(self, images: ImageSet) -> Encoder:
        """The trained encoder, on the host. Raises InputError for weights that are gone or bad."""
        stages = list(self.config.schedule.stages.values())
        encoder = new_encoder(self.config, images, stages[-1].out_dim)
        file = self.path / "weights.safetensors"
        try:
            encoder.load_state_dict(safetensors.torch.load_file(file))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{file}: holds no weights of this run ({reason})") from error
        return encoder

    def embed(
        self, images: ImageSet, compute: Compute
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """H (N, h) and Z (N, d) of images of this run's kind, by its weights."""
        encoder = self.encoder(images).to(compute.device)
        resident = ResidentImages(images.images, compute.device, self.config.device.memory_fraction)
        encoder = encoder.to(memory_format=compute.memory_format)
        return embed(encoder, resident, self.config.eval.batch_size, compute)

    def spaces(
        self, items: ImageSet, compute: Compute
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """H (N, h) and Z (N, d) of the run's own items: as they were written, H computed again
        where it was not."""
        arrays = self.arrays()
        z = arrays["z"]
        if len(z) != len(items):
            raise InputError(
                f"{self.path / 'embedding.npz'}: has {len(z)} rows, the run {len(items)} images"
            )
        return (arrays["h"] if "h" in arrays else self.embed(items, compute)[0]), z
