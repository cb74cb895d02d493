"""A finished run: its configuration, its images and its encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.config import RunConfig
from dimred.config.saved import read_config
from dimred.data.image_set import ImageSet
from dimred.data.options import ImageFolder
from dimred.data.resident import ResidentImages
from dimred.errors import InputError
from dimred.models import Encoder
from dimred.options.registry import Unknown
from dimred.run_folder.folder import WRITTEN, read_arrays
from dimred.run_folder.record import RunRecord, read_record
from dimred.training.compute import Compute
from dimred.training.device import DeviceName
from dimred.training.embed import embed

FINDINGS = "inspect/findings.json"
"""Where `dimred inspect` says which rows deserve a look."""
Embedder = Callable[[Tensor], tuple[NDArray[np.float32], NDArray[np.float32]]]


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
            plugins = self.record.environment["identity"].get("plugins")
            self.config: RunConfig = read_config(file.read_text(), plugins)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        dataset = self.config.dataset
        if hasattr(dataset, "download"):
            dataset.download = False  # who looks at a stranger's run does not ask for its data
        place = next((key for key in ("root", "path") if hasattr(dataset, key)), None)
        if root is not None and place is None:
            raise InputError(f"--root {root}: the images of {dataset.name} are nowhere else")
        if root is not None and place is not None:
            setattr(dataset, place, root)

    def compute(self) -> Compute:
        """Where to compute: as the run did, or on the CPU where it has no GPU here. Changes nothing
        in PyTorch."""
        device = replace(self.config.device, compile=False)
        if device.name is DeviceName.cuda and not torch.cuda.is_available():
            device = replace(device, name=DeviceName.cpu)
        return device.compute()

    def images(self) -> ImageSet:
        """The images of the run, read again from where it had them.

        Raises InputError where they are gone or have changed since.
        """
        try:
            images = self.config.dataset.load(self.config.seed)
        except InputError as error:
            if isinstance(self.config.dataset, Unknown):
                raise
            raise InputError(f"{error}; --root names data that have moved") from error
        if images.fingerprint() != self.record.environment["identity"]["data"]:
            raise InputError(f"{self.path}: its images have changed since it was trained")
        return images

    def arrays(self, name: str = "embedding.npz") -> RunArrays:
        """The arrays of an .npz file of the run. Raises InputError for one that is gone or bad."""
        return RunArrays(self.path / name)

    def items(self, images: ImageSet) -> ImageSet:
        """The run's images in all transformations of its pairing, one for each row of its map."""
        if not self.record.summary["dataset"]["transformations"]:
            return images  # whatever the pairing is
        return self.config.pairing.items(images)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the run's images, which are read only where a run of an
        earlier version does not say."""
        dataset = self.record.summary["dataset"]
        if "shape" in dataset:
            shape = dataset["shape"]
        elif isinstance(self.config.dataset, ImageFolder) and "mean" in self._weights():
            side = self.config.dataset.image_size
            shape = [len(self._weights()["mean"]), side, side]
        else:
            shape = list(self.images().images.shape[1:])
        sound = isinstance(shape, list) and all(type(n) is int and n > 0 for n in shape)
        if not sound or len(shape) != 3:
            raise InputError(
                f"{self.path / 'summary.json'}: dataset.shape={shape}: must be channels, height "
                "and width"
            )
        return shape[0], shape[1], shape[2]

    def encoder(self) -> Encoder:
        """The trained encoder, on the host, without a look at the run's images.

        Raises InputError for weights that are gone or bad.
        """
        (channels, height, width), weights = self.shape, self._weights()
        model, stages = self.config.model, list(self.config.schedule.stages.values())
        unknown = [0.0] * channels  # the normalisation is among the weights
        try:
            with torch.device("meta"):
                backbone = model.backbone(channels, (height, width))
                encoder = Encoder(backbone, unknown, unknown, model.hidden_dim, stages[-1].out_dim)
            encoder.to_empty(device="cpu").load_state_dict(weights)
        except RuntimeError as error:
            raise self._no_weights(error) from error
        return encoder

    def _weights(self) -> dict[str, Tensor]:
        try:
            return safetensors.torch.load_file(self._weights_file)
        except (OSError, safetensors.SafetensorError) as error:
            raise self._no_weights(error) from error

    @property
    def _weights_file(self) -> Path:
        return self.path / "weights.safetensors"

    def _no_weights(self, error: Exception) -> InputError:
        reason = str(error).splitlines()[0]
        return InputError(f"{self._weights_file}: holds no weights of this run ({reason})")

    def embedder(self, compute: Compute) -> Embedder:
        """What gives H (N, h) and Z (N, d) of images, uint8 (N, C, height, width), by the run's
        weights."""
        encoder = self.encoder().to(compute.device).to(memory_format=compute.memory_format)
        fraction, size = self.config.device.memory_fraction, self.config.eval.batch_size

        def embed_images(images: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            return embed(encoder, ResidentImages(images, compute.device, fraction), size, compute)

        return embed_images

    def embed(
        self, images: ImageSet, compute: Compute
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """H (N, h) and Z (N, d) of images of this run's kind, by its weights."""
        return self.embedder(compute)(images.images)

    def spaces(
        self, items: ImageSet, compute: Compute, every: int = 1
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """H (N, h) and Z (N, d) of the run's own items: as they were written, H computed again
        where it was not.

        every: rows of embedding.npz for each of the items, of which the first is meant.
        Raises InputError for arrays that are not as a run writes them.
        """
        arrays, rows = self.arrays(), len(items) * every
        z = arrays.get("z", "f", rows, dims=2)[::every]
        if "h" in arrays:
            return arrays.get("h", "f", rows, dims=2)[::every], z
        return self.embed(items, compute)[0], z

    def check_output(self, option: str, file: Path, own: str) -> None:
        """Raise InputError for a file that would replace what the run wrote.

        option: as the user gave it. own: the one name in the run's folder that may be written.
        """
        folder, target = self.path.resolve(), file.resolve()
        inside = target.relative_to(folder).parts[:1] if target.is_relative_to(folder) else ()
        if inside and inside[0] in WRITTEN and inside[0] != own:
            raise InputError(f"{option}: would replace what the run wrote; name another file")


class RunArrays:
    """The arrays of an .npz file of a run, of plain numbers and texts; each is checked when it is
    asked for. Raises InputError for a file that is gone or bad."""

    def __init__(self, file: Path):
        self.file = file
        self._arrays = read_arrays(file)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def get(self, name: str, kind: str, n: int | None = None, dims: int = 1) -> NDArray[Any]:
        """An array of a kind ("f", "i", "U") and so many dimensions, with n rows if n is given, at
        least one. Raises InputError for another; numbers that are not finite are refused in
        arrays of points (dims=2)."""
        array = self._arrays.get(name)
        if array is None:
            raise self.error(name, "is missing")
        if array.dtype.kind != kind or array.ndim != dims or not array.size:
            raise self.error(name, f"is {array.dtype} {array.shape}, not as a run writes it")
        if n is not None and len(array) != n:
            raise self.error(name, f"has {len(array)} rows, the run {n}")
        if dims == 2 and kind == "f" and not np.isfinite(array).all():
            raise self.error(name, "has values that are not finite")
        return array

    def error(self, name: str, problem: str) -> InputError:
        return InputError(f"{self.file}: array {name!r} {problem}")


class TrainingMap:
    """What a run's embedding.npz says of the images it learned from, untransformed; of all, where
    it has no split.

    rows: int64 (n,), their rows in embedding.npz. index: int64 (n,), their places in the data set.
    z: (n, d). labels: int64 (n,), positions in class_names, or None. sources: file names (n,), or
    None.
    Raises InputError for arrays that are not as a run writes them.
    """

    def __init__(self, run: FinishedRun):
        arrays = run.arrays()
        z = arrays.get("z", "f", dims=2)
        rows = np.arange(0, len(z), run.record.summary["dataset"]["transformations"] + 1)
        learned = rows[arrays.get("split", "U", len(z))[rows] == "train"]
        self.rows = learned if len(learned) else rows
        self.z = z[self.rows]
        self.index = arrays.get("index", "i", len(z))[self.rows]
        self.labels: NDArray[np.int64] | None = None
        self.class_names: tuple[str, ...] = ()
        if "label" in arrays:
            self.labels = arrays.get("label", "i", len(z))[self.rows]
            self.class_names = tuple(arrays.get("class_names", "U").tolist())
            if not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
                raise arrays.error("label", f"must be from 0 to {len(self.class_names) - 1}")
        self.sources: NDArray[np.object_] | None = None
        if "source" in arrays:
            self.sources = arrays.get("source", "U", len(z))[self.rows].astype(object)
