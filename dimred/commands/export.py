"""The command `dimred export`: a finished run's encoder as ONNX."""

from __future__ import annotations

from dimred.commands.messages import Parser
from dimred.commands.output import out_file
from dimred.commands.run_argument import chosen
from dimred.files import printable
from dimred.options.plugins import load_plugins

HELP = """\
dimred export [RUN] [--out FILE] [--root DATA] [--plugin FILE|MODULE]

Writes the encoder of a finished run as one ONNX file (default: RUN/encoder.onnx): `images`, uint8
(N, C, height, width), to `h` and `z`, normalization included. Compares ONNX Runtime with PyTorch on
256 of the run's images, or on random ones without the run's data; no file is written if they differ
by more than 1e-4 of the largest value. Needs the extra `onnx` (pip install -e '.[onnx]' in dimred's
clone).

  --out   the file
  --root  the run's data, where they have moved

RUN is a folder, a name below outputs/ or a part of one; without, the newest finished run.

  dimred export outputs/demo-seed0-9b6bf014"""


def run(arguments: list[str]) -> int:
    """Export the run that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--out")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_args(arguments)
    out = out_file(args.out)
    path = chosen(args.run)
    load_plugins(args.plugin)
    from dimred.run_folder import layout
    from dimred.run_folder.finished import FinishedRun

    finished = FinishedRun(path, args.root)
    file = out or finished.path / layout.ENCODER
    from dimred.analysis.onnx import export  # with torch, for a run that is there

    exported = export(finished, file, f"--out {args.out}")
    channels, height, width = finished.shape
    shape = f"(N, {channels}, {height}, {width})"
    print(f"images: uint8 {shape} -> h (N, {exported.h}), z (N, {exported.z}), float32")
    print(
        f"largest difference from PyTorch, of the largest value, on {exported.images}: "
        f"{exported.differences_text}"
    )
    print(printable(file))
    return 0
