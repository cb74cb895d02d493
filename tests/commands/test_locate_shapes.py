"""Where in images that are wider than high: what is across is not taken for what is down."""

import numpy as np
import pytest
import torch
from command import SMOKE, dimred

from dimred import load_run
from dimred.analysis.page_heat import page_heat

pytestmark = pytest.mark.usefixtures("no_figures_here")

N, HEIGHT, WIDTH = 60, 12, 22


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs on dim noise with a bright dot: a map, and one of classes."""
    cwd, rng = tmp_path_factory.mktemp("shapes"), np.random.default_rng(0)
    images = rng.integers(0, 60, (N, HEIGHT, WIDTH), dtype=np.uint8)
    for image, y, x in zip(images, rng.integers(0, 10, N), rng.integers(0, 20, N), strict=True):
        image[y : y + 3, x : x + 3] = 255
    np.savez(cwd / "map.npz", images=images)
    np.savez(cwd / "classes.npz", images=images, labels=rng.random((N, 2)) < 0.5)
    small = ["view=false", "schedule.batch_size=20", "dataset=npz"]
    own = [f"dataset.path={cwd / 'map.npz'}", "eval.linear=none", "eval.k=[3]"]
    dimred(cwd, *SMOKE, *small, *own, "run_dir=map")
    own = [f"dataset.path={cwd / 'classes.npz'}", "dataset.fit_on=all", "pairing=class_presence"]
    own += ["model.widths=[4,8]", "model.test_scales=[1,1.5]"]
    own += ["schedule.stages.train.out_dim=2", "schedule.stages.train.epochs=2"]
    dimred(cwd, "train", "experiment=locate", *small, *own, "run_dir=classes")
    return cwd


def below(run, row, top, left, side):
    """Z of an image below a square of the mean color."""
    encoder = run.encoder().eval()
    image = torch.from_numpy(run.images()[row : row + 1]).float() / 255
    image[..., top : top + side, left : left + side] = encoder.mean
    with torch.no_grad():
        return encoder(image)[1].numpy()[0]


def test_heat_is_of_the_squares_at_these_places(made):
    run = load_run(made / "map")
    held = run.locate("RUN:all", most=3)
    assert held.heat.shape == (3, 10, 20)
    side = held.squares.side
    for row, unit, heat, (x, y) in zip(
        held.images.rows, held.unit, held.heat, held.points, strict=True
    ):
        expected = np.array(
            [
                [below(run, row, top, left, side) for left in range(WIDTH - side + 1)]
                for top in range(HEIGHT - side + 1)
            ]
        )
        moved = np.linalg.norm(expected - run.z[row], axis=2)
        np.testing.assert_allclose(heat * unit, moved, rtol=1e-3, atol=1e-4)
        top, left = np.unravel_index(moved.argmax(), moved.shape)
        assert (x, y) == (left + side / 2, top + side / 2)


def test_the_page_has_the_same_movements_and_places(made):
    run = load_run(made / "map")
    movement = page_heat(run.finished)
    side, row = 3, 5
    assert movement.moved.shape == (N, 10, 20, 2)
    assert movement.y == pytest.approx((np.arange(10) + side / 2) / HEIGHT)
    assert movement.x == pytest.approx((np.arange(20) + side / 2) / WIDTH)
    for top, left in [(0, 17), (8, 2), (4, 4)]:
        moved = below(run, row, top, left, side) - run.z[row]
        np.testing.assert_allclose(movement.moved[row, top, left], moved, rtol=1e-3, atol=1e-4)


def test_what_is_shared_is_where_the_image_differs(made):
    run, images = load_run(made / "map"), np.zeros((2, HEIGHT, WIDTH), np.uint8)
    images[1, 1:4, 17:20] = 255
    shared = run.locate(images, other=0)
    plain, dotted = shared.maps
    row, column = np.unravel_index(np.abs(dotted - plain).argmax(), plain.shape)
    assert abs(shared.x[column] - 18.5) <= 4
    assert abs(shared.y[row] - 2.5) <= 4
    for image, (x, y) in zip(shared.maps, shared.points, strict=True):
        row, column = np.unravel_index(image.argmax(), image.shape)
        assert (x, y) == (shared.x[column], shared.y[row])


def test_classes_are_located_across_and_down(made):
    run, images = load_run(made / "classes"), np.zeros((2, HEIGHT, WIDTH), np.uint8)
    images[1, 1:4, 17:20] = 255
    located = run.locate(images)
    for maps, grid in zip(located.maps, located.grids, strict=True):
        assert maps.shape[2:] == (len(grid.y), len(grid.x))
        row, column = np.unravel_index(np.abs(maps[1, 0] - maps[0, 0]).argmax(), maps.shape[2:])
        assert abs(grid.x[column] - 18.5) <= 4
        assert abs(grid.y[row] - 2.5) <= 4
    for k in range(2):
        maps, grid = (of[located.scale[1, k]] for of in (located.maps, located.grids))
        row, column = np.unravel_index(maps[1, k].argmax(), maps.shape[2:])
        assert tuple(located.points[1, k]) == (grid.x[column], grid.y[row])
