"""What pages and sheets show."""

import io
import json
import re
from base64 import b64decode

import numpy as np
from PIL import Image

RED, GREEN, BLUE = (235, 15, 15), (15, 235, 15), (15, 15, 235)
MAGENTA, BLACK, WHITE = (235, 15, 235), (15, 15, 15), (235, 235, 235)
_NEAR = 30  # of 255, as noise and compression leave it


def page_of(file, side):
    """The subtitle of a page, the mean color of the thumbnails of each class, which have `side`
    pixels, and what else it says."""
    content = file.read_bytes()
    told = json.loads(re.search(rb'id="about">(.*?)</script>', content)[1])

    def raw(name):
        return b64decode(re.search(rf'id="{name}">(.*?)</script>'.encode(), content)[1])

    cell, columns = told["atlas"]["cell"], told["atlas"]["columns"]
    with Image.open(io.BytesIO(raw("sheet-0"))) as image:
        sheet = np.asarray(image.convert("RGB")).astype(float)
    classes = next(column for column in told["columns"] if column["name"] == "class")
    codes = np.frombuffer(raw(f"array-{classes['array']}"), np.uint16)
    slots = np.frombuffer(raw("array-slot"), np.uint32)[: told["n"]]
    tops, lefts = slots // columns * cell, slots % columns * cell
    cells = [sheet[y : y + side, x : x + side] for y, x in zip(tops, lefts, strict=True)]
    means = np.array([one.mean((0, 1)) for one in cells])
    colors = [means[codes == c].mean(axis=0) for c in range(len(classes["names"]))]
    return re.search(rb'id="subtitle"[^>]*>(.*?)</p>', content)[1].decode(), colors, told


def assert_colors(found, expected):
    """Colors must be about as expected."""
    assert np.abs(np.array(found) - expected).max() < _NEAR, found


def has_color(file, color):
    """Whether a picture has a patch of about this color."""
    pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
    return (np.abs(pixels - color).max(axis=2) < _NEAR).mean() > 0.001
