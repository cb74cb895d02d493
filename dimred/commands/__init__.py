"""The commands of `dimred`: words in, lines out.

Each is a module named like it, with the text of its --help (`HELP`, whose first paragraph is its
usage) and `run`, which takes its arguments and returns its exit code. What a command does stands
elsewhere and is imported when it runs, so that help is quick.
"""

COMMANDS = {
    "train": "train a map and write it to a run folder",
    "options": "every key of the configuration, with its type, value and meaning",
    "view": "a finished run's map as a page to look into",
    "inspect": "what deserves a look: duplicates, outliers, label issues, clusters",
    "embed": "place new images on a finished run's map",
    "export": "a finished run's encoder as ONNX",
    "reproduce": "the runs of a paper's table",
    "table": "a paper's table beside what the runs gave",
    "baselines": "other methods on the images of a finished run",
    "plot": "a figure of finished runs, as PDF and PNG",
}
"""What each command is for, in the order of the help."""
