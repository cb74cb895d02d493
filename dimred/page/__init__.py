"""The page of a map: one HTML file with its points, images and viewer."""

from dimred.page.atlas import (
    Atlas,
    extended,
    make_atlas,
    picture_atlas,
    picture_side,
    resized,
    thumbnail_side,
)
from dimred.page.document import Column, Finding, MapPage, PlacedImages, StageMap, page_parts
from dimred.page.heat import Movement

__all__ = [
    "Atlas",
    "Column",
    "Finding",
    "MapPage",
    "Movement",
    "PlacedImages",
    "StageMap",
    "extended",
    "make_atlas",
    "page_parts",
    "picture_atlas",
    "picture_side",
    "resized",
    "thumbnail_side",
]
