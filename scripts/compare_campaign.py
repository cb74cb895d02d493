"""Whether the tests of `dimred compare` hold their level, and what they find.

    python scripts/compare_campaign.py pool --pools POOLS --name mnist --run RUN --root DATA
    python scripts/compare_campaign.py type1 --pools POOLS --out OUT.jsonl
    python scripts/compare_campaign.py power --pools POOLS --out OUT.jsonl
    python scripts/compare_campaign.py peer --pools POOLS --out OUT.jsonl --peer-python PYTHON
    python scripts/compare_campaign.py time --pools POOLS --out OUT.jsonl --name cifar
    python scripts/compare_campaign.py table --out OUT.jsonl

`pool` embeds images of a run's set that the run did not learn from, as they are and altered (see
`compare_pools.py`). `type1` draws pairs of disjoint samples of one set: every rejection is an
error. `power` draws pairs that differ; of those where a part of B is altered, it also says how many
of the sixth of B with the highest scores are. `peer` gives the same draws to alibi-detect's
`ClassifierDrift` (see `compare_peer.py`), which the other Python has. `time` tests 2 x 2,000 images
with 999 permutations, once. `table` prints what OUT.jsonl has.

Every part adds a line a draw to OUT.jsonl, and goes on where it was stopped. --only takes some of
the sets and cases, by a regular expression on "SET CASE N_A/N_B".

Pixels are the first 50 principal components of both samples together. p-values are those of one
space, of 199 permutations: 0.05 and 0.01 can then be reached exactly.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from compare_draws import DIMS, NULL, Case, Draw, drawn, drifts
from compare_pools import CLEAN, loaded, make_pool
from compare_tables import print_tables

from dimred.evaluation import two_samples
from dimred.evaluation.principal import principal_components
from dimred.evaluation.two_samples import Labelings, SpaceTest, space_test

PERMUTATIONS = 199
PEER_BATCH = 100  # draws


def measured(pool: Path, case: Case, number: int) -> dict[str, Any]:
    """What the tests say of a pair."""
    pair = drawn(pool, case, number)
    labelings = Labelings(pair.is_b, pair.groups, permutations=PERMUTATIONS, seed=number)
    line: dict[str, Any] = {"p": {}, "effect": {}}
    for space, points in pair.points.items():
        test = space_test(points, labelings)
        line["p"][space] = test.p, test.own.p, test.auc.p
        effects = test.own.excess, test.auc.value, test.accuracy.excess
        line["effect"][space] = [round(effect, 4) for effect in effects]
        if case.altered and case.share < 1:
            line.setdefault("top", {})[space] = top_sixth(test, pair)
    return line


def top_sixth(test: SpaceTest, pair: Draw) -> list[float]:
    """The share of altered images in the sixth of B with the highest scores of the regression, and
    with most of B among the nearest."""
    altered = pair.altered[pair.is_b]
    scores = (values[pair.is_b] for values in (test.scores, test.nearest_b))
    tops = [np.argsort(-of_b, kind="stable")[: round(len(of_b) / 6)] for of_b in scores]
    return [round(float(altered[top].mean()), 4) for top in tops]


class Lines:
    """OUT.jsonl."""

    def __init__(self, file: Path):
        self.file = file
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        self.done = {self.key(line) for line in map(json.loads, text.splitlines())}

    @staticmethod
    def key(line: dict[str, Any]) -> tuple[str, str, int]:
        """What a line is of."""
        return line["part"], line["of"], line["draw"]

    def open_draws(self, part: str, of: str, draws: int) -> list[int]:
        """Those that have no line yet."""
        return [number for number in range(draws) if (part, of, number) not in self.done]

    def add(self, part: str, of: str, number: int, line: dict[str, Any]) -> None:
        """Add a line at the end."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"part": part, "of": of, "draw": number} | line) + "\n")


def cases(args: argparse.Namespace, part: str) -> Iterator[tuple[Path, Case, int]]:
    """The pools and cases of a part, and how many draws of each."""
    for pool in sorted(file.parent for file in args.pools.glob(f"*/{CLEAN}.npz")):
        for case in NULL if part == "type1" else drifts(pool):
            draws = args.draws or (1_000 if part == "type1" else 100 if case.n_b < 500 else 40)
            if re.search(args.only, case.title(pool.name)):
                yield pool, case, draws


def run(args: argparse.Namespace) -> None:
    """Part `type1` or `power`."""
    lines = Lines(args.out)
    # The interval is not looked at; it takes half the time.
    two_samples._RESAMPLES = two_samples._AT_A_TIME = 1
    for pool, case, draws in cases(args, args.part):
        of, began = case.title(pool.name), time.perf_counter()
        numbers = lines.open_draws(args.part, of, draws)
        for number in numbers:
            lines.add(args.part, of, number, measured(pool, case, number))
        print(f"{of}: {len(numbers)} in {time.perf_counter() - began:.0f} s", flush=True)


def run_peer(args: argparse.Namespace) -> None:
    """Part `peer`: features of the same draws, given to the other Python in a file of arrays."""
    lines, worker = Lines(args.out), Path(__file__).with_name("compare_peer.py")
    both = [("type1", *each) for each in cases(args, "type1") if not each[1].copies]
    both += [("power", *each) for each in cases(args, "power") if each[1].n_b == 300]
    for part, pool, case, draws in both:
        of = case.title(pool.name)
        numbers = lines.open_draws("peer", of, draws)
        for batch in (numbers[i : i + PEER_BATCH] for i in range(0, len(numbers), PEER_BATCH)):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "draws.npz"
                arrays: dict[str, Any] = {}
                for number in batch:
                    pair = drawn(pool, case, number)
                    arrays[f"{number} is_b"] = pair.is_b
                    arrays |= {f"{number} {space}": x for space, x in pair.points.items()}
                np.savez(file, **arrays)
                command = [args.peer_python, str(worker), str(file)]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            more = {batch[0]: {"ours_cpu": own_seconds(drawn(pool, case, batch[0]))}}
            for number, line in json.loads(done.stdout.splitlines()[-1]).items():
                line |= {"also": part} | more.get(int(number), {})
                lines.add("peer", of, int(number), line)


def own_seconds(pair: Draw) -> dict[str, float]:
    """CPU seconds of the test as `dimred compare` makes it, in each space."""
    seconds = {}
    for space, points in pair.points.items():
        began = time.process_time()
        space_test(points, Labelings(pair.is_b, pair.groups))
        seconds[space] = round(time.process_time() - began, 4)
    return seconds


def run_time(args: argparse.Namespace) -> None:
    """Part `time`: seconds of one comparison after embedding, once, and the peak of memory."""
    lines, rows = Lines(args.out), np.random.default_rng(0).permutation(4_000)
    clean = loaded(args.pools / args.name, CLEAN)
    images, h, z = (clean[key][rows] for key in ("images", "h", "z"))
    before, clock, cpu = peak(), time.perf_counter(), time.process_time()
    flat = images.reshape(len(images), -1).astype(np.float32)
    labelings = Labelings(np.repeat([False, True], 2_000))
    for points in (principal_components(flat, DIMS).coordinates, h, z):
        space_test(points, labelings)
    line = {
        "seconds": round(time.perf_counter() - clock, 2),
        "cpu": round(time.process_time() - cpu, 2),
        "peak_mib": peak(),
        "before_mib": before,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }
    print(line)
    number = sum(part == "time" and of == args.name for part, of, _ in lines.done)
    lines.add("time", args.name, number, line)


def peak() -> int:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", choices=["pool", "type1", "power", "peer", "time", "table"])
    parser.add_argument("--pools", type=Path, default=Path("pools"), help="their folder")
    parser.add_argument("--out", type=Path, default=Path("compare.jsonl"))
    parser.add_argument("--only", default="", help="sets and cases to take")
    parser.add_argument("--draws", type=int, help="of each case")
    parser.add_argument("--name", help="of the pool to make or to time")
    parser.add_argument("--run", help="whose encoder and images")
    parser.add_argument("--root", help="where the images of the run are, if they have moved")
    parser.add_argument("--images", type=int, default=20_000, help="of a new pool")
    parser.add_argument("--altered", type=int, default=5_000, help="images that are also altered")
    parser.add_argument("--ridge", type=float, help="instead of that of the test")
    parser.add_argument("--peer-python", help="a Python with alibi-detect")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    two_samples._RIDGE = args.ridge or two_samples._RIDGE
    if args.part == "pool":
        make_pool(args.pools / args.name, args.run, args.root, args.images, args.altered)
    elif args.part == "table":
        print_tables(args.out)
    else:
        {"type1": run, "power": run, "peer": run_peer, "time": run_time}[args.part](args)


if __name__ == "__main__":
    main()
