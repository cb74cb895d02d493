"""The command `dimred runs`: the runs that there are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dimred.commands.messages import Parser, complain
from dimred.errors import InputError
from dimred.files import escaped, expanded, printable

if TYPE_CHECKING:
    from dimred.run_folder.state import RunState

HELP = """\
dimred runs [FOLDER|RUN ...] [--sort KEY] [--reverse] [--format table|csv|markdown|json]
            [--unfinished] [--delete] [--yes]

Lists runs, the newest first: their state, the measure that stands for each (the headline) beside
chance and raw pixels, epochs, minutes of training, size on disk, and the options in which runs of
one name differ. FOLDER holds runs, or folders of runs (default: outputs); RUN is a name, the
beginning of it or a part of it.

  --sort        a column, time, size, or a number in summary.json, such as knn15 or linear; the
                largest first
  --reverse     the other way round
  --format      csv and json have all numbers of each run
  --unfinished  only runs that were stopped or have failed, with the commands that go on with them
  --delete      with --unfinished: delete them, after asking; only files that dimred wrote
  --yes         do not ask

  dimred runs --sort knn15
  dimred runs outputs/smoke-* --format csv > runs.csv
  dimred runs --unfinished --delete"""


def run(arguments: list[str]) -> int:
    """List the runs that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("places", nargs="*")
    parser.add_argument("--sort")
    parser.add_argument("--reverse", action="store_true")
    parser.add_argument("--format", default="table")
    parser.add_argument("--unfinished", action="store_true")
    parser.add_argument("--delete", action="store_true")
    parser.add_argument("--yes", action="store_true")
    args = parser.parse_intermixed_args(arguments)
    from dimred.run_folder.state import STOPPED, UNFINISHED
    from dimred.tables.runs import FORMATS, run_rows, sorted_rows

    if args.format not in FORMATS:
        raise InputError(f"--format {args.format}: must be one of {', '.join(FORMATS)}")
    if args.delete and not args.unfinished:
        raise InputError("--delete: deletes unfinished runs; add --unfinished")
    runs = _listed(args.places)
    rows = sorted_rows(run_rows(runs), args.sort or "newest", args.reverse)
    if args.unfinished:
        rows = [row for row in rows if row.run.state in STOPPED]
    chosen = [row.run for row in rows]
    if not rows and args.format == "table":
        where = " ".join(args.places) or "outputs"
        hint = "" if args.unfinished else "; dimred train experiment=demo makes one"
        print(f"no {'unfinished ' if args.unfinished else ''}runs in {escaped(where)}{hint}")
        return 0
    print(printable(FORMATS[args.format](rows, args.sort or "")))
    if args.delete:
        return _delete(chosen, args.yes)
    if args.unfinished and args.format == "table":
        commands = [escaped(r.command) for r in chosen if r.state == UNFINISHED and r.command]
        if commands:
            print("\nthese go on with them:", *commands, sep="\n")
    return 0


def _listed(places: Sequence[str]) -> list[RunState]:
    """The runs in these places, each once."""
    from dimred.run_folder.find import OUTPUTS, named
    from dimred.run_folder.state import runs_below

    runs: dict[str, RunState] = {}
    for place in places or [str(OUTPUTS)]:
        path = expanded(place)
        found = list(runs_below(path)) if path.is_dir() else []
        # A folder of images may be called like the run that was made of it.
        if not found and places:
            found = named(place)
        if not found and path.is_file():
            raise InputError(f"{place}: is a file; name a folder of runs, or a run")
        if not found and places and not path.is_dir():
            raise InputError(f"{place}: no such folder, and no run below {OUTPUTS} of that name")
        runs |= {str(run.folder): run for run in found}
    return list(runs.values())


def _delete(runs: Sequence[RunState], without_asking: bool) -> int:
    """Delete runs after asking; returns the exit code."""
    size = sum(run.n_bytes for run in runs) / 1e6
    count = f"{len(runs)} unfinished run{'' if len(runs) == 1 else 's'}, {size:,.1f} MB"
    if not without_asking:
        if not (sys.stdin and sys.stdin.isatty()):
            raise InputError(f"--delete: nobody is there to be asked about {count}; add --yes")
        try:
            answer = input(f"\nDelete {count}? [y/N] ")
        except EOFError:  # Ctrl-D
            answer = ""
            print()
        if answer.strip().lower() not in ("y", "yes"):
            print("nothing is deleted")
            return 0
    from dimred.run_folder.removal import removed

    code = 0
    for run in runs:
        try:
            print(escaped(f"deleted: {run.folder}{removed(run.folder)}"), flush=True)
        except (InputError, OSError) as error:
            complain(f"not deleted: {error}")
            code = 2
    return code
