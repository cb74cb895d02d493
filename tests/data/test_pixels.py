"""Reading all images of a source into memory."""

import resource
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixel_sources import Textures
from scripted import scripted

from dimred.data import blocks, free_memory
from dimred.data.own_options import Store
from dimred.data.pixel_source import Block
from dimred.data.pixels import load_pixels
from dimred.errors import InputError


def load(source, **options):
    return load_pixels(source, Store.memory, None, "dataset.image_size=8", **options)


@given(n=st.integers(1, 60), bad=st.sets(st.integers(0, 59)), size=st.integers(1, 20))
def test_what_can_be_read_is_closed_up_in_order(n, bad, size):
    source = Textures(n, bad=bad)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_IMAGES", size)
        loaded = load(source)
    assert np.array_equal(loaded.images.numpy(), source.all_readable())
    assert loaded.problems == {i: f"image {i} is damaged" for i in range(n) if i in bad}
    assert list(loaded.problems) == sorted(loaded.problems)
    assert [one.size[0] for one in loaded.about] == [i for i in range(n) if i not in bad]
    assert sorted(source.reads) == [(i, min(i + size, n)) for i in range(0, n, size)]


def test_blocks_are_bounded_in_bytes():
    large = Textures(4, shape=(3, 1024, 1024))
    assert blocks.spans(large) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert blocks.spans(Textures(600)) == [(0, 256), (256, 512), (512, 600)]


def test_a_source_that_says_nothing_about_its_images():
    assert load(Textures(5, about=False)).about is None


def test_an_error_of_the_source_stops_reading(monkeypatch):
    monkeypatch.setattr(blocks, "_IMAGES", 1)
    source = Textures(500)
    read = source.read

    def failing(first, stop):
        if first == 3:
            raise InputError("dataset.strict: 'x.png' cannot be read")
        return read(first, stop)

    source.read = failing
    with pytest.raises(InputError, match=r"'x\.png' cannot be read"):
        load(source)
    assert len(source.reads) < 100


def test_a_block_of_another_shape_is_refused():
    source = Textures(4)
    source.read = lambda first, stop: Block(np.zeros((stop - first, 1, 8, 9), dtype=np.uint8))
    with pytest.raises(TypeError, match=r"read uint8 \(4, 1, 8, 9\), not uint8 \(4, 1, 8, 8\)"):
        load(source)


@pytest.mark.parametrize("n", [10**9, 10**30])
def test_more_than_is_free_is_refused_before_it_is_read(n):
    class Many(Textures):
        def __len__(self):
            return min(self.n, sys.maxsize)

    source = Many(n, shape=(3, 2000, 2000))
    with pytest.raises(InputError) as error:
        load(source)
    message = str(error.value)
    assert message.startswith("dataset.image_size=8: ")
    assert "images of 3x2000x2000 bytes need" in message
    assert message.endswith("make them smaller or set dataset.store=disk")
    assert not source.reads


def test_peak_memory_is_little_more_than_what_is_kept():
    code = """
import resource
from pixel_sources import Textures
from scripted import scripted
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
import numpy as np
from dimred.data.pixel_source import Block

class Plain(Textures):
    def image(self, i):
        return np.full(self.shape, i % 256, dtype=np.uint8)

load_pixels(Plain(10), Store.memory, None, "")
def high():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = high()
source = Plain(4000, (1, 224, 224), bad=range(0, 4000, 7))
loaded = load_pixels(source, Store.memory, None, "")
print((high() - before) / (4000 * 224 * 224))
"""
    done = scripted(code)
    assert float(done.stdout) < 1.2


def files(folder, **texts):
    for name, text in texts.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_free_memory_is_the_least_that_any_limit_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(free_memory, "_PROCESS", tmp_path / "proc")
    monkeypatch.setattr(free_memory, "_GROUPS", tmp_path / "group")
    monkeypatch.setattr(free_memory, "memory", lambda: 2**40)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert free_memory.free_memory() == 2**40  # a system that says nothing
    files(tmp_path / "proc", meminfo="MemTotal: 9 kB\nMemAvailable:  1000000 kB\n")
    assert free_memory.free_memory() == 1_024_000_000
    # Version 2: a limit on a group above, of which 300 bytes are pages of files.
    files(tmp_path / "proc", self__cgroup="0::/job/part\n")
    group = tmp_path / "group" / "job"
    for name, text in (("max", "5000\n"), ("current", "4000\n")):
        files(group, **{f"memory.{name}": text})
    files(group, **{"memory.stat": "anon 7\nactive_file 100\ninactive_file 200\n"})
    files(group / "part", **{"memory.max": "max\n", "memory.current": "3000\n"})
    assert free_memory.free_memory() == 1300
    # Version 1, whose root has a limit beyond all memory.
    files(tmp_path / "proc", self__cgroup="4:cpu,memory:/x\n")
    group = tmp_path / "group" / "memory"
    files(group, **{"memory.limit_in_bytes": str(2**63), "memory.usage_in_bytes": "5"})
    files(group / "x", **{"memory.limit_in_bytes": "900", "memory.usage_in_bytes": "950"})
    files(group / "x", **{"memory.stat": "inactive_file 1\ntotal_inactive_file 60\n"})
    assert free_memory.free_memory() == 10
    limits = {resource.RLIMIT_DATA: 5 * 1024, resource.RLIMIT_AS: 100 * 1024}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], 0))
    files(tmp_path / "proc", self__cgroup="", self__status="VmSize:\t 98 kB\nVmData:\t 4 kB\n")
    assert free_memory.free_memory() == 1024


@pytest.mark.parametrize(
    ("size", "text"),
    [(1, "0.1 MiB"), (3 * 2**20, "3.0 MiB"), (40 * 2**20, "40 MiB"), (2**31, "2.0 GiB")],
)
def test_sizes_as_text(size, text):
    assert free_memory.gibibytes(size) == text
