"""Training: where to compute, the learning rate, one stage, and what a checkpoint holds."""

from dimred.training.checkpoint import Checkpoint, Position, load_checkpoint, save_checkpoint
from dimred.training.compute import Compute, torch_settings
from dimred.training.embed import embed
from dimred.training.interrupt import SignalWatch
from dimred.training.learning_rate import learning_rate
from dimred.training.processes import Processes
from dimred.training.seeds import derived_seed
from dimred.training.stage import EpochState, StageTrainer

__all__ = [
    "Checkpoint",
    "Compute",
    "EpochState",
    "Position",
    "Processes",
    "SignalWatch",
    "StageTrainer",
    "derived_seed",
    "embed",
    "learning_rate",
    "load_checkpoint",
    "save_checkpoint",
    "torch_settings",
]
