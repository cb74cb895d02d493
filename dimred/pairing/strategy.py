"""What every pairing strategy is."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class Pairing(Protocol):
    """Decides what of a batch goes through the network and who is similar to whom."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Any]:
        """Raw images -> network inputs and the pairs among them.

        images: uint8 (b, C, height, width); generator: on their device.
        Returns inputs, float32 (n, C, height, width) in [0, 1], and the pairs among the n rows.
        """
        ...
