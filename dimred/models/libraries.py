"""Image classifiers of torchvision and timm, without their last layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dimred.errors import InputError

# Of torchvision: those whose training also has losses inside the network, which are left out. Their
# weights are of images normalized otherwise, which the network then does itself.
_WITH_AUXILIARY = ("googlenet", "inception_v3")
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


class Network(NamedTuple):
    """A classifier without its last layer.

    net: from images to H (b, h). maps: function of it and images, that gives what it averages over
    positions if it ends so, (b, h, rows, columns), and may fail or give anything else if not.
    classifier: see `Backbone`.
    """

    net: nn.Module
    maps: Callable[[nn.Module, Tensor], Tensor]
    classifier: tuple[str, ...]


def of_torchvision(arch: str, channels: int) -> Network:
    """A network of torchvision with random weights, and a new first convolution where images do not
    have 3 channels. Raises InputError for a name that it does not have."""
    import torchvision.models as library

    names = library.list_models(module=library)
    if arch not in names:
        raise _unknown("torchvision", arch, names)
    if arch.startswith("mnasnet"):  # wants to know which version of torchvision wrote its weights
        raise InputError(
            f"model.arch={arch}: cannot be read from .safetensors, where a run keeps its weights; "
            "model.arch=mobilenet_v2 is a network of that kind"
        )
    options: dict[str, Any] = {}
    if arch in _WITH_AUXILIARY:
        options = {"aux_logits": False, "init_weights": True, "transform_input": channels == 3}
    # A RegNet computes its widths with tensors, which "meta" would not hold.
    with torch.device("cpu" if arch.startswith("regnet") else torch.get_default_device()):
        net = library.get_model(arch, weights=None, **options)
    net.to(torch.get_default_device())
    if channels != 3:
        _renew_first_convolution(net, channels)
    linear = [name for name, part in net.named_modules() if isinstance(part, nn.Linear)]
    if linear:
        _replace(net, linear[-1], nn.Identity())
        return Network(net, _torchvision_maps, (f"{linear[-1]}.", *_AUXILIARY))
    net.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # of a SqueezeNet
    return Network(net, _torchvision_maps, ("classifier.",))


def _torchvision_maps(net: Any, images: Tensor) -> Tensor:
    """Its parts one after the other, up to the one that averages."""
    from torchvision.models import DenseNet

    if hasattr(net, "_transform_input"):
        images = net._transform_input(images)
    for name, part in net.named_children():
        if name in ("avgpool", "classifier", "fc"):
            break
        images = part(images)
    return images.relu() if isinstance(net, DenseNet) else images


def _renew_first_convolution(net: nn.Module, channels: int) -> None:
    name, old = next((k, part) for k, part in net.named_modules() if isinstance(part, nn.Conv2d))
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    # As most of torchvision's networks begin.
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    _replace(net, name, new)


def _replace(net: nn.Module, name: str, part: nn.Module) -> None:
    place, _, key = name.rpartition(".")
    setattr(net.get_submodule(place), key, part)


def of_timm(arch: str, channels: int) -> Network:
    """As `of_torchvision`, for timm. Raises InputError where it is not installed."""
    if find_spec("timm") is None:
        raise InputError("model=timm: needs timm; pip install -e '.[timm]' in dimred's clone")
    import timm

    if arch.partition(".")[0] not in (names := timm.list_models()):
        raise _unknown("timm", arch, names)
    net: Any = timm.create_model(arch, pretrained=False, num_classes=0, in_chans=channels)
    last = net.pretrained_cfg.get("classifier") or ()
    layers = [last] if isinstance(last, str) else last
    return Network(net, _timm_maps, tuple(f"{layer}." for layer in layers))


def _timm_maps(net: Any, images: Tensor) -> Tensor:
    maps: Tensor = net.forward_features(images)
    return maps


def _unknown(library: str, arch: str, names: Sequence[str]) -> InputError:
    close = " or ".join(f"model.arch={name}" for name in get_close_matches(arch, names, 2))
    return InputError(
        f"model.arch={arch}: is no image classifier of {library}"
        f"{f'; did you mean {close}?' if close else ''}"
    )
