"""CIFAR from small files in the bytes of Python 2's pickles; damaged ones are not unpickled."""

import hashlib
import io
import pickle
import struct
import tarfile
from typing import ClassVar

import numpy as np
import pytest
from test_torchvision_sets import N_TEST, N_TRAIN, refusal
from torchvision import datasets

from dimred.data.torchvision_sets import load_torchvision


class Python2Pickler(pickle._Pickler):
    """Writes what cPickle of Python 2 wrote, and CIFAR's authors published.

    Text is of opcodes that hold bytes without an encoding, NumPy's module has its old name, and a
    dtype has 0 and 1 in place of False and True.
    """

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def __init__(self, file):
        super().__init__(file, protocol=2)

    def save_bytes(self, value):
        content = value.encode("latin1") if isinstance(value, str) else value
        if len(content) < 256:
            self.write(pickle.SHORT_BINSTRING + struct.pack("<B", len(content)) + content)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    def save_bool(self, value):
        self.save_long(int(value))

    def save_global(self, value, name=None):
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())

    def save_array(self, array):
        reconstruct, arguments, state = array.__reduce__()
        self.save_reduce(reconstruct, arguments, state)

    dispatch[bytes] = dispatch[str] = save_bytes
    dispatch[bool] = save_bool
    dispatch[type] = save_global
    dispatch[type(len)] = dispatch[type(lambda: 0)] = save_global
    dispatch[np.ndarray] = save_array


def python2_pickle(content):
    file = io.BytesIO()
    Python2Pickler(file).dump(content)
    return file.getvalue()


def write_cifar(root, source, monkeypatch):
    """Small files of a set of CIFAR's, with torchvision's checksums replaced by theirs."""
    fine = source is datasets.CIFAR100
    folder = root / source.base_folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    written = {"pixels": [], "labels": [], "coarse": []}

    def write(name, content):
        packed = python2_pickle(content)
        (folder / name).write_bytes(packed)
        return hashlib.md5(packed).hexdigest()

    for attribute in ("train_list", "test_list"):
        sums = []
        for name, _ in getattr(source, attribute):
            n = N_TRAIN if attribute == "train_list" else N_TEST
            pixels = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
            labels = rng.integers(0, 100 if fine else 10, n).tolist()
            coarse = rng.integers(0, 20, n).tolist()
            entry = {"data": pixels, "batch_label": "a batch", "filenames": ["x.png"] * n}
            entry |= (
                {"fine_labels": labels, "coarse_labels": coarse} if fine else {"labels": labels}
            )
            sums.append([name, write(name, entry)])
            written["pixels"].append(pixels)
            written["labels"] += labels
            written["coarse"] += coarse
        monkeypatch.setattr(source, attribute, sums)
    if fine:
        names = {
            "fine_label_names": [f"fine_{i}" for i in range(100)],
            "coarse_label_names": [f"coarse_{i}" for i in range(20)],
        }
    else:
        names = {"label_names": [f"class_{i}" for i in range(10)]}
    meta = {**source.meta, "md5": write(source.meta["filename"], names)}
    monkeypatch.setattr(source, "meta", meta)
    return folder, written


def test_the_tests_pickles_are_what_python_2_wrote():
    packed = python2_pickle({"data": np.zeros((2, 3), np.uint8), "labels": [1]})
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in packed
    assert pickle.SHORT_BINSTRING + b"\x04data" in packed
    assert b"U\x02u1" in packed
    assert b"X" + struct.pack("<I", 4) + b"data" not in packed


@pytest.mark.parametrize(("name", "source"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
def test_cifars_pickles_are_read_train_then_test(tmp_path, monkeypatch, name, source):
    source = getattr(datasets, source)
    _, written = write_cifar(tmp_path, source, monkeypatch)
    image_set = load_torchvision(name, str(tmp_path), False)
    n_train = N_TRAIN * len(source.train_list)
    pixels = np.concatenate(written["pixels"]).reshape(-1, 3, 32, 32)
    assert np.array_equal(image_set.images.numpy(), pixels)
    assert image_set.labels.values.tolist() == written["labels"]
    assert image_set.is_test.tolist() == [False] * n_train + [True] * N_TEST
    assert image_set.split_name == f"official {n_train}/{N_TEST}"
    assert len(image_set.mean) == len(image_set.std) == 3
    if name == "cifar10":
        assert image_set.labels.names == tuple(f"class_{i}" for i in range(10))
        assert image_set.extra_labels == {}
    else:
        assert image_set.labels.names == tuple(f"fine_{i}" for i in range(100))
        superclass = image_set.extra_labels["superclass"]
        assert superclass.values.tolist() == written["coarse"]
        assert superclass.names == tuple(f"coarse_{i}" for i in range(20))


@pytest.mark.parametrize(("name", "source"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
@pytest.mark.filterwarnings("ignore")  # of NumPy, on the dtypes of 2009, which torchvision shows
def test_pixels_and_labels_are_torchvisions(tmp_path, monkeypatch, name, source):
    source = getattr(datasets, source)
    write_cifar(tmp_path, source, monkeypatch)
    ours = load_torchvision(name, str(tmp_path), False)
    train, test = (source(str(tmp_path), train=train) for train in (True, False))
    assert np.array_equal(
        ours.images.permute(0, 2, 3, 1).numpy(), np.concatenate([train.data, test.data])
    )
    assert ours.labels.values.tolist() == train.targets + test.targets
    assert list(ours.labels.names) == train.classes


def test_missing_files_are_fetched_when_asked_for(tmp_path, monkeypatch):
    """torchvision's own unpacking, from an archive that lies where it would download it to."""
    folder, written = write_cifar(tmp_path / "there", datasets.CIFAR100, monkeypatch)
    root = tmp_path / "here"
    root.mkdir()
    archive = root / datasets.CIFAR100.filename
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder, arcname=datasets.CIFAR100.base_folder)
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.CIFAR100, "tgz_md5", md5)
    image_set = load_torchvision("cifar100", str(root), True)
    assert image_set.labels.values.tolist() == written["labels"]


@pytest.mark.parametrize(
    ("name", "source", "file"),
    [
        ("cifar10", "CIFAR10", "data_batch_3"),
        ("cifar10", "CIFAR10", "batches.meta"),
        ("cifar100", "CIFAR100", "test"),
    ],
)
def test_a_damaged_pickle_is_named(tmp_path, monkeypatch, name, source, file):
    folder, _ = write_cifar(tmp_path, getattr(datasets, source), monkeypatch)
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    message = refusal(name, str(tmp_path), False)
    assert str(folder / file) in message
    assert "md5" in message
    assert "dataset.download=true" in message


def test_a_pickle_that_is_not_the_published_one_is_not_run(tmp_path, monkeypatch):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    folder, _ = write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    (folder / "test_batch").write_bytes(pickle.dumps(Harm()))
    assert "test_batch" in refusal("cifar10", str(tmp_path), False)
    assert not (tmp_path / "harm").exists()


def test_files_that_are_there_are_not_fetched_again(tmp_path, monkeypatch):
    write_cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    monkeypatch.delattr(datasets.CIFAR10, "download")
    load_torchvision("cifar10", str(tmp_path), True)


def test_a_missing_meta_file_is_named(tmp_path, monkeypatch):
    folder, _ = write_cifar(tmp_path, datasets.CIFAR100, monkeypatch)
    (folder / "meta").unlink()
    assert "cifar-100-python/meta" in refusal("cifar100", str(tmp_path), False)


def test_a_pickle_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    folder, _ = write_cifar(tmp_path, datasets.CIFAR100, monkeypatch)

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("dimred.data.torchvision_sets.read_regular", denied)
    message = refusal("cifar100", str(tmp_path), False)
    assert str(folder / "train") in message
    assert "Permission denied" in message
