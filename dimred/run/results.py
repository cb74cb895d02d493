"""What is measured and written at the end of a stage and of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from dimred.config import RunConfig, eval_values
from dimred.config.run import LinearProbe
from dimred.data.options import FitOn
from dimred.evaluation import (
    FactorMeasures,
    Judge,
    knn_accuracy,
    logistic_accuracy,
    random_split,
    sgd_softmax_accuracy,
)
from dimred.evaluation.classical import lle, tsne_map
from dimred.models import Encoder
from dimred.pairing import PairFormat, randomly_shifted
from dimred.plots.maps import knn_figure, loss_figure, map_figure
from dimred.plots.style import to_png
from dimred.run.figures import write_figures
from dimred.run.inputs import Inputs
from dimred.run.measures import Measure
from dimred.run_folder.folder import RunFolder
from dimred.training import embed
from dimred.training.seeds import generator_at

_MAX_REFERENCE_VALUES = 300_000_000
_SHIFTED_COPIES = 10
_MOST_LLE_DIMS = 10


@dataclass
class Results:
    """Measures an encoder on a run's images and writes what comes of it into the run folder.

    All samples are embedded; the general measures of a map are those of the untransformed images.
    """

    inputs: Inputs
    judge: Judge
    measures: list[Measure]
    folder: RunFolder
    _embedding: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @property
    def config(self) -> RunConfig:
        """The run's."""
        return self.inputs.config

    @property
    def _title(self) -> str:
        return self.config.name or self.config.dataset.name

    def embed(self, encoder: Encoder) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """H and Z of every item; kept until `forget`."""
        if self._embedding is None:
            size = self.config.eval.batch_size
            self._embedding = embed(encoder, self.inputs.resident, size, self.inputs.compute)
        return self._embedding

    def forget(self) -> None:
        """The encoder is about to change."""
        self._embedding = None

    def measure(self, encoder: Encoder) -> dict[str, float]:
        """The measures of the map as it is now."""
        h, z = self.embed(encoder)
        found = self.judge.measure(*self._untransformed(h, z))
        for measure in self.measures:
            found |= measure.measure(z)
        return found

    def _untransformed(
        self, h: NDArray[np.float32], z: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return h[:: self.inputs.n_variants], z[:: self.inputs.n_variants]

    def write_stage(self, name: str, encoder: Encoder, losses: NDArray[np.float32]) -> None:
        """The embedding, the losses of the items and the map at the end of a stage."""
        _, z = self.embed(encoder)
        self.folder.write_arrays(f"stages/{name}.npz", {"z": z, "loss": losses})
        stages = self.config.schedule.stages
        epochs = stages[name].epochs
        title = f"{self._title}: {name}"
        subtitle = f"{len(z):,} images, {z.shape[1]}-D after {epochs:,} epochs of {name}"
        figure = map_figure(z, self.inputs.samples.labels, title, subtitle)
        self.folder.write_plot(f"map_{name}", to_png(figure))

    def finish(self, encoder: Encoder, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Write embedding, weights, plots and, last, the summary, which is returned."""
        h, z = self.embed(encoder)
        self.folder.remove("tsne.npz", "plots/tsne.png", "plots/lle.png")  # of an earlier measuring
        self._write_embedding(h, z)
        self.folder.write_weights(encoder.state_dict())
        self.folder.write_plot("loss", to_png(loss_figure(rows)))
        write_figures(self.folder, self.inputs.samples, len(self.inputs.images), z, self._title)
        untransformed = self._untransformed(h, z)
        if self.judge.splits:
            self._write_knn_curves(*untransformed)
        summary = self._summary(rows)
        summary["linear"] = self._linear(encoder, untransformed[0])
        summary["references"] = self._references()
        summary["lle"] = self._lle(z.shape[1])
        summary["tsne"] = self._tsne(untransformed[0])
        summary["errors"] = self._errors(encoder, untransformed[1])
        self.folder.write_json("summary.json", summary)
        return summary

    def _write_embedding(self, h: NDArray[np.float32], z: NDArray[np.float32]) -> None:
        images = self.inputs.samples
        arrays: dict[str, NDArray[Any]] = {"z": z, "index": images.index}
        arrays["split"] = np.where(images.is_test, "test", "train")
        if images.labels:
            arrays["label"] = images.labels.values
            arrays["class_names"] = np.array(images.labels.names)
        for name, labels in images.extra_labels.items():
            arrays[name] = labels.values
            arrays[f"{name}_names"] = np.array(labels.names)
        for name, factor in images.factors.items():
            arrays[name] = factor.values
        if images.sources:
            arrays["source"] = np.array(images.sources)
        if self.config.eval.save_h:
            arrays["h"] = h
        self.folder.write_arrays("embedding.npz", arrays)

    def _write_knn_curves(self, h: NDArray[np.float32], z: NDArray[np.float32]) -> None:
        curves = {
            f"{space}, {split} split": self.judge.curve(points, split)
            for split in self.judge.splits
            for space, points in (("Z", z), ("H", h))
        }
        self.folder.write_plot("knn", to_png(knn_figure(curves, self.judge.chance)))

    def _counts(self) -> dict[str, int]:
        labels = self.inputs.images.labels
        if labels is None:
            return {}
        counts = np.bincount(labels.values, minlength=len(labels.names))
        return dict(zip(labels.names, map(int, counts), strict=True))

    def _summary(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        seconds = sum(row["seconds"] for row in rows)
        stages: dict[str, Any] = {}
        for name in self.config.schedule.stages:
            of_stage = [row for row in rows if row["stage"] == name]
            stages[name] = {key: value for key, value in of_stage[-1].items() if key != "stage"}
            stages[name]["seconds"] = round(sum(row["seconds"] for row in of_stage), 3)
        return {
            "name": self.folder.path.name,
            "seed": self.config.seed,
            "dataset": {
                "name": self.config.dataset.name,
                "images": len(self.inputs.images),
                "shape": list(self.inputs.images.images.shape[1:]),
                "transformations": self.inputs.n_variants - 1,
                "learned_from": len(self.inputs.fit),
                "unreadable": list(self.inputs.images.unreadable),
                "classes": self._counts(),
                "chance": self.judge.chance,
                "splits": self.judge.split_names,
            },
            "headline": self.judge.headline,
            "eval": eval_values(self.config),
            "stages": stages,
            "final": list(stages.values())[-1],
            "training_seconds": round(seconds, 3),
        }

    def _linear(self, encoder: Encoder, h: NDArray[np.float32]) -> dict[str, Any] | None:
        """Linear accuracy in H on the official split, or the random one where there is none."""
        labels, how = self.inputs.images.labels, self.config.eval.linear
        if labels is None or how is LinearProbe.none:
            return None
        split, (train, test) = next(iter(self.judge.splits.items()))
        y = labels.values
        if len(np.unique(y[train])) < 2:
            return None
        if how is LinearProbe.logistic:
            accuracy = logistic_accuracy(h[train], y[train], h[test], y[test])
        else:
            accuracy = sgd_softmax_accuracy(
                lambda epoch: self._augmented(encoder, train, epoch),
                torch.from_numpy(h[test]).to(self.inputs.compute.device),
                torch.from_numpy(y[test]).to(self.inputs.compute.device),
                len(labels.names),
                self.config.eval.linear_epochs,
                self.config.eval.linear_lr,
                self.config.seed,
            )
        return {"method": how.value, "split": split, "accuracy": accuracy}

    @torch.no_grad()
    def _augmented(
        self, encoder: Encoder, train: NDArray[np.int64], epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """H of augmented training images, in eval mode, in batches, with their labels."""
        labels = self.inputs.images.labels
        assert labels is not None
        device = self.inputs.compute.device
        augment = self.config.pairing.without_colour()
        generator = generator_at(device, self.config.seed, "linear", epoch)
        order = torch.from_numpy(train).to(device)
        order = order[torch.randperm(len(order), generator=generator, device=device)]
        y = torch.from_numpy(labels.values).to(device)[order]
        size = self.config.eval.batch_size
        encoder.eval()
        batches = self.inputs.resident.batches(torch.split(order * self.inputs.n_variants, size))
        for batch, targets in zip(batches, torch.split(y, size), strict=True):
            pixels = augment(batch, generator)
            h, _ = encoder(pixels.contiguous(memory_format=self.inputs.compute.memory_format))
            yield h, targets

    def _references(self) -> dict[str, float]:
        """kNN accuracy without learning: raw pixels, and their first two principal components."""
        too_many = self.inputs.images.images.numel() > _MAX_REFERENCE_VALUES
        if not self.config.eval.references or not self.judge.splits or too_many:
            return {}
        pixels = self.inputs.images.images.flatten(1).numpy().astype(np.float32) / 255
        plane = PCA(min(2, *pixels.shape), random_state=0).fit_transform(pixels)
        return {**self.judge.knn("pixels", pixels), **self.judge.knn("pca2", plane)}

    def _lle(self, dim: int) -> dict[str, float]:
        """The measures of known factors of LLE, on some of the images in all transformations."""
        most = self.config.eval.lle
        factors = [m for m in self.measures if isinstance(m, FactorMeasures)]
        if most is None or not factors or dim > _MOST_LLE_DIMS:
            return {}
        every = self.inputs.n_variants
        order = np.random.default_rng(0).permutation(len(self.inputs.images))
        chosen = np.sort(order[: max(most // every, 2)])
        items = self.inputs.samples.take((chosen[:, None] * every + np.arange(every)).ravel())
        if len(items) < 20:  # LLE wants more images than neighbours
            return {}
        pixels = items.images.flatten(1).numpy() / 255.0
        try:
            z = lle(pixels, dim)
        except (ValueError, RuntimeError) as error:  # the eigenvalue solver does not converge
            print(f"LLE of {len(items)} images is left out: {error}")
            return {}
        self.folder.write_plot("lle", to_png(map_figure(z, items.labels, "LLE", "of pixels")))
        return FactorMeasures(items, every, factors[0].groups).measure(z)

    def _tsne(self, h: NDArray[np.float32]) -> dict[str, float]:
        """A t-SNE map of H of test images: tsne.npz, a plot, and its kNN accuracy."""
        most = self.config.eval.tsne
        if most is None:
            return {}
        chosen = np.sort(np.random.default_rng(0).permutation(self.inputs.images.held_out)[:most])
        images = self.inputs.images.take(chosen)
        if len(chosen) < 12:  # too few for t-SNE to place
            return {}
        z = tsne_map(h[chosen], self.config.seed)
        self.folder.write_arrays("tsne.npz", {"z": z, "index": images.index})
        subtitle = f"{len(z):,} test images, PCA to 50 dimensions first"
        title = f"{self._title}: t-SNE of H"
        self.folder.write_plot("tsne", to_png(map_figure(z, images.labels, title, subtitle)))
        if images.labels is None:
            return {}
        train, test = random_split(images.labels.values, len(z) // 6, 0)
        y, k = images.labels.values, min(self.config.eval.k[0], len(train))
        device = self.inputs.compute.device
        found = knn_accuracy(z[train], y[train], z[test], y[test], [k], device)
        return {f"knn{k}_tsne": found[k]}

    def _errors(self, encoder: Encoder, logits: NDArray[np.float32]) -> dict[str, float]:
        """Shares of test images that a classifier gets wrong, as they are and randomly shifted."""
        labels, shift = self.inputs.images.labels, self.config.eval.shifted_test
        if labels is None or self.config.last_loss.requires is not PairFormat.classes:
            return {}
        test = self.inputs.images.held_out
        y = labels.values[test]
        learned = self.config.dataset.fit_on is FitOn.all
        kind = "training_error" if learned else "test_error"
        errors = {kind: float(np.mean(logits[test].argmax(1) != y))}
        if shift:
            wrong = [self._shifted_error(encoder, test, y, copy) for copy in range(_SHIFTED_COPIES)]
            errors[f"shifted_{kind}"] = float(np.mean(wrong))
        return errors

    @torch.inference_mode()
    def _shifted_error(
        self, encoder: Encoder, test: NDArray[np.int64], y: NDArray[np.int64], copy: int
    ) -> float:
        device = self.inputs.compute.device
        across, down = self.config.eval.shifted_test
        generator = generator_at(device, self.config.seed, "shifted test", copy)
        encoder.eval()
        answers = []
        parts = torch.from_numpy(test).to(device).split(self.config.eval.batch_size)  # type: ignore[no-untyped-call]
        for batch in self.inputs.resident.batches(parts):
            pixels = randomly_shifted(batch, (across, down), generator).float().div_(255)
            logits = encoder(pixels.contiguous(memory_format=self.inputs.compute.memory_format))[1]
            answers.append(logits.argmax(1).cpu().numpy())
        return float(np.mean(np.concatenate(answers) != y))
