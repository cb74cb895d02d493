"""Whole runs of contrastive losses, classifiers and regressions, in this process: importing torch
takes longer than most of them."""

import contextlib
import gzip
import io
import struct
import sys

import numpy as np
import pytest
from command import rows, summary
from crash import Crash, crash_after
from PIL import Image
from undrawn import without_figures

from dimred.commands.main import main
from dimred.pairing.neighbors import _digest
from dimred.run_folder.folder import RunFolder

QUICK = ["eval.references=false", "eval.linear=none", "device.threads=1", "device=cpu"]


def command(cwd, *words, code=0, drawn=False):
    """`dimred train WORDS` in a folder: what it prints; what it complains of where it fails.

    drawn: with figures and a page, at which few tests look.
    """
    out, err = io.StringIO(), io.StringIO()
    figures = contextlib.nullcontext() if drawn else without_figures()
    words = words if drawn else ("view=false", *words)
    with pytest.MonkeyPatch.context() as patch, figures:
        patch.chdir(cwd)
        patch.setattr(sys, "argv", sys.argv)  # Hydra reads it, and `launch` sets it
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert main(["train", *QUICK, *words]) == code, err.getvalue()
    return err.getvalue() if code else out.getvalue()


def trained(cwd, experiment, epochs, *words, run_dir="run", drawn=False):
    """The folder of a finished run of an experiment."""
    words = [f"experiment={experiment}", f"schedule.stages.train.epochs={epochs}", *words]
    command(cwd, *words, f"run_dir={run_dir}", drawn=drawn)
    return cwd / run_dir


def arrays(path):
    with np.load(path) as content:
        return {name: content[name] for name in content.files}


SHIFTS = {
    "drlim_digits_shifts_naive": 3,
    "drlim_digits_shifts_invariant": 5,
    "generalized_digits_shifts": 5,
}


@pytest.fixture(scope="module")
def shifts(tmp_path_factory):
    """Finished runs of the experiments with shifts, by name."""
    cwd = tmp_path_factory.mktemp("shifts")
    return {name: trained(cwd, name, n, run_dir=name, drawn=True) for name, n in SHIFTS.items()}


@pytest.mark.parametrize("name", SHIFTS)
def test_a_run_with_transformations_leaves_everything(shifts, name):
    path = shifts[name]
    dim = 3 if name.startswith("generalized") else 2
    for file in (
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "weights.safetensors",
        "checkpoint.pt",
        "summary.json",
        "stages/train.npz",
    ):
        assert (path / file).stat().st_size > 0, file
    plots = {"map_train", "loss", "knn", "thumbnails", "factors", "lines_shift"}
    assert {file.stem for file in (path / "plots").glob("*.png")} == plots
    for file in (path / "plots").glob("*.png"):
        with Image.open(file) as picture:
            picture.verify()
    turning = list(path.rglob("rotating.gif"))
    assert len(turning) == (1 if dim == 3 else 0)
    for file in turning:
        with Image.open(file) as picture:
            assert picture.n_frames > 10


@pytest.mark.parametrize("name", SHIFTS)
def test_the_embedding_holds_every_image_in_every_transformation(shifts, name):
    content = arrays(shifts[name] / "embedding.npz")
    dataset = summary(shifts[name])["dataset"]
    assert dataset["transformations"] == 4
    n = dataset["images"]
    assert sum(dataset["classes"].values()) == n
    assert content["z"].shape == (5 * n, 3 if name.startswith("generalized") else 2)
    assert np.isfinite(content["z"]).all()
    assert content["shift"].tolist() == [0, -2, -1, 1, 2] * n
    assert content["transformation"].tolist() == [0, 1, 2, 3, 4] * n
    names = ["none", "shift -2", "shift -1", "shift +1", "shift +2"]
    assert content["transformation_names"].tolist() == names
    for key in ("index", "label", "split"):
        versions = content[key].reshape(n, 5)
        assert (versions == versions[:, :1]).all(), key
    assert len(np.unique(content["index"])) == n


@pytest.mark.parametrize("name", SHIFTS)
def test_the_summary_holds_the_losses_of_test_pairs_and_the_measures_of_factors(shifts, name):
    final = summary(shifts[name])["final"]
    groups = ("z12", "z3") if name.startswith("generalized") else ("z12",)
    expected = {f"{first}_{form}" for first in ("contrast", "drlim")
                for form in ("squared_hinge", "legacy_caffe")}  # fmt: skip
    expected |= {f"r2_shift_{group}" for group in groups}
    expected |= {f"invariance_shift_{group}" for group in groups}
    expected |= {f"knn15_class_{group}" for group in groups}
    dims = "".join(groups).replace("z", "")
    expected |= {f"{key}_shift_z{dim}" for key in ("spearman", "order") for dim in dims}
    expected |= {"transformed_r2_shift", "knn15_z_official"}
    assert expected <= set(final)
    assert all(np.isfinite(final[key]) for key in expected)
    by_label = {"contrast_squared_hinge_neighborhood", "contrast_squared_hinge_transformation"}
    assert by_label <= set(final) if len(groups) == 2 else not by_label & set(final)


def test_naive_shifts_make_the_map_and_invariance_leaves_them_out(shifts):
    naive = summary(shifts["drlim_digits_shifts_naive"])["final"]
    invariant = summary(shifts["drlim_digits_shifts_invariant"])["final"]
    assert naive["r2_shift_z12"] > 0.8
    assert invariant["r2_shift_z12"] < 0.2
    assert invariant["invariance_shift_z12"] < 0.2 < naive["invariance_shift_z12"]
    assert invariant["knn15_class_z12"] > 0.9
    # The loss on DrLIM's own pairs, to which shifted images are similar, tells them apart too.
    assert invariant["drlim_legacy_caffe"] < naive["drlim_legacy_caffe"]


def test_the_generalized_loss_puts_the_shift_into_its_own_dimension(shifts):
    final = summary(shifts["generalized_digits_shifts"])["final"]
    assert final["order_shift_z3"] > 0.95
    assert final["r2_shift_z3"] > 0.9
    assert final["r2_shift_z12"] < 0.2
    assert final["knn15_class_z12"] > 0.9
    assert final["knn15_class_z3"] < 0.8


def test_the_regression_to_compare_with_learns_its_targets(tmp_path):
    final = summary(trained(tmp_path, "regression_digits_shifts", 5))["final"]
    assert final["knn15_class_z12"] > 0.9
    assert final["order_shift_z3"] > 0.9
    assert not [key for key in final if key.startswith(("contrast", "drlim"))]


def test_random_pairs_are_another_sampling_of_the_same_map(tmp_path):
    words = ["pairing.sampling=pairs", "schedule.batch_size=32", "eval.every=30"]
    words += ["schedule.optimizer.lr_per_256=0.16"]
    path = trained(tmp_path, "generalized_digits_shifts", 60, *words)
    measured = [row for row in rows(path) if "order_shift_z3" in row]
    assert [row["epoch"] for row in measured] == [30, 60]
    last = measured[-1]
    assert last["order_shift_z3"] > 0.95
    assert last["r2_shift_z12"] < 0.2
    assert "sampling: pairs" in (path / "config.yaml").read_text()


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """A folder with a short run on the turntable and its rendered images, and when those were."""
    cwd = tmp_path_factory.mktemp("views")
    words = ["dataset.root=data", "eval.lle=200"]
    trained(cwd, "generalized_turntable", 40, *words, drawn=True)
    (cache,) = (cwd / "data").iterdir()
    return cwd, cache, cache.stat().st_mtime_ns


def test_the_turntable_is_measured_by_its_angles_and_lightings(views):
    cwd, _, _ = views
    content = summary(cwd / "run")
    assert content["dataset"]["images"] == 972
    assert content["dataset"]["learned_from"] == 660
    found = arrays(cwd / "run/embedding.npz")
    assert np.unique(found["split"], return_counts=True)[1].tolist() == [312, 660]
    assert len(np.unique(found["azimuth"])) == 18
    assert len(np.unique(found["elevation"])) == 9
    assert len(np.unique(found["lighting"])) == 6
    final = content["final"]
    for key in ("circular_azimuth_z12", "spearman_elevation_z3", "r2_lighting_z12"):
        assert np.isfinite(final[key]), key
    # Short as the run was, each group has begun to hold its own angle.
    assert final["r2_azimuth_z12"] > max(0.4, final["r2_azimuth_z3"])
    assert final["r2_elevation_z3"] > final["r2_elevation_z12"]
    assert {file.name for file in cwd.glob("run/plots/*.png")} >= {
        "lle.png",
        "factors.png",
        "thumbnails.png",
    }


def test_lle_is_measured_beside_it(views):
    found = summary(views[0] / "run")["lle"]
    for key in ("circular_azimuth_z12", "spearman_elevation_z3", "r2_lighting_z12"):
        assert np.isfinite(found[key]), key


def test_the_images_are_rendered_once(views):
    cwd, cache, made = views
    assert cache.suffix == ".npz"
    words = ["dataset.root=data", "eval.lle=null", "schedule.batch_size=330"]
    path = trained(cwd, "regression_turntable", 3, *words, run_dir="regression")
    assert [file.name for file in (cwd / "data").iterdir()] == [cache.name]
    assert cache.stat().st_mtime_ns == made
    content = summary(path)
    assert content["lle"] == {}
    assert "circular_azimuth_z12" in content["final"]
    losses = [row["loss"] for row in rows(path)]
    assert losses[-1] < losses[0]


# Two groups of two dimensions.
FOUR_D = ["loss.groups=[2,2]", "schedule.stages.train.out_dim=4", "schedule.batch_size=60"]
SAMPLINGS = {"in_batch": ["pairing.samples_per_step=40"], "pairs": ["pairing.sampling=pairs"]}


def four_d(cwd, sampling, *words):
    return trained(
        cwd, "generalized_digits_shifts", 2, *FOUR_D, *SAMPLINGS[sampling], "checkpoint_every=0",
        *words,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Uninterrupted runs by their sampling."""
    return {name: four_d(tmp_path_factory.mktemp(name), name) for name in SAMPLINGS}


def timeless(path):
    times = ("seconds", "images_per_s")
    return [{k: v for k, v in row.items() if k not in times} for row in rows(path)]


def same(path, expected):
    for name in ("embedding.npz", "weights.safetensors"):
        assert (path / name).read_bytes() == (expected / name).read_bytes()
    assert timeless(path) == timeless(expected)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(whole, tmp_path, sampling):
    same(four_d(tmp_path, sampling), whole[sampling])
    other = four_d(tmp_path, sampling, "seed=1", "restart=true") / "embedding.npz"
    assert other.read_bytes() != (whole[sampling] / "embedding.npz").read_bytes()


@pytest.mark.parametrize(("sampling", "count"), [("in_batch", 3), ("in_batch", 7), ("pairs", 4)])
def test_a_crash_does_not_show_in_the_result(whole, tmp_path, monkeypatch, sampling, count):
    with monkeypatch.context() as patch:
        crash_after(patch, count)
        with pytest.raises(Crash):
            four_d(tmp_path, sampling)
    left = RunFolder(tmp_path / "run").read_checkpoint().position
    assert left.stage == 0
    assert not (tmp_path / "run/summary.json").exists()
    same(four_d(tmp_path, sampling), whole[sampling])


CLASSIFIER = [
    *["dataset=digits", "dataset.fit_on=train", "pairing=class_target", "loss=cross_entropy"],
    *["schedule=classifier", "schedule.stages.train.epochs=5", "schedule.batch_size=64"],
    *["model=convnet", "model.widths=[8,16]", "model.hidden_dim=null"],
    *["eval.shifted_test=[2,1]", "run_dir=run"],
]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("classifier")
    command(cwd, *CLASSIFIER)
    return cwd


def test_a_classifier_reports_its_errors(classifier):
    content = summary(classifier / "run")
    z = arrays(classifier / "run/embedding.npz")
    test = z["split"] == "test"
    wrong = np.mean(z["z"][test].argmax(1) != z["label"][test])
    assert content["errors"]["test_error"] == pytest.approx(wrong)
    assert wrong < 0.3
    # Learned from digits in their places.
    assert wrong + 0.1 < content["errors"]["shifted_test_error"] < 0.9
    assert content["tsne"] == {}
    assert not (classifier / "run/tsne.npz").exists()


def test_t_sne_of_a_finished_classifier_needs_no_training(classifier):
    expected = (classifier / "run/embedding.npz").read_bytes()
    out = command(classifier, *CLASSIFIER, "eval.tsne=120", "eval.save_h=true", drawn=True)
    assert "epoch" not in out
    path = classifier / "run"
    found, embedding = arrays(path / "tsne.npz"), arrays(path / "embedding.npz")
    assert found["z"].shape == (120, 2)
    assert np.isfinite(found["z"]).all()
    test = embedding["index"][embedding["split"] == "test"]
    assert set(found["index"]) <= set(test)
    assert embedding["h"].shape == (1797, 16)
    with Image.open(path / "plots/tsne.png") as picture:
        picture.verify()
    # A t-SNE map of H keeps the classes together, far better than chance.
    assert summary(path)["tsne"]["knn15_tsne"] > 0.4
    out = command(classifier, *CLASSIFIER, "eval.tsne=100")
    assert "epoch" not in out
    assert arrays(path / "tsne.npz")["z"].shape == (100, 2)
    assert (path / "embedding.npz").read_bytes() == expected
    assert "finished before" in command(classifier, *CLASSIFIER, "eval.tsne=100")


def test_training_on_shifted_digits_helps_with_shifted_ones(classifier, tmp_path):
    words = ["pairing.shift_x=2", "pairing.shift_y=1", "schedule.stages.train.epochs=10"]
    command(tmp_path, *CLASSIFIER, *words)
    errors = summary(tmp_path / "run")["errors"]
    assert (
        errors["shifted_test_error"] < summary(classifier / "run")["errors"]["shifted_test_error"]
    )


def test_neighbors_are_kept_beside_the_data(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (80, 6, 6), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.repeat([3, 9], 40))
    words = ["dataset=npz", "dataset.path=mine.npz", "pairing=knn", "loss=drlim"]
    words += ["schedule=drlim_digits", "schedule.stages.train.epochs=2", "model.widths=[4]"]
    words += ["schedule.stages.train.out_dim=4"]

    def run(name):
        command(tmp_path, *words, f"run_dir={name}")
        return (tmp_path / name / "embedding.npz").read_bytes()

    expected = run("first")
    (kept,) = (tmp_path / ".dimred-cache").glob("neighbors-*.npz")
    content, made = kept.read_bytes(), kept.stat().st_mtime_ns
    assert run("second") == expected
    assert kept.stat().st_mtime_ns == made
    graph = arrays(kept)["graph"]
    assert graph.shape == (80, 5)
    # A graph of other neighbors makes another map, so it is read.
    other = np.roll(graph, 1, axis=0)
    np.savez(kept, graph=other, sha256=np.array(_digest(kept, other)))
    assert run("third") != expected
    # A damaged one is made anew.
    kept.write_bytes(content[:100])
    assert run("fourth") == expected
    assert kept.read_bytes() == content
    # Pictures that changed have neighbors of their own.
    np.savez(tmp_path / "mine.npz", images=255 - images // 2, labels=np.repeat([3, 9], 40))
    run("fifth")
    assert len(list((tmp_path / ".dimred-cache").glob("neighbors-*.npz"))) == 2


PARTS = {
    "smallnorb-5x46789x9x18x6x2x96x96-training": 4,
    "smallnorb-5x01235x9x18x6x2x96x96-testing": 0,
}
MAGIC = {"dat": 0x1E3D4C55, "cat": 0x1E3D4C54, "info": 0x1E3D4C54}
NORB = ["dataset.root=norb", "dataset.n_test=18", "schedule.batch_size=36", "eval.k=[5]"]
NORB += ["eval.lle=null"]


def write_norb(folder):
    """Small NORB's six files with one airplane in each part, whose pixels are linear in its
    elevation and in cosine and sine of its azimuth."""
    folder.mkdir()
    elevation, azimuth = (grid.ravel() for grid in np.mgrid[0:3, 0:36:2])
    angle = azimuth * np.pi / 18
    patterns = np.random.default_rng(0).uniform(-1, 1, (3, 96 * 96))
    known = np.stack((np.cos(angle), np.sin(angle), elevation - 1.0))
    pixels = (128 + 40 * (known.T @ patterns)).clip(0, 255).astype(np.uint8)
    pairs = np.stack((pixels, 255 - pixels), axis=1).reshape(-1, 2, 96, 96)
    for part, instance in PARTS.items():
        info = np.stack((0 * azimuth + instance, elevation, azimuth, 0 * azimuth), axis=1)
        tables = {"dat": pairs, "cat": np.full(len(info), 2, "<i4"), "info": info.astype("<i4")}
        for kind, table in tables.items():
            sizes = (*table.shape, 1, 1)[: max(3, table.ndim)]
            head = struct.pack(f"<{2 + len(sizes)}i", MAGIC[kind], table.ndim, *sizes)
            path = folder / f"{part}-{kind}.mat.gz"
            path.write_bytes(gzip.compress(head + table.tobytes(), 1))


@pytest.fixture(scope="module")
def norb(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("norb")
    write_norb(cwd / "norb")
    return cwd


def test_small_norb_from_its_files(norb):
    content = summary(trained(norb, "generalized_norb", 150, *NORB))
    assert (content["dataset"]["images"], content["dataset"]["learned_from"]) == (54, 36)
    found = arrays(norb / "run/embedding.npz")
    assert sorted(set(found["elevation"])) == [30, 35, 40]
    assert sorted(set(found["azimuth"])) == list(range(0, 360, 20))
    assert content["final"]["circular_azimuth_z12"] > 0.7
    assert content["final"]["spearman_elevation_z3"] > 0.8


def test_one_label_of_near_views_is_drlims(norb):
    words = ["pairing.adjacency=either", "pairing.sampling=pairs"]
    final = summary(trained(norb, "drlim_norb", 5, *NORB, *words, run_dir="drlim"))["final"]
    assert {"contrast_legacy_caffe", "circular_azimuth_z12", "spearman_elevation_z3"} <= set(final)


@pytest.mark.parametrize(
    ("kind", "damage", "parts"),
    [
        ("dat", lambda content: content[:-1000], ["truncated"]),
        ("dat", lambda content: content[:10], ["truncated"]),
        ("info", lambda content: b"\0" + content[1:], ["0x1e3d4c00", "must be 0x1e3d4c54"]),
    ],
)
def test_damaged_files_of_small_norb_are_named(norb, tmp_path, kind, damage, parts):
    for file in (norb / "norb").iterdir():
        (tmp_path / "norb").mkdir(exist_ok=True)
        (tmp_path / "norb" / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "norb" / f"{next(iter(PARTS))}-{kind}.mat"
    packed = path.with_name(f"{path.name}.gz")
    path.write_bytes(damage(gzip.decompress(packed.read_bytes())))
    packed.unlink()
    line = command(tmp_path, "experiment=generalized_norb", *NORB, code=2)
    assert line.startswith("dimred: ")
    assert line.count("\n") == 1
    for part in [path.name, *parts]:
        assert part in line
    assert not (tmp_path / "outputs").exists()


def test_linear_evaluation_by_sgd_pairs_images_with_their_labels(tmp_path):
    """Of the untransformed images, although every image is there in five transformations."""
    words = ["eval.linear=sgd", "eval.linear_epochs=5", "eval.linear_lr=1", "eval.references=false"]
    folder = trained(tmp_path, "generalized_digits_shifts", 5, *words)
    assert summary(folder)["linear"]["accuracy"] > 0.75


def test_too_few_test_images_for_their_pairs_are_no_reason_not_to_train(tmp_path):
    words = ["experiment=drlim_digits", "pairing.k=30", "schedule.stages.train.epochs=1"]
    out = command(tmp_path, *words, "run_dir=run")
    assert "the measure contrast is left out: pairing.k=30: class '4' has 30 test image(s)" in out
    assert "set at most" not in out
    assert list(summary(tmp_path / "run")["measures"]["left_out"]) == ["contrast"]
