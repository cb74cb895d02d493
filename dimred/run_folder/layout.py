"""The files of a run folder, by name. No other module spells them."""

SUMMARY = "summary.json"  # written last: a run is complete when it exists
CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"  # written first: the mark of a folder of dimred
METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"
EMBEDDING = "embedding.npz"
TSNE = "tsne.npz"
STAGES = "stages"
PLOTS = "plots"
# What commands on a finished run add.
PAGE = "map.html"
ENCODER = "encoder.onnx"
BASELINES = "baselines.json"
BASELINE_MAPS = "baselines"
PLACED = "embedded"
INSPECTED = "inspect"
FINDINGS = f"{INSPECTED}/findings.json"
LOCK = ".lock"

# In the order in which they are removed: first the mark of a complete run, last that of any run.
FILES = (
    SUMMARY,
    CONFIG,
    METRICS,
    CHECKPOINT,
    WEIGHTS,
    EMBEDDING,
    TSNE,
    ENCODER,
    BASELINES,
    PAGE,
)
FOLDERS = (STAGES, PLOTS, BASELINE_MAPS, PLACED, INSPECTED)
WRITTEN = frozenset((*FILES, ENVIRONMENT, *FOLDERS, LOCK))
"""The names in a run's folder that are dimred's."""


def stage_arrays(stage: str) -> str:
    """The arrays at the end of a stage: z and loss of each sample."""
    return f"{STAGES}/{stage}.npz"


def baseline_map(method: str) -> str:
    """The map that another method made of the run's images."""
    return f"{BASELINE_MAPS}/{method}.npz"
