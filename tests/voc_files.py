"""A small set in the format of PASCAL VOC 2012."""

import numpy as np
from PIL import Image

HEAD = "<annotation><size><width>{}</width><height>{}</height><depth>3</depth></size>"


def write_voc(root, sides=(("train", 9), ("val", 6)), size=(40, 30)):
    """Images whose left half is a dog and of which each second one shows a person at the right too,
    who is difficult in each fourth."""
    place = root / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (place / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    number = 0
    for side, count in sides:
        names = [f"2008_{number + i:06d}" for i in range(count)]
        (place / "ImageSets/Main" / f"{side}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            write_image(place, name, size, number, rng)
            number += 1
    return place


def write_image(place, name, size, number, rng):
    width, height = size
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(place / "JPEGImages" / f"{name}.jpg")
    text = HEAD.format(width, height) + thing("dog", 1, 1, width // 2, height)
    if number % 2:
        hard = int(number % 4 == 3)
        part = "<part><name>head</name><bndbox><xmin>5</xmin></bndbox></part>"
        text += thing("person", width // 2 + 1, 11, width, "20.0", hard, part)
    (place / "Annotations" / f"{name}.xml").write_text(text + "</annotation>")


def thing(name, left, top, right, bottom, difficult=0, part=""):
    corners = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
    box = "".join(f"<{key}>{value}</{key}>" for key, value in corners)
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult>{part}"
        f"<bndbox>{box}</bndbox></object>"
    )
