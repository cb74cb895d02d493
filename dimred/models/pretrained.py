"""Networks that begin with trained weights: which weights these are, and how they are taken over.

Everything of the backbone must be in the file, with the same name and shape: a network of which a
part were random would train, and nobody would know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dimred.errors import InputError
from dimred.files import expanded, open_regular
from dimred.models.weight_files import WEIGHTS, read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dimred.models.encoder import Encoder
    from dimred.models.options import ModelOptions

_MAX_NAMED = 3  # tensors in a message
_TOLERANCE = 1e-4  # of means and deviations
_BACKBONE = "backbone."
_TORCHVISION = "torchvision:"
# Names in DenseNet files of torchvision, of a time when they could hold dots.
_OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")


@dataclass(frozen=True)
class Source:
    """The weights that a network begins with.

    key: the option, "model.init_from" or "model.weights". value: as typed.
    file: where they are. what: words for it, as in "begins with the backbone of {what}".
    mean, std: of the images that they are of, where the source says so apart from the file.
    """

    key: str
    value: str
    file: Path
    what: str
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None

    @cached_property
    def weights(self) -> Mapping[str, Tensor]:
        """The tensors in the file, read once, so that a file that changes or vanishes meanwhile
        does no harm. Raises InputError as `read_weights`."""
        try:
            return read_weights(self.file)
        except InputError as error:
            raise InputError(f"{self}: {error}") from error

    @cached_property
    def sha256(self) -> str:
        """Digest of the file. Raises InputError where it cannot be read."""
        digest = sha256()
        try:
            with open_regular(self.file) as file:
                while block := file.read(2**20):
                    digest.update(block)
        except OSError as error:
            raise InputError(f"{self}: {self.file}: {error.strerror}") from error
        return digest.hexdigest()

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Begun(NamedTuple):
    """What a network has begun with.

    source: whose weights. new: layers of the head that are random, such as "readout".
    left_out: tensors of the file that the network has no place for: those of its classifier, or of
        another head.
    """

    source: Source
    new: tuple[str, ...]
    left_out: tuple[str, ...]


def source_of(options: ModelOptions) -> Source | None:
    """The weights that a network with these options begins with; None for random ones.

    `model.init_from` must be the folder of a run. Reads no weights, and imports PyTorch for those
    of torchvision only. Raises InputError for a file that does not exist, and for weights that
    torchvision does not have.
    """
    value = options.weights
    if value is not None and options.init_from is not None:
        # A plug-in's own `problems` may not say so.
        raise InputError(f"model.weights={value}: not beside model.init_from={options.init_from}")
    if value is not None and value.startswith(_TORCHVISION):
        from dimred.models.torchvision_weights import entry

        name, file, mean, std = entry(value.removeprefix(_TORCHVISION))
        return Source("model.weights", value, file, f"torchvision's {name}", mean, std)
    if options.init_from is not None:
        file = expanded(options.init_from) / WEIGHTS
        source = Source("model.init_from", options.init_from, file, options.init_from)
    elif value is not None:
        source = Source("model.weights", value, expanded(value), value)
    else:
        return None
    if not source.file.is_file():
        raise InputError(f"{source}: {source.file} is no file")
    return source


def begin_with(
    options: ModelOptions, encoder: Encoder, source: Source | None = None
) -> Begun | None:
    """Copy the weights that the options name into the encoder: those of the backbone, and with
    init_head=kept the layers of the head that have the same shape. None where they name none.

    source: `source_of` the options, where it is at hand.
    Draws no random numbers. Raises InputError for weights of another network, or of images with
    another mean and deviation.
    """
    source = source or source_of(options)
    if source is None:
        return None
    weights = source.weights
    is_own = {"mean", "std"} < weights.keys() and any(k.startswith(_BACKBONE) for k in weights)
    if source.key == "model.init_from" and not is_own:
        raise InputError(f"{source}: {source.file}: holds no weights of a run")
    mean, std = source.mean, source.std
    if is_own:
        mean, std = weights["mean"].flatten().tolist(), weights["std"].flatten().tolist()
    if mean is not None and std is not None:
        _check_statistics(source, mean, std, encoder)
    if is_own:
        return _from_encoder(options, source, weights, encoder)
    return _from_published(options, source, weights, encoder)


def _from_published(
    options: ModelOptions, source: Source, weights: Mapping[str, Tensor], encoder: Encoder
) -> Begun:
    """Begin with the weights of a network of someone else."""
    if options.init_head.value == "kept":
        raise InputError(f"model.init_head=kept: {source} holds no head of dimred")
    backbone = encoder.backbone  # a plug-in's may be any module
    classifier = tuple(getattr(backbone, "classifier", ()))
    left_out = [name for name in weights if name.startswith(classifier)] if classifier else []
    kept = {name: tensor for name, tensor in weights.items() if name not in left_out}
    given = {_OLD_NAME.sub(r"\1\2", name): tensor for name, tensor in kept.items()}
    _load(options, source, given, getattr(backbone, "published", backbone))
    return Begun(source, _head_layers(encoder.state_dict()), tuple(left_out))


def _from_encoder(
    options: ModelOptions, source: Source, weights: Mapping[str, Tensor], encoder: Encoder
) -> Begun:
    """Begin with the weights of a run's encoder."""
    of_backbone = {
        name.removeprefix(_BACKBONE): tensor
        for name, tensor in weights.items()
        if name.startswith(_BACKBONE)
    }
    _load(options, source, of_backbone, encoder.backbone)
    there = {k: v for k, v in weights.items() if k.startswith(("hidden.", "readout."))}
    here = {k: v for k, v in encoder.state_dict().items() if k.startswith(("hidden.", "readout."))}
    kept: dict[str, Tensor] = {}
    if options.init_head.value == "kept":
        for layer in _head_layers(here):
            parts = [k for k in here if k.rpartition(".")[0] == layer]
            if all(k in there and there[k].shape == here[k].shape for k in parts):
                kept |= {k: there[k] for k in parts}
    encoder.load_state_dict(kept, strict=False)
    new = _head_layers({k: v for k, v in here.items() if k not in kept})
    return Begun(source, new, tuple(k for k in there if k not in kept))


def _head_layers(weights: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The layers of the head, such as "hidden" and "readout"."""
    names = [k.rpartition(".")[0] for k in weights if k.startswith(("hidden.", "readout."))]
    return tuple(dict.fromkeys(names))


def _load(
    options: ModelOptions, source: Source, given: Mapping[str, Tensor], network: nn.Module
) -> None:
    """Copy weights into a network, which stays as it is where they do not fit. Raises InputError
    unless names and shapes are the same."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        # Some networks of torchvision know the names that they had in earlier files.
        missing, unexpected = network.load_state_dict(given, strict=False)
        fits = not missing and not unexpected
    except RuntimeError:  # shapes
        fits = False
    if not fits:
        network.load_state_dict(before)
        problems = list(_differences(given, before))
        more = f" and {len(problems) - _MAX_NAMED} more" if len(problems) > _MAX_NAMED else ""
        raise InputError(
            f"{source}: its weights are of another network than model={options.name} here: "
            f"{'; '.join(problems[:_MAX_NAMED])}{more}; {_advice(options)}"
        )


def _differences(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[str]:
    """What a file and a network do not have in common: shapes, and then names, which may differ by
    far in another network."""
    for name, tensor in wanted.items():
        if name in given and given[name].shape != tensor.shape:
            yield f"{name} is {tuple(given[name].shape)} there, {tuple(tensor.shape)} here"
    yield from (f"{name} is not in the file" for name in wanted if name not in given)
    yield from (f"{name} is only in the file" for name in given if name not in wanted)


def _advice(options: ModelOptions) -> str:
    """What to set, where weights do not fit."""
    from dimred.models.options import ModelOptions

    of_head = {spec.name for spec in fields(ModelOptions)}
    own = [f"model.{spec.name}" for spec in fields(options) if spec.name not in of_head]
    return (
        f"set {', '.join(['model', *own])} as there, and images of as many channels (and pixels, "
        "where layers are fully connected)"
    )


def _check_statistics(
    source: Source, mean: Sequence[float], std: Sequence[float], encoder: Encoder
) -> None:
    """Raise InputError for weights of images with another mean and deviation."""
    channels = len(encoder.mean)
    if len(mean) != channels:
        raise InputError(
            f"{source}: its weights are of images with {len(mean)} channels; these have {channels}"
        )
    there, here = [*mean, *std], [*encoder.mean.flatten().tolist(), *encoder.std.flatten().tolist()]
    if any(abs(a - b) > _TOLERANCE for a, b in zip(there, here, strict=True)):
        texts = [f"[{','.join(f'{number:.6g}' for number in numbers)}]" for numbers in (mean, std)]
        raise InputError(
            f"{source}: its weights are of images with another mean and deviation; set "
            f"dataset.mean={texts[0]} dataset.std={texts[1]}"
        )
