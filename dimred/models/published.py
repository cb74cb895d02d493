"""Image classifiers of torchvision and timm as backbones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dimred.errors import InputError
from dimred.models.backbones import Backbone, mean_over_positions
from dimred.models.libraries import Network, of_timm, of_torchvision

_BUILDERS: dict[str, Callable[[str, int], Network]] = {
    "torchvision": of_torchvision,
    "timm": of_timm,
}
_TRIAL_SIDE = 128  # pixels, at which networks that average do so over several positions
_TOLERANCE = 1e-4  # of H computed in two ways, relative to the largest number
# Parts that hold blocks in a row, in networks of both libraries.
_ROWS = {"blocks", "encoder", "features", "layers", "stages", "trunk_output"}
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


class _Traits(NamedTuple):
    """What a trial of a network shows: see `Backbone`."""

    out_features: int
    has_positions: bool
    draws: bool


class PublishedBackbone(Backbone):
    """An image classifier without its last fully connected layer, whose input is H.

    library: "torchvision" or "timm". arch: its name there.
    Raises InputError for a name that the library does not have, a library that is missing, and
    images of a size that the network does not take.
    """

    def __init__(self, library: str, arch: str, channels: int, image_size: tuple[int, int]):
        super().__init__()
        traits = _traits(library, arch, channels, image_size)
        self.out_features, self.has_positions, self.draws = traits
        self.net, self._maps, self.classifier = _BUILDERS[library](arch, channels)

    def forward(self, images: Tensor) -> Tensor:
        # The mean also leaves out the classifier's dropout, which the network still has.
        h: Tensor
        h = mean_over_positions(self.positions(images)) if self.has_positions else self.net(images)
        return h

    def positions(self, images: Tensor) -> Tensor:
        return self._maps(self.net, images)

    @property
    def published(self) -> nn.Module:
        return self.net

    def blocks(self) -> list[nn.Module]:
        return _blocks(self.net)


def _blocks(net: nn.Module) -> list[nn.Module]:
    """The parts of a network in its order. A normalization belongs to the part before it, and
    parameters of the network itself, such as those of a transformer's positions, to the first."""
    own: list[nn.Module] = []
    blocks: list[list[nn.Module]] = []
    for part in _parts(net):
        if isinstance(part, nn.ParameterList):
            own.append(part)
        elif isinstance(part, _NORMS) and blocks:
            blocks[-1].append(part)
        else:
            blocks.append([part])
    blocks[0] += own
    return [nn.ModuleList(block) for block in blocks]


def _parts(net: nn.Module) -> Iterator[nn.Module]:
    parameters = list(net.parameters(recurse=False))
    if parameters:
        yield nn.ParameterList(parameters)
    for name, child in net.named_children():
        if name in _ROWS:
            yield from _parts(child)
        elif child.state_dict():
            yield child


@lru_cache(maxsize=32)
def _traits(library: str, arch: str, channels: int, image_size: tuple[int, int]) -> _Traits:
    """Try a network, on the CPU also where the real one is made without memory ("meta"). PyTorch's
    random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.no_grad():
        torch.manual_seed(0)
        net, maps, _ = _BUILDERS[library](arch, channels)
        _disturb(net)
        images = torch.rand(2, channels, *image_size)
        try:
            h = net.eval()(images)
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"model.arch={arch}: takes no images of {image_size[0]}x{image_size[1]} pixels "
                f"({reason}); set another dataset.image_size or model.arch"
            ) from error
        larger = [max(side, _TRIAL_SIDE) for side in image_size]
        has_positions = _is_mean(net, maps, torch.rand(1, channels, *larger))
        before = torch.random.get_rng_state()
        net.train()
        maps(net, images) if has_positions else net(images)
        draws = not torch.equal(before, torch.random.get_rng_state())
    return _Traits(h.shape[1], has_positions, draws)


def _disturb(net: nn.Module) -> None:
    """Let normalizations change what they get, as trained ones do: else one between the positions
    and H would not be seen."""
    for module in net.modules():
        tensors = chain(module.named_parameters(recurse=False), module.named_buffers(recurse=False))
        for name, tensor in tensors:
            if tensor.dim() == 1 and tensor.is_floating_point():
                tensor.normal_(0, 0.1) if name == "bias" else tensor.uniform_(0.5, 1.5)


def _is_mean(net: nn.Module, maps: Callable[[nn.Module, Tensor], Tensor], images: Tensor) -> bool:
    """Whether H of images is the mean of maps with several positions."""
    try:
        h, found = net(images), maps(net, images)
    except Exception:  # of networks for one size, or that are no chain of their parts
        return False
    if found.dim() != 4 or found.shape[:2] != h.shape or found[0, 0].numel() < 2:
        return False
    difference = (mean_over_positions(found) - h).abs().max()
    return bool(difference <= _TOLERANCE * h.abs().max())
