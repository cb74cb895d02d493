"""Run records made up for tests."""

import copy

from dimred.run_folder.record import RunRecord

EVAL = {"eval.linear": "sgd", "eval.linear_epochs": 100}
VALUES = {
    "dataset.name": "cifar10",
    "dataset.limit": None,
    "dataset.classes": None,
    "dataset.train_per_class": None,
    "model.name": "resnet18",
    "pairing.name": "augmentation",
    "pairing.flip": 0.5,
    "loss.name": "tsimcne",
    "schedule.name": "single_2d",
    "schedule.batch_size": 1024,
    "schedule.stages.train.epochs": 1000,
    "schedule.stages.train.warmup_epochs": 10,
    "schedule.stages.train.loss": None,
    "device.name": "cuda",
    "device.precision": "float32",
}


def record(name="table1_row4", seed=0, knn=0.8, started="2026-01-01T00:00:00+00:00", **changes):
    """A run of row 4 of Table 1; changes: summary, config or values that differ."""
    values = {**VALUES, "seed": seed, **changes.pop("values", {})}
    stages = {
        key.split(".")[2]: {"epochs": value}
        for key, value in values.items()
        if key.endswith(".epochs")
    }
    config = {
        "name": name,
        "budget": changes.pop("budget", None),
        "dataset": {"name": values["dataset.name"], "root": changes.pop("root", "data")},
        "schedule": {"stages": stages},
    }
    summary = {
        "seed": seed,
        "dataset": {"images": changes.pop("images", 60_000), "transformations": 0},
        "headline": "knn15_z_random",
        "final": {"knn15_z_random": knn, "loss": 3.5},
        "stages": {},
        "eval": {"every": 0, "linear": "sgd", "linear_epochs": 100, **changes.pop("eval", {})},
        "linear": {"method": "sgd", "accuracy": 0.83},
        "training_seconds": 7200.0,
    }
    environment = {
        "identity": {"config": values, "data": changes.pop("data", "0")},
        "sessions": [
            {
                "started": started,
                "commit": "c",
                "device": "cuda (GPU)",
                "command": ["dimred", "train", f"experiment={name}", f"seed={seed}"],
            }
        ],
    }
    baselines = changes.pop("baselines", {})
    assert not changes, changes
    folder = f"{name}-seed{seed}-{started}"
    return RunRecord(folder, summary, config, environment, copy.deepcopy(baselines))
