"""Where in an image the positions of a backbone's features are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dimred.models.backbones import Backbone

_SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)

Size = tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """The centers of what the features at positions see, in pixels of the image, of which (0, 0) is
    the square from 0 to 1.

    y: of each row. x: of each column. stride: pixels from one to the next, (down, across).
    """

    y: tuple[float, ...]
    x: tuple[float, ...]
    stride: tuple[float, float]

    def scaled(self, down: float, across: float) -> Grid:
        """The same in an image so many times as high and wide."""
        y, x = (tuple(v * by for v in of) for of, by in ((self.y, down), (self.x, across)))
        return Grid(y, x, (self.stride[0] * down, self.stride[1] * across))


def highest(
    values: NDArray[np.floating], y: Sequence[float], x: Sequence[float]
) -> NDArray[np.float64]:
    """Where each of n maps is largest, x and y: (n, rows, columns) -> (n, 2). y, x: of its rows and
    columns."""
    row, column = np.divmod(values.reshape(len(values), -1).argmax(axis=1), values.shape[2])
    return np.stack((np.array(x)[column], np.array(y)[row]), axis=1)


@torch.no_grad()
def grid_of(backbone: Backbone, channels: int, size: Size) -> Grid:
    """The grid in images of `size` (height, width), from the kernels, strides and paddings of the
    backbone's convolutions and poolings.

    Position i of a layer with a kernel of k, stride s and padding p sees what is around position
    s i + (k - 1) / 2 - p of its input. A layer whose output is longer than its padding explains,
    such as those of networks of TensorFlow, pads while it computes: by as much as the output
    takes, the smaller half in front. Layers side by side, such as a shortcut, are taken to see
    the same. Where other layers shrink the image, too, positions are spread over it evenly.
    """
    shrinking: dict[tuple[Size, Size], nn.Module] = {}

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        before, after = tuple(inputs[0].shape[-2:]), tuple(output.shape[-2:])
        if before != after:
            shrinking.setdefault((before, after), layer)

    layers = [layer for layer in backbone.modules() if isinstance(layer, _SLIDING)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    was_training, weight = backbone.training, next(backbone.parameters())
    try:
        image = torch.zeros(1, channels, *size, dtype=weight.dtype, device=weight.device)
        rows, columns = backbone.eval().positions(image).shape[-2:]
    finally:
        backbone.train(was_training)
        for handle in handles:
            handle.remove()
    sizes = [size, *(after for _, after in shrinking)]
    explained = list(shrinking) == list(pairwise(sizes)) and sizes[-1] == (rows, columns)
    axes = []
    for axis, count in enumerate((rows, columns)):
        start, stride = 0.5, 1.0
        for kernel, step, padding in _along(shrinking, axis):
            start, stride = start + stride * ((kernel - 1) / 2 - padding), stride * step
        if not explained:
            stride = size[axis] / count
            start = stride / 2
        axes.append((tuple(start + stride * i for i in range(count)), stride))
    (y, down), (x, across) = axes
    return Grid(y, x, (down, across))


def _along(layers: Mapping[tuple[Size, Size], Any], axis: int) -> Iterator[tuple[int, int, int]]:
    """The width of the kernel, the stride and the padding in front of each layer along an axis.

    layers: by the sizes of their inputs and outputs.
    """
    for (before, after), layer in layers.items():
        kernel, step, padding, dilation = (
            value if isinstance(value, int) else value[axis]
            for value in (
                layer.kernel_size,
                layer.stride,
                0 if isinstance(layer.padding, str) else layer.padding,
                getattr(layer, "dilation", 1),
            )
        )
        width = dilation * (kernel - 1) + 1
        missing = (after[axis] - 1) * step + width - (before[axis] + 2 * padding)
        # Rounded up, the last window of a pooling may lack up to a stride without padding.
        if missing > (step - 1 if getattr(layer, "ceil_mode", False) else 0):
            padding = (missing + 2 * padding) // 2
        yield width, step, padding
