"""The environment of a run: versions, machine, device, command."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import dimred

_PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "hydra-core", "omegaconf")


def environment(device: torch.device, command: list[str], processes: int) -> dict[str, Any]:
    """Versions, git commit, machine, device, command and the time, as plain JSON types.

    processes: number of processes that share the run.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "device": f"{device.type} ({name})",
        "processes": processes,
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "dimred": dimred.__version__,
        "commit": commit(),
        **{package: version(package) for package in _PACKAGES},
    }


def commit() -> str | None:
    """The commit of the checkout that dimred runs from, with "+changes" if there are uncommitted
    ones; None outside a checkout."""
    package = Path(dimred.__file__).resolve().parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # An installed dimred may lie within another project's repository.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != package.parent:
            return None
        changed = git("status", "--porcelain", "--", "dimred", "conf")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
