"""A finished run: its record, its map, its configuration, its images and its encoder.

Reading one imports no Hydra and changes no global state. PyTorch is imported only when images are
read or embedded.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.composite import as_channels, composite, in_words
from dimred.data.own_options import ImageFolder, OwnImages
from dimred.data.reading import Reading, reading_of
from dimred.data.window import TYPE, Window
from dimred.errors import InputError
from dimred.files import write_atomically
from dimred.options.registry import Unknown
from dimred.options.trial import tried
from dimred.run_folder import layout
from dimred.run_folder.arrays import RunArrays, RunMap
from dimred.run_folder.files import RunFiles
from dimred.run_folder.findings import Findings, read_findings
from dimred.run_folder.kept import Kept, read_kept
from dimred.run_folder.record import RunRecord, check_metrics, read_record

if TYPE_CHECKING:
    from torch import Tensor

    from dimred.config import RunConfig
    from dimred.data.image_set import ImageSet
    from dimred.models import Encoder
    from dimred.run_folder.files_now import FilesNow
    from dimred.training.compute import Compute

    Embedder = Callable[[Tensor], tuple[NDArray[np.float32], NDArray[np.float32]]]


_MAX_HEADER = 2**20  # bytes of a file of weights before its values


class FinishedRun:
    """A finished run: its map, encoder and images.

    record: its JSON and YAML files. root: location of its data, if they have moved. channels: those
    in which its images are shown; None for the default.
    Raises InputError for a folder that holds no finished run, and for a root of data that have no
    location.
    """

    def __init__(self, path: Path, root: str | None = None):
        self.path = path
        self.files = RunFiles(path)
        self.root = root
        self.channels: tuple[int, ...] | None = None
        self._known: tuple[ImageSet, NDArray[np.float32]] | None = None
        self.record: RunRecord = read_record(path)
        if root is not None:
            dataset = self.config.dataset
            if dataset.location_key is None and not isinstance(dataset, Unknown):
                raise InputError(f"--root {root}: the images of {dataset.name} are built in")

    @cached_property
    def config(self) -> RunConfig:
        """Its configuration, with the data's location replaced by `root` and nothing downloaded or
        written there but a packed file (`read_only`): looking at a run should not. Runs of earlier
        versions, which had no windows, took the range of the type.

        Raises InputError for one that is damaged or of another version.
        """
        from dimred.config.saved import read_config

        file = self.path / layout.CONFIG
        try:
            plugins = self.record.environment["identity"].get("plugins")
            config = read_config(self.files.text(layout.CONFIG), plugins, str(self.path))
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        dataset = config.dataset
        if self.root is not None and dataset.location_key is not None:
            moved: dict[str, Any] = {dataset.location_key: self.root}
            dataset = replace(dataset, **moved)
        if isinstance(dataset, OwnImages) and self._is_of_earlier_version:
            dataset = replace(dataset, window=TYPE)
        known = not isinstance(dataset, Unknown)
        return replace(config, dataset=dataset.read_only() if known else dataset)

    @property
    def n_variants(self) -> int:
        """Rows of embedding.npz per image: the image itself and its transformations."""
        return self.record.n_variants

    def compute(self) -> Compute:
        """Where to compute: as the run did, or on the CPU if this machine has no GPU. Changes no
        setting of PyTorch."""
        import torch

        from dimred.training.device import DeviceName

        device = replace(self.config.device, compile=False)
        if device.name is DeviceName.cuda and not torch.cuda.is_available():
            device = replace(device, name=DeviceName.cpu)
        return device.compute()

    def remember(self, samples: ImageSet, h: NDArray[np.float32]) -> None:
        """Take over what a training has in memory: all samples, and H of each. The images then
        need not be read again."""
        self._known = samples, h

    @property
    def is_in_memory(self) -> bool:
        """Whether its images and H are, so that no file needs to be read."""
        return self._known is not None

    @cached_property
    def has_files(self) -> bool:
        """Whether each row of its map is an image file in a folder."""
        of_folder = isinstance(self.config.dataset, ImageFolder) and self.config.dataset.root
        return bool(of_folder) and self.n_variants == 1 and self.map.sources is not None

    @cached_property
    def kept(self) -> Kept | None:
        """What it keeps of its image files; None where it keeps nothing."""
        return read_kept(self.files, len(self.map)) if self.has_files else None

    @cached_property
    def files_now(self) -> FilesNow:
        """Its image files as they are now. Only where `has_files`."""
        from dimred.run_folder.files_now import files_now

        return files_now(self)

    def images(self) -> ImageSet:
        """The images of the run, read again from their location.

        Raises InputError where they are missing or have changed since.
        """
        if self._known is not None:
            samples = self._known[0]
            return samples.take(np.arange(0, len(samples), self.n_variants))
        dataset, files = self.config.dataset, self.record.files
        try:
            # First, since there may be any number of others by now.
            more = files is not None and dataset.has_more_files(files)
            images = None if more else dataset.load(self.config.seed)
        except InputError as error:
            if isinstance(dataset, Unknown):
                raise
            if not (self.has_files and self.files_now.there.size):
                raise InputError(f"{error}; give --root if the data have moved") from error
            images = None
        if images is None or images.fingerprint() != self.record.fingerprint:
            images = self._own_images()
        return images

    def _own_images(self) -> ImageSet:
        """The images from their own files, whatever else has come into their folder. Raises
        InputError, naming what has changed, where they are not all as they were."""
        said = ""
        if self.has_files:
            from dimred.run_folder.files_now import own_images

            now = self.files_now
            said = now.sentence
            if not (now.gone or now.changed):
                with suppress(InputError):
                    images = own_images(self, now, np.arange(len(self.map)))
                    if images.fingerprint() == self.record.fingerprint:
                        return images
        otherwise = ", or this version reads them otherwise (see CHANGELOG.md)"
        raise InputError(
            f"{self.path}: its images have changed since it was trained"
            f"{otherwise if self._is_of_earlier_version else ''}{f' ({said})' if said else ''}"
        )

    def samples(self, images: ImageSet) -> ImageSet:
        """The run's images in all transformations of its pairing, one for each row of its map."""
        if self._known is not None:
            return self._known[0]
        if self.n_variants == 1:
            return images  # whatever the pairing is
        with tried(self.config.pairing, "samples"):
            return self.config.pairing.samples(images)

    def arrays(self, name: str = layout.EMBEDDING) -> RunArrays:
        """The arrays of an .npz file of the run. Raises InputError for a missing or damaged one."""
        return RunArrays(self.files, name)

    @cached_property
    def map(self) -> RunMap:
        """The content of embedding.npz. Raises InputError for arrays not as a run writes them."""
        n_images = self.record.summary["dataset"]["images"]
        return RunMap(self.arrays(), n_images, self.n_variants)

    def features(self) -> NDArray[np.floating[Any]] | None:
        """H of up to 5,000 training images (m, h); None where the run did not keep any, as those of
        earlier versions. Raises InputError for arrays that are not as a run writes them."""
        if self.map.h is not None:
            return self.map.h[self.map.training_images]
        if not self.files.exists(layout.FEATURES):
            return None
        features: NDArray[np.floating[Any]] = self.arrays(layout.FEATURES).get("h", "f", dims=2)
        return features

    def roughness(self) -> NDArray[np.floating[Any]] | None:
        """The roughness of the images of `features` (m,), None where the run did not keep it."""
        if not self.files.exists(layout.FEATURES):
            return None
        kept: NDArray[np.floating[Any]] = self.arrays(layout.FEATURES).get("roughness", "f")
        if not np.isfinite(kept).all():
            raise InputError(f"{self.path / layout.FEATURES}: array 'roughness' is not finite")
        return kept

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl, one per epoch. Raises InputError where it cannot be read."""
        rows = self.files.json_lines(layout.METRICS)
        with self.files.decoding(layout.METRICS):
            check_metrics(rows)
        return rows

    def findings(self) -> dict[str, Findings]:
        """The findings of `dimred inspect`, by kind; {} where it has not been run.

        Raises InputError for a file that cannot be read.
        """
        return read_findings(self.files, len(self.map))

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the run's images.

        For some runs of earlier versions, the images are read to find out.
        """
        dataset = self.record.summary["dataset"]
        if "shape" in dataset:
            shape = dataset["shape"]
        elif (
            hasattr(self.config.dataset, "image_size")
            and (mean := self._weights(2**30).get("mean")) is not None
        ):
            side = self.config.dataset.image_size
            shape = [len(mean), side, side]
        else:
            shape = list(self.images().images.shape[1:])
        sound = isinstance(shape, list) and all(type(n) is int and n > 0 for n in shape)
        if not sound or len(shape) != 3:
            raise InputError(
                f"{self.path / layout.SUMMARY}: dataset.shape={shape}: must be channels, height "
                "and width"
            )
        return shape[0], shape[1], shape[2]

    @property
    def _is_of_earlier_version(self) -> bool:
        """Whether it is of a version that had no windows, nor images of other channels."""
        return "rgb" not in self.record.summary["dataset"]

    @property
    def is_rgb(self) -> bool:
        """Whether the channels of its images are red, green and blue."""
        of_earlier_versions = self.shape[0] == 3
        return bool(self.record.summary["dataset"].get("rgb", of_earlier_versions))

    def showing(self, channels: str | Sequence[int] | None) -> FinishedRun:
        """The same run with its images shown in some channels, such as "0,2,3"; None for as it is.

        Raises InputError for channels that they do not have.
        """
        if channels is None:
            return self
        shown = copy.copy(self)
        shown.channels = as_channels(channels, self.shape[0])
        return shown

    def pictured(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pictures, uint8 (..., 1 or 3, H, W), of images like the run's, uint8 (..., C, H, W): in
        its `channels`. Files in gray or in color are shown as they are where the run's are not."""
        channels, count = self.channels, images.shape[-3]
        if channels is not None and count != self.shape[0]:
            if count == 1 and self.shape[0] == 3:
                images = images.repeat(3, axis=-3)  # as the run takes them
            else:
                channels = None
        return composite(images, channels)

    @property
    def colors(self) -> str:
        """In what colors its images are shown, such as "channels 0, 2, 3 as red, green, blue"; ""
        for gray and RGB as they are."""
        if self.channels is None and self._is_of_earlier_version:
            return ""
        return in_words(self.channels, self.shape[0], self.is_rgb)

    @cached_property
    def window(self) -> Window | None:
        """What values of more than 8 bits of its images became bytes by; None where it learned from
        bytes, and for runs of earlier versions, which took the range of the type."""
        content = self.record.summary["dataset"].get("window")
        named = f"{self.path / layout.SUMMARY}: dataset.window"
        return None if content is None else Window.from_json(content, named)

    @cached_property
    def reading(self) -> Reading:
        """How its image files became bytes, to read new ones alike."""
        reading = reading_of(self.config.dataset, self.window)
        return replace(reading, whole_type=reading.whole_type or self._is_of_earlier_version)

    def encoder(self) -> Encoder:
        """The trained encoder, on the CPU. The run's images are not needed.

        Raises InputError for weights that are missing or damaged.
        """
        import torch

        from dimred.models.check import build_encoder

        stages = list(self.config.schedule.stages.values())
        placeholder = [0.0] * self.shape[0]  # the mean and std are among the weights
        try:
            with torch.device("meta"):
                model, out_dim = self.config.model, stages[-1].out_dim
                encoder = build_encoder(model, self.shape, placeholder, placeholder, out_dim)
            expected = encoder.state_dict()
            weights = self._weights(sum(part.nbytes for part in expected.values()))
            if {k: p.shape for k, p in expected.items()} != {
                k: p.shape for k, p in weights.items()
            }:
                raise RuntimeError("of a network of other shapes")  # before memory is taken
            encoder.to_empty(device="cpu").load_state_dict(weights)
        except RuntimeError as error:
            raise self._weights_error(error) from error
        return encoder

    def _weights(self, n_bytes: int) -> dict[str, Tensor]:
        """The content of the file of weights, which has at most n_bytes besides its header."""
        import safetensors.torch

        try:
            content = self.files.read(layout.WEIGHTS, n_bytes + _MAX_HEADER)
            digest = self.record.summary.get("weights_sha256")  # early versions did not keep it
            if digest not in (None, hashlib.sha256(content).hexdigest()):
                raise ValueError("their SHA-256 is not that in summary.json")
            weights: dict[str, Tensor] = safetensors.torch.load(content)
            if not all(part.isfinite().all() for part in weights.values()):
                raise ValueError("some are not finite")
        except InputError:
            raise
        except Exception as error:  # damaged content makes safetensors raise many kinds
            raise self._weights_error(error) from error
        return weights

    def _weights_error(self, error: Exception) -> InputError:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return InputError(f"{self.path / layout.WEIGHTS}: holds no weights of this run ({reason})")

    def embedder(self, compute: Compute) -> Embedder:
        """A function from images, uint8 (N, C, height, width), to H (N, h) and Z (N, d) by the
        run's encoder."""
        from dimred.data.resident import ResidentImages
        from dimred.training.embed import embed

        encoder = compute.placed(self.encoder())
        fraction, size = self.config.device.memory_fraction, self.config.eval.batch_size

        def embed_images(images: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            resident = ResidentImages(images, compute.device, fraction)
            h, z = embed(encoder, resident, size, compute)
            if not (np.isfinite(h).all() and np.isfinite(z).all()):
                raise InputError(f"{self.path / layout.WEIGHTS}: give values that are not finite")
            return h, z

        return embed_images

    def embed(
        self, images: ImageSet, compute: Compute
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """H (N, h) and Z (N, d) of images with this run's shape, by its encoder."""
        return self.embedder(compute)(images.images)

    def embeddings(
        self, samples: ImageSet, compute: Compute, rows_per_sample: int = 1
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """H (N, h) and Z (N, d) of the run's own samples, as saved; H is computed again where the
        run did not save it.

        rows_per_sample: rows of embedding.npz for each sample, of which the first is returned.
        Raises InputError for arrays that are not as a run writes them.
        """
        arrays, rows = self.arrays(), len(samples) * rows_per_sample
        z = arrays.get("z", "f", rows, dims=2)[::rows_per_sample]
        if self._known is not None:
            return self._known[1][::rows_per_sample], z
        if "h" in arrays:
            return arrays.get("h", "f", rows, dims=2)[::rows_per_sample], z
        if self.kept is not None and self.kept.h is not None:
            return self.kept.h, z
        return self.embed(samples, compute)[0], z

    def check_output(self, option: str, file: Path, allowed: str) -> None:
        """Raise InputError for an output file that would replace a file of the run.

        option: the command-line option, for the message. allowed: the one name in the run's folder
        that may be written.
        """
        folder, target = (Path(os.path.realpath(path)) for path in (self.path, file))
        inside = target.relative_to(folder).parts[:1] if target.is_relative_to(folder) else ()
        if inside and inside[0] in layout.WRITTEN and inside[0] != allowed:
            raise InputError(f"{option}: would replace what the run wrote; name another file")

    def write_output(self, file: Path, content: bytes | memoryview) -> None:
        """Write an output file of a command, in the run's folder or elsewhere.

        In the run's folder, which may be a stranger's, links are not followed. Raises InputError
        where that would be needed, OSError where the file cannot be written.
        """
        root, real = Path(os.path.realpath(self.path)), Path(os.path.realpath(file.parent))
        typed = Path(os.path.abspath(file))  # noqa: PTH100  (`..` as typed, links as they are)
        own = Path(os.path.abspath(self.path))  # noqa: PTH100
        if typed.is_relative_to(own):
            self.files.write(str(typed.relative_to(own)), content)
        elif real.is_relative_to(root):
            self.files.write(str(real.relative_to(root) / file.name), content)
        else:
            write_atomically(file, content)
