"""The log of a run, by the choice of the group `log`, which never stops its training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dimred.config import RunConfig
from dimred.loggers.options import LoggedRun, Logger, numbers_of
from dimred.options.option import walk
from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder

# Parts of summary.json whose numbers are logged.
_SUMMARIZED = ("final", "linear", "references", "lle", "tsne", "errors")


class RunLog:
    """Hands rows of metrics.jsonl to a logger. Where that fails, it says so once and ends."""

    def __init__(self, config: RunConfig, folder: RunFolder):
        self.config = config
        self.folder = folder
        self._logger: Logger | None = None
        self._step = 0

    def open(self, rows: list[dict[str, Any]]) -> None:
        """Begin, or go on after the rows of earlier sessions."""
        if self.config.log.name == "none":
            return
        place = self.folder.files.made_folder(layout.LOGS)
        values = {key: value for key, _, value in walk(self.config)}
        config = {key: getattr(value, "value", value) for key, value in values.items()}
        run = LoggedRun(place, self.folder.path.name, config, list(rows))
        self._step = len(rows)

        def opened() -> None:
            self._logger = self.config.log.open(run)

        self._attempt(opened)

    def row(self, row: dict[str, Any]) -> None:
        """Log an epoch."""
        self._step += 1
        logger, step = self._logger, self._step
        if logger is not None:
            self._attempt(lambda: logger.row(step, row))

    def finish(self, summary: dict[str, Any]) -> None:
        """Log the numbers of the finished run, and close."""
        numbers = {"training_seconds": float(summary["training_seconds"])}
        for part in _SUMMARIZED:
            found = numbers_of(summary.get(part) or {})
            prefix = "" if part == "final" else f"{part}."
            numbers |= {f"{prefix}{key}": value for key, value in found.items()}
        logger = self._logger
        if logger is not None:
            self._attempt(lambda: logger.finish(numbers))
        self.close()

    def close(self) -> None:
        """Close, also where the run was stopped."""
        logger = self._logger
        if logger is not None:
            self._attempt(logger.close)
        self._logger = None

    def _attempt(self, action: Callable[[], None]) -> None:
        """Call a logger, without which the run goes on: its result is in the run folder."""
        try:
            action()
        except Exception as error:
            self._logger = None
            text = " ".join(str(error).split())[:200]
            reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
            print(
                f"log={self.config.log.name}: stopped ({reason}); the run goes on without it",
                flush=True,
            )
