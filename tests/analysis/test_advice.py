"""What is said of new images that do not fit a finished run."""

import numpy as np
import pytest
import tifffile

from dimred.analysis.advice import for_run
from dimred.data.channels import Channels
from dimred.data.folder_source import decode_files
from dimred.data.reading import Reading
from dimred.data.window import Window

OF_UINT16 = Reading(Window({"uint16": ((100.0, 500.0),)}))
AS_THE_TYPE = Reading(Window({"uint16": ((0.0, 65535.0),)}), whole_type=True)
OF_BYTES = Reading()
STACK = np.zeros((3, 8, 8), np.uint16)
HEIGHTS = np.linspace(-3, 9, 64, dtype=np.float32).reshape(8, 8)


@pytest.mark.parametrize("reading", [OF_UINT16, AS_THE_TYPE, OF_BYTES])
@pytest.mark.parametrize("values", [STACK, HEIGHTS, HEIGHTS.astype(np.int16), HEIGHTS.astype("i4")])
def test_no_key_is_advised_that_cannot_be_set(tmp_path, values, reading):
    path = tmp_path / "a.tif"
    axes = "ZYX"[-values.ndim :]
    tifffile.imwrite(path, values, photometric="minisblack", metadata={"axes": axes})
    (problem,) = decode_files([str(path)], (8, 8), Channels(1), reading).problems
    said = for_run(problem, reading)
    assert said.partition(";")[0] == problem.partition(";")[0]
    assert "set dataset." not in said
    assert "says what they are" not in said


def test_what_can_be_done_is_said():
    problem = "its values go from -3 to 9, not 0 to 1; set dataset.window=auto or [low,high]"
    kept = "its values go from -3 to 9, not 0 to 1; the run"
    assert for_run(problem, OF_UINT16) == f"{kept} learned from uint16: save it so"
    assert for_run(problem, OF_BYTES) == f"{kept} learned from uint8: save it so"
    assert for_run(problem, AS_THE_TYPE).startswith(f"{kept}'s window is the whole range of a type")
    pages = "has 3 pages (Z); dataset.pages=images or channels says what they are"
    assert "save each page as a file" in for_run(pages, OF_BYTES)
    other = "its compression, LZW, needs imagecodecs; pip install it"
    assert for_run(other, OF_BYTES) == other
