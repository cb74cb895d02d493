"""How many bytes a network moves through memory, for scripts/benchmark.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Of batch-norm's kernels each reads this more often than it has it as an argument: statistics (or
# sums of the gradient) come first, and then the map, which wants the same values again.
_READ_TWICE = {"native_batch_norm": 1, "cudnn_batch_norm": 1, "_native_batch_norm_legit": 1}
_READ_TWICE |= {"native_batch_norm_backward": 2, "cudnn_batch_norm_backward": 2}
# A compiler can have these done by the kernel before or after them; all other work it cannot.
_WHOLE = ("convolution", "mm", "batch_norm", "pool")


class Traffic(TorchDispatchMode):
    """Counts, for all that runs within it, the bytes that each operation reads and writes.

    each: where every operation reads its arguments and writes its results, as without a compiler.
    fused: where only convolutions, matrix products, batch-norms and pooling do, and all between
        them is done on the way.
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
        if any(part in name for part in _WHOLE):
            self.fused += moved
        return out


def bytes_of_a_step(step: Callable[[int], object], batch: int) -> dict[str, float]:
    """What `Traffic` counts for a step of so many images, from two small ones: what images move
    grows with their number, what weights move does not.

    step: does one, of a number of images.
    """
    found = []
    for size in (8, 16):
        step(size)
        with Traffic() as traffic:
            step(size)
        found.append((traffic.each, traffic.fused))
    small, large = found
    return {
        name: s + (batch - 8) * (m - s) / 8
        for name, s, m in zip(("each", "fused"), small, large, strict=True)
    }


def bandwidth(device: torch.device, timed: Callable[..., list[float]]) -> float:
    """Bytes a second, read and written, of copies of a tensor that no cache holds."""
    source = torch.ones(2**30 if device.type == "cuda" else 2**27, device=device)
    target = torch.empty_like(source)
    timed(device, lambda: target.copy_(source), 2)
    return 2 * source.nbytes / min(timed(device, lambda: target.copy_(source), 8))
