"""The command `dimred inspect`: images of a finished run that are worth checking."""

from __future__ import annotations

from dimred.commands.messages import Parser
from dimred.files import expanded, printable, shell_word
from dimred.options.plugins import load_plugins

HELP = """\
dimred inspect RUN [--root DATA] [--plugin FILE|MODULE]

Looks for images of a finished run that are worth checking. Writes each kind to RUN/inspect/ as CSV
and as a sheet of pictures, and their rows in embedding.npz to findings.json:

  near_duplicates   pairs and groups of images that differ only in shift, compression or noise
  outliers          images far from their 10th neighbor in H, compared with all or their own class
  label_issues      images with 12 or more of 15 neighbors in H of one other class
  clusters          clusters of the map, found by HDBSCAN, the densest first

  --root   the data, where they have moved

  dimred inspect outputs/demo-seed0-* && dimred view outputs/demo-seed0-*"""


def run(arguments: list[str]) -> int:
    """Inspect the run that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("run")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_args(arguments)
    load_plugins(args.plugin)
    from dimred.analysis.inspection import inspect
    from dimred.run_folder import layout
    from dimred.run_folder.finished import FinishedRun
    from dimred.run_folder.folder import RunFolder

    path = expanded(args.run)
    finished = FinishedRun(path, args.root)  # no folder is made for a run that is not there
    with RunFolder(path) as folder:
        for name, findings in inspect(finished, folder):
            print(f"{name:<16} {findings.summary}")
            print("".join(f"{'':<16} {line}\n" for line in findings.first), end="", flush=True)
    output = printable(path / layout.INSPECTED)
    print(f"\n{output} has them as CSV and sheets; dimred view {shell_word(path)} marks them")
    return 0
