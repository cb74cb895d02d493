"""The command `dimred baselines`: other methods on the images of finished runs."""

from __future__ import annotations

from dimred.commands.messages import Parser
from dimred.commands.run_argument import chosen
from dimred.errors import InputError
from dimred.files import printable
from dimred.options.plugins import load_plugins

HELP = """\
dimred baselines [RUN ...] [--only METHOD,...] [--root DATA] [--again]
                 [--plugin FILE|MODULE]

Maps the images of a finished run by other methods, from their pixels and from the run's H, and
measures those maps like the run's own: kNN accuracy on the same splits, trustworthiness, time.
Writes results to RUN/baselines.json, maps to RUN/baselines/ and RUN/plots/. A method that has been
measured before is skipped, except with --again. A method whose library fails is left out, and the
exit code is then 1. --root is the folder of data that have moved.
RUN is a folder, a name below outputs/ or a part of one; without, the newest finished run.
t-SNE and UMAP come with the extra `baselines` (pip install -e '.[baselines]' in dimred's clone).

METHOD is one of
  z                      the run's own map, for comparison
  pixels, pixels_pca, pixels_lle, pixels_tsne, pixels_umap
  h_pca, h_tsne, h_umap
  imagenet               features of torchvision's ResNet-18, where its weights are on disk
Of many images some are drawn, with their shares of classes and splits, and it is said how many:
5,000 for LLE, 100,000 for t-SNE and UMAP, and in pixels as many as have 3e8 values.

  dimred baselines outputs/demo-seed0-*
  dimred table baselines"""


def run(arguments: list[str]) -> int:
    """Measure the methods that the arguments name; returns the exit code."""
    parser = Parser(HELP)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--only")
    parser.add_argument("--root")
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args(arguments)
    paths = [chosen(run) for run in args.runs or [None]]
    load_plugins(args.plugin)
    from dimred.analysis.baselines import METHODS, measure_baselines
    from dimred.run_folder.record import read_record

    methods = args.only.split(",") if args.only is not None else list(METHODS)
    for method in methods:
        if method not in METHODS:
            raise InputError(f"--only {method}: must be of {', '.join(METHODS)}")
    for path in paths:
        read_record(path)  # check all runs before the first is measured
    failed = False
    for path in paths:
        asked_for = args.only is not None
        for line in measure_baselines(path, methods, args.root, args.again, asked_for):
            print(printable(line.text), flush=True)
            failed |= line.failed
    print("\ndimred table baselines shows them side by side")
    return int(failed)
