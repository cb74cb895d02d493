"""Files of weights: dimred's and timm's .safetensors, and what torch.save wrote."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimred.errors import InputError
from dimred.files import expanded, read_regular

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "weights.safetensors"
"""The file of weights in the folder of a run, as `run_folder.layout` has it, which imports this
package's options and so cannot be imported here."""

# Where training scripts put the weights in a file that holds more than these.
_NESTED = ("state_dict", "model")


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors in a file of weights, by name, on the CPU.

    No code in the file is run. Raises InputError for one that cannot be read, holds no weights, or
    some that are not finite.
    """
    try:
        content = read_regular(expanded(file))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    try:
        weights = _safetensors(content) if file.suffix == ".safetensors" else _saved(content)
    except Exception as error:  # damaged content makes both readers raise many kinds
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{file}: holds no weights ({reason})") from error
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{file}: {name} holds numbers that are not finite")
    return weights


def _safetensors(content: bytes) -> dict[str, Tensor]:
    import safetensors.torch

    weights: dict[str, Tensor] = safetensors.torch.load(content)
    return weights


def _saved(content: bytes) -> dict[str, Tensor]:
    import torch

    try:
        loaded: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # which says what is in the way of its reader, or to trust the file
        raise ValueError("it is no file of torch.save, or one of more than tensors") from error
    for key in _NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded:
        raise ValueError(f"it holds {type(loaded).__name__}; must be a state_dict")
    for name, tensor in loaded.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name} is {type(tensor).__name__}; must be a tensor")
    return dict(loaded)
