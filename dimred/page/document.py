"""The HTML file of a map, from its data and the page's template, style and script."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

import dimred
from dimred.errors import InputError
from dimred.page.atlas import Atlas
from dimred.page.heat import Movement

_HERE = Path(__file__).parent
_ALSO_3D = "; the right button moves"
_OF_VERDICT = ("word", "text", "advice")


@dataclass(frozen=True)
class Column:
    """A value for every row of the map, by which points can be colored.

    title: shown to users. values: (N,), or one such array for each stage. names: names of
        categories, in which values are positions; None for numbers, where NaN means unknown.
    unit: of numbers. period: of cyclic numbers. skewed: clip the color scale by 1 % at both ends.
    help: a sentence that says what the values are, "" for none.
    """

    name: str
    title: str
    values: NDArray[Any] | Sequence[NDArray[Any]]
    names: tuple[str, ...] | None = None
    unit: str = ""
    period: float | None = None
    skewed: bool = False
    help: str = ""


@dataclass(frozen=True)
class StageMap:
    """The map after a stage: z (N, d), d = 2 or 3, with a caption."""

    name: str
    caption: str
    z: NDArray[np.floating]


@dataclass(frozen=True)
class Finding:
    """The findings of one kind, such as outliers. groups: a title ("" for none) and rows each.
    notes: reasons, by row."""

    name: str
    title: str
    groups: Sequence[tuple[str, Sequence[int]]]
    notes: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlacedImages:
    """M new images that were placed on the map after it was learned.

    names: of each. votes: the class that most of their neighbors have, "" where there are none.
    shares: of the neighbors with that class, in [0, 1]. far: whether each is far from everything.
    sets: what each was placed with. z: (M, d), in the map of the last stage.
    near: the nearest rows of the map, uint32 (M, k).
    """

    names: Sequence[str]
    votes: Sequence[str]
    shares: Sequence[float]
    far: Sequence[bool]
    sets: Sequence[str]
    z: NDArray[np.floating]
    near: NDArray[np.integer]


@dataclass(frozen=True)
class MapPage:
    """The content of a page on N rows.

    run: name of the run, for file names. stages: at least one; the last is the map. projected:
        whether the map is a projection of Z. index: (N,), position of each row's image in the data.
    near: the nearest rows of each row, uint32 (N, k), in "z" and "h". approximate: what is to be
        said where they are approximate, by space.
    atlas: thumbnails of the rows, then of the placed images.
    verdict: "word", "text" and "advice" on how good the map is; None where that is not known.
    files: the URL of the folder that `sources` are in, ending in "/"; None where images have no
        files. absent: rows whose file is gone, or another than it was. windowed: whether files have
        values of more than 8 bits, which a browser would not show in the window of the thumbnails.
    missing: a sentence on files that are gone, changed or new, "" for none. heat: what holds images
        at their places.
    folder: the URL of the folder of the sheets, ending in "/", as seen from the page: they are
        0.webp, 1.webp and so on there. None where they are in the page.
    """

    title: str
    subtitle: str
    run: str
    stages: Sequence[StageMap]
    projected: bool
    columns: Sequence[Column]
    index: NDArray[np.integer]
    sources: Sequence[str] | None
    near: Mapping[str, NDArray[np.integer]]
    atlas: Atlas
    palette: Sequence[str]
    findings: Sequence[Finding] = field(default_factory=list)
    placed: PlacedImages | None = None
    verdict: Mapping[str, str | None] | None = None
    files: str | None = None
    absent: Sequence[int] = ()
    windowed: bool = False
    missing: str = ""
    heat: Movement | None = None
    folder: str | None = None
    approximate: Mapping[str, str] = field(default_factory=dict)


def page_parts(page: MapPage) -> Iterator[bytes]:
    """The HTML file in parts. All text from the data is escaped, and a Content-Security-Policy
    makes the browser refuse other scripts than the page's, and all network access but to the images
    beside a page with a folder.

    Raises InputError for a map whose coordinates float32 does not hold.
    """
    arrays = dict(_arrays(page))
    about = _about(page, arrays)
    solid = page.stages[-1].z.shape[1] == 3
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    values = {
        "title": html.escape(page.title),
        "subtitle": html.escape(page.subtitle),
        "version": dimred.__version__,
        "drag": "turn" if solid else "move",
        "turning": _ALSO_3D if solid else "",
        "style": style,
        "style_hash": _hash(style),
        "own_images": "" if page.folder is None else " 'self'",
        "script": script,
        "script_hash": _hash(script),
    }
    # Split before substitution, since the substituted text may contain the markers.
    template, end = _asset("template.html").split("$sheets")
    head, rest = template.split("$data")
    yield Template(head).substitute(values).encode()
    yield f'<script type="application/json" id="about">{_json(about)}</script>\n'.encode()
    for name, array in arrays.items():
        yield from _embedded(f"array-{name}", array.tobytes())
    yield Template(rest).substitute(values).encode()
    # The sheets come last, so that the map is drawn before they are loaded.
    for number, sheet in enumerate(page.atlas.sheets if page.folder is None else ()):
        yield from _embedded(f"sheet-{number}", sheet)
    yield end.encode()


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _about(page: MapPage, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    atlas = page.atlas
    return {
        "run": page.run,
        "n": len(page.index),
        "dims": page.stages[-1].z.shape[1],
        "projected": page.projected,
        "stages": [_stage(stage) for stage in page.stages],
        "columns": [_column(column) for column in page.columns],
        "sources": page.sources and list(page.sources),
        "approximate": dict(page.approximate),
        "k": next((near.shape[1] for near in page.near.values()), 0),
        "palette": list(page.palette),
        "findings": [
            {
                "name": finding.name,
                "title": finding.title,
                "notes": {str(row): note for row, note in finding.notes.items()},
                "groups": [
                    {"title": t, "rows": list(map(int, rows))} for t, rows in finding.groups
                ],
            }
            for finding in page.findings
        ],
        "atlas": {
            "width": atlas.width,
            "height": atlas.height,
            "cell": atlas.cell,
            "columns": atlas.columns,
            "perSheet": atlas.per_sheet,
            "folder": page.folder,
            "beside": page.folder and unquote(page.folder.split("/")[0]),
        },
        "verdict": page.verdict and {key: page.verdict[key] for key in _OF_VERDICT},
        "files": page.files
        and {
            "base": page.files,
            "absent": list(map(int, page.absent)),
            "windowed": page.windowed,
        },
        "placed": page.placed and _placed(page.placed),
        "missing": page.missing or None,
        "heat": page.heat and page.heat.about(),
        "arrays": {
            name: f"{values.dtype.kind}{values.itemsize}" for name, values in arrays.items()
        },
    }


def _stage(stage: StageMap) -> dict[str, Any]:
    """A stage for the script, with the center of the map and half of its longest side as scale."""
    z = stage.z.astype(np.float64)  # the range of large float32 is not one
    low, high = z.min(axis=0), z.max(axis=0)
    scale = max(float((high - low).max()) / 2, 1e-9)
    center = [float(value) for value in (low + high) / 2]
    return {"name": stage.name, "caption": stage.caption, "center": center, "scale": scale}


def _placed(placed: PlacedImages) -> dict[str, Any]:
    return {
        "n": len(placed.names),
        "names": list(placed.names),
        "votes": list(placed.votes),
        "shares": list(map(float, placed.shares)),
        "far": list(map(bool, placed.far)),
        "sets": list(placed.sets),
    }


def _is_staged(column: Column) -> bool:
    return not isinstance(column.values, np.ndarray)


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "title": column.title,
        "array": f"column-{column.name}",
        "kind": "number" if column.names is None else "category",
        "names": column.names,
        "unit": column.unit,
        "period": column.period if np.isfinite(column.period or 0) else None,
        "skewed": column.skewed,
        "help": column.help,
        "staged": _is_staged(column),
    }


def _arrays(page: MapPage) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "index", page.index.astype("<u4")
    for number, stage in enumerate(page.stages):
        yield f"z-{number}", _drawable(stage.z, f"{page.run}, stage {stage.name}")
    if page.placed is not None:
        yield "placed-z", _drawable(page.placed.z, f"{page.run}, new images")
        yield "placed-near-z", page.placed.near.astype("<u4")
    for column in page.columns:
        if isinstance(column.values, np.ndarray):
            yield f"column-{column.name}", _values(column, column.values)
        else:
            for number, values in enumerate(column.values):
                yield f"column-{column.name}-{number}", _values(column, values)
    for space, rows in page.near.items():
        yield f"near-{space}", rows.astype("<u4")
    if page.heat is not None:
        yield from page.heat.arrays()
    yield "slot", page.atlas.slot.astype("<u4")
    if page.atlas.size is not None:
        size = page.atlas.size
        yield "size", size.astype("<u1" if size.max() < 256 else "<u2")


def _drawable(z: NDArray[np.floating], what: str) -> NDArray[np.float32]:
    """Coordinates as float32. Raises InputError for those that it does not hold."""
    z = _as_float32(z)
    if not np.isfinite(z).all():
        raise InputError(
            f"{what}: cannot be drawn: its coordinates are not finite numbers below "
            f"{np.finfo(np.float32).max:.3g}"
        )
    return z


def _values(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    if column.names is None:
        return _as_float32(values)
    return values.astype("<u2" if len(column.names) <= 2**16 else "<u4")


def _as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """float32; infinite where the number is too large for it, which the script takes as unknown."""
    with np.errstate(over="ignore"):
        return values.astype("<f4")


def _embedded(name: str, content: bytes) -> Iterator[bytes]:
    """Data as base64, in an element that the browser does not run."""
    yield f'<script type="text/plain" id="{html.escape(name)}">'.encode()
    yield base64.b64encode(content)
    yield b"</script>\n"


def _json(content: Any) -> str:
    """JSON in which characters that could end the enclosing element are escaped."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    """Hash of a script or style for a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
