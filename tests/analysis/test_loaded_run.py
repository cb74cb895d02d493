"""A finished run in Python: what `dimred.train` and `load_run` return."""

import html
import json
import re
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from command import SMOKE, dimred
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

import dimred as package
from dimred import load_run
from dimred.errors import InputError

pytestmark = pytest.mark.usefixtures("no_figures_here")

WORDS = [*SMOKE[1:], "dataset.limit=130", "eval.linear=none", "eval.every=0", "dataset=digits"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on 130 of scikit-learn's digits, trained from Python."""
    return package.train(*WORDS, f"output_dir={tmp_path_factory.mktemp('outputs')}")


@pytest.fixture
def copy(run, tmp_path):
    """Its folder, to be changed."""
    return shutil.copytree(run.path, tmp_path / "run")


def arrays(run):
    with np.load(run.path / "embedding.npz") as content:
        return dict(content)


def nearest(points, query, k):
    return NearestNeighbors(n_neighbors=k).fit(points).kneighbors(query, return_distance=False)


def test_training_again_returns_the_same_run(run, capsys):
    before = (run.path / "summary.json").stat().st_mtime_ns
    again = package.train(*WORDS, f"output_dir={run.path.parent}")
    assert again.path == run.path
    assert (run.path / "summary.json").stat().st_mtime_ns == before
    recorded = json.loads((run.path / "environment.json").read_text())["sessions"][0]["command"]
    assert recorded[:3] == ["dimred", "train", "experiment=smoke"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["loss.margn=2"], "loss.margn=2: no such key"),
        (["seed=-1"], "seed=-1"),
        (["x"], "x: must"),
        (["experiment=demoo"], "did you mean experiment=demo?"),
    ],
)
def test_words_that_make_no_run_are_errors(words, named, tmp_path):
    with pytest.raises(InputError, match=re.escape(named)):
        package.train(*WORDS, f"output_dir={tmp_path / 'outputs'}", *words)
    assert not (tmp_path / "outputs").exists()


def test_it_says_what_the_run_wrote(run):
    written = arrays(run)
    assert len(run) == 130
    for name, array in (
        ("z", run.z),
        ("index", run.index),
        ("split", run.split),
        ("label", run.labels),
        ("class_names", np.array(run.class_names)),
    ):
        assert np.array_equal(array, written[name]), name
    assert run.summary == json.loads((run.path / "summary.json").read_text())
    assert [row["stage"] for row in run.metrics()][::2] == ["pretrain", "readout", "finetune"]
    assert run.config.dataset.limit == 130
    assert (run.n_variants, run.shape, run.sources) == (1, (1, 8, 8), None)
    assert "130 rows in 2 dimensions" in repr(run)


def test_images_are_those_of_its_rows(run):
    from sklearn.datasets import load_digits

    pixels = load_digits().images[run.index]
    images = run.images()
    assert (images.dtype, images.shape) == (np.uint8, (130, 1, 8, 8))
    assert np.corrcoef(images[:, 0].ravel(), pixels.ravel())[0, 1] > 0.9999


def test_features_are_those_of_the_encoder(run):
    with torch.no_grad():
        h, z = run.encoder().eval()(torch.from_numpy(run.images()).float() / 255)
    assert np.abs(run.h() - h.numpy()).max() < 1e-5
    assert np.abs(run.z - z.numpy()).max() < 1e-5


@pytest.mark.parametrize("space", ["z", "h"])
def test_neighbors_of_rows_are_the_nearest_others(run, space):
    points = run.z if space == "z" else normalize(run.h())  # a map as it is, others by angle
    expected = NearestNeighbors(n_neighbors=4).fit(points).kneighbors(return_distance=False)
    assert np.array_equal(run.neighbors(k=4, space=space), expected)
    assert np.array_equal(run.neighbors([7, 0, 7], 4, space=space), expected[[7, 0, 7]])


@pytest.mark.parametrize("space", ["z", "h"])
def test_neighbors_of_new_images_are_training_images(run, space):
    rng = np.random.default_rng(0)
    placed = run.place(rng.integers(0, 256, (5, 8, 8), dtype=np.uint8), k=3)
    points = run.z if space == "z" else normalize(run.h())
    learned = np.flatnonzero(run.split == "train")
    query = placed.z if space == "z" else normalize(placed.h)
    expected = learned[nearest(points[learned], query, 3)]
    assert np.array_equal(run.neighbors(placed, 3, space=space), expected)
    if space == "z":
        assert np.array_equal(placed.neighbors, expected)


@pytest.mark.parametrize("space", ["z", "h"])
@pytest.mark.parametrize(("distance", "scaled"), [("euclidean", np.asarray), ("cosine", normalize)])
def test_neighbors_are_by_the_distance_that_is_named(run, space, distance, scaled):
    points = scaled(run.z if space == "z" else run.h())
    expected = NearestNeighbors(n_neighbors=4).fit(points).kneighbors(return_distance=False)
    assert np.array_equal(run.neighbors(k=4, space=space, distance=distance), expected)
    placed = run.place(run.images()[:3])
    found = run.neighbors(placed, 1, space=space, distance=distance)
    learned = np.flatnonzero(run.split == "train")
    query = scaled(placed.z if space == "z" else placed.h)
    assert np.array_equal(found, learned[nearest(points[learned], query, 1)])


def test_equal_images_are_neighbors_and_none_its_own(copy):
    content = arrays(load_run(copy))
    content["z"][:20] = 0
    np.savez(copy / "embedding.npz", **content)
    run = load_run(copy)
    found = run.neighbors(range(20), k=5)
    assert found.shape == (20, 5)
    assert (found < 20).all()
    assert (found != np.arange(20)[:, None]).all()
    assert all(len(set(row)) == 5 for row in found.tolist())


@pytest.mark.parametrize(
    ("of", "k", "space", "named"),
    [
        ([0], 130, "z", "k=130: must be from 1 to 129"),
        (None, 0, "z", "k=0"),
        ([0], 3, "pixels", "space='pixels': must be 'z' or 'h'"),
        ([130], 3, "z", "from 0 to 129"),
        ([-1], 3, "z", "from 0 to 129"),
        ([0.5], 3, "z", "from 0 to 129"),
        ([], 3, "z", "from 0 to 129"),
    ],
)
def test_neighbors_that_are_not_there_are_refused(run, of, k, space, named):
    with pytest.raises(InputError, match=re.escape(named)):
        run.neighbors(of, k, space=space)
    with pytest.raises(InputError, match="distance='cosin': must be 'cosine', 'euclidean' or None"):
        run.neighbors(distance="cosin")


def test_columns_are_what_is_known_of_each_row(copy, monkeypatch):
    content = arrays(load_run(copy))
    group = np.arange(130) % 2
    content |= {"azimuth": np.arange(130.0), "superclass": group}
    np.savez(copy / "embedding.npz", **content, superclass_names=np.array(["even", "odd"]))
    run = load_run(copy)
    columns = run.columns()
    assert list(columns) == ["index", "split", "class", "z1", "z2", "azimuth", "superclass"]
    assert {len(column) for column in columns.values()} == {130}
    assert columns["class"][3] == run.class_names[run.labels[3]]
    assert columns["superclass"][:3].tolist() == ["even", "odd", "even"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas: pip install pandas"):
        run.to_dataframe()
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=list))
    assert run.to_dataframe() == list(columns)


def test_findings_are_those_of_inspect(copy):
    run = load_run(copy)
    with pytest.raises(InputError, match="has not been inspected"):
        run.findings()
    found = run.inspect()
    assert found == load_run(copy).findings()
    assert list(found) == ["near_duplicates", "outliers", "label_issues", "clusters"]
    assert all(0 <= row < len(run) for kind in found.values() for row in kind.rows)


def test_a_notebook_shows_the_page_that_view_writes(run, tmp_path):
    view = run.view(height=500)
    dimred(tmp_path, "view", str(run.path))
    assert view.content == (run.path / "map.html").read_bytes()
    frame = view._repr_html_()
    (page,) = re.findall(r'srcdoc="([^"]*)"', frame)
    assert html.unescape(page) == view.content.decode()
    # Nothing but its own scripts, which cannot reach the notebook that it is shown in.
    assert 'sandbox="allow-scripts allow-downloads"' in frame
    assert 'height="500"' in frame
    view.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == view.content
    with pytest.raises(InputError, match="thumbnail=3: must be from 4 to 256"):
        run.view(thumbnail=3)


def test_an_onnx_file_does_not_replace_what_the_run_wrote(run):
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match="would replace what the run wrote"):
        run.export_onnx(run.path / "weights.safetensors")


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_run_made_on_a_gpu_is_opened_anywhere(copy, name, monkeypatch):
    """Also with the keys that runs of before have."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = copy / "config.yaml"
    text = file.read_text()
    changed = re.sub(r"device:\n  name: \w+\n", f"device:\n  name: {name}\n", text)
    assert f"  name: {name}\n" in changed
    file.write_text(changed.replace("device:\n", "device:\n  cuda_graphs: true\n"))
    run = load_run(copy)
    assert np.abs(run.place(run.images()).z - run.z).max() < 1e-5


def settings():
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32),
        torch.initial_seed(),
    )


def test_pytorch_is_left_as_the_caller_has_it(run, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    torch.use_deterministic_algorithms(True)
    try:
        before = settings()
        loaded = load_run(run.path)
        loaded.place(loaded.images())
        loaded.h()
        loaded.neighbors(k=2)
        assert settings() == before
    finally:
        torch.use_deterministic_algorithms(False)


def test_reading_a_map_imports_numpy_alone(run):
    code = """if True:
        import sys
        from dimred import load_run
        run = load_run(sys.argv[1])
        run.z, run.labels, run.split, run.summary, run.metrics(), run.columns(), repr(run)
        heavy = {"torch", "hydra", "omegaconf", "matplotlib", "sklearn", "scipy", "dimred.run"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        run.place(run.images())
        trainer = {"hydra", "matplotlib", "dimred.run", "dimred.plots"}
        assert not trainer & set(sys.modules), trainer & set(sys.modules)
    """
    words = [sys.executable, "-c", code, str(run.path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
