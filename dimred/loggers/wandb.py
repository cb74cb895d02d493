"""The logger `wandb`."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping

import wandb

from dimred.loggers.options import LoggedRun, Row, numbers_of


class WandbLogger:
    """Writes rows by step, with the stage, and the configuration. Offline unless WANDB_MODE says
    otherwise."""

    def __init__(self, run: LoggedRun):
        mode = os.environ.get("WANDB_MODE") or "offline"
        if mode == "offline":  # a file of its own for each session: all rows are in the last
            shutil.rmtree(run.folder / "wandb", ignore_errors=True)
        run.folder.mkdir(parents=True, exist_ok=True)
        identity = hashlib.sha256(str(run.folder.absolute()).encode()).hexdigest()[:12]
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "dimred",
            name=run.name,
            id=identity,
            config=dict(run.config),
            dir=str(run.folder),
            mode=mode,
            resume="allow" if run.rows and mode != "offline" else None,
            settings=wandb.Settings(silent=True, console="off"),
        )
        for step, row in enumerate(run.rows, start=1):
            if step >= self.run.step:
                self.row(step, row)

    def row(self, step: int, row: Row) -> None:
        """Write a row."""
        self.run.log({**numbers_of(row), "stage": row["stage"]}, step=step)

    def finish(self, numbers: Mapping[str, float]) -> None:
        """Write the numbers of the finished run into its summary."""
        self.run.summary.update({f"final/{name}": value for name, value in numbers.items()})

    def close(self) -> None:
        """End the run there."""
        self.run.finish()
