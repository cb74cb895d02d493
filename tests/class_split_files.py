"""Small data sets in the formats of CUB-200-2011, Cars196 and Stanford Online Products."""

from dataclasses import replace

import numpy as np
from PIL import Image
from scipy.io import savemat

from dimred.data.class_splits import CLASS_SPLITS

CLASSES = (1, 1, 2, 3, 4, 4, 4)
"""Class of each image of the small sets: two learned classes and two unseen ones."""
SIDE = 4


def shrink(monkeypatch, name, classes=(2, 2), images=(3, 4)):
    """Let the published set have as few classes and images as the small one."""
    split = replace(CLASS_SPLITS[name], classes=classes, images=images)
    monkeypatch.setitem(CLASS_SPLITS, name, split)


def color(i):
    return (20 + i, 60 + 2 * i, 200 - 3 * i)


def picture(path, i):
    """A picture of one color, which says which image it is. Its content is PNG, to be exact."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 9), color(i)).save(path, "PNG")


def colors(images):
    """The color of each image, (N, 3)."""
    assert images.images.shape[1:] == (3, SIDE, SIDE)
    assert (images.images.flatten(2).amin(2) == images.images.flatten(2).amax(2)).all()
    return [tuple(pixel) for pixel in images.images[:, :, 0, 0].tolist()]


def cub_name(number):
    return f"{number:03d}.Bird_{chr(96 + number % 26)}"


def write_cub(folder, classes=CLASSES, names=None):
    """Image ids begin at 11; image_class_labels.txt is in reverse order. Returns the paths."""
    paths = [f"{cub_name(number)}/Bird_{i:04d}_{9 - i}.jpg" for i, number in enumerate(classes)]
    for i, path in enumerate(paths):
        picture(folder / "images" / path, i)
    images = [f"{i + 11} {path}\n" for i, path in enumerate(paths)]
    labels = [f"{i + 11} {number}\n" for i, number in enumerate(classes)]
    numbers = range(1, 5) if names is None else names
    (folder / "images.txt").write_text("".join(images))
    (folder / "image_class_labels.txt").write_text("".join(reversed(labels)))
    (folder / "classes.txt").write_text("".join(f"{i} {cub_name(i)}\n" for i in numbers))
    return [f"images/{path}" for path in paths]


def cell(values):
    """A cell array of MATLAB."""
    array = np.empty((1, len(values)), dtype=object)
    array[0, :] = values
    return array


def annotations(key, paths, classes, **further):
    """A struct array of MATLAB, as of Cars196."""
    columns = {key: paths, "class": [np.uint8(number) for number in classes], **further}
    array = np.empty((1, len(paths)), dtype=[(name, object) for name in columns])
    for name, values in columns.items():
        array[name][0, :] = values
    return array


CAR_NAMES = ("AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Audi TT", "Ram C/V Van")


def write_cars(folder, classes=CLASSES, names=CAR_NAMES):
    """The layout of cars_annos.mat."""
    paths = [f"car_ims/{i + 1:06d}.jpg" for i in range(len(classes))]
    for i, path in enumerate(paths):
        picture(folder / path, i)
    of_test = [np.uint8(i % 2) for i in range(len(classes))]  # another protocol
    content = annotations("relative_im_path", paths, classes, test=of_test)
    savemat(folder / "cars_annos.mat", {"annotations": content, "class_names": cell(names)})
    return paths


def write_devkit(folder, classes=CLASSES, names=CAR_NAMES, labels="devkit/"):
    """The layout of the devkit. Every other image is in cars_test. labels: where the classes of
    these lie. Returns the paths, those of cars_train first."""
    (folder / "devkit").mkdir(parents=True)
    n_train = (len(classes) + 1) // 2
    parts = {"train": range(n_train), "test": range(n_train, len(classes))}
    every = []
    for part, numbers in parts.items():
        paths = [f"{i + 1:05d}.jpg" for i in range(len(numbers))]
        for i, path in zip(numbers, paths, strict=True):
            picture(folder / f"cars_{part}" / path, i)
        every += [f"cars_{part}/{path}" for path in paths]
        content = annotations("fname", paths, [classes[i] for i in numbers])
        file = {"train": "devkit/cars_train_annos", "test": f"{labels}cars_test_annos_withlabels"}
        savemat(folder / f"{file[part]}.mat", {"annotations": content})
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": cell(names)})
    return every


FOLDERS = ("bicycle_final", "mug_final")


def write_products(folder, classes=CLASSES, learned=2):
    """Classes 1 and 3 are bicycles, the others mugs, which is super class 7."""
    header = "image_id class_id super_class_id path\n"
    lines = {"train": header, "test": header}
    paths = []
    for i, number in enumerate(classes):
        is_bicycle = number % 2
        paths.append(f"{FOLDERS[not is_bicycle]}/{1000 + number}_{i}.JPG")
        picture(folder / paths[-1], i)
        side = "train" if number <= learned else "test"
        lines[side] += f"{i + 1} {number} {1 if is_bicycle else 7} {paths[-1]}\n"
    for side, text in lines.items():
        (folder / f"Ebay_{side}.txt").write_text(text)
    return paths
