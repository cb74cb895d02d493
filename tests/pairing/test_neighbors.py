"""The graph of nearest neighbors against naive loops, and the folder where it is kept."""

import numpy as np
import pytest
import torch

from dimred.errors import InputError
from dimred.pairing import neighbor_graph
from dimred.pairing import neighbors as module

NAMES = ("four", "nine")


def pictures(n=30, seed=0, side=5, channels=2):
    generator = torch.Generator().manual_seed(seed)
    shape = (n, channels, side, side)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def some_classes(n=30, seed=0):
    return np.random.default_rng(seed).integers(2, size=n)


def naive(images, k, classes=None):
    """Nearest first, by loops over float pixels."""
    rows = [[float(value) for value in image.flatten().tolist()] for image in images]
    graph = []
    for i, row in enumerate(rows):
        others = [
            (sum((a - b) ** 2 for a, b in zip(row, rows[j], strict=True)), j)
            for j in range(len(rows))
            if j != i and (classes is None or classes[j] == classes[i])
        ]
        graph.append([j for _, j in sorted(others)[:k]])
    return np.array(graph)


@pytest.fixture
def searches(monkeypatch):
    """Arguments of the searches that were made."""
    made, search = [], module._search

    def counted(*arguments):
        made.append(arguments)
        return search(*arguments)

    monkeypatch.setattr(module, "_search", counted)
    return made


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_nearest_of_any_class(k, seed):
    images = pictures(seed=seed)
    graph = neighbor_graph(images, k, None, (), None)
    assert graph.dtype == np.int64
    assert np.array_equal(graph, naive(images, k))


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_nearest_of_the_same_class(k, seed):
    images, classes = pictures(seed=seed), some_classes(seed=seed)
    graph = neighbor_graph(images, k, classes, NAMES, None)
    assert np.array_equal(graph, naive(images, k, classes))
    assert (classes[graph] == classes[:, None]).all()
    assert not np.array_equal(graph, naive(images, k))


def test_differences_do_not_wrap_around():
    """In uint8, 0 and 255 differ by 1, and the square of 16 is 0."""
    values = [0, 255, 10, 26]
    images = torch.tensor(values, dtype=torch.uint8).view(4, 1, 1, 1)
    wrapped = [
        min((j for j in range(4) if j != i), key=lambda j, i=i: (values[i] - values[j]) ** 2 % 256)
        for i in range(4)
    ]
    graph = neighbor_graph(images, 1, None, (), None)
    assert graph.ravel().tolist() == [2, 3, 0, 2]
    assert wrapped == [1, 0, 3, 2]


def test_distances_are_exact_where_float32_products_are_not():
    """Bright images that differ in one pixel: a small difference of large numbers."""
    images = torch.full((4, 1, 64, 64), 255, dtype=torch.uint8)
    for i, value in enumerate([255, 254, 252, 249]):
        images[i, 0, 0, 0] = value
    graph = neighbor_graph(images, 3, None, (), None)
    assert graph.tolist() == [[1, 2, 3], [0, 2, 3], [1, 0, 3], [2, 1, 0]]


@pytest.mark.parametrize("k", [1, 2, 4])
def test_equal_images_are_one_anothers_neighbors_but_none_its_own(k):
    images = torch.cat((torch.zeros(6, 2, 5, 5, dtype=torch.uint8), pictures(6)))
    graph = neighbor_graph(images, k, None, (), None)
    assert (graph != np.arange(12)[:, None]).all()
    assert (graph[:6] < 6).all()
    assert all(len(set(row)) == k for row in graph.tolist())


def test_a_graph_is_kept_and_used(tmp_path, searches):
    cache = tmp_path / "not" / "yet"
    images, classes = pictures(), some_classes()
    first = neighbor_graph(images, 3, classes, NAMES, cache)
    assert len(searches) == 1
    (file,) = cache.iterdir()
    assert np.array_equal(neighbor_graph(images.clone(), 3, classes.copy(), NAMES, cache), first)
    assert len(searches) == 1

    with np.load(file) as content:
        kept = dict(content)
    np.savez(file, **{**kept, "graph": (first + 1) % 30})
    assert np.array_equal(neighbor_graph(images, 3, classes, NAMES, cache), first)
    assert len(searches) == 2


def test_no_link_leads_out_of_the_cache(tmp_path):
    images, elsewhere = pictures(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "cache").symlink_to(elsewhere)
    graph = neighbor_graph(images, 3, None, (), tmp_path / "cache")
    assert not list(elsewhere.iterdir())
    neighbor_graph(images, 3, None, (), tmp_path / "own")
    (file,) = (tmp_path / "own").iterdir()
    file.unlink()
    file.symlink_to(elsewhere / "precious")
    assert np.array_equal(neighbor_graph(images, 3, None, (), tmp_path / "own"), graph)
    assert not list(elsewhere.iterdir())
    assert not file.is_symlink()


def test_other_content_has_another_key(tmp_path, searches):
    images, classes = pictures(), some_classes()
    changed, others = images.clone(), classes.copy()
    changed[7, 1, 2, 3] ^= 1
    others[7] = 1 - others[7]
    for known, arguments in enumerate(
        [
            (images, 3, classes),
            (changed, 3, classes),
            (images, 2, classes),
            (images, 3, others),
            (images, 3, None),
            (images[:29], 3, classes[:29]),
        ]
    ):
        graph = neighbor_graph(*arguments, NAMES, tmp_path)
        assert len(searches) == len(list(tmp_path.iterdir())) == known + 1
        assert np.array_equal(graph, naive(*arguments))


def damaged():
    graph = neighbor_graph(pictures(), 3, None, (), None)
    yield "no_archive", lambda file: file.write_bytes(b"junk")
    yield "empty", lambda file: file.write_bytes(b"")
    yield "cut_off", lambda file: file.write_bytes(file.read_bytes()[:-100])
    yield "other_name", lambda file: np.savez(file, other=graph)
    yield "other_shape", lambda file: np.savez(file, graph=graph[:, :2])
    yield "other_type", lambda file: np.savez(file, graph=graph.astype(np.float64))
    yield "too_large", lambda file: np.savez(file, graph=graph + 30)
    yield "negative", lambda file: np.savez(file, graph=graph - 30)
    yield "objects", lambda file: np.savez(file, graph=graph.astype(object))
    yield "folder", lambda file: (file.unlink(), file.mkdir())


@pytest.mark.parametrize("damage", [pytest.param(do, id=name) for name, do in damaged()])
def test_a_damaged_graph_is_searched_again(tmp_path, searches, damage):
    expected = neighbor_graph(pictures(), 3, None, (), tmp_path)
    (file,) = tmp_path.iterdir()
    damage(file)
    assert np.array_equal(neighbor_graph(pictures(), 3, None, (), tmp_path), expected)
    assert len(searches) == 2
    if file.is_file():
        assert np.array_equal(neighbor_graph(pictures(), 3, None, (), tmp_path), expected)
        assert len(searches) == 2


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path):
    (tmp_path / "file").write_text("no folder")
    graph = neighbor_graph(pictures(), 3, None, (), tmp_path / "file" / "cache")
    assert np.array_equal(graph, naive(pictures(), 3))


def test_a_class_without_enough_images_is_refused():
    images, classes = pictures(10), np.array([0] * 7 + [1] * 3)
    with pytest.raises(
        InputError, match=r"pairing\.k=3: class 'nine' has 3 training image.* at most 2"
    ):
        neighbor_graph(images, 3, classes, NAMES, None)
    assert neighbor_graph(images, 2, classes, NAMES, None)[7:].min() == 7
    assert neighbor_graph(images, 3, None, (), None).shape == (10, 3)


def test_a_class_without_images_is_no_hindrance():
    graph = neighbor_graph(pictures(5), 2, np.ones(5, dtype=np.int64), NAMES, None)
    assert np.array_equal(graph, naive(pictures(5), 2))


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"pairing\.k=5: there are 5 training image.* at most 4"):
        neighbor_graph(pictures(5), 5, None, (), tmp_path)
    assert not list(tmp_path.iterdir())
    assert neighbor_graph(pictures(5), 4, None, (), None).shape == (5, 4)
