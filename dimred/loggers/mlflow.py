"""The logger `mlflow`."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from typing import Any

from dimred.loggers.options import LoggedRun, Row, numbers_of

_FOLDER = "dimred.folder"  # the tag that finds a run again
_MAX_VALUE = 500  # letters of a parameter
_AT_A_TIME = 100  # parameters, and metrics of a row are fewer


class MlflowLogger:
    """Writes metrics by step, the configuration as parameters, and the stage as a tag."""

    def __init__(self, run: LoggedRun):
        # Offline its files are plain ones; MLflow wants a word for that from 3.7 on.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow.tracking import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI") or (run.folder / "mlflow").absolute().as_uri()
        self.client = MlflowClient(tracking_uri=place)
        experiment = self.client.get_experiment_by_name("dimred")
        of = experiment.experiment_id if experiment else self.client.create_experiment("dimred")
        # By its whole path: on a server, other folders may be called the same.
        path = str(run.folder.absolute()).encode(errors="surrogateescape")
        self.folder = hashlib.sha256(path).hexdigest()[:12]
        found = self.client.search_runs([of], f"tags.`{_FOLDER}` = '{self.folder}'")
        if not run.rows:  # begun anew
            for other in found:
                self.client.delete_run(other.info.run_id)
            found = []
        self.id: str = found[0].info.run_id if found else self._created(of, run)
        if found:
            self.client.update_run(self.id, status="RUNNING")
        logged = self.client.get_metric_history(self.id, "loss")
        self.last = max((metric.step for metric in logged), default=0)
        for step, row in enumerate(run.rows, start=1):
            self.row(step, row)

    def _created(self, experiment: str, run: LoggedRun) -> str:
        from mlflow.entities import Param

        made = self.client.create_run(experiment, run_name=run.name, tags={_FOLDER: self.folder})
        params = [Param(key, str(value)[:_MAX_VALUE]) for key, value in run.config.items()]
        for start in range(0, len(params), _AT_A_TIME):
            some = params[start : start + _AT_A_TIME]
            self.client.log_batch(made.info.run_id, params=some)
        return str(made.info.run_id)

    def row(self, step: int, row: Row) -> None:
        """Write the metrics of an epoch, unless an interrupted session did: epochs that are trained
        again give the same numbers."""
        if step <= self.last:
            return
        self.client.set_tag(self.id, "stage", row["stage"])
        self.client.log_batch(self.id, metrics=self._metrics(numbers_of(row), step))

    def _metrics(self, numbers: Mapping[str, float], step: int) -> list[Any]:
        from mlflow.entities import Metric

        now = int(1_000 * time.time())
        return [Metric(name, value, now, step) for name, value in numbers.items()]

    def finish(self, numbers: Mapping[str, float]) -> None:
        """Write the numbers of the finished run."""
        named = {f"final/{name}": value for name, value in numbers.items()}
        self.client.log_batch(self.id, metrics=self._metrics(named, 0))
        self.client.set_terminated(self.id)
        self.id = ""

    def close(self) -> None:
        """Mark a run that was stopped."""
        if self.id:
            self.client.set_terminated(self.id, "KILLED")
