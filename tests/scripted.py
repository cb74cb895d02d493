"""Python code that tests run in a process of its own, such as to be killed or held to a limit."""

import os
import subprocess
import sys
from pathlib import Path

_TESTS = Path(__file__).parent


def scripted(code, *words, **environment):
    """Run code, which can import the modules of the tests, to its end without an error."""
    path = os.pathsep.join([str(_TESTS), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done
