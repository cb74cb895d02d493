"""A set three times larger than the memory that is allowed trains from its packed file.

The limit is RLIMIT_DATA, on what a process allocates: RLIMIT_AS would count the file that is mapped
as well, and what PyTorch reserves without using it.
"""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
CODE = """
import resource, sys
from pathlib import Path
import numpy as np
import torch
from pixel_sources import Textures
from dimred.data.augmentation import BatchAugmentation
from dimred.data.free_memory import _PROCESS, _numbers, free_memory
from dimred.data.image_set import channel_statistics
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
from dimred.data.resident import ResidentImages
from dimred.errors import InputError
from dimred.losses import simclr_loss
from dimred.models import ConvNetBackbone, Encoder
from dimred.pairing import TwoViews
from dimred.training.device import DeviceOptions
from dimred.training.schedule import ScheduleOptions, Stage, StageOptions
from dimred.training.stage import StageTrainer

class Plain(Textures):
    def image(self, i):
        return np.full(self.shape, i % 251, dtype=np.uint8)

def trained(images, steps):
    torch.manual_seed(0)
    encoder = Encoder(ConvNetBackbone(1, [2]), [0.5], [0.25], 4, 2)
    options = StageOptions(epochs=1, out_dim=2, warmup_epochs=0)
    stage = Stage(0, "train", options, ScheduleOptions(batch_size=8))
    pairing = TwoViews(torch.arange(len(images)), BatchAugmentation())
    compute = DeviceOptions().compute()
    resident = ResidentImages(images, compute.device, 0.5)
    trainer = StageTrainer(stage, encoder, simclr_loss, pairing, resident, compute)
    state = trainer.new_epoch()
    for _, _ in zip(range(steps), trainer.train_epoch(0, state)):
        pass
    return state.losses[:steps].tolist()

torch.set_num_threads(1)
folder = Path(sys.argv[1])
small = Plain(40, (1, 64, 64))
from_memory = trained(load_pixels(small, Store.memory, None, "").images, 4)
assert trained(load_pixels(small, Store.disk, folder, "").images, 4) == from_memory

allowed = 64 * 2**20
used = _numbers(_PROCESS / "self/status")["VmData:"] * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + allowed, used + allowed))
assert free_memory() <= allowed
large = Plain(3 * allowed // 2**12, (1, 64, 64))
try:
    load_pixels(large, Store.memory, None, "dataset.image_size=64")
except InputError as error:
    print(error)
images = load_pixels(large, Store.auto, folder, "dataset.image_size=64").images
assert len(images) == len(large)
mean, _ = channel_statistics(images, np.zeros(len(images), dtype=bool))
assert abs(mean[0] * 255 - np.mean(np.arange(len(images)) % 251)) < 1e-6, mean
losses = trained(images, 4)
assert np.isfinite(losses).all()
"""


def test_it_trains_where_memory_would_not_hold_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith(
        "dataset.image_size=64: 49,152 images of 1x64x64 bytes need 192 MiB of memory, and "
    )
    assert "packing 49,152 images into " in done.stderr
