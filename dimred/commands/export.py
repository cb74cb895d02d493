"""The command `dimred export`: a finished run's encoder as ONNX."""

from __future__ import annotations

from dimred.commands.messages import Parser
from dimred.files import expanded
from dimred.options.plugins import load_plugins

HELP = """\
dimred export RUN [--out FILE] [--root DATA] [--plugin FILE|MODULE]

Writes the encoder of a finished run as one ONNX file (default: RUN/encoder.onnx): `images`, uint8
(N, C, height, width), to `h` and `z`, normalization included. Holds what ONNX Runtime makes of 256
of the run's images (of random ones, where these are not there) against PyTorch; a file that is off
by more than 1e-4 of the largest value is not written. Wants the extra `onnx`
(pip install -e '.[onnx]' in dimred's clone).

  --out   the file
  --root  the run's data, where they have moved

  dimred export outputs/demo-seed0-9b6bf014"""


def run(arguments: list[str]) -> int:
    """Export the run that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("run")
    parser.add_argument("--out")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    given = parser.parse_args(arguments)
    load_plugins(given.plugin)
    from dimred.analysis.onnx import export
    from dimred.run_folder import layout
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(expanded(given.run), given.root)
    file = expanded(given.out) if given.out else finished.path / layout.ENCODER
    made = export(finished, file, f"--out {given.out}")
    channels, height, width = finished.shape
    shape = f"(N, {channels}, {height}, {width})"
    print(f"images: uint8 {shape} -> h (N, {made.h}), z (N, {made.z}), float32")
    print(
        f"largest difference from PyTorch, of the largest value, on {made.images}: "
        f"{made.differences_text}"
    )
    print(file)
    return 0
