"""Image sets: reading, selecting, transforming and augmenting them."""

from typing import TYPE_CHECKING

from dimred.options.lazy import lazy_names

if TYPE_CHECKING:
    from dimred.data.augmentation import BatchAugmentation as BatchAugmentation
    from dimred.data.check import check_image_set as check_image_set
    from dimred.data.image_set import Factor as Factor
    from dimred.data.image_set import ImageSet as ImageSet
    from dimred.data.image_set import LabelSet as LabelSet
    from dimred.data.image_set import channel_statistics as channel_statistics
    from dimred.data.options import DatasetOptions as DatasetOptions
    from dimred.data.presence import Boxes as Boxes
    from dimred.data.presence import Presence as Presence

_MODULES = {
    "BatchAugmentation": "augmentation",
    "Boxes": "presence",
    "DatasetOptions": "options",
    "Factor": "image_set",
    "ImageSet": "image_set",
    "LabelSet": "image_set",
    "Presence": "presence",
    "channel_statistics": "image_set",
    "check_image_set": "check",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
