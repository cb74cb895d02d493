"""The logger `tensorboard`."""

from __future__ import annotations

from collections.abc import Mapping

from torch.utils.tensorboard import SummaryWriter

from dimred.loggers.options import LoggedRun, Row, numbers_of


class TensorboardLogger:
    """Writes scalars by name, the stage as a text where it begins, and hyperparameters."""

    def __init__(self, run: LoggedRun):
        self.config = run.config
        self.stage = run.rows[-1]["stage"] if run.rows else None
        begun = any(run.folder.glob("*tfevents*"))
        # Readers drop what an interrupted session wrote of the epochs that are trained again.
        purge = len(run.rows) + 1 if begun else None
        self.writer = SummaryWriter(str(run.folder), purge_step=purge)
        if not begun:
            self.stage = None
            for step, row in enumerate(run.rows, start=1):
                self.row(step, row)

    def row(self, step: int, row: Row) -> None:
        """Write a point of each curve."""
        if row["stage"] != self.stage:
            self.stage = row["stage"]
            self.writer.add_text("stage", str(self.stage), step)
        for name, value in numbers_of(row).items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finish(self, numbers: Mapping[str, float]) -> None:
        """Write the hyperparameters with the numbers of the finished run."""
        plain = {
            key: value if isinstance(value, bool | int | float | str) else str(value)
            for key, value in self.config.items()
        }
        metrics = {f"final/{name}": value for name, value in numbers.items()}
        self.writer.add_hparams(plain, metrics, run_name=".")

    def close(self) -> None:
        """Close the event file."""
        self.writer.close()
