"""scikit-learn's handwritten digits."""

from __future__ import annotations

import numpy as np
import torch

from dimred.data.image_set import ImageSet, LabelSet

# Of the 1,500 training images, scaled to [0, 1].
_MEAN = 0.30515
_STD = 0.37564


def load_digits() -> ImageSet:
    """The 1,797 handwritten digits that ship with scikit-learn, uint8 (1797, 1, 8, 8).

    Their values 0..16 are scaled to 0..255. The set has no official split: the test images are a
    fixed 297, the same share of every digit.
    """
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    digits = datasets.load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    values = digits.target.astype(np.int64)
    index = np.arange(len(images), dtype=np.int64)
    # A seed other than that of the evaluation's random split, so that the two splits differ.
    _, test = train_test_split(index, test_size=297, stratify=values, random_state=1)
    return ImageSet(
        images=torch.from_numpy(images).unsqueeze(1),
        mean=(_MEAN,),
        std=(_STD,),
        is_test=np.isin(index, test),
        split_name="fixed stratified 1,500/297",
        labels=LabelSet(values, tuple(str(digit) for digit in range(10))),
        index=index,
    )
