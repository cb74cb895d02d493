"""What the verdict on a run rests on, taken from what its measures found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dimred.config import RunConfig
from dimred.measures.protocol import Setting
from dimred.run.verdict import Evidence, Training
from dimred.training.schedule import Trainable

_REFERENCES = ("chance", "pixels", "pca2", "untrained_z", "untrained_h")
_SCALE = "schedule.epochs_scale="


def evidence_of(
    setting: Setting, dims: int, row: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]
) -> Evidence | None:
    """The evidence on a finished map; None where nothing that a verdict rests on was measured.

    dims: of Z. row: the last row of metrics. found: what the measures of `When.end` found.
    """
    k, splits = setting.ks[0], setting.splits
    retrieved = found.get("retrieval", {}) if setting.images.has_unseen else {}
    retrieval = "recall1_z" in retrieved
    if retrieval:
        # What such a run is for, and of more images than vote in the accuracy.
        k, end = 1, ""
        names = {space: f"recall1_{space}" for space in ("z", "h", *_REFERENCES)}
        numbers = dict(retrieved)
        images = int(retrieved["queries"])
    elif splits is None:
        names = {space: f"views{k}_{space}" for space in ("z", "h", *_REFERENCES)}
        numbers, end = dict(found.get("views", {})), ""
        images = int(numbers.get("images", 0))
    else:
        names = {space: f"knn{k}_{space}_{splits.first}" for space in ("z", "h", *_REFERENCES)}
        numbers = {**row, **found.get("references", {}), **found.get("untrained", {})}
        if splits.chance:
            numbers[names["chance"]] = splits.chance
        images, end = len(splits.parts[splits.first][1]), f"_{splits.first}"
    shares = {space: numbers[name] for space, name in names.items() if name in numbers}
    if "z" not in shares:
        return None
    errors = {space: numbers.get(f"error{k}_z-{space}{end}") for space in shares}
    untrained = found.get("untrained", {}).get(f"trustworthiness{setting.ks[0]}_untrained_z")
    return Evidence(
        labeled=splits is not None,
        k=k,
        images=images,
        shares=shares,
        errors={space: error for space, error in errors.items() if error is not None},
        dims=dims,
        trust=row.get(f"trustworthiness{setting.ks[0]}_z"),
        untrained_trust=untrained,
        unseen=retrieval or (splits is not None and splits.first == "unseen"),
        retrieval=retrieval,
    )


def training_of(config: RunConfig, command: Sequence[str]) -> Training:
    """How a run was trained. command: its command line, since a configuration keeps the epochs that
    `schedule.epochs_scale` made, and not the factor itself."""
    stages = config.schedule.stages
    words = [word.removeprefix(_SCALE) for word in command if word.startswith(_SCALE)]
    try:
        scale = float(words[-1]) if words else 1.0
    except ValueError:
        scale = 1.0
    return Training(
        epochs={name: stage.epochs for name, stage in stages.items()},
        scale=scale,
        trains_all=tuple(
            name for name, stage in stages.items() if stage.trainable is Trainable.all
        ),
    )
