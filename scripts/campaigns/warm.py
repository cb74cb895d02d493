"""Forks of a process that has torch and dimred imported: a command line in a tenth of a second.

`Child` is a command line at work; `run` waits for it. A cold child is a fresh Python instead.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
_PIPE_SIZE = MIB
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, which Python 3.11 does not name everywhere
_HEAVY = ("sklearn.manifold", "sklearn.neighbors", "sklearn.linear_model", "sklearn.datasets")
_HEAVY += ("sklearn.cluster", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf")
_HEAVY += ("hydra._internal.hydra", "hydra.core.override_parser.overrides_parser")
_HEAVY += ("torch.onnx", "onnxruntime", "onnxscript")


@dataclass(frozen=True)
class Outcome:
    """How a command line ended. code: None when its time limit passed. grown: bytes of memory above
    those of the parent, at most."""

    words: tuple[str, ...]
    code: int | None
    out: str
    err: str
    seconds: float
    grown: int

    def __str__(self) -> str:
        words = " ".join(word if len(word) < 200 else f"{word[:200]}..." for word in self.words)
        text = "".join(f"\n      | {line[:300]}" for line in self.err.strip().splitlines()[-12:])
        return f"dimred {words}: exit {self.code}, {self.seconds:.1f} s{text}"


def warm_up() -> None:
    """Import what the commands import, so that forks need not; draw figures with few dots."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    sys.path.insert(0, str(ROOT))
    import dimred

    assert Path(dimred.__file__).resolve().is_relative_to(ROOT), dimred.__file__
    names = [module.name for module in pkgutil.walk_packages(dimred.__path__, "dimred.")]
    for name in [*names, *_HEAVY]:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    import torch
    from PIL import Image

    torch.set_num_threads(1)
    Image.init()
    _draw_coarsely()
    gc.collect()
    gc.freeze()


def _draw_coarsely() -> None:
    """Drawing as many dots as usual takes half the time of a small run."""
    from matplotlib.figure import Figure

    draw = Figure.savefig
    Figure.savefig = lambda figure, *a, **o: draw(figure, *a, **{**o, "dpi": 20})  # type: ignore


class Child:
    """A command line at work in a process group of its own.

    program: run this in place of a fork (for cold starts and torchrun). hook: called in the fork
    before the command. memory: bytes of address space more than now. file_size: of any file. begun:
    a pipe that the fork writes a byte to.
    """

    def __init__(
        self,
        words: Sequence[str],
        cwd: Path,
        *,
        program: Sequence[str] = (),
        hook: Callable[[], None] | None = None,
        memory: int | None = None,
        file_size: int | None = None,
        env: dict[str, str] | None = None,
        begun: int | None = None,
    ):
        self.words, self.began = tuple(words), time.monotonic()
        self._code: int | None = None
        self._grown = 0
        self._text = [b"", b""]
        pipes = [os.pipe() for _ in range(2)]
        for _, end in pipes:
            with contextlib.suppress(OSError):
                fcntl.fcntl(end, _SET_PIPE_SIZE, _PIPE_SIZE)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                os.chdir(cwd)
                os.environ |= {"PYTHONPATH": str(ROOT), **(env or {})}
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                for number, (_, end) in enumerate(pipes, start=1):
                    os.dup2(end, number)
                if begun is not None:
                    os.write(begun, b".")
                os.closerange(3, 256)
                _limit(memory, file_size)
                _become(self.words, program, hook)
            except SystemExit as error:
                os._exit(error.code if isinstance(error.code, int) else 1)
            except BaseException:
                os.write(2, traceback.format_exc().encode("utf-8", "replace"))
                os._exit(1)
        for read, write in pipes:
            os.close(write)
            os.set_blocking(read, False)
        self._pipes = [read for read, _ in pipes]

    def running(self) -> bool:
        """Whether it still runs; reads what it has printed."""
        if self._code is not None:
            return False
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        for number, pipe in enumerate(self._pipes):
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(pipe, MIB):
                    self._text[number] += piece
        if not pid:
            return True
        self._code = os.waitstatus_to_exitcode(status)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._grown = (usage.ru_maxrss - own) * 1024
        self.seconds = time.monotonic() - self.began
        for pipe in self._pipes:
            os.close(pipe)
        return False

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        until, step = time.monotonic() + seconds, 0.001
        while self.running():
            if time.monotonic() > until:
                return False
            time.sleep(min(step, max(until - time.monotonic(), 0.0005)))
            step = min(step * 1.3, 0.02)
        return True

    def signal(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self, seconds: float) -> Outcome:
        """Wait for its end, or kill it after so many seconds."""
        in_time = self.wait(seconds)
        if not in_time:
            self.signal()
            self.wait(60)
        out, err = (text.decode("utf-8", "replace") for text in self._text)
        code = self._code if in_time else None
        return Outcome(self.words, code, out, err, time.monotonic() - self.began, self._grown)


def run(words: Sequence[str], cwd: Path, seconds: float = 60, **more: object) -> Outcome:
    """A command line, from its start to its end."""
    return Child(words, cwd, **more).end(seconds)  # type: ignore[arg-type]


COLD = (sys.executable, str(Path(__file__).resolve()))
"""A fresh Python that runs the command with figures like those of forks."""


def _limit(memory: int | None, file_size: int | None) -> None:
    if file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    if memory is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _become(words: Sequence[str], program: Sequence[str], hook: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if program:
        os.execv(program[0], [*program, *words])
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = open(number, "w", closefd=False, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
        setattr(sys, name, stream)
    sys.argv = ["dimred", *words]
    if hook is not None:
        hook()
    from dimred.commands.main import entry

    entry()


if __name__ == "__main__":
    from dimred.commands.main import entry

    _draw_coarsely()
    entry()
