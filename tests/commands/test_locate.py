"""dimred locate: where a run finds classes, from the command to the files."""

import csv

import numpy as np
import pytest
import torch
from command import SMOKE, dimred, refused, summary
from PIL import Image

from dimred import load_run
from dimred.scaling import resized

pytestmark = pytest.mark.usefixtures("no_figures_here")

SMALL = ["dataset.n_train=160", "dataset.n_test=30", "schedule.stages.train.epochs=2"]
QUICK = [*SMALL, "model.widths=[4,8]", "schedule.batch_size=16", "view=false"]
SCALES = [0.5, 1.0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on canvases, tested in two sizes, one without score maps, and other images."""
    cwd = tmp_path_factory.mktemp("locate")
    words = ["train", "experiment=locate_digits", *QUICK, f"model.test_scales={SCALES}"]
    dimred(cwd, *words, "run_dir=run")
    dimred(cwd, *SMOKE, "dataset.limit=100", "eval.linear=none", "eval.k=[3]", "run_dir=map")
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 24), dtype=np.uint8)
    np.savez(cwd / "new.npz", images=images)
    (cwd / "photos").mkdir()
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(cwd / f"photos/{number}.png")
    (cwd / "photos/torn.png").write_bytes(b"torn")
    return cwd


def rows(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def arrays(path):
    with np.load(path) as content:
        return dict(content)


def test_points_are_where_the_maps_are_highest_and_scores_are_z(made):
    out, err = dimred(made, "locate", "run")
    assert err == ""
    assert out.splitlines()[-1] == "run/located/test"
    table, maps = (
        rows(made / "run/located/test/points.csv"),
        arrays(made / "run/located/test/maps.npz"),
    )
    with np.load(made / "run/embedding.npz") as embedding:
        z, is_test = embedding["z"], embedding["split"] == "test"
        names = embedding["class_names"].tolist()
    assert len(table) == is_test.sum() * 10
    assert maps["class_names"].tolist() == names
    assert (made / "run/located/test/sheet.png").exists()
    for number, line in enumerate(table):
        image, k = divmod(number, 10)
        row = int(line["row"])
        assert (line["class"], row) == (names[k], np.flatnonzero(is_test)[image])
        score = float(line["score"])
        assert score == pytest.approx(float(z[row, k]), abs=1e-4)
        assert float(line["probability"]) == pytest.approx(1 / (1 + np.exp(-score)), abs=1e-5)
        # A loop over all scales, rows and columns.
        places = [
            (scores, x, y)
            for scale in SCALES
            for one, y in zip(maps[f"maps_{scale:g}"][image, k], maps[f"y_{scale:g}"], strict=True)
            for scores, x in zip(one, maps[f"x_{scale:g}"], strict=True)
        ]
        best = max(places, key=lambda place: place[0])
        assert (float(line["x"]), float(line["y"])) == pytest.approx(best[1:], abs=1e-4)
        of_scales = [maps[f"maps_{scale:g}"][image, k].max() for scale in SCALES]
        assert np.mean(of_scales) == pytest.approx(score, abs=1e-4)


def test_maps_are_the_networks_at_each_size(made):
    run = load_run(made / "run")
    located = run.locate("RUN:test", most=5)
    assert len(located.images) == 5
    pixels = torch.from_numpy(located.images.pixels).float() / 255
    with torch.no_grad():
        encoder = run.encoder().eval()
        for scale, maps in zip(located.scales, located.maps, strict=True):
            expected = encoder.score_maps(resized(pixels, scale)).numpy()
            assert np.allclose(maps, expected, atol=1e-5)
    assert located.scales == tuple(SCALES)
    assert (located.images.rows >= 160).all(), "the test images"


def test_files_folders_and_arrays_are_located_alike_and_the_unreadable_named(made):
    out, err = dimred(made, "locate", "run", "photos", "--out", "mine")
    assert "'photos/torn.png' is left out: " in err
    assert out.startswith("4 images: ")
    dimred(made, "locate", "run", "new.npz")
    of_files, of_array = (rows(made / f"run/located/{name}/points.csv") for name in ("mine", "new"))
    assert {line["image"] for line in of_array} == {f"new.npz[{i}]" for i in range(4)}
    assert {line["row"] for line in of_array} == {""}
    for one, other in zip(of_files, of_array, strict=True):
        assert {**one, "image": ""} == {**other, "image": ""}


def test_a_name_that_is_taken_by_other_images_gets_a_number(made, tmp_path):
    folder = made / "run/located"
    dimred(made, "locate", "run", "--most", "3", "RUN:all")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "photos/other.png")
    for images in ("photos", "photos", tmp_path / "photos"):
        dimred(made, "locate", "run", str(images))
    assert {path.name for path in folder.iterdir()} >= {"all", "photos", "photos-2"}
    assert not (folder / "photos-3").exists()


def test_the_run_is_measured_by_average_precision_and_has_no_verdict(made):
    found = summary(made / "run")
    assert found["headline"] == "mean_ap"
    assert set(found["final"]) >= {"mean_ap", "mean_location_ap", "mean_center_ap"}
    assert "verdict" not in found
    assert set(found["measures"]["taken"]) == {"presence", "classes"}
    assert found["measures"]["left_out"] == {}
    assert 0 < found["dataset"]["chance"] < 0.3
    out, _ = dimred(
        made,
        "train",
        "experiment=locate_digits",
        *QUICK,
        "run_dir=run",
        f"model.test_scales={SCALES}",
    )
    assert "by chance mean AP 0." in out


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["run", "--side", "0.5"], ["--side: is for maps", "run has score maps of classes"]),
        (["run", "--most", "0"], ["most=0: must be at least 1"]),
        (["run", "nowhere.png"], ["nowhere.png: does not exist"]),
        (["run", "RUN:class=7"], ["RUN:class=7"]),
        (["run", "photos", "RUN:test"], ["RUN:test: must be the only images"]),
        (["run", "photos/torn.png"], ["photos/torn.png: 0 images that can be read"]),
        (["run", "--out", "../there"], ["out='../there'", "RUN/located/"]),
    ],
)
def test_what_cannot_be_located_is_one_line(made, words, parts):
    line = refused(made, "locate", *words)
    assert all(part in line for part in parts), line
