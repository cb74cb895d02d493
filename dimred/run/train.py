"""One run: builds its objects, trains its stages and writes its results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.config import RunConfig
from dimred.config.saved import config_text
from dimred.data.image_set import ImageSet
from dimred.errors import (
    InputError,
    Interrupted,
    ProcessLost,
    TrainingDiverged,
    TrainingFailed,
)
from dimred.files import escaped, shell_word
from dimred.measures.protocol import Setting
from dimred.run.begun import begun_line, begun_record
from dimred.run.class_split import class_names, class_split_part
from dimred.run.columns import refresh_columns
from dimred.run.correction import Watch
from dimred.run.identity import identity_of, run_path, sibling_note
from dimred.run.inputs import Inputs, lines_on
from dimred.run.measuring import Measuring, setting_of
from dimred.run.pace import forecast
from dimred.run.recorder import RunRecorder, checkpoint_of
from dimred.run.report import RunReport
from dimred.run.stages import StagedTraining
from dimred.run.try_out import try_out
from dimred.run_folder import layout
from dimred.run_folder.environment import environment
from dimred.run_folder.folder import RunFolder
from dimred.run_folder.names import class_split_text
from dimred.run_folder.sources import check_source, with_source_found
from dimred.run_folder.state import DIVERGED, FAILED
from dimred.steps import step
from dimred.training.checkpoint import Checkpoint
from dimred.training.compute import Compute, torch_settings
from dimred.training.interrupt import SignalWatch
from dimred.training.processes import Processes, connect, processes_of_torchrun


@dataclass(frozen=True)
class Outcome:
    """The result of `run`: the run folder, its summary, and whether it was finished before.

    samples, h: all samples and H of each, (N, h); None for a run that was finished before.
    """

    path: Path
    summary: dict[str, Any]
    finished_before: bool
    samples: ImageSet | None = None
    h: NDArray[np.float32] | None = None


def run(
    config: RunConfig, command: list[str], varied: str | None = None, watch: Watch | None = None
) -> Outcome | None:
    """Train and measure a run, or continue it where an earlier call was stopped.

    command: the command line, for the record. varied: for a job of a sweep, what the sweep varies,
        for the name of a new run folder. watch: watches the training of a new run, and may end it
        by PlannedAnew.
    Returns None in worker processes, which write nothing.
    Raises InputError for input that cannot be used, TrainingFailed for a loss that is not finite or
    wrong gradients, Interrupted after SIGINT or SIGTERM, ProcessLost where another process of the
    run has ended, and OSError for files that cannot be written.
    """
    config, processes = with_source_found(config), processes_of_torchrun()
    options = config.device
    config.log.require()  # before images are read
    compute = options.compute(processes)
    connect(processes, compute.device.type)
    with torch_settings(compute.device, options.threads, options.deterministic):
        if not processes.is_main:
            _run_worker(config, compute)
            return None
        with _Workers(processes) as workers:
            with step("reading the images"):
                inputs = Inputs(config, compute)
            return _run_main(inputs, command, varied, workers, watch)


def _run_main(
    inputs: Inputs,
    command: list[str],
    varied: str | None,
    workers: _Workers,
    watch: Watch | None,
) -> Outcome:
    """The run in its main or only process."""
    config, images, compute = inputs.config, inputs.images, inputs.compute
    try_out(inputs)  # before the run folder is created
    measuring = Measuring(setting_of(inputs))
    identity = identity_of(config, compute, images)
    path = run_path(config, identity, varied or "")
    check_source(config, path)
    if varied is None and (note := sibling_note(config, identity, path)):
        print(note, flush=True)
    with RunFolder(path) as folder:
        # One that is planned anew takes the place of what this call has begun.
        folder.admit(identity, config.restart or (watch is not None and watch.times > 0))
        summary = folder.read_summary() if folder.files.exists(layout.SUMMARY) else None
        if summary is not None:
            trained = folder.files.exists(layout.CHECKPOINT)
            if measuring.covers(summary) or (not trained and measuring.measured_alike(summary)):
                if refresh_columns(folder, inputs.samples):
                    print(
                        f"{folder.path}: its further columns are those of the table now; dimred "
                        f"view {shell_word(folder.path)} draws them"
                    )
                return Outcome(folder.path, summary, finished_before=True)
            if not trained:
                raise InputError(
                    f"{folder.checkpoint}: is missing, so the run cannot be measured again; "
                    "restart=true trains it again"
                )
        checkpoint = checkpoint_of(folder, identity)
        record = partial(_record, folder, inputs, identity, command)
        report = RunReport(inputs, measuring, folder, begun_record(inputs.source))
        training = StagedTraining(inputs, checkpoint)
        if training.is_done:
            workers.dismiss()
            print(f"{folder.path}: measuring again", flush=True)
            measuring.announce()
            summary = measured_again(report, training, summary, record)
            return _outcome(report, training, summary)
        earlier = folder.sessions()
        notes = _notes_on_last_session(earlier, compute)
        record()
        _announce(folder, inputs, measuring.setting)
        if training.begun is not None:
            notes = [begun_line(training.begun), *notes]
        print("".join(f"{line}\n" for line in notes), end="", flush=True)
        measuring.announce()
        pace, line = forecast(inputs, training.start)
        if line:
            print(line, flush=True)
        recorder = RunRecorder(training, report, identity, pace, None if earlier else watch)
        workers.begin(checkpoint)
        try:
            with recorder:
                training.run(recorder)
        except (TrainingFailed, ProcessLost) as error:
            raise type(error)(f"{error}{_after_failure(error, folder, config)}") from error
        summary = report.finish(training.encoder, training.loss, recorder.rows, record=lambda: None)
        recorder.log.finish(summary)
        return _outcome(report, training, summary)


def _outcome(report: RunReport, training: StagedTraining, summary: dict[str, Any]) -> Outcome:
    """The result of a training, or of measuring again."""
    samples, h = report.inputs.samples, report.embed(training.encoder, training.loss).samples_h
    return Outcome(report.folder.path, summary, False, samples, h)


def _notes_on_last_session(sessions: list[Any], compute: Compute) -> list[str]:
    """Lines on what is other than in the session that is gone on with, or that it has diverged."""
    last = sessions[-1] if sessions and isinstance(sessions[-1], dict) else {}
    notes, before, now = [], last.get("threads"), torch.get_num_threads()
    if compute.device.type == "cpu" and isinstance(before, int) and before != now:
        threads = f"{now} now, {before} in the session before"
        notes.append(f"threads: {threads}; sums may differ in their last bits")
    ended = last.get("ended")
    if isinstance(ended, dict) and ended.get("state") == DIVERGED:
        reason = escaped(str(ended.get("reason", "")))
        notes.append(f"this run has diverged ({reason}), and may well diverge again")
    return notes


def _after_failure(error: Exception, folder: RunFolder, config: RunConfig) -> str:
    """Record how training has failed; returns what is kept, and what may help."""
    state = DIVERGED if isinstance(error, TrainingDiverged) else FAILED
    with suppress(OSError, ValueError, LookupError, TypeError):  # the failure itself is what counts
        folder.end_session(state, str(error))
    kept = folder.files.exists(layout.CHECKPOINT)
    advice = "; the last good checkpoint is kept" if kept else ""
    if state == DIVERGED:
        rate = config.schedule.learning_rate * 256 / config.schedule.batch_size
        advice += (
            f"; a smaller schedule.optimizer.lr_per_256 may help, such as {rate / 5:g} instead of "
            f"{rate:g}: that is a run of its own"
        )
    return advice


def measured_again(
    report: RunReport,
    training: StagedTraining,
    summary: dict[str, Any] | None,
    record: Callable[[], None],
) -> dict[str, Any]:
    """Measure a run whose training is done; returns the new summary.

    summary: the one before, if the run was finished. Until all has been measured, it stands.
    """
    checkpoint = training.checkpoint
    assert checkpoint is not None
    rows = list(checkpoint.rows)
    if summary is not None and not report.measuring.same_numbers(summary):
        # What was measured otherwise, such as on other splits, is not put beside new numbers.
        rows = [training_values(row) for row in rows]
    rows[-1] = training_values(rows[-1]) | report.measure(training.encoder, training.loss)

    def write() -> None:
        record()
        report.folder.reset_metrics([*checkpoint.rows[:-1], rows[-1]])

    return report.finish(training.encoder, training.loss, rows, write)


def training_values(row: dict[str, Any]) -> dict[str, Any]:
    """A row of metrics.jsonl without what was measured."""
    return {key: value for key, value in row.items() if layout.is_of_training(key)}


class _Workers:
    """The worker processes, which wait for the main one before they train. Used as a context
    manager, it dismisses them if training does not begin."""

    def __init__(self, processes: Processes):
        self.processes = processes
        self._waiting = True

    def __enter__(self) -> Self:
        return self

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Let them train, from a checkpoint or from the start."""
        self._waiting = False
        self.processes.broadcast((checkpoint,))

    def dismiss(self) -> None:
        """Let them end without training."""
        if self._waiting:
            self._waiting = False
            with suppress(ProcessLost):
                self.processes.broadcast(None)

    def __exit__(self, *_: object) -> None:
        self.dismiss()


def _run_worker(config: RunConfig, compute: Compute) -> None:
    """The run in a worker process, which trains only; the main process writes and prints.

    Waits for the main process, which may download data and search neighbors, before it reads them.
    """
    with SignalWatch() as signals:
        try:
            message = compute.processes.broadcast()
            if message is None:
                return
            (checkpoint,) = message
            StagedTraining(Inputs(config, compute), checkpoint).run()
        except TrainingFailed:
            return  # the main process reports it
        except ProcessLost as error:
            if signals.received is None:
                raise
            line = f"process {compute.processes.rank} has stopped too"
            raise Interrupted(signals.received, line) from error


def _record(
    folder: RunFolder, inputs: Inputs, identity: dict[str, Any], command: list[str]
) -> None:
    """Write the run's identity, environment and configuration; a continued run adds a session."""
    config, compute = inputs.config, inputs.compute
    session = environment(compute.device, command, compute.processes.size)
    sessions = [*folder.sessions(), session]
    content = {"seed": config.seed, "sessions": sessions, "identity": identity}
    # Written first, since it marks the folder as one of dimred.
    folder.write_json(layout.ENVIRONMENT, content)
    folder.write_text(layout.CONFIG, config_text(config))


def _announce(folder: RunFolder, inputs: Inputs, setting: Setting) -> None:
    """Print what the run trains on, with a first look at it, and its folder."""
    config, compute, images = inputs.config, inputs.compute, inputs.images
    size = compute.processes.size
    print(
        f"{folder.path}: {len(images):,} images of {config.dataset.name}, {config.model.name} on "
        f"{compute.device.type} in {'bf16' if compute.bf16 else 'float32'}"
        f"{f', {size} processes' if size > 1 else ''}"
    )
    if part := class_split_part(setting).get("class_split"):
        begun = (config.model.init_from or config.model.weights) is not None
        print(class_split_text(part, len(inputs.fit), begun))
        print(escaped(class_names(images)))
    for line in lines_on(images, inputs.first_look):
        print(line)
