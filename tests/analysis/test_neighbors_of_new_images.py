"""The training images nearest to new ones, against a loop over the definition."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dimred.analysis.retrieval import retrieve
from dimred.errors import InputError
from dimred.measures.retrieval import RetrievalOfClasses
from dimred.training.compute import Compute

N, M, K = 50, 7, 4


class Run:
    """As much of a finished run as is searched: 50 images in two variants, with H that was kept."""

    path = "runs/made"
    n_variants = 2
    kept = None

    def __init__(self, **known):
        rng = np.random.default_rng(0)
        images = np.arange(0, 2 * N, 2)
        self.map = SimpleNamespace(
            z=rng.normal(size=(2 * N, 3)).astype(np.float32),
            h=rng.normal(size=(2 * N, 20)).astype(np.float32),
            index=np.arange(2 * N) // 2 + 1_000,
            split=np.array(["train"] * (2 * N)),
            training_images=images[images % 3 > 0],
            labels=np.arange(2 * N) // 2 % 3,
            class_names=("ants", "bees", "cats"),
            sources=None,
            class_split=None,
        )
        vars(self.map).update(known)

    def compute(self):
        return Compute(torch.device("cpu"))


def new_images(folders=("new",) * M, items=(-1,) * M):
    rng = np.random.default_rng(1)
    z, h = rng.normal(size=(M, 3)).astype(np.float32), rng.normal(size=(M, 20)).astype(np.float32)
    files = tuple(f"/x/{folder}/{i}.png" for i, folder in enumerate(folders))
    return SimpleNamespace(z=z, h=h, files=files, items=np.array(items), paths=files)


def euclidean(a, b):
    return sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5


def angular(a, b):
    def dot(x, y):
        return sum(float(p) * float(q) for p, q in zip(x, y, strict=True))

    return 1 - dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5


@pytest.mark.parametrize("space", ["z", "h"])
@pytest.mark.parametrize(("distance", "of"), [("euclidean", euclidean), ("cosine", angular)])
def test_neighbors_and_distances_are_those_of_a_loop(space, distance, of):
    run, new = Run(), new_images()
    found = retrieve(run, new, K, space, distance)
    points = getattr(run.map, space)
    for i, query in enumerate(getattr(new, space)):
        near = sorted((of(query, points[row]), row) for row in run.map.training_images)[:K]
        assert found.neighbors[i].tolist() == [row for _, row in near]
        np.testing.assert_allclose(found.distances[i], [d for d, _ in near], rtol=1e-6)


def first_dimensions(dims):
    """A run and new images whose Z and H have so many dimensions."""
    run, new = Run(), new_images()
    for of in (run.map, new):
        of.z, of.h = (of.h[:, :dims].copy(), of.h[:, -dims:].copy())
    return run, new


@pytest.mark.parametrize(
    ("space", "dims", "usual"),
    [
        ("z", 1, "euclidean"),
        ("z", 3, "euclidean"),
        ("z", 4, "cosine"),
        ("h", 2, "cosine"),
        ("h", 20, "cosine"),
    ],
)
def test_the_usual_distance_is_the_one_that_is_measured(space, dims, usual):
    run, new = first_dimensions(dims)
    found, same = retrieve(run, new, K, space), retrieve(run, new, K, space, usual)
    assert found.distance == usual
    assert np.array_equal(found.neighbors, same.neighbors)
    assert np.array_equal(found.distances, same.distances)
    words = {"cosine": "by angle", "euclidean": "by Euclidean distance"}
    assert found.where == f"{space.upper()} {words[usual]}"
    # The measure scales the same points, which says so by their lengths.
    images = SimpleNamespace(images=torch.zeros(2 * N, 1, 2, 2, dtype=torch.uint8))
    config = SimpleNamespace(eval=SimpleNamespace(references=False))
    setting = SimpleNamespace(images=images, config=config)
    embedding = SimpleNamespace(z=run.map.z, h=run.map.h, setting=setting)
    measured = dict(RetrievalOfClasses()._spaces(embedding, np.arange(2 * N)))[space]
    at_unit_length = np.allclose(np.linalg.norm(measured, axis=1), 1)
    assert at_unit_length == (usual == "cosine")


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("space", ["z", "h"])
def test_training_images_themselves_are_copies_within_rounding(space, distance):
    run, new = Run(), new_images()
    own = run.map.training_images[[3, 8]]
    noise = 1 + np.random.default_rng(2).normal(size=(2, 1)) * 1e-7
    for name in ("z", "h"):
        getattr(new, name)[[1, 4]] = getattr(run.map, name)[own] * noise
    found = retrieve(run, new, K, space, distance)
    assert found.is_copy.tolist() == [i in (1, 4) for i in range(M)]
    assert found.neighbors[[1, 4], 0].tolist() == own.tolist()
    # A row that is no training image is none of them.
    other = next(row for row in range(0, 2 * N, 2) if row not in run.map.training_images)
    for name in ("z", "h"):
        getattr(new, name)[0] = getattr(run.map, name)[other]
    assert not retrieve(run, new, K, space, distance).is_copy[0]


def test_of_half_precision_copies_are_copies_in_h():
    run, new = Run(), new_images()
    new.h[:3] = run.map.h[run.map.training_images[:3]]
    run.map.h = run.map.h.astype(np.float16)
    assert retrieve(run, new, K, "h").is_copy.tolist() == [True] * 3 + [False] * (M - 3)


def test_where_a_map_has_collapsed_nothing_is_a_copy():
    run, new = Run(z=np.ones((2 * N, 3), np.float32)), new_images()
    new.z[:] = 1
    assert not retrieve(run, new, K).is_copy.any()


def test_lengths_count_in_euclidean_distance_alone():
    run, new = Run(), new_images()
    longer = SimpleNamespace(**{**vars(new), "z": new.z * 100})
    by_angle = [retrieve(run, of, K, "z", "cosine").neighbors.tolist() for of in (new, longer)]
    assert by_angle[0] == by_angle[1]
    plain = [retrieve(run, of, K).neighbors.tolist() for of in (new, longer)]
    assert plain[0] != plain[1]


def test_the_table_has_a_row_for_each_pair():
    run = Run(class_split=np.array(["learned", "unseen"] * N))
    found = retrieve(run, new_images(), K)
    rows = list(found.rows())
    assert found.columns == [
        *("path", "rank", "distance", "row", "index", "class", "split", "class_split")
    ]
    assert [list(row) for row in rows] == [found.columns] * (M * K)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4] * M
    row = rows[K]
    assert row["path"] == "/x/new/1.png"
    assert row["row"] == found.neighbors[1, 0]
    assert row["index"] == 1_000 + row["row"] // 2
    assert row["class"] == ("ants", "bees", "cats")[row["row"] // 2 % 3]
    assert row["class_split"] == "learned"
    assert row["distance"] == pytest.approx(found.distances[1, 0], rel=1e-5)
    sources = np.array([f"{i}.png" for i in range(2 * N)], object)
    plain = retrieve(Run(labels=None, sources=sources), new_images(), 1)
    assert plain.columns == ["path", "rank", "distance", "row", "index", "source", "split"]
    assert [row["source"] for row in plain.rows()] == [f"{i}.png" for i in plain.neighbors[:, 0]]


def test_neighbors_are_right_that_are_of_the_class_of_the_folder():
    folders = ("bees", "new", "cats", "ants", "ants", "new", "bees")
    run = Run()
    found = retrieve(run, new_images(folders, (-1,) * 6 + (3,)), K)
    right = found.right()
    assert right.shape == (4, K)  # not that in a file of arrays, nor those of other folders
    for row, (i, label) in zip(right, [(0, 1), (2, 2), (3, 0), (4, 0)], strict=True):
        assert row.tolist() == [run.map.labels[j] == label for j in found.neighbors[i]]
    assert retrieve(run, new_images(), K).right() is None
    assert retrieve(Run(labels=None), new_images(folders), K).right() is None


@pytest.mark.parametrize("k", [0, 34])
def test_a_number_of_neighbors_out_of_range_is_refused(k):
    with pytest.raises(InputError, match=f"--neighbors {k}: must be from 1 to the 33 training"):
        retrieve(Run(), new_images(), k)
