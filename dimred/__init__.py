"""Low-dimensional maps of image sets, learned with contrastive losses."""

__version__ = "0.1.0"
