"""Counts the bytes that a network moves through memory, for scripts/benchmark.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Number of leading arguments that batch-norm's kernels read twice: first for the statistics (or
# sums of the gradient), then to normalize.
_READ_TWICE = {"native_batch_norm": 1, "cudnn_batch_norm": 1, "_native_batch_norm_legit": 1}
_READ_TWICE |= {"native_batch_norm_backward": 2, "cudnn_batch_norm_backward": 2}
# Operations that a compiler does not fuse into the kernels around them.
_NOT_FUSED = ("convolution", "mm", "batch_norm", "pool")


class Traffic(TorchDispatchMode):
    """Context that counts the bytes that operations read and write.

    each: if every operation reads its arguments and writes its results, as without a compiler.
    fused: if only convolutions, matrix products, batch-norms and pooling do, with all other
        operations fused into them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.each = 0
        self.fused = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        before = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        after = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        known = {tensor.untyped_storage().data_ptr() for tensor in before}
        in_place = name.endswith("_")
        if not in_place and all(t.untyped_storage().data_ptr() in known for t in after):
            return out  # a view
        moved = sum(tensor.nbytes for tensor in before + after)
        moved += sum(tensor.nbytes for tensor in before[: _READ_TWICE.get(name, 0)])
        self.each += moved
        if any(part in name for part in _NOT_FUSED):
            self.fused += moved
        return out


def bytes_of_a_step(step: Callable[[int], object], batch: int) -> dict[str, float]:
    """The bytes of a step on `batch` images, extrapolated linearly from steps on 8 and 16 images
    (the traffic of weights is constant).

    step: runs a step on a number of images.
    """
    counts = []
    for size in (8, 16):
        step(size)
        with Traffic() as traffic:
            step(size)
        counts.append((traffic.each, traffic.fused))
    small, large = counts
    return {
        name: s + (batch - 8) * (m - s) / 8
        for name, s, m in zip(("each", "fused"), small, large, strict=True)
    }


def bandwidth(device: torch.device, timed: Callable[..., list[float]]) -> float:
    """Bytes per second, read and written, of copying a tensor too large for any cache."""
    source = torch.ones(2**30 if device.type == "cuda" else 2**27, device=device)
    target = torch.empty_like(source)
    timed(device, lambda: target.copy_(source), 2)
    return 2 * source.nbytes / min(timed(device, lambda: target.copy_(source), 8))
