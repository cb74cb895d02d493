"""The door to a run folder: nothing outside is read or written, nothing odd is opened."""

import io
import json
import os
import zipfile

import numpy as np
import pytest

from dimred.errors import InputError
from dimred.run_folder import layout
from dimred.run_folder.arrays import RunArrays
from dimred.run_folder.files import RunFiles
from dimred.run_folder.folder import RunFolder


def names(folder):
    """The files in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def outside(tmp_path):
    """A folder of the user beside the run, with a file."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "precious").write_text("mine")
    yield folder
    assert names(folder) == ["precious"]
    assert (folder / "precious").read_text() == "mine"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "run").mkdir()
    return RunFiles(tmp_path / "run")


@pytest.mark.parametrize("link", ["a", "stages"])
def test_nothing_outside_is_read(files, outside, link):
    (files.folder / link).symlink_to(outside / "precious" if link == "a" else outside)
    name = link if link == "a" else "stages/precious"
    with pytest.raises(InputError, match=r"leads out of the run folder"):
        files.read(name)
    with pytest.raises(InputError, match=r"leads out"):
        files.read("../home/precious")


def test_a_link_within_the_folder_is_read(files):
    (files.folder / "big").mkdir()
    (files.folder / "big/a").write_text("1")
    (files.folder / "a").symlink_to("big/a")
    assert files.text("a") == "1"


def test_nothing_outside_is_written(files, outside):
    (files.folder / "stages").symlink_to(outside)
    (files.folder / "a").symlink_to(outside / "precious")
    for act in (lambda: files.write("stages/new", b""), lambda: files.append("stages/new", "")):
        with pytest.raises(InputError, match=r"stages: is a link"):
            act()
    with pytest.raises(InputError, match=r"stages: is a link"):
        files.remove("stages/precious")
    with pytest.raises(OSError, match="symbolic"):
        files.append("a", "more")
    files.write("a", b"new")
    assert files.read("a") == b"new"
    assert not (files.folder / "a").is_symlink()


def test_in_a_copy_of_hard_links_only_the_copy_changes(files, outside):
    for name in (layout.LOCK, "a"):
        (files.folder / name).hardlink_to(outside / "precious")
    with RunFolder(files.folder) as folder:
        assert files.text(layout.LOCK) == str(os.getpid())
        with pytest.raises(InputError, match="another run"), RunFolder(files.folder):
            pass
        folder.files.append("a", " and more")
    assert files.text("a") == "mine and more"


@pytest.mark.parametrize("kind", ["soft", "pipe"])
def test_the_lock_is_a_file_of_the_folder(files, outside, kind):
    lock = files.folder / layout.LOCK
    if kind == "soft":
        lock.symlink_to(outside / "precious")
    else:
        os.mkfifo(lock)
    with pytest.raises((InputError, OSError), match=r"\.lock"), RunFolder(files.folder):
        pass


def test_a_restart_removes_links_and_not_what_they_lead_to(files, outside):
    for name in (layout.PLOTS, layout.INSPECTED, layout.SUMMARY):
        (files.folder / name).symlink_to(outside)
    RunFolder(files.folder).clear()
    assert names(files.folder) == []


def test_a_folder_system_without_locks_is_said_and_used(files, monkeypatch, capsys):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with RunFolder(files.folder) as folder:
        folder.write_json("a.json", 1)
        assert not folder.is_locked
    assert "no locks" in capsys.readouterr().out
    assert files.json("a.json") == 1


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", DEEP.encode(), b"[NaN]", b"[1e999]", b"[-Infinity]", b"9" * 5000, b"0x"],
)
def test_what_is_no_json_is_named(files, content):
    files.write("a.json", content)
    with pytest.raises(InputError, match=r"a\.json: is damaged") as error:
        files.json("a.json")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


LAUGHS = "a: &a [x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abc", "bcd"))  # noqa: B905


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        DEEP,
        LAUGHS,
        "a: &a [*a]",
        "!!python/object:os.system x",
        "a: \0",
        "9: " + "9" * 5000,
    ],
)
def test_what_is_no_plain_yaml_is_named(files, text):
    files.write("a.yaml", text.encode())
    with pytest.raises(InputError, match=r"a\.yaml: is damaged") as error:
        files.yaml("a.yaml")
    assert "\n" not in str(error.value)


def test_a_file_beyond_sane_size_is_not_read(files):
    for name, read in (("a.json", files.json), ("a.jsonl", files.json_lines)):
        with (files.folder / name).open("wb") as file:
            file.truncate(2**40)
        with pytest.raises(InputError, match=r"1,099,511,627,776 bytes|line 1 has more than"):
            read(name)


def archive(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def saved(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def header(shape, descr="<f4"):
    text = str({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


POINTS = saved(z=np.zeros((3, 2), np.float32))
HOSTILE = {
    "text": b"no archive",
    "cut": POINTS[: len(POINTS) // 2],
    "bomb": archive({"z.npy": header((10**6,)) + bytes(4 * 10**6)}, zipfile.ZIP_DEFLATED),
    "declared": archive({"z.npy": header((2**40,))}),
    "negative": archive({"z.npy": header((-1, 2))}),
    "empty values": archive({"z.npy": header((2**50,), "<U0")}),
    "objects": saved(z=np.array([{}], dtype=object)),
    "no array": archive({"z.npy": b"text"}),
    "header": archive({"z.npy": b"\x93NUMPY\x01\x00\xff\x00" + b"(" * 255}),
    "flipped": POINTS.replace(b"NUMPY", b"NUMPX"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_arrays_that_are_not_as_a_run_saves_them_are_refused(files, name):
    files.write("a.npz", HOSTILE[name])
    with pytest.raises(InputError, match=r"a\.npz: ") as error:
        RunArrays(files, "a.npz").get("z", "f", dims=2)
    assert "\n" not in str(error.value)


def test_a_flipped_bit_in_the_values_is_noticed(files):
    content = bytearray(saved(z=np.ones((3, 2), np.float32)))
    content[content.index(np.float32(1).tobytes())] ^= 1
    files.write("a.npz", bytes(content))
    with pytest.raises(InputError, match="Bad CRC"):
        RunArrays(files, "a.npz").get("z", "f", dims=2)


@pytest.mark.parametrize(
    ("z", "words"),
    [
        (np.zeros(3, np.float32), "as a run writes it"),
        (np.zeros((3, 2), np.complex64), "as a run writes it"),
        (np.zeros((0, 2), np.float32), "as a run writes it"),
        (np.full((3, 2), np.nan, np.float32), "not finite"),
        (np.full((3, 2), 1e298), "not finite, or not as float32"),
        (np.zeros((3, 2**17), np.float32), "as a run writes it"),
        (np.zeros((4, 2), np.float32), "has 4 rows, the run 3"),
        (np.array(["a", "b", "c"]), "as a run writes it"),
    ],
)
def test_arrays_of_other_kinds_are_refused(files, z, words):
    files.write("a.npz", saved(z=z))
    with pytest.raises(InputError, match=words):
        RunArrays(files, "a.npz").get("z", "f", 3, dims=2)


def test_only_what_is_asked_for_is_read(files):
    files.write("a.npz", saved(z=np.ones((3, 2), np.float32), extra=np.zeros(9)))
    arrays = RunArrays(files, "a.npz")
    assert list(arrays) == ["z", "extra"]
    assert arrays.get("z", "f", dims=2).tolist() == [[1, 1]] * 3
    assert "extra" not in arrays._arrays


def test_metrics_rows_and_summaries_of_other_kinds_are_refused(files):
    for row in ("3", "null", "{}", '{"stage": 1, "epoch": 1, "loss": 1}', json.dumps([1])):
        files.write(layout.METRICS, row.encode())
        with pytest.raises(InputError, match=r"metrics\.jsonl: is damaged"):
            rows_of(files)


def rows_of(files):
    from dimred.run_folder.finished import FinishedRun

    run = FinishedRun.__new__(FinishedRun)
    run.path, run.files = files.folder, files
    return run.metrics()
