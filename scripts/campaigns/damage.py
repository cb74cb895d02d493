"""Ways to damage a file of a run folder, or to put something else in its place.

Each takes the file, random numbers, and a folder outside the run that links may lead to.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import yaml
from campaign import Skipped
from safetensors.numpy import load_file, save_file

Damage = Callable[[Path, Random, Path], object]

WRONG = (None, "", -1, 0, 1e308, 0.5, [], {}, True, "x" * 10_000, [[]], "\ud800", 10**30, [None])
BOMB = 2_500_000_000
SPARSE = 4 << 30
WIDE, WIDE_BYTES = 200_000, 300_000_000


class _Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.file), "w")


def _replaced(make: Damage) -> Damage:
    def damage(file: Path, random: Random, outside: Path) -> None:
        file.unlink(missing_ok=True)
        make(file, random, outside)

    return damage


def _bytes(change: Callable[[bytes, Random], bytes]) -> Damage:
    return lambda file, random, outside: file.write_bytes(change(file.read_bytes(), random))


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data or b"0")
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _moved_out(file: Path, random: Random, outside: Path) -> None:
    there = outside / f"kept-{file.name}"
    shutil.move(file, there)
    file.symlink_to(there)


def _linked_temporary(file: Path, random: Random, outside: Path) -> None:
    for name in (f".{file.name}.tmp", f"{file.name}.tmp", f".{file.name}.lock"):
        (file.parent / name).symlink_to(outside / "precious")


GENERIC: dict[str, Damage] = {
    "truncated": _bytes(lambda data, random: data[: random.randrange(max(len(data), 1))]),
    "bit flipped": _bytes(_flip),
    "bit flipped, another": _bytes(_flip),
    "random bytes": _bytes(lambda data, random: random.randbytes(len(data) or 10)),
    "sparse": lambda file, random, outside: os.truncate(file, SPARSE),
    "emptied": _bytes(lambda data, random: b""),
    "a folder": _replaced(lambda file, random, outside: file.mkdir()),
    "a pipe": _replaced(lambda file, random, outside: os.mkfifo(file)),
    "endless": _replaced(lambda file, random, outside: file.symlink_to("/dev/zero")),
    "a link outside": _moved_out,
    "a dangling link": _replaced(lambda f, random, outside: f.symlink_to(outside / "new")),
    "a link to itself": _replaced(lambda file, random, outside: file.symlink_to(file.name)),
    "temporary names linked": _linked_temporary,
    "gone": _replaced(lambda file, random, outside: None),
}
FOLDER: dict[str, Damage] = {
    "a link outside": _moved_out,
    "a file": lambda file, r, outside: (shutil.rmtree(file), file.write_text("x")),
    "a dangling link": lambda file, r, outside: (
        shutil.rmtree(file),
        file.symlink_to(outside / "new"),
    ),
}


def _text(make: Callable[[Path], str]) -> Damage:
    def damage(file: Path, random: Random, outside: Path) -> None:
        file.write_text(make(outside), encoding="utf-8", errors="surrogatepass")

    return damage


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    places = []
    for key, part in parts:
        places.append((*above, key))
        if isinstance(part, dict | list):
            places += _places(part, (*above, key))
    return places


def _wrong_kind(content: Any, random: Random, values: tuple[Any, ...] = WRONG) -> None:
    """Put something else in a place of a JSON-like value, or remove it."""
    *above, key = random.choice(_places(content))
    for step in above:
        content = content[step]
    if random.random() < 0.1:
        del content[key]
    else:
        content[key] = random.choice(values)


def _json_damage(file: Path, random: Random, outside: Path) -> None:
    lines = file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]
    lines = lines or ['{"epoch": 1}']  # in a run that was stopped early
    number = random.randrange(len(lines))
    content = json.loads(lines[number]) or [0]
    _wrong_kind(content, random, (*WRONG, float("nan"), float("inf")))
    lines[number] = json.dumps(content)
    file.write_text("\n".join(lines))


def _yaml_damage(file: Path, random: Random, outside: Path) -> None:
    content = yaml.safe_load(file.read_text())
    words = ("${oc.env:HOME}", "${dataset}", "???", "${", str(outside), "../../..", "/dev/zero")
    _wrong_kind(content, random, (*(v for v in WRONG if v != "\ud800"), *words))
    file.write_text(yaml.safe_dump(content, sort_keys=False))


DEEP_TEXTS = {
    "deep list": _text(lambda outside: "[" * 100_000),
    "deep mapping": _text(lambda outside: '{"a":' * 100_000),
    **{
        f"only {v[:9]!r}": _text(lambda outside, v=v: v) for v in ("null", "3", "[]", '"x"', "true")
    },
    "all digits": _text(lambda outside: "9" * 5000),
    "not UTF-8": _bytes(lambda data, random: data.replace(b"a", b"\xff", 1)),
    "NUL": _bytes(lambda data, random: b"\0" + data),
}
JSON: dict[str, Damage] = {
    **DEEP_TEXTS,
    **{f"wrong kind {n}": _json_damage for n in range(12)},
    "only {}": _text(lambda outside: "{}"),
}


def _yaml_text(more: Callable[[Path], str], key: str = "") -> Damage:
    """A part of config.yaml replaced, or lines added."""

    def damage(file: Path, random: Random, outside: Path) -> None:
        content = yaml.safe_load(file.read_text())
        content.pop(key, None)
        file.write_text(yaml.safe_dump(content, sort_keys=False) + more(outside))

    return damage


def billion_laughs() -> str:
    """Ten lines of YAML that stand for 9^9 letters."""
    lines = ["la: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"l{c}: &{c} [{','.join(['*' + b] * 9)}]"
        for b, c in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(lines) + "\n"


def _dataset(lines: str) -> Damage:
    return _yaml_text(lambda outside: f"dataset: {{{lines.format(outside=outside)}}}\n", "dataset")


YAML: dict[str, Damage] = {
    **DEEP_TEXTS,
    **{f"wrong kind {n}": _yaml_damage for n in range(12)},
    "billion laughs": _yaml_text(lambda outside: billion_laughs()),
    "billion laughs as name": _yaml_text(lambda outside: billion_laughs() + "name: *i\n", "name"),
    "itself": _yaml_text(lambda outside: "model: &a [*a]\n", "model"),
    "itself as mapping": _yaml_text(lambda outside: "model: &a {b: *a}\n", "model"),
    "Python's tags": _yaml_text(
        lambda out: f'name: !!python/object/apply:os.system ["touch {out}/EXECUTED"]\n', "name"
    ),
    "environment": _yaml_text(lambda outside: "name: ${oc.env:HOME}\n", "name"),
    "nested interpolation": _yaml_text(lambda outside: f"name: {'${' * 3000}\n", "name"),
    "anchors in keys": _yaml_text(lambda outside: "? [1, 2]\n: 3\n? {a: b}\n: 4\n"),
    "data is /": _dataset("name: image_folder, root: /, image_size: 8"),
    "data is /proc": _dataset("name: image_folder, root: /proc, image_size: 8"),
    "data outside": _dataset("name: image_folder, root: {outside}, image_size: 8"),
    "data a pipe": _dataset("name: npz, path: {outside}/pipe.npz"),
    "data /dev/zero": _dataset("name: npz, path: /dev/zero"),
    "data rendered outside": _dataset("name: turntable, root: {outside}/rendered"),
    "data downloaded": _dataset("name: mnist, root: {outside}/mnist, download: true"),
}


def _npz(change: Callable[[dict[str, Any], str, Random, Path], object]) -> Damage:
    def damage(file: Path, random: Random, outside: Path) -> None:
        with np.load(file) as content:
            arrays = dict(content)
        change(arrays, random.choice(sorted(arrays)), random, outside)
        np.savez(file, **arrays)

    return damage


def _array(change: Callable[[Any], Any]) -> Damage:
    def change_one(arrays: dict[str, Any], key: str, random: Random, outside: Path) -> None:
        arrays[key] = change(np.atleast_1d(arrays[key]))

    return _npz(change_one)


def _numbers(value: float) -> Damage:
    """This value in an array of numbers."""

    def change(arrays: dict[str, Any], key: str, random: Random, outside: Path) -> None:
        # A loss may be nan: of images that are not learned from.
        keys = [k for k in sorted(arrays) if arrays[k].dtype.kind == "f" and k != "loss"]
        keys = keys or [k for k in sorted(arrays) if arrays[k].dtype.kind == "i"]
        if key not in keys:
            key = random.choice(keys)
        array = arrays[key].copy()
        floats = array.dtype.kind == "f"
        array.flat[random.randrange(array.size)] = value if floats else 10**9 if value > 0 else -1
        arrays[key] = array

    return _npz(change)


def _pickled(arrays: dict[str, Any], key: str, random: Random, outside: Path) -> None:
    arrays[key] = np.array([_Payload(outside / "EXECUTED")] * 3, dtype=object)


def _header(shape: str, descr: str = "'|u1'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@cache
def bomb() -> bytes:
    """A small .npz with one array, `extra`, of 2.5 GB."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("extra.npy", "w", force_zip64=True) as member,
    ):
        member.write(_header(f"({BOMB},)"))
        for _ in range(100):
            member.write(bytes(BOMB // 100))
    return content.getvalue()


def _members(make: Callable[[str, Random], tuple[bytes, str]]) -> Damage:
    """Other bytes as one of the members of an .npz."""

    def damage(file: Path, random: Random, outside: Path) -> None:
        with np.load(file) as content:
            arrays = dict(content)
        begun, name = make(random.choice(sorted(arrays)), random)
        arrays.pop(name, None)
        file.write_bytes(begun)
        with zipfile.ZipFile(file, "a") as archive:
            for key, array in arrays.items():
                buffer = io.BytesIO()
                np.save(buffer, array)
                archive.writestr(f"{key}.npy", buffer.getvalue())

    return damage


def _declared(shape: str, descr: str = "'<f4'") -> Damage:
    def make(key: str, random: Random) -> tuple[bytes, str]:
        begun = io.BytesIO()
        with zipfile.ZipFile(begun, "w") as archive:
            archive.writestr(f"{key}.npy", _header(shape, descr) + bytes(64))
        return begun.getvalue(), key

    return _members(make)


def _bomb_as(name: str) -> Damage:
    """Names of five letters, so that the bomb need not be made again."""
    return _members(
        lambda key, random: (bomb().replace(b"extra.npy", f"{name}.npy".encode()), name)
    )


NPZ: dict[str, Damage] = {
    "array gone": _npz(lambda arrays, key, random, outside: arrays.pop(key)),
    "no rows": _array(lambda a: a[:0]),
    "a row less": _array(lambda a: a[:-1]),
    "a row more": _array(lambda a: np.concatenate([a, a[:1]]) if a.ndim else a[None]),
    "rows turned": _array(lambda a: a[::-1].copy()),
    "a scalar": _array(lambda a: np.array(3)),
    "one more dimension": _array(lambda a: a[..., None]),
    "texts": _array(lambda a: a.astype(str)),
    "complex": _array(lambda a: np.zeros(a.shape, dtype=complex)),
    "booleans": _array(lambda a: np.ones(a.shape, dtype=bool)),
    "times": _array(lambda a: np.zeros(a.shape, dtype="datetime64[s]")),
    "records": _array(lambda a: np.zeros(a.shape, dtype=[("a", "f4")])),
    "big-endian": _array(lambda a: a.astype(a.dtype.newbyteorder(">"))),
    "NaN": _numbers(np.nan),
    "NaN, another": _numbers(np.nan),
    "inf": _numbers(np.inf),
    "3e38": _numbers(3e38),
    "-3e38": _numbers(-3e38),
    "pickled code": _npz(_pickled),
    "declared 2^31": _declared("(2147483648,)"),
    "declared 2^40": _declared("(1099511627776,)"),
    "declared -1": _declared("(-1,)"),
    "declared 2^70": _declared(f"({2**70},)"),
    "declared deep": _declared("(" * 300 + "1" + ")" * 300),
    "declared object": _declared("(3,)", "'|O'"),
    "bomb": _bomb_as("extra"),
    "bomb as label": _bomb_as("label"),
    "bomb as split": _bomb_as("split"),
    "no array": _replaced(lambda file, r, o: zipfile.ZipFile(file, "w").close()),
    "a .npy": _replaced(lambda file, r, o: file.write_bytes(_header("(9,)") + bytes(9))),
    "a pickle": _replaced(lambda f, r, o: f.write_bytes(pickle.dumps(_Payload(o / "EXECUTED")))),
}


def _wide(file: Path, random: Random, outside: Path) -> None:
    """Zeros in many columns, as they are on disk."""
    with np.load(file) as content:
        arrays = dict(content)
    zeros = np.broadcast_to(np.float32(0), (len(arrays["z"]), WIDE))
    if 2 * zeros.nbytes > WIDE_BYTES:
        raise Skipped
    np.savez(file, **(arrays | {"h": zeros, "z": zeros}))  # type: ignore[arg-type]


def _weights(change: Callable[[dict[str, Any], str], Any]) -> Damage:
    def damage(file: Path, random: Random, outside: Path) -> None:
        weights = load_file(file)
        floats = [key for key in sorted(weights) if weights[key].dtype.kind == "f"]
        change(weights, random.choice(floats))
        save_file(weights, file)

    return damage


def _set(make: Callable[[Any], Any]) -> Callable[[dict[str, Any], str], None]:
    def change(values: dict[str, Any], key: str) -> None:
        values[key] = np.ascontiguousarray(make(values[key]))

    return change


SAFETENSORS: dict[str, Damage] = {
    **{f"value flipped {n}": _bytes(lambda d, r: d[:-400] + _flip(d[-400:], r)) for n in range(4)},
    "NaN": _weights(_set(lambda a: np.full_like(a, np.nan))),
    "inf": _weights(_set(lambda a: np.full_like(a, np.inf))),
    "other values": _weights(_set(lambda a: a + 0.5)),
    "float64": _weights(_set(lambda a: a.astype(np.float64))),
    "integers": _weights(_set(lambda a: a.astype(np.int32))),
    "another shape": _weights(_set(lambda a: np.zeros((*a.shape, 2), np.float32))),
    "a tensor less": _weights(lambda weights, key: weights.pop(key)),
    "a tensor more": _weights(lambda weights, key: weights.update(more=np.zeros(3, np.float32))),
    "no tensor": _weights(lambda weights, key: weights.clear()),
    "huge header": _bytes(lambda data, random: (2**60).to_bytes(8, "little") + data[8:]),
    "deep header": _bytes(
        lambda data, random: (100_000).to_bytes(8, "little") + b"[" * 100_000 + data
    ),
    "a pickle": NPZ["a pickle"],
}


def _checkpoint(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(file: Path, random: Random, outside: Path) -> None:
        content = torch.load(file, weights_only=True)
        change(content)
        torch.save(content, file)

    return damage


def _value(key: str, value: Any) -> Damage:
    return _checkpoint(lambda content: content.update({key: value}))


def _encoder(make: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def change(content: dict[str, Any]) -> None:
        key = max(content["encoder"], key=lambda name: content["encoder"][name].numel())
        content["encoder"][key] = make(content["encoder"][key])

    return _checkpoint(change)


_CHECKPOINT_VALUES: dict[str, tuple[Any, ...]] = {
    "position": (
        *((0, 0, 10**6), (0, 0, -1), (0, -1, 0), (-1, 0, 0), (9, 9, 9), (0, 10**6, 0)),
        *((0, 0, 10**30), ("a", 0, 0), (0.5, 0, 0), (0, 0), (), None, "abc", 7),
        (None, None, None),
    ),
    "out_dim": (-1, 0, 3, "2", 10**12, None, 2.5),
    "rows": (None, "", [], [1], [{}], [None], 3),
    "encoder": ({}, None, [], {"a": torch.zeros(3)}, "x"),
    "optimizer": ({}, [], "x", {"state": {}, "param_groups": []}),
    "losses": ("x", torch.zeros(2), torch.zeros(0), 3, [1.0]),
    "seconds": ("x", None, float("nan"), -1.0, 0.0, 1e300),
    "identity": (None, {}, "x", {"config": {}}, {"config": None, "data": 3}),
    "loss": ({}, "x", {"a": torch.zeros(3)}),
    "format": (2, None, "1"),
    "unknown": (1,),
}


def _bombed(file: Path, random: Random, outside: Path) -> None:
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        name = archive.namelist()[0].split("/")[0]
        with archive.open(f"{name}/data/bomb", "w", force_zip64=True) as member:
            for _ in range(50):
                member.write(bytes(BOMB // 50))


def _declared_checkpoint(file: Path, random: Random, outside: Path) -> None:
    """One element that pretends to be 2^40 of them."""
    content = torch.load(file, weights_only=True)
    content["losses"] = torch.zeros(1).expand(2**40)
    torch.save(content, file)


CHECKPOINT: dict[str, Damage] = {
    **{
        f"{key}={str(value)[:30]}": _value(key, value)
        for key, values in _CHECKPOINT_VALUES.items()
        for value in values
    },
    "other shapes": _encoder(lambda t: torch.zeros((*t.shape, 2))),
    "NaN": _encoder(lambda t: torch.full_like(t, torch.nan)),
    "float64": _encoder(lambda t: t.double()),
    "sparse tensors": _encoder(lambda t: torch.zeros(t.shape).to_sparse()),
    "key gone": _checkpoint(lambda content: content.pop("rows")),
    "a list": _replaced(lambda file, random, outside: torch.save([1], file)),
    "expanded": _declared_checkpoint,
    "bomb": _bombed,
    "code": _replaced(lambda f, random, outside: torch.save(_Payload(outside / "EXECUTED"), f)),
    "a pickle": NPZ["a pickle"],
}


def damages(file: str) -> dict[str, Damage]:
    """All that may be done to a file, by name."""
    kinds = {".json": JSON, ".jsonl": JSON, ".yaml": YAML, ".npz": NPZ}
    kinds |= {".safetensors": SAFETENSORS, ".pt": CHECKPOINT}
    suffix = Path(file).suffix
    if not suffix and not file.endswith(".lock"):
        return FOLDER
    wide = {"wide": _wide} if Path(file).name == "embedding.npz" else {}
    return {**GENERIC, **kinds.get(suffix, {}), **wide}
