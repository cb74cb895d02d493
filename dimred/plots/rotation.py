"""A rotating 3-D map as an animated GIF."""

from __future__ import annotations

import io

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dimred.data.image_set import Factor
from dimred.plots.factors import INK, checked, colored, extent_of, with_unit
from dimred.plots.style import Points

_TILT = np.deg2rad(20)  # the box is seen from above
_MAX_POINTS = 5000


def rotating_gif(
    z: NDArray[np.floating], name: str, factor: Factor, frames: int = 36, size: int = 480
) -> bytes:
    """A 3-D map rotating about its third dimension, as a GIF that repeats endlessly.

    Near points are larger, darker and in front. The edges of the box around the points are numbered
    by dimension. Where the ranges differ more than threefold, the box is a cube and the picture
    says that scales differ. Of more than 5,000 points, a random 5,000 are drawn.

    z: finite coordinates (N, 3).
    name, factor: colors of the points, N finite values.
    frames: at least 1, ten per second. size: side of the image in pixels, at least 100.
    Raises ValueError for other shapes, values not finite, or smaller frames or size.
    """
    points = checked(z, {name: factor.values})
    if z.shape[1] != 3 or frames < 1 or size < 100:
        raise ValueError(
            f"z of shape {z.shape}, {frames} frames of size {size}: too few, or not 3-D"
        )
    values, color = colored(factor)
    rgb = 255 * color["cmap"](color["norm"](values))[:, :3]
    extent, to_scale = extent_of(points)
    centered = points - (points.min(axis=0) + points.max(axis=0)) / 2
    centered /= (extent.max() if to_scale else extent) / 2
    half = extent / extent.max() if to_scale else np.ones(3)
    some = np.random.default_rng(0).permutation(len(z))[:_MAX_POINTS]
    # Drawn at twice the size, then halved, as Pillow draws without antialiasing.
    legend = _gif_legend(name, factor, to_scale, 2 * size)
    pictures = [
        _frame(centered[some], rgb[some], half, 2 * np.pi * i / frames, legend).reduce(2)
        for i in range(frames)
    ]
    sample = Image.fromarray(np.vstack([np.asarray(p) for p in pictures[:: max(1, frames // 4)]]))
    palette = sample.quantize(256)
    colors = np.array(palette.getpalette(), dtype=np.uint8).reshape(-1, 3)
    # Pillow averages similar colors, which would make the background slightly gray.
    colors[colors.min(axis=1) > 240] = 255
    palette.putpalette(colors.ravel().tolist())
    shown = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    file = io.BytesIO()
    shown[0].save(file, "GIF", save_all=True, append_images=shown[1:], duration=100, loop=0)
    return file.getvalue()


def _gif_legend(name: str, factor: Factor, to_scale: bool, side: int) -> Image.Image:
    """A white picture with the color bar of a factor at the bottom."""
    picture = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(picture)
    font = _gif_font(side)
    color = colored(factor)[1]
    left, right, top, bottom = (int(f * side) for f in (0.3, 0.7, 0.95, 0.975))
    for x in range(left, right):
        rgb = 255 * np.array(color["cmap"]((x - left) / (right - left))[:3])
        draw.line([(x, top), (x, bottom)], tuple(rgb.astype(int).tolist()))
    middle = (top + bottom) / 2
    draw.text((left - 10, middle), f"{color['norm'].vmin:.4g}", INK, font, "rm")
    draw.text((right + 10, middle), f"{color['norm'].vmax:.4g}", INK, font, "lm")
    draw.text((side / 2, top - 8), with_unit(name, factor), INK, font, "mb")
    if not to_scale:
        draw.text((12, 12), "each dimension in its own scale", INK, font, "la")
    return picture


def _gif_font(side: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), side // 36)


def _frame(
    points: Points, rgb: Points, half: Points, angle: float, legend: Image.Image
) -> Image.Image:
    """The legend with points (n, 3) in a box of half sides `half`, seen from this angle."""
    picture = legend.copy()
    draw, side = ImageDraw.Draw(picture), picture.width
    signs = np.array([[i & 1, i >> 1 & 1, i >> 2] for i in range(8)]) * 2.0 - 1
    _draw_box(draw, _gif_font(side), *_projected(signs * half, half, angle, side))
    at, nearness = _projected(points, half, angle, side)
    near = (nearness - nearness.min()) / (np.ptp(nearness) or 1)
    base = side / 480 * float(np.clip(6 * (300 / len(points)) ** 0.3, 1.6, 6))
    sizes = base * (0.6 + 0.6 * near)[:, None]
    shades = (255 - (255 - rgb) * (0.35 + 0.65 * near)[:, None]).astype(int)
    order = np.argsort(near, kind="stable")
    boxes = np.hstack([at - sizes, at + sizes])[order]
    for box, (red, green, blue) in zip(boxes.tolist(), shades[order].tolist(), strict=True):
        draw.ellipse(box, (red, green, blue))
    return picture


def _projected(xyz: Points, half: Points, angle: float, side: int) -> tuple[Points, Points]:
    """Pixels (n, 2) of points rotated by this angle, and the nearness of each (n,)."""
    radius = float(np.linalg.norm(half[:2]))
    scale = 0.42 * side / max(radius, half[2] * np.cos(_TILT) + radius * np.sin(_TILT))
    x = xyz[:, 0] * np.cos(angle) - xyz[:, 1] * np.sin(angle)
    y = xyz[:, 0] * np.sin(angle) + xyz[:, 1] * np.cos(angle)
    up = xyz[:, 2] * np.cos(_TILT) + y * np.sin(_TILT)
    nearness = xyz[:, 2] * np.sin(_TILT) - y * np.cos(_TILT)
    return side * np.array([0.5, 0.45]) + scale * np.stack([x, -up], axis=1), nearness


def _draw_box(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, corners: Points, nearness: Points
) -> None:
    """The edges of a box that are not in front of its content, three of them numbered."""
    nearest, center = nearness.argmax(), corners.mean(axis=0)
    for axis in range(3):
        pairs = [(i, i | 1 << axis) for i in range(8) if not i >> axis & 1]
        edges = [corners[[i, j]] for i, j in pairs if nearest not in (i, j)]
        for edge in edges:
            draw.line(edge.ravel().tolist(), "#c8c8c8", 2)
        # Number the lowest edge of dimensions 1 and 2, and the leftmost of dimension 3.
        middles = [edge.mean(axis=0) for edge in edges]
        middle = min(middles, key=lambda m: m[0] if axis == 2 else -m[1])
        x, y = middle + font.size * 1.1 * (middle - center) / np.linalg.norm(middle - center)
        draw.text((x, y), str(axis + 1), INK, font, "mm")
