"""Kills tiny training runs of eight kinds, resumes them until they are done, and compares.

    python scripts/campaigns/kills.py --count 360 --seed 0       about 1,000 kills

A case is one run that is killed one to eight times by SIGKILL: at a random moment, at its n-th file
operation (a write is first torn), or, in one of forty, as a fresh Python that may still be
importing. At the end all its files must equal those of a run that was never killed, except times;
nothing may be left over; and summary.json may be there after a kill only if all else is.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

from campaign import TINY, Campaign, Result, Whole, contents, differences, make_images, words_of
from operations import Tear, intercept
from warm import COLD, Child, run

LIMIT = 120
CAMPAIGN = Campaign(__doc__, 360)
WHOLE: dict[str, Whole] = {}


def prepare() -> None:
    """The runs that are not killed: how long they take and what they leave."""
    for name in TINY:
        WHOLE[name] = CAMPAIGN.whole(name, words_of(name), lambda f: make_images(f / "data"))
        for file, digest in WHOLE[name].files.items():
            assert digest or not file.endswith((".npz", ".safetensors", ".jsonl")), (
                f"{name}: {file}"
            )


def case(number: int, random: Random, folder: Path) -> Result:
    """One run, killed again and again."""
    name = list(TINY)[number % len(TINY)]
    make_images(folder / "data")
    result = Result(f"kill {name}", tried=0)
    words, whole = words_of(name), WHOLE[name]
    for _ in range(random.randint(1, 8)):
        cold = random.random() < 1 / 40
        at_operation = not cold and random.random() < 0.5
        if at_operation:
            hook = dies_at(folder, random.randrange(len(whole.operations)), random.random())
            child = Child(words, folder, hook=hook)
            outcome = child.end(LIMIT)
        else:
            child = Child(words, folder, program=COLD if cold else ())
            if not child.wait(random.uniform(0, (6 if cold else 0) + 1.1 * whole.seconds)):
                child.signal()
            outcome = child.end(LIMIT)
        result.what += f"{'cold' if cold else 'operation' if at_operation else 'moment'} "
        if outcome.code != -signal.SIGKILL:
            result.judge(outcome, [0])
            break
        result.tried += 1
        left = differences(whole.files, contents(folder))
        if (folder / "run" / "summary.json").exists() and left:
            result.wrong("differing", f"early summary.json: {left}")
    if not result.faults and result.judge(run(words, folder, LIMIT), [0]):
        left = differences(whole.files, contents(folder))
        if left:
            result.wrong("differing", left)
    return result


def dies_at(folder: Path, last: int, share: float):  # type: ignore[no-untyped-def]
    """A hook by which a process dies at its file operation of this number."""
    left = [last]

    def before(name: str, path: str, tear: Tear) -> None:
        if left[0] == 0:
            tear(share)
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    return lambda: intercept(folder, before)


if __name__ == "__main__":
    CAMPAIGN.run(case, prepare)
