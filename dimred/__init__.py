"""Low-dimensional maps of image sets, learned with contrastive losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dimred.analysis.loaded_run import LoadedRun, load_run

__all__ = ["LoadedRun", "load_run", "train"]
__version__ = "0.1.0"


def train(
    *overrides: str, config_dir: str | None = None, plugins: Sequence[str] = ()
) -> LoadedRun | None:
    """Train a run as `dimred train` does, or go on where it was stopped; a run that is finished is
    not trained again.

        run = dimred.train("experiment=demo", "seed=3", "output_dir=outputs")

    overrides: as on the command line. config_dir: further YAML, laid out like conf/. plugins: .py
        files or modules with parts of one's own, as --plugin takes them.
    Returns the finished run; None in all but the first of several processes that share one.
    PyTorch is left as it was. Raises InputError for overrides and data that cannot be used,
    TrainingFailed for a loss that is not finite, and Interrupted, a KeyboardInterrupt, when it is
    stopped.
    """
    from dimred.analysis.end_of_run import write_page
    from dimred.analysis.loaded_run import load_run
    from dimred.config.compose import composed
    from dimred.options.plugins import load_plugins
    from dimred.run.train import run

    load_plugins(plugins)
    flags = [] if config_dir is None else ["--config-dir", config_dir]
    flags += [word for plugin in plugins for word in ("--plugin", plugin)]
    config = composed(overrides, config_dir)
    outcome = run(config, ["dimred", "train", *flags, *overrides])
    if outcome is None:
        return None
    if outcome.samples is not None and outcome.h is not None:
        for line in write_page(outcome.path, outcome.samples, outcome.h, config.view):
            print(line, flush=True)
    return load_run(outcome.path)


def __getattr__(name: str) -> Any:
    """`load_run` and `LoadedRun`, imported when they are asked for: NumPy takes a while."""
    if name in ("load_run", "LoadedRun"):
        from dimred.analysis import loaded_run

        return getattr(loaded_run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
