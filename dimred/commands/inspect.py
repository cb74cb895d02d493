"""The command `dimred inspect`: what deserves a look among the images of a finished run."""

from __future__ import annotations

from dimred.commands.messages import Parser
from dimred.files import expanded
from dimred.options.plugins import load_plugins

HELP = """\
dimred inspect RUN [--root DATA] [--plugin FILE|MODULE]

Looks for what deserves a look among the images of a finished run, and writes each kind to
RUN/inspect/ as CSV and as a sheet of pictures, the rows of embedding.npz to findings.json:

  near_duplicates   pairs and groups of images that are copies but for shift, compression or noise
  outliers          images whose 10th neighbor in H is far, of all images or of their class
  label_issues   images 12 or more of whose 15 neighbors in H are of one other class
  clusters          the clusters that HDBSCAN finds in the map, the densest first

  --root   the data, where they have moved

  dimred inspect outputs/demo-seed0-* && dimred view outputs/demo-seed0-*"""


def run(arguments: list[str]) -> int:
    """Look for what deserves a look; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("run")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    given = parser.parse_args(arguments)
    load_plugins(given.plugin)
    from dimred.analysis.inspection import inspect
    from dimred.run_folder import layout
    from dimred.run_folder.finished import FinishedRun
    from dimred.run_folder.folder import RunFolder

    path = expanded(given.run)
    finished = FinishedRun(path, given.root)  # no folder is made for a run that is not there
    with RunFolder(path) as folder:
        for name, found in inspect(finished, folder):
            print(f"{name:<16} {found.summary}")
            print("".join(f"{'':<16} {line}\n" for line in found.first), end="", flush=True)
    folder_of_findings = path / layout.INSPECTED
    print(f"\n{folder_of_findings} has them as CSV and sheets; dimred view {path} marks them")
    return 0
