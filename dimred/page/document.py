"""The HTML file of a map, from data and the page's own template, style and script."""

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

import numpy as np
from numpy.typing import NDArray

import dimred
from dimred.page.atlas import Atlas

_HERE = Path(__file__).parent
_ALSO_3D = "; the right button moves"


@dataclass(frozen=True)
class Column:
    """Something known of every row of the map, which points can be colored by.

    title: what users read. values: (N,), or one such array for each stage. names: of categories,
        whose values are positions in it; None for numbers, where NaN is unknown.
    unit: of numbers. period: of cyclic ones. skewed: colors leave out 1 % at either end.
    """

    name: str
    title: str
    values: NDArray[Any] | Sequence[NDArray[Any]]
    names: tuple[str, ...] | None = None
    unit: str = ""
    period: float | None = None
    skewed: bool = False


@dataclass(frozen=True)
class StageMap:
    """The map after a stage: z (N, d), d = 2 or 3, and a line on what is shown."""

    name: str
    caption: str
    z: NDArray[np.floating]


@dataclass(frozen=True)
class Finding:
    """Rows that deserve a look, in groups, each with a title of its own ("" for none); notes: why,
    by row."""

    name: str
    title: str
    groups: Sequence[tuple[str, Sequence[int]]]
    notes: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MapPage:
    """All that a page shows of N rows.

    run: its name, for file names. stages: at least one; the last is the map. projected: whether
        that is not Z itself but a projection of it. index: (N,), of each row's image in the data.
    near: the nearest rows of each row, uint32 (N, k), for "z" and "h".
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


def page_parts(page: MapPage) -> Iterator[bytes]:
    """The HTML file in parts. All text of the data is escaped; scripts other than the page's own
    and addresses other than its own data are forbidden to the browser besides."""
    arrays = dict(_arrays(page))
    about = _about(page, arrays)
    solid = page.stages[-1].z.shape[1] == 3
    style, script = (_own(name) for name in ("page.css", "page.js"))
    words = {
        "title": html.escape(page.title),
        "subtitle": html.escape(page.subtitle),
        "version": dimred.__version__,
        "drag": "turn" if solid else "move",
        "turning": _ALSO_3D if solid else "",
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
    }
    # Cut before anything is put in, which may hold any text.
    template, end = _own("template.html").split("$sheets")
    head, rest = template.split("$data")
    yield Template(head).substitute(words).encode()
    yield f'<script type="application/json" id="about">{_json(about)}</script>\n'.encode()
    for name, values in arrays.items():
        yield from _embedded(f"array-{name}", values.tobytes())
    yield Template(rest).substitute(words).encode()
    # Last, so that the map is drawn before they are read.
    for number, sheet in enumerate(page.atlas.sheets):
        yield from _embedded(f"sheet-{number}", sheet)
    yield end.encode()


def _own(name: str) -> str:
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
        },
        "arrays": {
            name: f"{values.dtype.kind}{values.itemsize}" for name, values in arrays.items()
        },
    }


def _stage(stage: StageMap) -> dict[str, Any]:
    """With the middle of the map and half of its longest side."""
    low, high = stage.z.min(axis=0), stage.z.max(axis=0)
    scale = max(float((high - low).max()) / 2, 1e-9)
    center = [float(value) for value in (low + high) / 2]
    return {"name": stage.name, "caption": stage.caption, "center": center, "scale": scale}


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
        "period": column.period,
        "skewed": column.skewed,
        "staged": _is_staged(column),
    }


def _arrays(page: MapPage) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "index", page.index.astype("<u4")
    for number, stage in enumerate(page.stages):
        yield f"z-{number}", stage.z.astype("<f4")
    for column in page.columns:
        kind = "<f4" if column.names is None else "<u2" if len(column.names) <= 2**16 else "<u4"
        if isinstance(column.values, np.ndarray):
            yield f"column-{column.name}", column.values.astype(kind)
        else:
            for number, values in enumerate(column.values):
                yield f"column-{column.name}-{number}", values.astype(kind)
    for space, rows in page.near.items():
        yield f"near-{space}", rows.astype("<u4")
    yield "slot", page.atlas.slot.astype("<u4")


def _embedded(name: str, content: bytes) -> Iterator[bytes]:
    """Data that the browser does not run, as base64."""
    yield f'<script type="text/plain" id="{html.escape(name)}">'.encode()
    yield base64.b64encode(content)
    yield b"</script>\n"


def _json(content: Any) -> str:
    """JSON without the characters that could end the element it stands in."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    """Of a script or style, as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
