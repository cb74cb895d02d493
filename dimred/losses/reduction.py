"""Over the rows of a batch, as PyTorch's losses name it."""

from __future__ import annotations

from typing import Literal

Reduction = Literal["mean", "none"]
"""The loss, or what each row of the embeddings has in it, whose mean is the loss."""
