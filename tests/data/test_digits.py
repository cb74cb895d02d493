"""The digits that ship with scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn import datasets

from dimred.data.digits import load_digits
from dimred.data.image_set import channel_statistics


def test_pixels_and_labels_are_scikit_learns():
    image_set = load_digits()
    original = datasets.load_digits()
    assert image_set.images.dtype == torch.uint8
    assert image_set.images.shape == (1797, 1, 8, 8)
    pixels = image_set.images.squeeze(1).numpy()
    assert np.array_equal(pixels, np.rint(original.images / 16 * 255))
    assert pixels.max() == 255
    assert np.array_equal(image_set.labels.values, original.target)
    assert image_set.labels.names == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert np.array_equal(image_set.index, np.arange(1797))


def test_the_split_is_fixed_and_stratified():
    image_set = load_digits()
    assert image_set.is_test.sum() == 297
    assert image_set.split_name == "fixed stratified 1,500/297"
    per_class = np.bincount(image_set.labels.values[image_set.is_test])
    assert per_class.min() >= 28
    assert per_class.max() <= 31
    assert load_digits().fingerprint() == image_set.fingerprint()


def test_mean_and_std_are_those_of_the_training_images():
    image_set = load_digits()
    mean, std = channel_statistics(image_set.images, image_set.is_test)
    assert image_set.mean == pytest.approx(mean, abs=1e-5)
    assert image_set.std == pytest.approx(std, abs=1e-5)
