"""dimred locate of a map: what holds images at their places, and what two of them share."""

import csv
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from command import SMOKE, dimred, refused
from PIL import Image

from dimred import load_run
from dimred.analysis.holding import neighbor_distance
from dimred.errors import InputError
from dimred.models.occlusion import squares

pytestmark = pytest.mark.usefixtures("no_figures_here")

QUICK = ["dataset.limit=120", "eval.linear=none", "eval.k=[3]", "view=false"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("holding")
    dimred(cwd, *SMOKE, *QUICK, "run_dir=run")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    np.savez(cwd / "two.npz", images=pixels)
    Image.fromarray(pixels[0]).save(cwd / "one.png")
    return cwd


def rows(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_heat_is_how_far_z_moves_in_distances_to_the_15th_nearest(made):
    out, err = dimred(made, "locate", "run", "RUN:all", "--most", "6", "--fill", "0.5")
    assert err == ""
    assert out.splitlines()[-1] == "run/located/all"
    assert "squares of 2 pixels hidden at 49 places of 6 images, in gray of 0.5" in out
    run, table = load_run(made / "run"), rows(made / "run/located/all/points.csv")
    encoder, z = run.encoder().eval(), run.z.astype(np.float64)
    with np.load(made / "run/located/all/maps.npz") as content:
        heat, x, y = content["heat"], content["x"], content["y"]
    assert (made / "run/located/all/sheet.png").exists()
    assert len(table) == len(heat) == 6
    for line, of_image in zip(table, heat, strict=True):
        row = int(line["row"])
        unit = np.sort(np.linalg.norm(z - z[row], axis=1))[15]
        image = torch.from_numpy(run.images()[row : row + 1]).float() / 255
        image[..., 4:6, 1:3] = 0.5
        with torch.no_grad():
            moved = np.linalg.norm(encoder(image)[1].numpy()[0] - z[row])
        i, j = y.tolist().index(5), x.tolist().index(2)
        assert of_image[i, j] == pytest.approx(moved / unit, rel=1e-3, abs=1e-4)
        i, j = np.unravel_index(of_image.argmax(), of_image.shape)
        assert (float(line["x"]), float(line["y"])) == (x[j], y[i])
        assert float(line["heat"]) == pytest.approx(of_image.max(), rel=1e-5)


def test_squares_have_the_mean_color_by_default_and_new_images_the_unit_of_training_images(made):
    run = load_run(made / "run")
    held = run.locate(made / "two.npz", side=1.0)
    assert held.lines()[0].startswith("squares of 8 pixels hidden at 1 place of 2 images, in the")
    assert held.heat.shape == (2, 2, 2)[:1] + held.squares.shape
    with torch.no_grad():
        encoder = run.encoder().eval()
        flat = encoder.mean.expand(1, 1, 8, 8)
        z = encoder(torch.from_numpy(held.images.pixels).float() / 255)[1].numpy()
        moved = np.linalg.norm(encoder(flat)[1].numpy() - z, axis=1)
    apart = np.linalg.norm(run.z[run.finished.map.training_images][None] - z[:, None], axis=2)
    unit = np.sort(apart, axis=1)[:, 14]
    np.testing.assert_allclose(held.unit, unit, rtol=1e-4)
    np.testing.assert_allclose(held.heat[:, 0, 0], moved / unit, rtol=1e-3)


def test_what_images_share_with_one_sums_up_to_their_product(made):
    out, _ = dimred(made, "locate", "run", "two.npz", "--with", "7")
    assert out.splitlines()[-1] == "run/located/two.npz-with-7"
    with np.load(made / "run/located/two.npz-with-7/maps.npz") as content:
        maps, others, product = (content[name] for name in ("maps", "with_maps", "product"))
        assert content["space"] == "H"
    run = load_run(made / "run")
    with np.load(made / "two.npz") as content:
        pixels = content["images"][:, None]
    both = torch.from_numpy(np.concatenate([pixels, run.images()[7:8]])).float() / 255
    with torch.no_grad():
        h = run.encoder().eval()(both)[0].numpy()
    np.testing.assert_allclose(product, h[:2] @ h[2], rtol=1e-4)
    np.testing.assert_allclose(maps.sum((1, 2)), product, rtol=1e-4)
    np.testing.assert_allclose(others.sum((1, 2)), product, rtol=1e-4)
    assert rows(made / "run/located/two.npz-with-7/points.csv")[0]["with"] == "row 7"


def test_a_name_that_is_taken_by_other_options_gets_a_number(made):
    def name(*options):
        out, err = dimred(made, "locate", "run", "one.png", *options)
        assert err == ""
        return out.splitlines()[-1].rpartition("/")[2]

    assert name() == name("--side", "0.25") == name() == "one"
    assert name("--fill", "0.5") == "one-2"
    assert name("--fill", "0.5", "--side", "0.5") == "one-3"
    assert name("--fill", "0.5") == "one-2", "the same again"
    with np.load(made / "run/located/one-2/maps.npz") as content:
        assert content["options"].item() == '{"side": 0.25, "fill": 0.5, "with": null}'
    assert name("--with", "7") == "one.png-with-7"


@pytest.mark.parametrize("damaged", [b"torn", b""])
def test_what_is_damaged_under_a_name_is_left_alone(made, damaged):
    file = made / "run/located/two/maps.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(damaged)
    out, _ = dimred(made, "locate", "run", "two.npz")
    assert out.splitlines()[-1] == "run/located/two-2"
    assert file.read_bytes() == damaged


def test_copies_are_in_units_of_the_nearest_other_place():
    z = np.array([[0, 0]] * 20 + [[3, 4], [9, 0]], np.float32)
    run = SimpleNamespace(path="run", map=SimpleNamespace(z=z, training_images=np.arange(22)))
    assert neighbor_distance(run, np.arange(22), z).tolist() == [5] * 21 + [9]
    assert neighbor_distance(run, np.array([-1]), np.array([[9, 4]], np.float32)) == [97**0.5]
    # At unit length, 2 is a copy of 0 and 1, and 3 is 1 apart from all of them.
    wide = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [7, 0, 0, 0], [1, 1, 1, 1]], np.float32)
    run.map = SimpleNamespace(z=wide[[0, 1, 2, 3, 3]], training_images=np.arange(5))
    distances = neighbor_distance(run, np.arange(5), run.map.z)
    assert distances == pytest.approx([1, 1, 1, 1, 1])
    run.map.z, run.map.training_images = z[:20], np.arange(20)
    with pytest.raises(InputError, match="all images are at one place"):
        neighbor_distance(run, np.arange(20), z[:20])


def test_above_three_dimensions_heat_is_of_z_at_unit_length_as_neighbors_are(made):
    wide = [f"schedule.stages.{stage}.out_dim=5" for stage in ("readout", "finetune")]
    dimred(made, *SMOKE, *QUICK, *wide, "run_dir=wide")
    run = load_run(made / "wide")
    held, chosen = run.locate("RUN:all", most=4, fill=0.5), squares((8, 8))
    z = run.z / np.linalg.norm(run.z, axis=1, keepdims=True)
    encoder = run.encoder().eval()
    for row, unit, heat in zip(held.images.rows, held.unit, held.heat, strict=True):
        farthest = run.neighbors([row], 15)[0, -1]
        assert unit == pytest.approx(np.linalg.norm(z[farthest] - z[row]), rel=1e-4)
        image = torch.from_numpy(run.images()[row : row + 1]).float() / 255
        image[..., 4:6, 1:3] = 0.5
        with torch.no_grad():
            to = encoder(image)[1].numpy()[0]
        moved = np.linalg.norm(to / np.linalg.norm(to) - z[row])
        at = chosen.tops.index(4), chosen.lefts.index(1)
        assert heat[at] == pytest.approx(moved / unit, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["run", "--side", "0"], ["--side 0: must be above 0 to 1"]),
        (["run", "--side", "nan"], ["--side nan: must be"]),
        (["run", "--fill", "1.5"], ["--fill 1.5: must be from 0 to 1"]),
        (["run", "--fill", "0", "--with", "3"], ["--with: is a split", "leave --fill out"]),
        (["run", "--with", "120"], ["row 120: must be from 0 to 119"]),
        (["run", "--with", "two.npz"], ["--with", "must be one image, not 2"]),
        (["run", "--with", "RUN:all"], ["--with RUN:all: must be one image, not 120"]),
    ],
)
def test_what_cannot_be_is_one_line(made, words, parts):
    line = refused(made, "locate", *words)
    assert all(part in line for part in parts), line


def test_python_refuses_the_same(made):
    run = load_run(made / "run")
    for options, said in [
        ({"fill": 0.5, "other": "3"}, "leave --fill out"),
        ({"side": "x"}, "--side 'x': must be a number, above 0 to 1"),
        ({"fill": "0.5"}, "--fill '0.5': must be a number, from 0 to 1"),
        ({"other": 120}, "row 120: must be from 0 to 119"),
        ({"other": -1}, "row -1: must be from 0 to 119"),
        ({"other": 1.5}, "--with 1.5: must be an image, or a row"),
    ]:
        with pytest.raises(InputError, match=re.escape(said)):
            run.locate(made / "two.npz", **options)


def test_the_other_image_by_its_row(made):
    run = load_run(made / "run")
    by_number, by_digits = (run.locate(made / "two.npz", other=row) for row in (17, "17"))
    assert by_number.other.names == by_digits.other.names == ("row 17",)
    assert np.array_equal(by_number.maps, by_digits.maps)


@pytest.mark.parametrize(("side", "number"), [(12, 10), (24, 7), (28, 8)])
def test_the_number_of_places_is_as_the_documentation_says(side, number):
    of = squares((side, side))
    assert of.shape == (number, number)
    assert number == math.ceil((side - of.side) / (of.side // 2)) + 1
