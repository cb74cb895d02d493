"""Networks: backbones (image -> H), the projection head (H -> Z), and the encoder of both."""

from typing import TYPE_CHECKING

from dimred.options.lazy import lazy_names

if TYPE_CHECKING:
    from dimred.models.backbones import Backbone as Backbone
    from dimred.models.backbones import ConvNetBackbone as ConvNetBackbone
    from dimred.models.backbones import DrlimCnnBackbone as DrlimCnnBackbone
    from dimred.models.backbones import LeNetBackbone as LeNetBackbone
    from dimred.models.backbones import LinearBackbone as LinearBackbone
    from dimred.models.backbones import ResNet18Backbone as ResNet18Backbone
    from dimred.models.encoder import Encoder as Encoder
    from dimred.models.options import ModelOptions as ModelOptions
    from dimred.models.published import PublishedBackbone as PublishedBackbone

_MODULES = {
    "Backbone": "backbones",
    "ConvNetBackbone": "backbones",
    "DrlimCnnBackbone": "backbones",
    "Encoder": "encoder",
    "LeNetBackbone": "backbones",
    "LinearBackbone": "backbones",
    "ModelOptions": "options",
    "PublishedBackbone": "published",
    "ResNet18Backbone": "backbones",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
