"""A plan of `dimred map` in words: the overrides of `dimred train`, and why."""

from __future__ import annotations

from typing import NamedTuple

from dimred.run import plan
from dimred.steps import duration

_COMPILES = 600.0  # seconds of training, from which the minute that compiling takes is little


class Names(NamedTuple):
    """The network, the schedule and the pairing, as they are called."""

    model: str
    schedule: str
    pairing: str


def overrides(
    survey: plan.Survey, choice: plan.Choice, asked: plan.Asked, on_gpu: bool
) -> dict[str, str]:
    """The overrides of `dimred train` for a choice, without those that the user has given."""
    chosen = {
        "schedule": plan.SCHEDULE,
        "model": plan.model_for(on_gpu),
    }
    trial = choice.trial
    if asked.image_size is None:
        chosen["dataset.image_size"] = str(trial.image_size)
    if asked.limit is None and choice.n < survey.n:
        chosen["dataset.limit"] = str(choice.n)
    if asked.batch_size is None:
        chosen["schedule.batch_size"] = str(trial.batch_size)
    if asked.scale is None:
        chosen["schedule.epochs_scale"] = f"{choice.scale:g}"
    if asked.precision is None:
        chosen["device.precision"] = trial.precision
    if asked.threads is None and trial.threads is not None:
        chosen["device.threads"] = str(trial.threads)
    if on_gpu and choice.seconds < _COMPILES:
        chosen["device.compile"] = "false"
    return chosen


def lines(
    survey: plan.Survey, choice: plan.Choice, names: Names, epochs: int, budget: float
) -> list[str]:
    """Three lines on what was chosen, and why."""
    model, schedule, pairing = names
    trial, n = choice.trial, choice.n
    part = f"; {n:,} of them, for which the time is enough" if n < survey.n else ""
    precision = "the device's precision" if trial.precision == "auto" else trial.precision
    if choice.gain > 1:
        precision += f" ({choice.gain:.1f} times as fast here as float32)"
    if choice.alone:
        precision += " on one of the busy cores"
    learned = survey.learned_of(n)
    out = learned % trial.batch_size
    whole = f"{out} of {learned:,} images sit out an epoch, each time others"
    if not out:
        certain = survey.is_certain(n)
        whole = f"no image sits out an epoch{'' if certain else ' if all can be read'}"
    rest = "the rest is for reading, inspection and the page"
    if choice.scale >= plan.MAX_SCALE:
        rest = "more epochs are not known to help"
    elif choice.seconds > budget:
        rest = "more than that, but fewer epochs make no map"
        if choice.scale_asked:
            rest = "more than that, as you asked"
    return [
        f"images    {survey}; middle squares at {trial.image_size}x{trial.image_size}{part}; "
        f"views by pairing={pairing}",
        f"network   {model} in {precision}, batches of {trial.batch_size}: {whole}",
        f"epochs    {epochs:,} (schedule={schedule} times {choice.scale:g}): about "
        f"{duration(choice.seconds)} of {duration(budget)}; {rest}",
    ]
