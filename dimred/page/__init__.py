"""The page of a map: one HTML file with its points, images and viewer."""

from dimred.page.atlas import Atlas, make_atlas
from dimred.page.document import Column, Finding, MapPage, PlacedImages, StageMap, page_parts

__all__ = [
    "Atlas",
    "Column",
    "Finding",
    "MapPage",
    "PlacedImages",
    "StageMap",
    "make_atlas",
    "page_parts",
]
