"""Images that stay in a file and are read from it as they are used."""

from __future__ import annotations

import warnings
from typing import BinaryIO
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

_MAPPED: WeakValueDictionary[int, np.memmap[tuple[int, ...], np.dtype[np.uint8]]]
_MAPPED = WeakValueDictionary()  # by the address of the first byte


def map_images(file: BinaryIO, shape: tuple[int, ...]) -> Tensor:
    """The content of a file as a tensor, uint8 of this shape, which takes no memory of its own: the
    system keeps what is used of it as long as there is room. Writing into it ends the process."""
    if 0 in shape:
        return torch.empty(shape, dtype=torch.uint8)
    # Not a private copy that could be written to, which the system would have to reserve memory
    # for, and which counts for limits on data.
    array = np.memmap(file, np.uint8, "r", shape=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that PyTorch has no tensors that cannot be written to
        images = torch.from_numpy(array)
    _MAPPED[images.data_ptr()] = array
    return images


def is_mapped(images: Tensor) -> bool:
    """Whether images, or those that they are a part of, stay in a file."""
    return images.untyped_storage().data_ptr() in _MAPPED
