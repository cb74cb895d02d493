"""The commands of `dimred`: they parse arguments and print results.

Each command is a module of the same name, with its help text (`HELP`, whose first paragraph is the
usage) and `run(arguments)`, which returns an exit code. The work is done by other packages, which
are imported in `run`, so that help is quick.
"""

COMMANDS = {
    "map": "a map of a folder of images, within ten minutes",
    "train": "train a map and write it to a run folder",
    "options": "every key of the configuration, with its type, value and meaning",
    "runs": "your runs: state, numbers, and what differs; delete unfinished ones",
    "view": "a finished run's map as an interactive page",
    "inspect": "images worth checking: duplicates, outliers, label issues, clusters",
    "embed": "place new images on a finished run's map",
    "compare": "whether two sets of images are alike, and which images tell",
    "locate": "where in images a run finds a class, or looks",
    "probe": "how far a finished run's network gets with few labels",
    "export": "a finished run's encoder as ONNX",
    "reproduce": "the runs of a paper's table",
    "table": "a paper's table beside the results of your runs",
    "baselines": "other methods on the images of a finished run",
    "plot": "a figure of finished runs, as PDF and PNG",
}
"""A description of each command, in the order of the help."""
