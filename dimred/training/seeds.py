"""Random generators derived from a run's seed and a place in it.

Every step has its own generator, so that a run can continue at any step without stored state.
"""

from __future__ import annotations

import hashlib

import torch


def derived_seed(seed: int, *place: int | str) -> int:
    """A seed for a place in a run, such as ("batch", stage, epoch, step)."""
    digest = hashlib.blake2b(repr((seed, *place)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little")


def generator_at(device: torch.device, seed: int, *place: int | str) -> torch.Generator:
    """A fresh generator on `device` for a place in a run."""
    generator = torch.Generator(device)
    generator.manual_seed(derived_seed(seed, *place))
    return generator
