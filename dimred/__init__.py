"""Low-dimensional maps of image sets, learned with contrastive losses."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dimred.analysis.placement import load_run

__all__ = ["load_run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`load_run`, imported when it is asked for: PyTorch takes seconds."""
    if name == "load_run":
        from dimred.analysis.placement import load_run

        return load_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
