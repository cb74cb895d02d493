"""What every measure must be, held for all of them on small maps of an untrained encoder."""

import dataclasses
import math
from contextlib import chdir

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from dimred.config.compose import composed
from dimred.evaluation.measurement import Measurement
from dimred.measures.protocol import Arrays, Detail, Embedding, LeftOut, Picture
from dimred.measures.retrieval import RetrievalOfClasses
from dimred.measures.views import OtherViews
from dimred.options.registry import registered
from dimred.run.inputs import Inputs
from dimred.run.measuring import setting_of
from dimred.run.stages import new_encoder, new_loss
from dimred.training.compute import Compute
from dimred.training.embed import embed

MEASURES = {name: kind for name, kind in registered("measure").items() if kind.origin is None}
# Options that switch a measure on, and what else it needs.
ON = {
    "lle": {"lle": 20},
    "tsne": {"tsne": 100},
    "errors": {"shifted_test": [1, 1]},
    "retrieval": {"retrieval": True},
    "pointing": {"pointing": True},
}
SMALL = ["model.widths=[4,8]", "model.hidden_dim=8", "schedule.batch_size=16", "eval.k=[3]"]
SETTINGS = {
    "views": ["experiment=smoke", "dataset.limit=120", *SMALL],
    "pairs": ["experiment=drlim_digits_shifts_invariant", "dataset.limit=300", "pairing.k=1"],
    "classes": [
        *["experiment=smoke", "dataset.limit=120", "pairing=class_target", "loss=cross_entropy"],
        *["schedule=classifier", *SMALL],
    ],
    "variance": [
        *["experiment=metric", "dataset=digits", "dataset.limit=120", "dataset.fit_classes=[0-4]"],
        *["loss=dvml", "loss.decoder_dim=4", *SMALL, "model.hidden_dim=null"],
    ],
    "presence": [
        *["experiment=locate_digits", "dataset.n_train=40", "dataset.n_test=40", *SMALL[:1]],
        "schedule.batch_size=16",
    ],
    "unlabeled": ["experiment=smoke", "dataset=npz", "dataset.path=unlabeled.npz", *SMALL],
}


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """An embedding in each of the settings."""
    embeddings, folder = [], tmp_path_factory.mktemp("measures")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(folder / "unlabeled.npz", images=pixels)
    for words in SETTINGS.values():
        config = composed([*words, "device=cpu"])
        with chdir(folder):
            inputs = Inputs(config, Compute(torch.device("cpu")))
        (*_, stage) = config.schedule.stages.values()
        encoder = new_encoder(config, inputs.images, stage.out_dim)
        with torch.no_grad():
            h, z = embed(encoder, inputs.resident, 1024, inputs.compute)
        loss = new_loss(inputs, config.schedule.numbered(0)[-1], h.shape[1])
        embeddings.append(Embedding(setting_of(inputs), h, z, encoder, loss))
    return embeddings


@pytest.mark.parametrize("name", MEASURES)
def test_what_it_yields_is_declared_named_once_and_finite(name, maps):
    kind = MEASURES[name]
    assert list(kind().problems()) == [], "its defaults are sound"
    applied = 0
    for embedding in maps:
        measure = dataclasses.replace(kind(), **ON.get(name, {}))
        applies = measure.applies(embedding.setting)
        assert isinstance(applies, bool)
        if not applies:
            continue
        try:
            measure.prepare(embedding.setting)
        except LeftOut:  # what was asked for and cannot be taken is said
            if embedding.setting.images.labels is not None:
                raise
            continue
        applied += 1
        names = []
        for result in measure.measure(embedding):
            match result:
                case Measurement():
                    assert type(result.value) is float
                    assert math.isfinite(result.value)
                    names.append(result.name)
                case Detail():
                    assert isinstance(result.value, str)
                    names.append(result.key)
                case Arrays():
                    assert result.name in kind.arrays
                    assert all(array.size for array in result.arrays.values())
                case Picture():
                    assert result.name in kind.pictures
                    assert isinstance(result.figure, Figure)
                case _:
                    pytest.fail(f"yields {result!r}")
        assert len(set(names)) == len(names)
    assert applied, "one of the settings must be one for it"


def test_other_views_are_sought_where_a_pairing_has_views_and_images_no_labels(maps):
    fitting = [embedding for embedding in maps if OtherViews().applies(embedding.setting)]
    assert fitting == [maps[list(SETTINGS).index("unlabeled")]]
    first, again = (list(OtherViews().measure(fitting[0])) for _ in range(2))
    assert first == again
    found = {one.name: one.value for one in first}
    assert found["views3_chance"] == 3 / 60
    assert found["views3_z"] == found["views3_untrained_z"], "this encoder has learned nothing"
    assert found["error3_z-untrained_z"] == 0


def test_retrieval_before_training_is_that_of_an_encoder_that_has_learned_nothing(maps):
    embedding = maps[list(SETTINGS).index("views")]
    results = RetrievalOfClasses(retrieval=True).measure(embedding)
    found = {one.name: one.value for one in results if isinstance(one, Measurement)}
    for space in "zh":
        of_space = {name: found[f"{name}_{space}"] for name in ("recall1", "map_at_r", "spread")}
        before = {name: found[f"{name}_untrained_{space}"] for name in of_space}
        assert of_space == pytest.approx(before, abs=1e-4)
    assert found["map_at_r_z"] != found["map_at_r_h"]
