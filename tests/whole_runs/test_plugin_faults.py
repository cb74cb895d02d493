"""What goes wrong in a user's own parts is one line, and no run folder is made."""

import pytest
from command import refused
from test_plugins import PLUGINS, SMALL, TINY, no_plugins  # noqa: F401

BEGIN = """\
from dataclasses import dataclass
import torch
from dimred.data import DatasetOptions
from dimred.losses import LossOptions
from dimred.measures.protocol import Measure
from dimred.models import Backbone, ModelOptions
from dimred.options import option, register
from dimred.pairing import PairingOptions


def fail(*_):
    raise KeyError("no")


class Thing:
    pass


class Narrow(Backbone):
    def __init__(self):
        super().__init__()
        self.out_features = 3

    def forward(self, images):
        return images.flatten(1)


"""


def part(group, base, method):
    code = f"@register({group!r}, 'mine')\n@dataclass\nclass Mine({base}):\n    'Mine.'\n"
    return BEGIN + code + f"    {method}\n"


DATASET = ("dataset", "DatasetOptions")
PAIRING = ("pairing", "PairingOptions")
MODEL = ("model", "ModelOptions")
LOSS = ("loss", "LossOptions")


@pytest.mark.parametrize(
    ("choice", "method", "message"),
    [
        (
            DATASET,
            "def read(self, seed): fail()",
            "read() fails: KeyError: 'no' (mine.py, line 12)",
        ),
        (DATASET, "def read(self, seed): pass", "gives NoneType; it must be an ImageSet"),
        (
            PAIRING,
            "def build(self, *_): fail()",
            "build() fails: KeyError: 'no' (mine.py, line 12)",
        ),
        (
            PAIRING,
            "def build(self, *_): return Thing()",
            "anchors are NoneType; they must be int64",
        ),
        (
            MODEL,
            "def backbone(self, *_): fail()",
            "backbone() fails: KeyError: 'no' (mine.py, line",
        ),
        (MODEL, "def backbone(self, *_): pass", "gives NoneType; it must be a torch.nn.Module"),
        (MODEL, "def backbone(self, *_): return Narrow()", "for 8 images; it must be"),
        (LOSS, "def build(self): fail()", "build() fails: KeyError: 'no' (mine.py, line 12)"),
        (
            LOSS,
            "build = fail\n    def problems(self, *_): fail()",
            "problems() fails: KeyError: 'no' (mine.py, line 12)",
        ),
        (
            LOSS,
            "def build(self): return fail",
            "fails on a trial batch: KeyError: 'no' (mine.py, line 12)",
        ),
    ],
)
def test_a_part_that_fails_is_named_with_its_place(tmp_path, choice, method, message):
    (tmp_path / "mine.py").write_text(part(*choice, method))
    words = [*(SMALL if choice is MODEL else TINY), f"{choice[0]}=mine"]
    line = refused(tmp_path, "train", "--plugin", "mine.py", *words)
    assert line.startswith(f"dimred: {choice[0]}=mine: ")
    assert message in line
    assert not (tmp_path / "outputs").exists()


def test_an_option_of_a_measure_that_is_taken_is_named(tmp_path):
    clash = part(
        "measure", "Measure", "every: int = option(3, 'Mine.')\n    def measure(self, _): ..."
    )
    (tmp_path / "mine.py").write_text(clash)
    line = refused(tmp_path, "train", "--plugin", "mine.py", *TINY)
    assert "eval.every: an option of measure=mine, and already one of eval" in line


def test_a_csv_of_three_columns_is_refused_by_the_plugin_of_the_documentation(tmp_path):
    (tmp_path / "three.csv").write_text("1,2,3\n")
    words = ["pairing=listed", "pairing.file=three.csv", *TINY]
    line = refused(tmp_path, "train", "--plugin", str(PLUGINS / "listed.py"), *words)
    assert "pairing.file=three.csv: has 3 columns; it must have two" in line
