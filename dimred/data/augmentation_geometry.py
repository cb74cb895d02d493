"""Where the pixels of augmented images come from: quarter turns, affine maps, crops and flips."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dimred.data.augmentation_parameters import Parameters


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """Images (B, C, height, width), each turned counter-clockwise by as many quarter turns (B,), an
    even number of them where images are not square."""
    turns = turns.view(-1, 1, 1, 1)
    result = torch.where(turns == 2, images.flip(2, 3), images)
    if images.shape[2] == images.shape[3]:
        for k in (1, 3):
            result = torch.where(turns == k, images.rot90(k, (2, 3)), result)
    return result


def border_color(x: Tensor) -> Tensor:
    """Mean of the outermost pixels of each channel: (B, C, height, width) to (B, C, 1, 1)."""
    rows = [x[..., :1, :], x[..., 1:, :][..., -1:, :]]  # the second is empty where there is one
    columns = [x[..., 1:-1, :1], x[..., 1:-1, 1:][..., -1:]]
    edges = rows + columns
    return torch.cat([edge.flatten(2) for edge in edges], 2).mean(2)[..., None, None]


def resampled(x: Tensor, drawn: Parameters, fill: float | Tensor) -> Tensor:
    """`x` after affine map, crop and flips. fill: the value of pixels outside, or (B, C, 1, 1)."""
    height, width = x.shape[2:]
    box = list(drawn.crop.T[..., None]) if drawn.crop is not None else []
    columns = _sampling_positions(width, drawn.flip, box[1::2], x.device)
    rows = _sampling_positions(height, drawn.vertical_flip, box[::2], x.device)
    # In grid_sample's units the image is 2 x 2.
    if drawn.affine is None:
        columns, rows = columns * (2 / width), rows * (2 / height)
        grid = _grid(columns, torch.zeros_like(columns), torch.zeros_like(rows), rows)
        return grid_sample(x, grid, padding_mode="border", align_corners=False).clamp_(0, 1)
    angle, shift_x, shift_y, shear, zoom = drawn.affine.T[..., None]
    cos, sin, tan = angle.deg2rad().cos(), angle.deg2rad().sin(), shear.deg2rad().tan()
    unit_x, unit_y = 2 / width / zoom, 2 / height / zoom
    columns, rows = columns - shift_x, rows - shift_y
    grid = _grid(
        columns * ((cos - sin * tan) * unit_x),
        columns * (-sin * unit_y),
        rows * ((cos * tan + sin) * unit_x),
        rows * (cos * unit_y),
    )
    # grid_sample pads with 0, so shift pixel values by `fill` while sampling.
    x = grid_sample(x.sub_(fill), grid, padding_mode="zeros", align_corners=False)
    return x.add_(fill).clamp_(0, 1)


def _grid(column_x: Tensor, column_y: Tensor, row_x: Tensor, row_y: Tensor) -> Tensor:
    """Sampling positions (B, height, width, 2): the x and y of each are the sum of a term for its
    column (B, width) and a term for its row (B, height)."""
    if torch.compiler.is_compiling():  # the compiler does not support complex numbers
        x = column_x[:, None, :] + row_x[:, :, None]
        y = column_y[:, None, :] + row_y[:, :, None]
        return torch.stack((x, y), -1)
    # Complex addition takes one fast kernel.
    columns, rows = torch.complex(column_x, column_y), torch.complex(row_x, row_y)
    return torch.view_as_real(columns[:, None, :] + rows[:, :, None])


def _sampling_positions(
    size: int, flip: Tensor | None, box: list[Tensor], device: torch.device
) -> Tensor:
    """Sampling positions along an axis, in pixels from the image's center: (B, size) or (1, size).

    box: start and length of the crop, (B, 1) each; empty without a crop.
    """
    places = torch.arange(size, dtype=torch.float32, device=device)[None] - (size - 1) / 2
    if flip is not None:
        places = torch.where(flip[:, None], -places, places)
    if box:
        start, length = box
        edge = (length - 1) / 2  # the center of the outermost pixel
        places = (places * (length / size)).clamp(-edge, edge) + (start + (length - size) / 2)
    return places
