"""Hold the measure of unlabeled maps, images found by another view of them, against labels.

    python scripts/views_against_labels.py train OUT.jsonl NAME [OVERRIDE ...]
    python scripts/views_against_labels.py table OUT.jsonl

`train` trains a run of labeled images with augmented views, as `dimred train OVERRIDE ...` would,
and adds a line to OUT.jsonl before training, after epochs 1, 4, 15 and 40 and at the end of each
stage: accuracy of 15 nearest neighbors (of every image among all others) and the share of images
whose other view is among the 15 nearest, in H, Z, pixels and their first two principal components.
`table` prints, for every NAME, Spearman's correlation of both over its lines, in H of all maps and
in Z of 2-D maps; beside it that of trustworthiness; and the largest and smallest values.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from dimred.config.compose import composed
from dimred.evaluation.knn import majority
from dimred.evaluation.neighborhood import partners_found, trustworthiness
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.principal import principal_components
from dimred.run.inputs import Inputs
from dimred.run.stages import StagedTraining, TrainingObserver, new_encoder
from dimred.training.compute import torch_settings
from dimred.training.seeds import generator_at

K = 15
EPOCHS = (1, 4, 15, 40)
Spaces = Callable[[torch.Tensor], dict[str, np.ndarray]]


class Comparison(TrainingObserver):
    """Measures maps of one set in both ways and writes a line for each."""

    def __init__(self, name: str, inputs: Inputs, file: Path):
        self.name, self.file = name, file
        images, self.n = inputs.images.images, len(inputs.images)
        self.labels = inputs.images.labels.values
        self.plain = images.float().div(255)
        generator = generator_at(inputs.compute.device, 0, "views", 0)
        both = inputs.pairing.augment(torch.cat((images, images)), generator)
        self.views = both[: self.n], both[self.n :]
        pca = principal_components(self.plain.flatten(1).numpy(), 2)
        center = self.plain.flatten(1).mean(0).numpy()

        def pixels(views: torch.Tensor) -> dict[str, np.ndarray]:
            flat = views.flatten(1).numpy()
            return {"pixels": flat, "pca2": (flat - center) @ pca.directions.T}

        self.write("pixels", pixels)

    def write(self, at: str, spaces: Spaces) -> None:
        """Measure every space of a map, and add the line."""
        plain, (one, other) = spaces(self.plain), map(spaces, self.views)
        line: dict[str, Any] = {"set": self.name, "n": self.n, "at": at}
        for space, points in plain.items():
            votes, _ = majority(self.labels, nearest(points, None, K))
            line[f"knn_{space}"] = float(np.mean(votes == self.labels))
            found = partners_found(one[space], other[space], [K])[K]
            line[f"views_{space}"] = float(found.mean())
        if "z" in plain:
            line["dims"] = plain["z"].shape[1]
            line["trust"] = trustworthiness(plain["h"], plain["z"], K, 5_000, 0)
        with self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")

    def after_epoch(self, trainer: Any, epoch: int, state: Any) -> None:
        """Measure, where the epoch is one to measure."""
        stage = trainer.stage
        if epoch + 1 in (*EPOCHS, stage.options.epochs):
            self.write(f"{stage.name} {epoch + 1}/{stage.options.epochs}", encoded(trainer.encoder))
            trainer.encoder.train()


def encoded(encoder: torch.nn.Module) -> Spaces:
    """H and Z of views by an encoder."""

    @torch.inference_mode()
    def spaces(views: torch.Tensor) -> dict[str, np.ndarray]:
        encoder.eval()
        parts = [encoder(part) for part in torch.split(views, 256)]
        h, z = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
        return {"h": h, "z": z}

    return spaces


def train(file: Path, name: str, overrides: list[str]) -> None:
    """Train a run and compare its maps."""
    config = composed([*overrides, "device=cpu", "device.threads=1"])
    compute = config.device.compute()
    with torch_settings(compute.device, 1, False):
        inputs = Inputs(config, compute)
        comparison = Comparison(name, inputs, file)
        comparison.write("untrained", encoded(new_encoder(config, inputs.images, 2)))
        StagedTraining(inputs).run(comparison)


def table(file: Path) -> None:
    """Print the rank correlations of every set."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for name in dict.fromkeys(line["set"] for line in lines):
        of_set = [line for line in lines if line["set"] == name]
        # A set that is trained for several lengths has the same untrained map each time.
        maps = list({json.dumps(line): line for line in of_set if "knn_h" in line}.values())
        flat = [line for line in maps if line["dims"] == 2]
        (pixels, *_) = (line for line in of_set if line["at"] == "pixels")
        cells = [f"{len(maps)} maps, {len(flat)} in 2-D"]
        for space, some in (("h", maps), ("z", flat)):
            knn, views = ([line[f"{kind}_{space}"] for line in some] for kind in ("knn", "views"))
            rho = spearmanr(knn, views).statistic
            cells.append(
                f"{space}: knn {min(knn):.2f} to {max(knn):.2f}, views {min(views):.2f} to "
                f"{max(views):.2f}, rho {rho:.2f}"
            )
        trust = spearmanr([m["knn_z"] for m in flat], [m["trust"] for m in flat]).statistic
        cells.append(f"rho of trustworthiness {trust:.2f}")
        for space in ("pixels", "pca2"):
            cells.append(
                f"{space} knn {pixels[f'knn_{space}']:.2f} views {pixels[f'views_{space}']:.2f}"
            )
        print(name, *cells, sep="; ")
    maps = list({json.dumps(line): line for line in lines if line.get("dims") == 2}.values())
    pooled = spearmanr([m["knn_z"] for m in maps], [m["views_z"] for m in maps]).statistic
    print(f"all {len(maps)} maps in 2-D together: rho {pooled:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"] and len(sys.argv) > 3:
        train(Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
    elif sys.argv[1:2] == ["table"] and len(sys.argv) == 3:
        table(Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
