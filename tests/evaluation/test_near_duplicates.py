"""Near-duplicates: copies are found, what only looks alike is not."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from dimred.evaluation.near_duplicates import groups_of, near_duplicates


def pictures(n, seed=0, side=24, channels=3, blur=1.5):
    """Smooth noise of full contrast, little of it color: uint8 (n, channels, side, side)."""
    random = np.random.default_rng(seed)
    noise = 0.3 * random.normal(size=(n, channels, side, side))
    noise += random.normal(size=(n, 1, side, side))
    smooth = gaussian_filter(noise, (0, 0, blur, blur))
    low, high = smooth.min(axis=(1, 2, 3), keepdims=True), smooth.max(axis=(1, 2, 3), keepdims=True)
    return np.rint(255 * (smooth - low) / (high - low)).astype(np.uint8)


def features(images):
    """Means of quarters of a side: what a blind network might see."""
    n, c, h, w = images.shape
    coarse = images[:, :, : h // 4 * 4, : w // 4 * 4].reshape(n, c, 4, h // 4, 4, w // 4)
    return coarse.mean(axis=(3, 5)).reshape(n, -1).astype(np.float32)


def search(images, **options):
    return near_duplicates(torch.from_numpy(images), features(images), **options)


def moved(image, right, down):
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (3, 3), (3, 3)), mode="edge")
    return padded[:, 3 - down : 3 - down + height, 3 - right : 3 - right + width]


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.moveaxis(image, 0, 2))).save(file, "JPEG", quality=75)
    return np.moveaxis(np.asarray(Image.open(file)), 2, 0)


def found_pairs(found):
    return [tuple(pair) for pair in found.pairs.tolist()]


def test_copies_of_every_kind_are_found_and_nothing_else():
    images = pictures(120)
    noise = np.random.default_rng(1).normal(0, 4, images.shape[1:])
    copies = [
        images[3],
        moved(images[5], 2, -1),
        jpeg(images[7]),
        np.clip(np.rint(0.7 * images[9] + 15), 0, 255),
        np.clip(np.rint(images[11] + noise), 0, 255),
    ]
    found = search(np.concatenate([images, np.stack(copies).astype(np.uint8)]))
    assert sorted(found_pairs(found)) == [(3, 120), (5, 121), (7, 122), (9, 123), (11, 124)]
    kinds = dict(zip(found_pairs(found), found.kinds, strict=True))
    assert [kinds[pair] for pair in sorted(kinds)] == ["identical", "shifted", *["similar"] * 3]
    shifts = dict(zip(found_pairs(found), found.shift.tolist(), strict=True))
    assert shifts.pop((5, 121)) == [2, -1]
    assert list(shifts.values()) == [[0, 0]] * 4
    # Equal ones first, then by how far they stand out.
    assert found_pairs(found)[0] == (3, 120)
    assert (np.diff(found.ratio) >= 0).all()
    assert sorted(found.group) == list(range(5))


def test_the_residual_is_the_naive_one():
    images = pictures(40, seed=2)
    other = np.clip(np.rint(moved(images[4], -1, 2) * 0.8 + np.arange(24)), 0, 255).astype(np.uint8)
    found = search(np.concatenate([images, other[None]]))
    assert found_pairs(found) == [(4, 40)]
    assert found.shift.tolist() == [[-1, 2]]
    # Where both are known: the copy lies one pixel to the left and two down.
    a, b = images[4][:, :-2, 1:].astype(float), other[:, 2:, :-1].astype(float)
    a, b = (x - x.mean(axis=(1, 2), keepdims=True) for x in (a, b))
    zncc = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    assert found.residual[0] == pytest.approx(np.sqrt(1 - zncc**2), abs=2e-6)


def test_what_is_usual_decides():
    """Images that all resemble one another as far as noise lets them are no copies; the same
    two among unlike images are."""
    template = pictures(1, seed=5)[0].astype(float)
    noise = np.random.default_rng(6).normal(0, 6, (60, *template.shape))
    alike = np.clip(np.rint(0.8 * template + 25 + noise), 0, 255).astype(np.uint8)
    assert len(search(alike)) == 0
    among = np.concatenate([alike[:2], pictures(60, seed=7)])
    assert found_pairs(search(among)) == [(0, 1)]


def with_noisy_groups(n, groups, size):
    """n pictures, of the first `groups` so many noisy copies that each is one of `size`; and the
    positions of the images of each group."""
    images, random = pictures(n, seed=10), np.random.default_rng(11)
    noise = random.normal(0, 5, (groups, size - 1, *images.shape[1:]))
    copies = np.clip(np.rint(images[:groups, None] + noise), 0, 255).astype(np.uint8)
    behind = np.arange(groups * (size - 1)).reshape(groups, -1) + n
    members = [[i, *positions] for i, positions in enumerate(behind.tolist())]
    return np.concatenate([images, copies.reshape(-1, *images.shape[1:])]), members


@pytest.mark.parametrize(
    ("n", "groups", "size"), [(30, 30, 9), (100, 6, 13), (100, 4, 20), (150, 1, 40), (3, 3, 9)]
)
def test_a_group_of_altered_copies_is_found_whole(n, groups, size):
    """Though most of what is near an image are its copies."""
    images, members = with_noisy_groups(n, groups, size)
    found = search(images)
    assert sorted(group.tolist() for group in found.members) == members
    assert set(found.kinds) == {"similar"}


@settings(max_examples=8)
@given(st.integers(0, 1000), st.integers(0, 29))
def test_an_equal_image_is_always_found_and_first(seed, which):
    images = pictures(30, seed, side=10, channels=1, blur=0.5)
    found = search(np.concatenate([images, images[which][None]]))
    assert found_pairs(found)[0] == (which, 30)
    assert (found.residual[0], found.ratio[0]) == (0, 0)
    assert found.kinds[0] == "identical"


@settings(max_examples=5)
@given(st.permutations(range(33)))
def test_the_order_of_the_images_does_not_matter(order):
    images = pictures(30, seed=8)
    images = np.concatenate([images, moved(images[0], 1, 1)[None], jpeg(images[1])[None]])
    images = np.concatenate([images, images[2][None]])
    first, second = search(images), search(images[list(order)])

    def by_pair(found, names):
        rows = zip(found.pairs, found.residual, found.shift.tolist(), strict=True)
        return {
            tuple(sorted((names[a], names[b]))): (
                pytest.approx(residual, abs=2e-6),
                # From the lower to the higher number.
                shift if names[a] < names[b] else [-x for x in shift],
            )
            for (a, b), residual, shift in rows
        }

    assert by_pair(first, range(33)) == by_pair(second, list(order))


def test_flat_images_are_copies_only_of_equal_ones():
    flat = np.stack([np.full((1, 12, 12), level, np.uint8) for level in (0, 50, 50, 200, 255)])
    # All but flat: one gray level somewhere is no contrast, though it correlates.
    specks = flat[[1, 3]].copy()
    specks[:, 0, 3, 3] += 1
    images = np.concatenate([flat, specks, pictures(20, side=12, channels=1)])
    assert found_pairs(search(images)) == [(1, 2)]


def test_of_many_equal_images_all_are_one_group():
    images = np.concatenate([pictures(20), np.repeat(pictures(1, seed=9), 50, axis=0)])
    found = search(images)
    assert found_pairs(found) == [(20, i) for i in range(21, 70)]
    assert set(found.group) == {0}
    assert [members.tolist() for members in found.members] == [list(range(20, 70))]
    assert search(pictures(20)).members == []


def test_a_negative_is_no_copy():
    images = pictures(20)
    assert len(search(np.concatenate([images, 255 - images[:1]]))) == 0


@pytest.mark.parametrize(("n", "pairs"), [(1, []), (2, [(0, 1)]), (3, [(0, 1), (0, 2)])])
def test_a_handful_of_equal_images(n, pairs):
    assert found_pairs(search(np.repeat(pictures(1), n, axis=0))) == pairs


@pytest.mark.parametrize("side", [1, 2, 5])
def test_tiny_images_are_compared_unshifted(side):
    images = np.random.default_rng(3).integers(0, 256, (12, 3, side, side), dtype=np.uint8)
    found = near_duplicates(torch.from_numpy(images), np.arange(12.0)[:, None])
    assert not found.shift.any()


def test_large_images_are_compared_reduced_and_shifts_are_in_their_pixels():
    images = pictures(30, side=100, blur=6)
    copy = np.roll(images[2], 6, axis=2)
    found = search(np.concatenate([images, copy[None]]))
    assert found_pairs(found) == [(2, 30)]
    assert found.shift.tolist() == [[6, 0]]


def test_blocks_of_any_size_give_the_same(monkeypatch):
    images = pictures(40, seed=4)
    images = np.concatenate([images, moved(images[1], 0, 1)[None]])
    before = search(images)
    monkeypatch.setattr("dimred.evaluation.near_duplicates._VALUES_IN_BLOCK", 1)
    after = search(images)
    assert found_pairs(before) == found_pairs(after) == [(1, 40)]
    np.testing.assert_allclose(before.ratio, after.ratio, atol=1e-6)


def test_groups_are_connected_components():
    pairs = np.array([[7, 9], [1, 4], [4, 5], [2, 9], [0, 3]])
    assert groups_of(pairs).tolist() == [0, 1, 1, 0, 2]
    assert groups_of(np.empty((0, 2), np.int64)).tolist() == []


def test_features_of_other_images_are_refused():
    with pytest.raises(ValueError, match="3 images with 2 features"):
        near_duplicates(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), np.zeros((2, 4)))


class Counted(torch.Tensor):
    """Images that note how many values are taken out of them at most."""

    most = 0

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        out = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.__getitem__:
            Counted.most = max(Counted.most, out.numel())
        return out.as_subclass(torch.Tensor) if isinstance(out, torch.Tensor) else out


def test_images_are_read_in_blocks_to_the_same_result(monkeypatch):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (60, 1, 96, 96), dtype=np.uint8))
    images[50:] = (images[:10].float() * 0.9 + 5).byte()
    images[20] = images[3]
    features = images.flatten(1)[:, ::97].float().numpy()
    whole = near_duplicates(images, features)
    monkeypatch.setattr("dimred.evaluation.near_duplicates._VALUES_IN_BLOCK", 4 * 96**2)
    blocks = near_duplicates(images.as_subclass(Counted), features)
    assert len(whole) > 10
    for name in ("pairs", "residual", "ratio", "shift", "group"):
        assert (getattr(blocks, name) == getattr(whole, name)).all()
    assert 0 < Counted.most <= 5 * 96**2
