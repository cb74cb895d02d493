"""Export of a finished run's encoder as ONNX, compared with PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dimred.errors import InputError
from dimred.models import Encoder
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_CHECKED = 256  # images to compare on, at most
TOLERANCE = 1e-4  # of the largest value of H, and of Z
_ONLY_ERRORS = 3  # a log level of ONNX Runtime


@dataclass(frozen=True)
class Exported:
    """An encoder as ONNX. differences: of H and Z from PyTorch, as shares of the largest value.
    images: describes the images compared on. h, z: dimensions of H and Z."""

    content: bytes
    differences: dict[str, float]
    images: str
    h: int
    z: int

    @property
    def agrees(self) -> bool:
        """Whether ONNX Runtime and PyTorch agree within TOLERANCE."""
        return all(difference <= TOLERANCE for difference in self.differences.values())

    @property
    def differences_text(self) -> str:
        """The differences as text."""
        return ", ".join(f"{name} {value:.1e}" for name, value in self.differences.items())


def missing_packages() -> list[str]:
    """Packages that must be installed before a run can be exported."""
    return [name for name in _PACKAGES if find_spec(name) is None]


def export(run: FinishedRun, file: Path, option: str) -> Exported:
    """Write the encoder of a run as an ONNX file and compare it with PyTorch.

    option: how error messages name the file, such as the option that set it.
    Raises InputError without the packages, where ONNX Runtime differs from PyTorch, and for a file
    that is a folder or would replace a file of the run.
    """
    missing = missing_packages()
    if missing:
        raise InputError(
            f"dimred export: needs {', '.join(missing)}; run "
            "pip install -e '.[onnx]' in dimred's clone"
        )
    if file.is_dir():
        raise InputError(f"{option}: is a folder; name a file")
    run.check_output(option, file, layout.ENCODER)
    result = exported(run, moved=run.root is not None)
    if not result.agrees:
        raise InputError(
            f"{file}: not written: on {result.images} ONNX Runtime differs from PyTorch by more "
            f"than {TOLERANCE:g} of the largest value ({result.differences_text})"
        )
    run.write_output(file, result.content)
    return result


def exported(run: FinishedRun, moved: bool) -> Exported:
    """The encoder of a run as ONNX, compared with PyTorch. moved: the user has given a new location
    of the data, so that it is an error if they are not there."""
    model = FromPixels(run.encoder()).eval()
    images, which = _images(run, moved)
    content = to_onnx(model, run.shape)
    encoder = model.encoder
    differences = check(model, content, images)
    return Exported(content, differences, which, encoder.backbone.out_features, encoder.out_dim)


class FromPixels(nn.Module):
    """An encoder of uint8 images: (N, C, height, width) -> H (N, h), Z (N, d)."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """H and Z, as `dimred.training.embed` computes them."""
        h, z = self.encoder(images.float() / 255)
        return h, z


def to_onnx(model: FromPixels, shape: tuple[int, int, int]) -> bytes:
    """An ONNX file from `images` (N, *shape), any N, to `h` and `z`."""
    example = torch.zeros(2, *shape, dtype=torch.uint8)
    program = torch.onnx.export(
        model,
        (example,),
        input_names=["images"],
        output_names=["h", "z"],
        dynamic_shapes={"images": {0: torch.export.Dim("N")}},
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


@torch.inference_mode()
def check(model: FromPixels, content: bytes, images: Tensor) -> dict[str, float]:
    """The largest difference of H and of Z between ONNX Runtime and PyTorch, both on the CPU, as a
    share of the largest value, on two batches of different sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = _ONLY_ERRORS
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    batches = [batch for batch in (images[:1], images[1:]) if len(batch)]
    expected = [[part.numpy() for part in model(batch)] for batch in batches]
    computed = [session.run(["h", "z"], {"images": batch.numpy()}) for batch in batches]
    return {
        name: _difference(np.concatenate(ours), np.concatenate(theirs))
        for name, ours, theirs in zip(
            ("h", "z"), zip(*expected, strict=True), zip(*computed, strict=True), strict=True
        )
    }


def _difference(expected: NDArray[np.float32], computed: NDArray[np.float32]) -> float:
    """Largest difference as a share of the largest expected value; NaN where a value is not finite,
    inf where shapes differ."""
    if expected.shape != computed.shape:
        return float("inf")
    return float(np.abs(computed - expected).max() / max(np.abs(expected).max(), 1e-12))


def _images(run: FinishedRun, moved: bool) -> tuple[Tensor, str]:
    """Images to compare on, uint8 (n, C, height, width), and a description: images of the run, or
    random ones where those are missing and the user has not given their location."""
    try:
        images = run.images().images
    except (InputError, OSError):
        if moved:
            raise
        pixels = np.random.default_rng(0).integers(0, 256, (_CHECKED, *run.shape), dtype=np.uint8)
        return torch.from_numpy(pixels), f"{_CHECKED} random images, as the run's are missing"
    if tuple(images.shape[1:]) != run.shape:
        raise InputError(
            f"{run.path / layout.SUMMARY}: dataset.shape={list(run.shape)}: its images have "
            f"{list(images.shape[1:])}"
        )
    some = images[:: -(-len(images) // _CHECKED)]
    return some, f"{len(some)} of its images"
