"""Measures and writes results at the end of a stage and of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.config import RunConfig, eval_values
from dimred.evaluation.novelty import roughness
from dimred.losses import Loss
from dimred.measures.protocol import Embedding
from dimred.models import Encoder
from dimred.plots.curves import loss_figure
from dimred.plots.maps import map_figure
from dimred.plots.style import to_png
from dimred.run.class_split import class_split_part, unseen_note, with_unseen_named
from dimred.run.columns import column_arrays
from dimred.run.evidence import evidence_of, training_of
from dimred.run.figures import write_figures
from dimred.run.inputs import Inputs
from dimred.run.measuring import Measuring
from dimred.run.still_falling import still_falling
from dimred.run.verdict import Verdict, verdict
from dimred.run_folder import layout
from dimred.run_folder.arrays import CLASS_SPLIT, LEARNED, PRESENCE, UNSEEN
from dimred.run_folder.folder import RunFolder
from dimred.steps import step
from dimred.training.embed import embed
from dimred.training.schedule import Trainable

_MAX_FEATURES = 5_000  # images whose H is kept for `dimred embed`
_MAX_UNREADABLE = 1_000  # names in summary.json; its first look counts all
# Keys that summary.json has even if the run does not take the measure.
_ALWAYS: dict[str, Any] = {"linear": None, "references": {}, "lle": {}, "tsne": {}, "errors": {}}


@dataclass
class RunReport:
    """Measures the encoder of a run and writes the results to the run folder.

    begun: `begun_record` as it was at the start, since the source may change or vanish meanwhile.
    """

    inputs: Inputs
    measuring: Measuring
    folder: RunFolder
    begun: dict[str, dict[str, str]]
    _embedding: Embedding | None = None

    @property
    def config(self) -> RunConfig:
        """The run's configuration."""
        return self.inputs.config

    def embed(self, encoder: Encoder, loss: Loss | None) -> Embedding:
        """H and Z of every sample, cached until `forget`. loss: what the encoder is trained by."""
        if self._embedding is None:
            inputs = self.inputs
            size = self.config.eval.batch_size
            h, z = embed(encoder, inputs.resident, size, inputs.compute)
            self._embedding = Embedding(self.measuring.setting, h, z, encoder, loss)
        return self._embedding

    def forget(self) -> None:
        """Drop the cached embedding, since the encoder has changed."""
        self._embedding = None

    def measure(self, encoder: Encoder, loss: Loss | None) -> dict[str, float]:
        """Measure the current map: numbers by name."""
        return self.measuring.measure(self.embed(encoder, loss))

    def write_stage(
        self, name: str, encoder: Encoder, loss: Loss | None, losses: NDArray[np.float32]
    ) -> None:
        """Write the embedding, the samples' losses and a plot of the map at the end of a stage."""
        z = self.embed(encoder, loss).samples_z
        self.folder.write_arrays(layout.stage_arrays(name), {"z": z, "loss": losses})
        epochs = self.config.schedule.stages[name].epochs
        title = f"{self.config.title}: {name}"
        subtitle = f"{len(z):,} images, {z.shape[1]}-D after {epochs:,} epochs of {name}"
        samples = self.inputs.samples
        subtitle += unseen_note(samples)
        figure = map_figure(z, with_unseen_named(samples), title, subtitle)
        self.folder.write_plot(f"map_{name}", to_png(figure))

    def finish(
        self,
        encoder: Encoder,
        loss: Loss | None,
        rows: list[dict[str, Any]],
        record: Callable[[], None],
    ) -> dict[str, Any]:
        """Measure; then write embedding, weights, plots and, last, the summary, which is returned.

        record: called when all has been measured, before anything is written: until then, a run
            that was finished before is left as it was.
        """
        embedding = self.embed(encoder, loss)
        results = self.measuring.finish(embedding)
        record()
        self._write_embedding(embedding)
        self._write_features(embedding)
        digest = self.folder.write_weights(encoder.state_dict())
        with step("drawing plots"):
            self.folder.write_plot("loss", to_png(loss_figure(rows, self.config.title)))
            z, n_images = embedding.samples_z, len(self.inputs.images)
            write_figures(self.folder, self.inputs.samples, n_images, z, self.config.title)
        self.measuring.remove_files(self.folder)
        for name, arrays in results.arrays.items():
            self.folder.write_arrays(layout.measure_arrays(name), arrays)
        for name, png in results.figures.items():
            self.folder.write_plot(name, png)
        found = {name: part for name, part in results.found.items() if part or name not in _ALWAYS}
        summary = {**self._summary(rows), **_ALWAYS, **found}
        summary["measures"] = {
            "taken": self.measuring.names,
            "left_out": self.measuring.left_out,
            "failed": sorted(self.measuring.failed),
            "plugins": self.measuring.plugins,
            "numbers": self.measuring.described,
        }
        summary["weights_sha256"] = digest
        judged = self._verdict(embedding, rows[-1], results.found)
        if judged is not None:
            summary["verdict"] = judged.as_json()
        self.folder.write_json(layout.SUMMARY, summary)
        return summary

    def _verdict(
        self, embedding: Embedding, row: dict[str, Any], found: dict[str, dict[str, Any]]
    ) -> Verdict | None:
        """The verdict on the map; None without numbers to rest it on."""
        evidence = evidence_of(self.measuring.setting, embedding.z.shape[1], row, found)
        if evidence is None:
            return None
        (*_, session) = self.folder.sessions()
        return verdict(evidence, training_of(self.config, session["command"]))

    def _write_embedding(self, embedding: Embedding) -> None:
        samples = self.inputs.samples
        arrays: dict[str, NDArray[Any]] = {"z": embedding.samples_z, "index": samples.index}
        arrays["split"] = np.where(samples.is_test, "test", "train")
        if samples.is_unseen is not None:
            arrays[CLASS_SPLIT] = np.where(samples.is_unseen, UNSEEN, LEARNED)
        if samples.labels:
            arrays["label"] = samples.labels.values
            arrays["class_names"] = np.array(samples.labels.names)
        if samples.presence:
            arrays[PRESENCE] = samples.presence.values
            arrays["class_names"] = np.array(samples.presence.names)
        for name, labels in samples.extra_labels.items():
            arrays[name] = labels.values
            arrays[f"{name}_names"] = np.array(labels.names)
        for name, factor in samples.factors.items():
            arrays[name] = factor.values
        arrays |= column_arrays(samples.columns)
        if samples.sources:
            arrays["source"] = np.array(samples.sources)
        if self.config.eval.save_h:
            arrays["h"] = embedding.samples_h
        self.folder.write_arrays(layout.EMBEDDING, arrays)

    def _write_features(self, embedding: Embedding) -> None:
        """Write H of some training images, by which `dimred embed` tells what is far from them when
        the images themselves are not at hand."""
        images = self.inputs.images
        rows = np.flatnonzero(~np.asarray(images.is_test))
        if len(rows) > _MAX_FEATURES:
            rows = np.sort(np.random.default_rng(0).choice(rows, _MAX_FEATURES, replace=False))
        rows = rows if len(rows) else np.arange(min(len(images), _MAX_FEATURES))
        h = embedding.h[rows]
        small = bool(np.abs(h).max() < np.finfo(np.float16).max)
        arrays: dict[str, NDArray[Any]] = {"image": rows.astype(np.int64)}
        arrays |= {"h": h.astype(np.float16) if small else h}
        arrays["roughness"] = roughness(images.images[torch.from_numpy(rows)].numpy())
        self.folder.write_arrays(layout.FEATURES, arrays)

    def _counts(self) -> dict[str, int]:
        labels = self.inputs.images.labels
        if labels is None:
            return {}
        counts = np.bincount(labels.values, minlength=len(labels.names))
        return dict(zip(labels.names, map(int, counts), strict=True))

    def _present(self) -> dict[str, dict[str, int]]:
        """How many images show each class, where an image may show several."""
        presence = self.inputs.images.presence
        if presence is None:
            return {}
        return {"present": dict(zip(presence.names, presence.values.sum(0).tolist(), strict=True))}

    def _still_falling(
        self, name: str, rows: list[dict[str, Any]], first: dict[str, Any]
    ) -> bool | None:
        """Whether the loss of a stage was falling at its end; None where there are too few epochs
        to tell, and for a stage that only prepares the next.

        first: the first row of the run, of whose loss the first stage is.
        """
        config, stages = self.config, self.config.schedule.stages
        stage, start = stages[name], stages[first["stage"]]
        if stage.trainable is not Trainable.all and name != list(stages)[-1]:
            return None
        same = config.loss_of(stage) == config.loss_of(start)
        losses, rates = ([row[key] for row in rows] for key in ("loss", "lr"))
        return still_falling(losses, rates, first["loss"] if same else None)

    def _summary(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        seconds = sum(row["seconds"] for row in rows)
        stages: dict[str, Any] = {}
        for name in self.config.schedule.stages:
            stage_rows = [row for row in rows if row["stage"] == name]
            stages[name] = {key: value for key, value in stage_rows[-1].items() if key != "stage"}
            stages[name]["seconds"] = round(sum(row["seconds"] for row in stage_rows), 3)
            falling = self._still_falling(name, stage_rows, rows[0])
            if falling is not None:
                stages[name][layout.STILL_FALLING] = falling
        images, splits = self.inputs.images, self.measuring.setting.splits
        return {
            "name": self.folder.path.name,
            "seed": self.config.seed,
            "dataset": {
                "name": self.config.dataset.name,
                "images": len(images),
                "shape": list(images.images.shape[1:]),
                "rgb": images.is_rgb and images.images.shape[1] == 3,
                "window": images.window and images.window.as_json(),
                "transformations": self.inputs.n_variants - 1,
                "learned_from": len(self.inputs.fit),
                "unreadable": list(images.unreadable[:_MAX_UNREADABLE]),
                "first_look": self.inputs.first_look.as_json(),
                "classes": self._counts(),
                **self._present(),
                "chance": self.measuring.chance,
                "splits": splits.names if splits else {},
                "test_images": splits.sizes if splits else {},
                **class_split_part(self.measuring.setting),
            },
            **self.begun,
            "headline": self.measuring.headline,
            "eval": eval_values(self.config),
            "stages": stages,
            "final": list(stages.values())[-1],
            "training_seconds": round(seconds, 3),
        }
