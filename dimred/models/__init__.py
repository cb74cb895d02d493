"""Networks: backbones (image -> H), the projection head (H -> Z), and the encoder of both."""

from dimred.models.backbones import (
    Backbone,
    ConvNetBackbone,
    DrlimCnnBackbone,
    LeNetBackbone,
    LinearBackbone,
    ResNet18Backbone,
)
from dimred.models.encoder import Encoder

__all__ = [
    "Backbone",
    "ConvNetBackbone",
    "DrlimCnnBackbone",
    "Encoder",
    "LeNetBackbone",
    "LinearBackbone",
    "ResNet18Backbone",
]
