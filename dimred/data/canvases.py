"""Digits at known places of larger images, to learn from which digits an image shows and to measure
whether it is found out where."""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dimred.data.found import counted_word
from dimred.data.image_set import ImageSet, channel_statistics
from dimred.data.presence import Boxes, Presence
from dimred.errors import InputError
from dimred.files import open_regular, write_atomically

_VERSION = 1  # raise it whenever the canvases change
_INK = 0.3  # share of the brightest pixel above which a pixel is of the digit
_TRIES = 100
_NAMES = tuple("0123456789")


@dataclass(frozen=True)
class Plan:
    """What canvases are made of.

    source: "digits" or "mnist". numbers: of training and of test canvases. size: side in pixels.
    counts: smallest and largest number of digits of a canvas. digit_sizes: smallest and largest
    factor on the size of a digit. clutter: number of pieces of digits. seed: of all draws.
    """

    source: str
    numbers: tuple[int, int]
    size: int
    counts: tuple[int, int]
    digit_sizes: tuple[float, float]
    clutter: int
    seed: int


@dataclass(frozen=True)
class _Made:
    """Canvases uint8 (N, size, size), and of each of M digits, int64: its canvas, its class and the
    corners of its box (M, 4)."""

    images: NDArray[np.uint8]
    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    corners: NDArray[np.int64]


def load_canvases(plan: Plan, root: str | None, download: bool, cache: Path | None) -> ImageSet:
    """The training canvases of a plan, then the test canvases, uint8 (N, 1, size, size), with
    `presence` of the ten digits and `boxes`.

    On each canvas a number of digits, drawn uniformly from `plan.counts`, are pasted where their
    boxes do not overlap, each of a size of its own; before that, pieces of digits are pasted as
    clutter, which is not labeled. Digits of the training split are on training canvases only, those
    of the test split on test canvases only. The box of a digit encloses its pixels above 0.3 of its
    brightest, and what is outside is not pasted. The canvases of a plan with more of them begin
    with the same ones.

    root, download: for MNIST, as in `load_torchvision`. cache: a folder that keeps the canvases; a
    missing or damaged file is made anew, and where it cannot be written, they are made each time.

    Raises InputError where the digits do not fit on a canvas, and as `load_torchvision`.
    """
    made = _kept(plan, cache)
    if made is None:
        digits = _digits(plan.source, root, download)
        side = digits.images.shape[-1]
        if plan.size < side:
            raise InputError(
                f"dataset.size={plan.size}: must be at least the side of a digit, {side}"
            )
        parts = [_made(plan, digits, is_test) for is_test in (False, True)]
        made = _joined(parts, plan.numbers[0])
        if cache is not None:
            _keep(plan, made, cache)
    return _image_set(plan, made)


def _image_set(plan: Plan, made: _Made) -> ImageSet:
    import torch

    n_train, n_test = plan.numbers
    images = torch.from_numpy(made.images).unsqueeze(1)
    index = np.arange(n_train + n_test, dtype=np.int64)
    is_test = index >= n_train
    mean, std = channel_statistics(images, is_test)
    present = np.zeros((len(index), len(_NAMES)), dtype=np.bool_)
    present[made.image, made.kind] = True
    return ImageSet(
        images=images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=f"canvases of other digits {n_train:,}/{n_test:,}" if n_test else "",
        labels=None,
        index=index,
        presence=Presence(present, _NAMES),
        boxes=Boxes(made.image, made.kind, made.corners.astype(np.float64)),
    )


def _digits(source: str, root: str | None, download: bool) -> ImageSet:
    if source == "digits":
        from dimred.data.digits import load_digits

        return load_digits()
    from dimred.data.torchvision_sets import load_torchvision

    assert root is not None
    return load_torchvision("mnist", root, download)


def _made(plan: Plan, digits: ImageSet, is_test: bool) -> _Made:
    """The training or the test canvases."""
    assert digits.labels is not None
    number = plan.numbers[is_test]
    rows = np.flatnonzero(digits.is_test == is_test)
    pixels, kinds = digits.images[:, 0].numpy(), digits.labels.values
    piece = -(-pixels.shape[-1] * 2 // 7)  # 8 of MNIST's 28
    random = np.random.default_rng((plan.seed, int(is_test)))
    images = np.zeros((number, plan.size, plan.size), dtype=np.uint8)
    owner: list[int] = []
    kind: list[int] = []
    corners: list[tuple[int, int, int, int]] = []
    for canvas, image in enumerate(images):
        for row in random.choice(rows, plan.clutter):
            _paste_piece(image, _cropped(pixels[row], 0), piece, random)
        count = int(random.integers(plan.counts[0], plan.counts[1] + 1))
        chosen = random.choice(rows, count)
        factors = random.uniform(*plan.digit_sizes, count)
        inks = [_scaled(pixels[row], factor) for row, factor in zip(chosen, factors, strict=True)]
        for ink, (left, top) in zip(inks, _places(plan, inks, random), strict=True):
            height, width = ink.shape
            _paste(image, ink, left, top)
            corners.append((left, top, left + width, top + height))
        owner += [canvas] * count
        kind += kinds[chosen].tolist()
    boxes = np.array(corners, dtype=np.int64).reshape(-1, 4)
    return _Made(images, np.array(owner, np.int64), np.array(kind, np.int64), boxes)


def _scaled(digit: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """A digit of another size, cut to its box."""
    side = max(round(len(digit) * factor), 1)
    if side != len(digit):
        # Pillow computes in whole numbers, the same on every machine.
        digit = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BILINEAR))
    return _cropped(digit, _INK * int(digit.max()))


def _cropped(digit: NDArray[np.uint8], above: float) -> NDArray[np.uint8]:
    """The smallest rectangle of a digit with all its pixels above a value."""
    rows, columns = np.nonzero(digit > above)
    return digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _places(
    plan: Plan, inks: list[NDArray[np.uint8]], random: np.random.Generator
) -> list[tuple[int, int]]:
    """Left and top of each digit, drawn uniformly one after the other from where it fits; all anew
    where one has no place left."""
    for _ in range(_TRIES):
        places: list[tuple[int, int]] = []
        for ink in inks:
            free = _free(plan.size, ink.shape, inks, places)
            if not free.any():
                break
            tops, lefts = np.nonzero(free)
            drawn = int(random.integers(len(tops)))
            places.append((int(lefts[drawn]), int(tops[drawn])))
        if len(places) == len(inks):
            return places
    raise InputError(
        f"dataset.counts={list(plan.counts)}: a canvas of {plan.size}x{plan.size} has no place for "
        f"{counted_word(len(inks), 'digit', 'digits')} without overlap; set dataset.size larger, "
        "or dataset.counts or dataset.digit_sizes smaller"
    )


def _free(
    size: int,
    shape: tuple[int, ...],
    inks: list[NDArray[np.uint8]],
    places: list[tuple[int, int]],
) -> NDArray[np.bool_]:
    """At which top and left a digit of this height and width overlaps none that is there."""
    height, width = shape
    free = np.ones((max(size - height + 1, 0), max(size - width + 1, 0)), dtype=np.bool_)
    for ink, (left, top) in zip(inks, places, strict=False):
        below, right = top + ink.shape[0], left + ink.shape[1]
        free[max(top - height + 1, 0) : below, max(left - width + 1, 0) : right] = False
    return free


def _paste_piece(
    image: NDArray[np.uint8], ink: NDArray[np.uint8], side: int, random: np.random.Generator
) -> None:
    """Paste a square piece of a digit at a random place."""
    height, width = (min(length, side) for length in ink.shape)
    top, left = (
        int(random.integers(length - cut + 1))
        for length, cut in zip(ink.shape, (height, width), strict=True)
    )
    down, across = (int(random.integers(len(image) - cut + 1)) for cut in (height, width))
    _paste(image, ink[top : top + height, left : left + width], across, down)


def _paste(image: NDArray[np.uint8], ink: NDArray[np.uint8], left: int, top: int) -> None:
    height, width = ink.shape
    part = image[top : top + height, left : left + width]
    np.maximum(part, ink, out=part)


def _joined(parts: list[_Made], n_train: int) -> _Made:
    train, test = parts
    return _Made(
        np.concatenate((train.images, test.images)),
        np.concatenate((train.image, test.image + n_train)),
        np.concatenate((train.kind, test.kind)),
        np.concatenate((train.corners, test.corners)),
    )


def _file(plan: Plan, cache: Path) -> Path:
    digest = hashlib.sha256(repr((_VERSION, *astuple(plan))).encode()).hexdigest()[:12]
    return cache / f"canvases-{digest}.npz"


def _kept(plan: Plan, cache: Path | None) -> _Made | None:
    """Canvases that were made before."""
    if cache is None:
        return None
    try:
        with open_regular(_file(plan, cache)) as file, np.load(file, allow_pickle=False) as content:
            made = _Made(**{key: content[key] for key in _Made.__dataclass_fields__})
    except Exception:  # zipfile, zlib and NumPy raise different classes
        return None
    shape = (sum(plan.numbers), plan.size, plan.size)
    whole = made.images.shape == shape and made.images.dtype == np.uint8
    return made if whole and len(made.image) == len(made.kind) == len(made.corners) else None


def _keep(plan: Plan, made: _Made, cache: Path) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, **vars(made))
    with contextlib.suppress(OSError):
        write_atomically(_file(plan, cache), content.getbuffer())
