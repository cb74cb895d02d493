"""A loss from a plug-in within `loss=dvml`."""

import pytest
import yaml
from command import dimred, only_run, refused
from test_plugins import forget_plugins, no_plugins  # noqa: F401

from dimred import load_run

PLUGIN = """\
from dataclasses import dataclass

from dimred.losses import LossOptions
from dimred.options.option import option
from dimred.options.registry import register
from dimred.pairing import PairFormat


@register("loss", "mine")
@dataclass
class Mine(LossOptions):
    "Pulls all embeddings to 0."

    requires = PairFormat.class_pairs
    factor: float = option(1.0, "A factor.", above=0)

    def build(self):
        def loss(z, pairs, reduction="mean"):
            rows = self.factor * z.float().square().sum(1)
            return rows if reduction == "none" else rows.mean()

        return loss
"""
RUN = [
    *("experiment=metric", "dataset=digits", "dataset.limit=200", "dataset.fit_classes=[0-4]"),
    *("loss=dvml", "loss@loss.metric=mine", "loss.metric.factor=3", "loss.samples=2"),
    *("model.widths=[4,8]", "schedule.batch_size=40", "schedule.epochs_scale=0.1", "device=cpu"),
    *("eval.linear=none", "eval.references=false", "eval.retrieval=false", "view=false"),
]

pytestmark = pytest.mark.usefixtures("no_figures")


def written(folder, text):
    path = folder / "mine.py"
    path.write_text(text)
    return ["--plugin", str(path)]


def test_a_run_is_read_where_the_loss_within_is_not_here(tmp_path):
    dimred(tmp_path, "train", *written(tmp_path, PLUGIN), *RUN)
    forget_plugins()
    run = load_run(only_run(tmp_path))
    inner = run.config.loss.metric
    assert (inner.name, inner.factor) == ("mine", 3.0)
    saved = yaml.safe_load((run.path / "config.yaml").read_text())
    assert saved["loss"]["metric"] == {"name": "mine", "factor": 3.0}
    assert len(run.place(run.images()[:3]).z) == 3


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("z.float()", "z.flaot()", "loss=dvml: fails on a trial batch: AttributeError"),
        ("def build(self):", "def build(self):\n        1 / 0", "loss=mine: build() fails"),
    ],
)
def test_a_fault_in_the_loss_within_is_one_line(tmp_path, right, wrong, said):
    line = refused(tmp_path, "train", *written(tmp_path, PLUGIN.replace(right, wrong)), *RUN)
    assert said in line
    assert "(mine.py, line " in line
