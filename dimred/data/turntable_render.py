"""Renders a toy airplane on a turntable: convex parts, parallel rays, lamps with shadows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Point = tuple[float, float, float]

ELEVATIONS = np.arange(30.0, 71.0, 5.0)  # degrees above the table
AZIMUTHS = np.arange(0.0, 341.0, 20.0)  # degrees; at 0 the nose points right
_SIZE = 96  # pixels
SHAPE = (972, _SIZE, _SIZE)
_OVERSAMPLING = 3
_HALF_WIDTH = 1.36  # of the camera's view; the airplane is 2 long and 2 wide
_CENTER_HEIGHT = 0.2  # of the point the camera looks at, above the table
_SHADOW_SIZE = 200
_SHADOW_HALF_WIDTH = 1.6
_SHADOW_BIAS = 0.03  # surfaces must be this much nearer to a lamp to cast a shadow
_TABLE_ALBEDO = 0.8


class _Lamp(NamedTuple):
    azimuth: float  # degrees from the camera, positive to its right
    elevation: float  # degrees
    strength: float


class _Lighting(NamedTuple):
    ambient: float
    lamps: tuple[_Lamp, ...]


LIGHTINGS = (
    _Lighting(0.40, (_Lamp(-65, 63, 0.64),)),
    _Lighting(0.30, (_Lamp(60, 62, 0.50),)),
    _Lighting(0.42, (_Lamp(-55, 62, 0.35), _Lamp(75, 63, 0.35))),
    _Lighting(0.26, (_Lamp(150, 60, 0.44),)),
    _Lighting(0.48, (_Lamp(0, 75, 0.66),)),
    _Lighting(0.22, (_Lamp(-140, 62, 0.34), _Lamp(20, 60, 0.26))),
)


@dataclass(frozen=True)
class _Part:
    """A convex solid: the points p with normals @ p <= offsets and |(p - center) / radii| <= 1.

    radii: infinite along a cylinder's axis; None for a polyhedron.
    corners: (K, 3), a hull around the solid.
    """

    albedo: float
    corners: _Floats
    normals: _Floats
    offsets: _Floats
    center: _Floats
    radii: _Floats | None = None


def _ellipsoid(
    albedo: float, center: _Point, radii: _Point, ends: tuple[float, float] = (-np.inf, np.inf)
) -> _Part:
    """An ellipsoid with axes along x, y and z, cut off at `ends`, two values of x."""
    middle, half = np.array(center), np.array(radii)
    low, high = middle - half, middle + half
    low[0], high[0] = max(low[0], ends[0]), min(high[0], ends[1])
    corners = np.array(list(itertools.product(*np.stack([low, high], axis=1))))
    normals = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    return _Part(albedo, corners, normals, np.array([high[0], -low[0]]), middle, half)


def _plate(albedo: float, outline: list[_Point], thickness: float) -> _Part:
    """A flat plate around a convex outline, four points of one plane."""
    points = np.array(outline)
    across = np.cross(points[2] - points[0], points[3] - points[1])
    across *= thickness / 2 / np.linalg.norm(across)
    edges = np.cross(np.roll(points, -1, axis=0) - points, across)
    normals = np.concatenate([edges, [across, -across]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    corners = np.concatenate([points + across, points - across])
    offsets = (corners @ normals.T).max(axis=0)
    return _Part(albedo, corners, normals, offsets, points.mean(axis=0))


def _airplane() -> list[_Part]:
    """A twin-engined airliner: nose along x, wings along y, wheels on the table z = 0."""
    height = 0.27
    parts = [
        _ellipsoid(0.68, (0.6, 0, height), (0.4, 0.17, 0.17), (0.6, 1.0)),
        _ellipsoid(0.68, (0, 0, height), (np.inf, 0.17, 0.17), (-0.2, 0.6)),
        _ellipsoid(0.68, (-0.2, 0, height), (0.8, 0.17, 0.17), (-1.0, -0.2)),
        _ellipsoid(0.12, (0.74, 0, height + 0.1), (0.13, 0.11, 0.08)),  # cockpit
        _plate(0.6, [(-0.56, 0, 0.35), (-0.86, 0, 0.35), (-0.94, 0, 0.66), (-0.78, 0, 0.66)], 0.05),
        _ellipsoid(0.15, (0.62, 0, 0.06), (0.06, 0.04, 0.06)),
    ]
    for side in (-1, 1):
        wing = [(0.32, 0.1, 0.2), (-0.2, 0.1, 0.2), (-0.38, 1.0, 0.3), (-0.14, 1.0, 0.3)]
        tail = [(-0.66, 0.0, 0.32), (-0.92, 0.0, 0.32), (-1.0, 0.4, 0.36), (-0.86, 0.4, 0.36)]
        parts += [
            _plate(0.6, [(x, side * y, z) for x, y, z in wing], 0.06),
            _plate(0.6, [(x, side * y, z) for x, y, z in tail], 0.045),
            _ellipsoid(0.5, (0.18, side * 0.45, 0.17), (0.24, 0.09, 0.09), (-0.06, 0.34)),
            _ellipsoid(0.1, (0.3, side * 0.45, 0.17), (0.06, 0.075, 0.075)),  # intake
            _ellipsoid(0.15, (-0.05, side * 0.17, 0.06), (0.06, 0.04, 0.06)),
        ]
    return parts


def _axes(azimuth: float, elevation: float) -> _Floats:
    """Unit vectors to the right, upwards and towards a viewer at these angles, as rows."""
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    right = np.array([np.cos(a), np.sin(a), 0.0])
    towards = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    return np.stack([right, np.cross(towards, right), towards])


def _grid(size: int, half_width: float, middle: float = 0.0) -> tuple[_Floats, _Floats]:
    """Coordinates of pixel centers to the right (size,) and upwards (size,)."""
    steps = ((np.arange(size) + 0.5) / size * 2 - 1) * half_width
    return steps, middle - steps


def _depth(part: _Part, axes: _Floats, u: _Floats, v: _Floats) -> _Floats:
    """Depth at which the viewer's parallel rays hit a part, (len(v), len(u)), larger nearer to the
    viewer; -inf where they miss."""
    rays = axes[0][:, None, None] * u + axes[1][:, None, None] * v[:, None]
    slopes = part.normals @ axes[2]
    slopes[np.abs(slopes) < 1e-9] = 1e-9  # a face seen edge-on bounds no ray, or leaves none
    gaps = part.offsets[:, None, None] - np.tensordot(part.normals, rays, 1)
    limits = gaps / slopes[:, None, None]
    near = limits[slopes > 0].min(axis=0, initial=np.inf)
    far = limits[slopes < 0].max(axis=0, initial=-np.inf)
    if part.radii is not None:
        # |start + t step| = 1 is a quadratic in t.
        start = (rays - part.center[:, None, None]) / part.radii[:, None, None]
        step = axes[2] / part.radii
        a, b = step @ step, np.tensordot(step, start, 1)
        square = b * b - a * ((start**2).sum(axis=0) - 1)
        root = np.sqrt(np.maximum(square, 0))
        near = np.where(square >= 0, np.minimum(near, (root - b) / a), -np.inf)
        np.maximum(far, (-root - b) / a, out=far)
    return np.where(near >= far, near, -np.inf)


def _trace(
    parts: list[_Part], axes: _Floats, u: _Floats, v: _Floats
) -> tuple[_Floats, NDArray[np.intp]]:
    """Depth (-inf in empty space) and number of the nearest part, each (len(v), len(u))."""
    depth = np.full((len(v), len(u)), -np.inf)
    nearest = np.zeros(depth.shape, dtype=np.intp)
    for number, part in enumerate(parts):
        x, y = axes[:2] @ part.corners.T
        columns = slice(*np.searchsorted(u, [x.min(), x.max()]))
        rows = slice(*np.searchsorted(-v, [-y.max(), -y.min()]))  # v is descending
        part_depth = _depth(part, axes, u[columns], v[rows])
        nearer = part_depth > depth[rows, columns]
        depth[rows, columns][nearer] = part_depth[nearer]
        nearest[rows, columns][nearer] = number
    return depth, nearest


def _normals(parts: list[_Part], nearest: NDArray[np.intp], points: _Floats) -> _Floats:
    """Unit normals (M, 3) of the parts at `points` (M, 3) of their surfaces."""
    normals = np.empty_like(points)
    for number, part in enumerate(parts):
        selected = nearest == number
        if part.radii is None:
            sides = points[selected] @ part.normals.T - part.offsets
            normals[selected] = part.normals[sides.argmax(axis=1)]
        else:
            gradient = (points[selected] - part.center) / part.radii**2
            normals[selected] = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    return normals


class _Shadow:
    """The shadow that a lamp in one direction from the airplane casts."""

    def __init__(self, parts: list[_Part], axes: _Floats, blur: float):
        self.axes = axes
        steps, falling = _grid(_SHADOW_SIZE, _SHADOW_HALF_WIDTH)
        self.depth, _ = _trace(parts, axes, steps, falling)
        self.covered = np.isfinite(self.depth).astype(np.float64)
        reach = blur / (steps[1] - steps[0])
        shifts = np.arange(-int(reach), int(reach) + 1)
        weights = 1 - np.abs(shifts) / reach
        weights /= weights.sum()
        for axis in (0, 1):  # not a matrix product, which would wait for BLAS threads
            shifted = [np.roll(self.covered, shift, axis) for shift in shifts]
            self.covered = np.einsum("s,sij->ij", weights, np.stack(shifted))

    def on_airplane(self, points: _Floats) -> NDArray[np.bool_]:
        """Whether each of `points` (M, 3) lies in shadow."""
        here = points @ self.axes[2] + _SHADOW_BIAS
        hidden: NDArray[np.bool_] = self.depth[self._pixels(points)] > here
        return hidden

    def on_table(self, points: _Floats) -> _Floats:
        """How deep in shadow each of `points` (M, 3) with z = 0 lies, 0..1."""
        return self.covered[self._pixels(points)]

    def _pixels(self, points: _Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        scale = _SHADOW_SIZE / 2 / _SHADOW_HALF_WIDTH
        column = points @ (self.axes[0] * scale) + _SHADOW_SIZE / 2
        row = _SHADOW_SIZE / 2 - points @ (self.axes[1] * scale)
        last = _SHADOW_SIZE - 1
        return row.clip(0, last).astype(np.intp), column.clip(0, last).astype(np.intp)


class _View:
    """The surfaces that a camera sees, before lighting."""

    def __init__(self, parts: list[_Part], axes: _Floats, contact: _Shadow):
        middle = _CENTER_HEIGHT * axes[1, 2]
        u, v = _grid(_SIZE * _OVERSAMPLING, _HALF_WIDTH, middle)
        depth, nearest = _trace(parts, axes, u, v)
        self.towards = axes[2]
        self.seen = np.isfinite(depth)
        row, column = np.nonzero(self.seen)
        self.points = np.stack([u[column], v[row], depth[self.seen]], axis=1) @ axes
        self.normals = _normals(parts, nearest[self.seen], self.points)
        self.albedo = np.array([part.albedo for part in parts])[nearest[self.seen]]
        # The table's shadows are soft, so that one point per pixel is enough.
        u, v = _grid(_SIZE, _HALF_WIDTH, middle)
        t = -v * axes[1, 2] / axes[2, 2]
        across, away = np.meshgrid(u, v)
        self.table = np.stack([across, away, np.broadcast_to(t[:, None], away.shape)], -1) @ axes
        self.table_share = 1 - _pixel_means(self.seen.astype(np.float64))
        self.open = 1 - 0.7 * contact.on_table(self.table)

    def image(self, lighting: _Lighting, shadows: dict[_Lamp, _Shadow]) -> NDArray[np.uint8]:
        """Gray values (96, 96)."""
        diffuse = lighting.ambient * (0.75 + 0.25 * self.normals[:, 2])
        gloss = np.zeros(len(self.points))
        table = lighting.ambient * self.open
        for lamp in lighting.lamps:
            shadow = shadows[lamp]
            direction = shadow.axes[2]
            lit = ~shadow.on_airplane(self.points) * lamp.strength
            diffuse += lit * np.maximum(self.normals @ direction, 0)
            halfway = direction + self.towards
            halfway /= np.linalg.norm(halfway)
            shine = np.maximum(self.normals @ halfway, 0) ** 2
            gloss += lit * ((shine**2) ** 2) ** 4  # a power of 32
            table += lamp.strength * direction[2] * (1 - shadow.on_table(self.table))
        fine = np.zeros(self.seen.shape)
        fine[self.seen] = self.albedo * diffuse + 0.15 * gloss
        gray = _pixel_means(fine) + self.table_share * _TABLE_ALBEDO * table
        pixels: NDArray[np.uint8] = np.rint(gray * 255).clip(0, 255).astype(np.uint8)
        return pixels


def _pixel_means(fine: _Floats) -> _Floats:
    means: _Floats = fine.reshape(_SIZE, _OVERSAMPLING, _SIZE, _OVERSAMPLING).mean(axis=(1, 3))
    return means


def render_turntable() -> NDArray[np.uint8]:
    """The 972 gray images, (972, 96, 96): elevation slowest, lighting fastest.

    The camera is far away, so that its rays are parallel. Camera and lamps stay in place while the
    airplane turns. Surfaces are diffuse and a little glossy, and lamps cast shadows.
    """
    parts = _airplane()
    images = np.empty((len(ELEVATIONS), len(AZIMUTHS), len(LIGHTINGS), _SIZE, _SIZE), np.uint8)
    contact = _Shadow(parts, _axes(0, 90), blur=0.25)
    for a, azimuth in enumerate(AZIMUTHS):
        # Traced in the airplane's frame, around which camera and lamps turn the other way.
        shadows = {
            lamp: _Shadow(parts, _axes(lamp.azimuth - azimuth, lamp.elevation), blur=0.1)
            for lighting in LIGHTINGS
            for lamp in lighting.lamps
        }
        for e, elevation in enumerate(ELEVATIONS):
            view = _View(parts, _axes(-azimuth, elevation), contact)
            for i, lighting in enumerate(LIGHTINGS):
                images[e, a, i] = view.image(lighting, shadows)
    return images.reshape(SHAPE)
