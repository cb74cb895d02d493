"""A set three times larger than the memory that is allowed trains from its packed file, and is
measured from it; it is viewed and inspected with less than its pixels would take.

The limit is RLIMIT_DATA, on what a process allocates: RLIMIT_AS would count the file that is mapped
as well, and what PyTorch reserves without using it.
"""

import pytest
from scripted import scripted

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

COMMANDS = """
import os, resource, sys
import numpy as np
from command import SMOKE
from dimred.commands.main import main
from dimred.data.free_memory import _PROCESS, _numbers
from dimred.evaluation import near_duplicates

near_duplicates._VALUES_IN_BLOCK = 2**20  # 64 MiB in float32 are few beside a large set only

WORDS = [*SMOKE, "dataset=npz", "dataset.limit=null", "dataset.fit_on=train", "dataset.store=disk"]
WORDS += ["dataset.store_folder=packs", "schedule=single_2d", "schedule.stages.train.epochs=1"]
WORDS += ["schedule.stages.train.warmup_epochs=0", "schedule.batch_size=4", "eval.batch_size=4"]
WORDS += ["model.widths=[2]", "eval.k=[5]", "eval.every=0", "eval.linear=none", "eval.save_h=true"]

def limit(n_bytes):
    resource.setrlimit(resource.RLIMIT_DATA, (n_bytes, resource.RLIM_INFINITY))

def end_to_end(name, n, side, limited):
    images = np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)
    split = np.where(np.arange(n) < 16, "train", "test")
    np.savez(f"{name}.npz", images=images, labels=np.arange(n) % 2, split=split)
    del images
    used, pixels = _numbers(_PROCESS / "self/status")["VmData:"] * 1024, n * side**2
    if limited:
        limit(used + pixels // 3)
    assert main([*WORDS, f"dataset.path={name}.npz", f"run_dir={name}"]) == 0
    if limited:  # the stacks of 8 threads that compress sheets take 64 MiB
        limit(used + pixels * 2 // 3)
    assert main(["view", name, "--folder", "--thumbnail", "128"]) == 0
    assert main(["inspect", name]) == 0

os.chdir(sys.argv[1])
end_to_end("small", 40, 64, limited=False)  # what is imported when it is first used
end_to_end("large", 3_600, 256, limited=True)
"""


# Memory that is freed goes back at once, and threads share what there is, so that the limit is on
# what is used.
ALLOCATOR = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20)}


@pytest.mark.slow
def test_it_is_measured_viewed_and_inspected(tmp_path):
    done = scripted(COMMANDS, tmp_path, **ALLOCATOR)
    assert "large: " in done.stdout
    assert "left out" not in done.stdout + done.stderr
    assert (tmp_path / "large/map_files").is_dir()
    assert (tmp_path / "large/inspect/findings.json").is_file()


def test_it_trains_where_memory_would_not_hold_it(tmp_path):
    done = scripted(CODE, tmp_path, **ALLOCATOR)
    (line,) = done.stdout.splitlines()
    assert line.startswith(
        "dataset.image_size=64: 49,152 images of 1x64x64 bytes need 192 MiB of memory, and "
    )
    assert "packing 49,152 images into " in done.stderr
