"""A source of generated images, some of which cannot be read."""

import hashlib
import threading
import time

import numpy as np

from dimred.data.image_decoding import Decoded
from dimred.data.pixel_source import Block

NONE = np.empty((0, 0, 0), dtype=np.uint8)


class Textures:
    """N images of pseudo-random bytes. bad: positions that cannot be read. delay: seconds an
    image. reads: the blocks that have been read. states: of the files of a block, by its first."""

    def __init__(self, n, shape=(1, 8, 8), bad=(), seed=0, about=True, delay=0.0):
        self.n, self.shape, self.bad, self.seed = n, shape, frozenset(bad), seed
        self.about, self.delay = about, delay
        self.reads, self.states, self.lock = [], {}, threading.Lock()

    def __len__(self):
        return self.n

    def image(self, i):
        return np.random.default_rng((self.seed, i)).integers(256, size=self.shape, dtype=np.uint8)

    def all_readable(self):
        kept = [self.image(i) for i in range(self.n) if i not in self.bad]
        return np.array(kept, dtype=np.uint8).reshape(-1, *self.shape)

    def read(self, first, stop):
        with self.lock:
            self.reads.append((first, stop))
        time.sleep(self.delay * (stop - first))
        good = [i for i in range(first, stop) if i not in self.bad]
        pixels = np.array([self.image(i) for i in good], dtype=np.uint8)
        return Block(
            pixels.reshape(-1, *self.shape),
            {i: f"image {i} is damaged" for i in range(first, stop) if i in self.bad},
            [Decoded(NONE, "PNG L", (i, 9), "", False, 1, False) for i in good]
            if self.about
            else None,
        )

    def key(self, known=None):
        return hashlib.sha256(repr((self.n, self.shape, self.seed)).encode()).digest()

    def state(self, first, stop):
        return str(self.states.get(first, 0))


def blocks_of(source):
    """The blocks that have been read, without single images that are tried again."""
    return [(first, stop) for first, stop in source.reads if stop - first > 1]
