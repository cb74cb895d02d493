"""The command `dimred inspect`: images of a finished run that are worth checking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dimred.commands.messages import Parser
from dimred.commands.run_argument import chosen
from dimred.files import printable, shell_word
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.analysis.keep_one import Exclusions
    from dimred.run_folder.finished import FinishedRun

HELP = """\
dimred inspect [RUN] [--keep-one] [--channels 0,2,3] [--root DATA] [--plugin FILE|MODULE]

Looks for images of a finished run that are worth checking. Writes each kind to RUN/inspect/ as CSV
and as a sheet of pictures, and their rows in embedding.npz to findings.json:

  near_duplicates   pairs and groups of images that differ only in shift, compression or noise
  outliers          images far from their 10th neighbor in H, compared with all or their own class
  label_issues      images with 12 or more of 15 neighbors in H of one other class
  clusters          clusters of the map, found by HDBSCAN, the densest first

H are the network's features; Z, the map, is made of them.

  --keep-one   also write exclude.csv, for dataset.exclude: near-duplicates of images that stay
               (training images stay before test images, then those of larger files)
  --channels   of the images, shown on the sheets; default: up to three (see dimred view)
  --root       the data, where they have moved

RUN is a folder, a name below outputs/ or a part of one; without, the newest finished run.

  dimred inspect demo && dimred view demo"""


def _left_out(run: FinishedRun, exclusions: Exclusions) -> str:
    """Lines on the list of near-duplicates to leave out."""
    from dimred.analysis.captions import counted
    from dimred.analysis.keep_one import next_command

    images, kept = counted(exclusions.images, "image"), counted(exclusions.kept, "image")
    copies = "a near-duplicate" if exclusions.images == 1 else "near-duplicates"
    stays = "stays" if exclusions.kept == 1 else "stay"
    what = f"{images}, {copies} of {kept} that {stays}"
    lines = [what if exclusions.images else "no near-duplicates to leave out"]
    if exclusions.other_class:
        count = counted(exclusions.other_class, "image")
        lines.append(f"{count} of another class than the one that stays: one of both may be wrong")
    if exclusions.earlier:
        lines.append(f"and {counted(exclusions.earlier, 'image')} that the run left out before")
    if exclusions.images:
        lines.append(f"without them: {next_command(run)}")
    head, *rest = lines
    return "\n".join([f"{'exclude':<16} {head}", *(f"{'':<16} {line}" for line in rest)])


def run(arguments: list[str]) -> int:
    """Inspect the run that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--keep-one", action="store_true")
    parser.add_argument("--channels")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    args = parser.parse_args(arguments)
    path = chosen(args.run)
    load_plugins(args.plugin)
    from dimred.run_folder import layout
    from dimred.run_folder.finished import FinishedRun

    # No folder is made for a run that is not there.
    finished = FinishedRun(path, args.root).showing(args.channels)
    from dimred.analysis.inspection import inspect
    from dimred.analysis.keep_one import check_has_files, leave_out_near_duplicates
    from dimred.run_folder.folder import RunFolder  # with torch, for a run that is there

    if args.keep_one:
        check_has_files(finished)  # before the search, which can take minutes
    pairs: list[dict[str, Any]] = []
    with RunFolder(path) as folder:
        for name, findings in inspect(finished, folder):
            if name == "near_duplicates":
                pairs = findings.table
            print(f"{name:<16} {findings.summary}")
            print("".join(f"{'':<16} {line}\n" for line in findings.first), end="", flush=True)
        if args.keep_one:
            print(_left_out(finished, leave_out_near_duplicates(finished, folder, pairs)))
    output = printable(path / layout.INSPECTED)
    print(f"\n{output} has them as CSV and sheets; dimred view {shell_word(path)} marks them")
    return 0
