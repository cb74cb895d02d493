"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100 from the files that torchvision downloads."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.image_set import ImageSet, LabelSet
from dimred.errors import InputError
from dimred.files import expanded, read_regular


@dataclass(frozen=True)
class _Benchmark:
    """A data set of torchvision.

    torchvision_class: its class in torchvision.datasets.
    mean, std: published values, computed over the training images.
    names: class names of a set of IDX files; None takes torchvision's.
    labels: the labeling in CIFAR's pickles, and its class names in their meta file.
    extra: further labelings, by their name in dimred.
    """

    torchvision_class: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    names: tuple[str, ...] | None = None
    labels: tuple[str, str] | None = None
    extra: dict[str, tuple[str, str]] = field(default_factory=dict)


_BENCHMARKS = {
    "mnist": _Benchmark("MNIST", (0.1307,), (0.3081,), names=tuple("0123456789")),
    "fashion_mnist": _Benchmark("FashionMNIST", (0.2860,), (0.3530,)),
    "cifar10": _Benchmark(
        "CIFAR10",
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),  # t-SimCNE's code has (0.2023, 0.1994, 0.2010)
        labels=("labels", "label_names"),
    ),
    "cifar100": _Benchmark(
        "CIFAR100",
        (0.5071, 0.4865, 0.4409),
        (0.2673, 0.2564, 0.2762),
        labels=("fine_labels", "fine_label_names"),
        extra={"superclass": ("coarse_labels", "coarse_label_names")},
    ),
}

_FETCH = "set dataset.download=true to fetch it, or dataset.root=FOLDER to the folder that holds it"
_REPLACE = "delete it and set dataset.download=true to fetch it again"


@dataclass(frozen=True)
class _Part:
    """The train or the test images: uint8 (n, C, H, W), and int64 (n,) labels by key."""

    images: Tensor
    labels: dict[str, NDArray[np.int64]]


def load_torchvision(name: str, root: str, download: bool) -> ImageSet:
    """A standard benchmark: its train images, then its test images, with the official split.

    name: mnist, fashion_mnist, cifar10 or cifar100. CIFAR-100 has its 100 fine classes as labels
        and its 20 superclasses as the extra labels "superclass".
    root: the folder that torchvision calls root; `~` is expanded.
    download: fetch the files into `root` when they are missing.

    Raises InputError for files that are missing, damaged or cannot be fetched.
    """
    from torchvision import datasets

    if name not in _BENCHMARKS:
        raise InputError(f"dataset.name={name!r}: must be one of {', '.join(_BENCHMARKS)}")
    benchmark = _BENCHMARKS[name]
    source = getattr(datasets, benchmark.torchvision_class)
    folder = expanded(root)
    if download:
        _download(source, name, folder)
    _check_present(source, name, folder)
    if benchmark.labels is None:
        parts = [_read_idx(source, folder, prefix) for prefix in ("train", "t10k")]
        names = {"labels": benchmark.names or tuple(source.classes)}
    else:
        keys = {"labels": benchmark.labels, **benchmark.extra}
        files = (source.train_list, source.test_list)
        parts = [_read_cifar(source, folder, part, keys) for part in files]
        meta = _unpickle(source, folder, source.meta["filename"], source.meta["md5"])
        names = {key: tuple(meta[names_key]) for key, (_, names_key) in keys.items()}
    return _assemble(benchmark, parts, names)


def _assemble(
    benchmark: _Benchmark, parts: Sequence[_Part], names: dict[str, tuple[str, ...]]
) -> ImageSet:
    n_train, n_test = (len(part.images) for part in parts)
    labels = {
        key: LabelSet(np.concatenate([part.labels[key] for part in parts]), names[key])
        for key in names
    }
    index = np.arange(n_train + n_test, dtype=np.int64)
    return ImageSet(
        images=torch.cat([part.images for part in parts]),
        mean=benchmark.mean,
        std=benchmark.std,
        is_test=index >= n_train,
        split_name=f"official {n_train:,}/{n_test:,}",
        labels=labels.pop("labels"),
        index=index,
        extra_labels=labels,
    )


def _files(source: Any) -> dict[str, str | None]:
    """Every file of a set, relative to root, with its md5 sum where torchvision knows one."""
    if hasattr(source, "resources"):  # MNIST; torchvision has the sums of the packed files only
        names = (name.removesuffix(".gz") for name, _ in source.resources)
        return {f"{source.__name__}/raw/{name}": None for name in names}
    files = dict([*source.train_list, *source.test_list])
    files[source.meta["filename"]] = source.meta["md5"]
    return {f"{source.base_folder}/{name}": md5 for name, md5 in files.items()}


def _download(source: Any, name: str, folder: Path) -> None:
    from torchvision.datasets.utils import check_integrity

    if all(check_integrity(folder / file, md5) for file, md5 in _files(source).items()):
        return
    try:
        source(str(folder), train=False, download=True)
    except Exception as error:  # network, disk, archive and checksum raise different classes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"dataset.download=true: {name} could not be fetched into {str(folder)!r}: {reason}"
        ) from error


def _check_present(source: Any, name: str, folder: Path) -> None:
    from torchvision.datasets.utils import check_integrity

    missing = next((file for file in _files(source) if not check_integrity(folder / file)), None)
    if missing is not None:
        raise InputError(f"dataset.root={str(folder)!r}: no {missing} of {name} there; {_FETCH}")


def _read_idx(source: Any, folder: Path, prefix: str) -> _Part:
    """Images and labels from IDX files, the format of MNIST."""
    from torchvision.datasets.mnist import read_image_file, read_label_file

    raw = folder / source.__name__ / "raw"
    path = raw / f"{prefix}-images-idx3-ubyte"
    images = _read_idx_file(path, read_image_file)
    if images.shape[1:] != (28, 28):
        height, width = images.shape[1:]
        raise InputError(f"{str(path)!r} has images of {height}x{width}, not 28x28; {_REPLACE}")
    path = raw / f"{prefix}-labels-idx1-ubyte"
    labels = _read_idx_file(path, read_label_file)
    if len(labels) != len(images):
        raise InputError(
            f"{str(path)!r} has {len(labels)} labels for {len(images)} images; {_REPLACE}"
        )
    if labels.max() >= len(source.classes):
        raise InputError(f"{str(path)!r} has a label above {len(source.classes) - 1}; {_REPLACE}")
    return _Part(images.unsqueeze(1), {"labels": labels.numpy()})


def _read_idx_file(path: Path, read: Any) -> Tensor:
    try:
        tensor: Tensor = read(str(path))
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except Exception as error:  # torchvision does not validate, so any class is possible
        raise InputError(f"{str(path)!r} is damaged or no IDX file; {_REPLACE}") from error
    if not len(tensor):
        raise InputError(f"{str(path)!r} holds no images; {_REPLACE}")
    return tensor


def _read_cifar(
    source: Any, folder: Path, files: Sequence[Sequence[str]], keys: dict[str, tuple[str, str]]
) -> _Part:
    """Images and labels from CIFAR's pickles.

    torchvision's class is not used, since it drops the superclasses of CIFAR-100.
    """
    batches = [_unpickle(source, folder, name, md5) for name, md5 in files]
    pixels = np.concatenate([batch["data"] for batch in batches])
    return _Part(
        torch.from_numpy(pixels.reshape(-1, 3, 32, 32)),
        {
            name: np.concatenate([np.asarray(batch[key], dtype=np.int64) for batch in batches])
            for name, (key, _) in keys.items()
        },
    )


def _unpickle(source: Any, folder: Path, name: str, md5: str) -> dict[str, Any]:
    """The content of a pickle, loaded only if its checksum matches, since a pickle can run code."""
    path = folder / source.base_folder / name
    try:
        content = read_regular(path)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise InputError(f"{str(path)!r} is damaged: its md5 sum is not {md5}; {_REPLACE}")
    with warnings.catch_warnings():
        # NumPy 2.4.0 to 2.4.4 warn about the dtypes in pickles of Python 2.
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        entry: dict[str, Any] = pickle.loads(content, encoding="latin1")
    return entry
