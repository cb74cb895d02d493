"""The page of a map: one HTML file with the points, the images and what draws them."""

from dimred.page.atlas import Atlas, make_atlas
from dimred.page.document import Column, Finding, MapPage, StageMap, page_parts

__all__ = [
    "Atlas",
    "Column",
    "Finding",
    "MapPage",
    "StageMap",
    "make_atlas",
    "page_parts",
]
