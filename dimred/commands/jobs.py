"""The jobs that the overrides of a command make: those of a sweep, or a single run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from dimred.errors import InputError

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    from dimred.config import RunConfig

_MAX_JOBS = 10_000  # of a sweep


def swept_keys(app: Hydra, overrides: list[str]) -> list[str]:
    """The keys that a sweep varies."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create(app.config_loader).parse_overrides(overrides)
    return [each.get_key_element().lstrip("+") for each in parsed if each.is_discrete_sweep()]


def jobs(app: Hydra, overrides: list[str]) -> list[RunConfig]:
    """The checked configuration of each job of a sweep, or of a single run. Raises InputError as
    `job_overrides`."""
    import hydra

    from dimred.config.hydra_schema import typed

    return [typed(hydra.compose("config", overrides=job)) for job in job_overrides(app, overrides)]


def job_overrides(app: Hydra, overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a sweep, or of a single run.

    Raises InputError for a sweep over nothing or over too much.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create(app.config_loader).parse_overrides(overrides)
    count = 1
    for override in parsed:
        if override.is_discrete_sweep():
            # Counted, not listed: range(0,10**12) is easily typed.
            n_values = sum(1 for _ in islice(override.sweep_string_iterator(), _MAX_JOBS + 1))
            if not n_values:
                raise InputError(f"{override.input_line}: is a sweep over no values")
            count *= n_values
            if count > _MAX_JOBS:
                raise InputError(
                    f"{override.input_line}: makes a sweep of more than {_MAX_JOBS:,} jobs"
                )
    return [list(job) for job in BasicSweeper.split_arguments(parsed, None)[0]]


def as_sweeps(app: Hydra, overrides: list[str]) -> list[str]:
    """The overrides, with keys that the default configuration lacks written as sweeps over one
    value. Hydra first composes without the swept overrides, where a plain `dataset.root=...` beside
    `experiment=a,b` would be refused."""
    import hydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import DictConfig, OmegaConf

    default, rewritten = hydra.compose("config"), []
    for override in OverridesParser.create(app.config_loader).parse_overrides(overrides):
        text, path = str(override.input_line), override.key_or_group
        key, _, value = text.partition("=")
        parent = OmegaConf.select(default, path.rpartition(".")[0]) if "." in path else default
        known = isinstance(parent, DictConfig) and path.rpartition(".")[2] in parent
        if not (known or override.is_sweep_override() or path.startswith("hydra") or "/" in path):
            text = text if value in ("", "null") else f"{key}=choice({value})"
        rewritten.append(text)
    return rewritten
