"""The names of the files in a run folder. No other module spells them."""

SUMMARY = "summary.json"  # written last: marks a complete run
CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"  # written first: marks a folder of dimred
METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"
EMBEDDING = "embedding.npz"
FEATURES = "features.npz"  # H of some training images
TSNE = "tsne.npz"
STAGES = "stages"
MEASURES = "measures"
KEPT = "kept.npz"  # of image files: digests, thumbnails, H
PLOTS = "plots"
PAGE = "map.html"
PAGE_FILES = "map_files"  # its thumbnails, where they are not in it
# Added by commands on a finished run.
ENCODER = "encoder.onnx"
BASELINES = "baselines.json"
BASELINE_MAPS = "baselines"
PLACED = "embedded"
INSPECTED = "inspect"
COMPARED = "compared"
PROBED = "probed"  # accuracy with few labels
LOCATED = "located"  # where in images it looks
HEAT = f"{LOCATED}/.heat.npz"  # of all images, for the page
LOGS = "logs"  # of the choice of the group `log`
FINDINGS = f"{INSPECTED}/findings.json"
EXCLUDED = f"{INSPECTED}/exclude.csv"
LOCK = ".lock"

# In the order of removal: the mark of a complete run first (ENVIRONMENT is removed last).
FILES = (
    SUMMARY,
    CONFIG,
    METRICS,
    CHECKPOINT,
    WEIGHTS,
    EMBEDDING,
    FEATURES,
    TSNE,
    ENCODER,
    BASELINES,
    PAGE,
    KEPT,
)
FOLDERS = (
    STAGES,
    MEASURES,
    PLOTS,
    PAGE_FILES,
    BASELINE_MAPS,
    PLACED,
    INSPECTED,
    COMPARED,
    PROBED,
    LOCATED,
    LOGS,
)
WRITTEN = frozenset((*FILES, ENVIRONMENT, *FOLDERS, LOCK))
"""All names that dimred writes in a run folder."""

# A row of metrics.jsonl: these are of the training, all others are measured.
OF_TRAINING = ("stage", "epoch", "loss", "lr", "images_per_s", "seconds", "compiled")
# Of a stage, in summary.json: whether its loss was falling fast when it ended.
STILL_FALLING = "still_falling"


def is_of_training(key: str) -> bool:
    """Whether a value in a row of metrics.jsonl is of the training, and not measured."""
    return key in (*OF_TRAINING, STILL_FALLING) or key.startswith("loss.")


def stage_arrays(stage: str) -> str:
    """The file of arrays at the end of a stage: z and loss of each sample."""
    return f"{STAGES}/{stage}.npz"


def measure_arrays(name: str) -> str:
    """The file of arrays that a measure keeps."""
    return TSNE if name == "tsne" else f"{MEASURES}/{name}.npz"


def plot(name: str) -> str:
    """The file of a figure of the run."""
    return f"{PLOTS}/{name}.png"


def baseline_map(method: str) -> str:
    """The file of another method's map of the run's images."""
    return f"{BASELINE_MAPS}/{method}.npz"
