"""Packed files of sources of generated images, as tests make and look at them."""

import pytest
import torch

from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
from dimred.errors import InputError


class Stopped(Exception):
    """In place of SIGKILL: nothing after it happens."""


def load(source, folder, store=Store.disk):
    return load_pixels(source, store, folder, "dataset.image_size=8")


def plain(about):
    return about and [tuple(one)[1:] for one in about]  # without pixels


def same(loaded, source):
    expected = load(source, None, Store.memory)
    return (
        torch.equal(loaded.images, expected.images)
        and loaded.problems == expected.problems
        and plain(loaded.about) == plain(expected.about)
    )


def only(folder, suffix):
    (file,) = folder.glob(f"packed-*.{suffix}")
    return file


def refusal(source, folder, store=Store.disk):
    with pytest.raises(InputError) as error:
        load(source, folder, store)
    message = str(error.value)
    assert "\n" not in message
    return message


def lines_of(folder):
    files = list(folder.glob("packed-*.index"))
    return files[0].read_bytes().count(b"\n") if files else 0


def begun(source, folder, at):
    """Pack a source as far as position `at`, and stop."""
    read = source.read

    def stop(first, stop):
        if first >= at:
            raise Stopped
        return read(first, stop)

    source.read = stop
    with pytest.raises(Stopped):
        load(source, folder)
    source.read = read
