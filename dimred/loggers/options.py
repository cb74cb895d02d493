"""Options of the group `log`: where the numbers of a run are also written while it trains.

Each choice hands the rows of metrics.jsonl to a library of its own, offline. None of them changes a
run's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol

from dimred.errors import InputError
from dimred.options.option import option
from dimred.options.registry import Choice, register

Row = Mapping[str, Any]


@dataclass(frozen=True)
class LoggedRun:
    """What a logger needs to know of a run.

    folder: where its files go; it is removed when the run is begun anew.
    name: of the run folder. config: the values of its options by dotted key.
    rows: the rows of metrics.jsonl so far; empty for a run that begins.
    """

    folder: Path
    name: str
    config: Mapping[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)


class Logger(Protocol):
    """Writes the numbers of one run. A step is an epoch counted over all stages, from 1."""

    def row(self, step: int, row: Row) -> None:
        """Write a row of metrics.jsonl: numbers by name, and the stage."""

    def finish(self, numbers: Mapping[str, float]) -> None:
        """Write the numbers of the finished run."""

    def close(self) -> None:
        """Flush, whether the run is finished or was stopped."""


def numbers_of(row: Row) -> dict[str, float]:
    """The numbers of a row, by name."""
    return {
        key: float(value)
        for key, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


@dataclass
class LogOptions(Choice):
    """Options of every logger.

    library: the module that it needs, "" for none. package: what to install for it.
    """

    group: ClassVar[str] = "log"
    builder: ClassVar[str] = "open"
    library: ClassVar[str] = ""
    package: ClassVar[str] = ""

    name: str = option("", "Where numbers are also written; set by log=NAME.")

    def require(self) -> None:
        """Raise InputError where its library is missing."""
        if self.library and find_spec(self.library) is None:
            raise InputError(
                f"log={self.name}: needs the package {self.package}; pip install {self.package}"
            )

    def open(self, run: LoggedRun) -> Logger | None:
        """A logger that goes on after `run.rows`, which it has or writes too; None for none."""
        raise NotImplementedError


@register("log", "none")
@dataclass
class NoLog(LogOptions):
    """No place besides the run folder's metrics.jsonl."""

    def open(self, run: LoggedRun) -> None:
        return None


@register("log", "csv")
@dataclass
class CsvLog(LogOptions):
    """A table, logs/metrics.csv in the run folder."""

    def open(self, run: LoggedRun) -> Logger:
        from dimred.loggers.table import CsvLogger

        return CsvLogger(run)


@register("log", "tensorboard")
@dataclass
class TensorboardLog(LogOptions):
    """TensorBoard's event files, in logs/ of the run folder."""

    library: ClassVar[str] = "tensorboard"
    package: ClassVar[str] = "tensorboard"

    def open(self, run: LoggedRun) -> Logger:
        from dimred.loggers.tensorboard import TensorboardLogger

        return TensorboardLogger(run)


@register("log", "mlflow")
@dataclass
class MlflowLog(LogOptions):
    """MLflow: logs/mlflow in the run folder, or where MLFLOW_TRACKING_URI says."""

    library: ClassVar[str] = "mlflow"
    package: ClassVar[str] = "mlflow-skinny"

    def open(self, run: LoggedRun) -> Logger:
        from dimred.loggers.mlflow import MlflowLogger

        return MlflowLogger(run)


@register("log", "wandb")
@dataclass
class WandbLog(LogOptions):
    """Weights & Biases: offline, in logs/wandb of the run folder, unless WANDB_MODE says online."""

    library: ClassVar[str] = "wandb"
    package: ClassVar[str] = "wandb"

    def open(self, run: LoggedRun) -> Logger:
        from dimred.loggers.wandb import WandbLogger

        return WandbLogger(run)
