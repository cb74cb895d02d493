"""Run folders made up for tests."""

import json

VALUES = {
    "dataset.name": "digits",
    "loss.name": "tsimcne",
    "schedule.batch_size": 64,
    "schedule.stages.pretrain.epochs": 3,
    "schedule.stages.finetune.epochs": 2,
    "seed": 0,
}


def made(path, rows=0, knn=None, ended=None, started="2026-11-26T10:00:00+00:00", **values):
    """A run after some epochs; finished, with this accuracy, if one is given."""
    values = {**VALUES, **{key.replace("__", "."): value for key, value in values.items()}}
    session = {"started": started, "command": ["dimred", "train", "experiment=made"]}
    session |= {} if ended is None else {"ended": ended}
    environment = {"identity": {"config": values, "data": "0" * 64}, "sessions": [session]}
    path.mkdir(parents=True)
    (path / "environment.json").write_text(json.dumps(environment))
    (path / ".lock").touch()
    lines = [json.dumps({"stage": "pretrain", "epoch": n + 1, "loss": 1.0}) for n in range(rows)]
    (path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if knn is not None:
        (path / "summary.json").write_text(json.dumps(summary(knn)))
    return path


def summary(knn):
    return {
        "headline": "knn15_z_official",
        "seed": 0,
        "training_seconds": 90.0,
        "linear": {"method": "logistic", "accuracy": 0.5},
        "dataset": {"images": 300, "transformations": 0, "chance": 0.1},
        "stages": {},
        "final": {"loss": 4.0, "knn15_z_official": knn, "knn15_z_random": 0.75},
        "references": {"knn15_pixels_official": 0.86},
    }
