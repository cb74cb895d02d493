"""Command lines that nobody should type: hostile words picked by hand, and mutations of valid lines.

    python scripts/campaigns/words.py --count 1500 --seed 0

Wanted: exit 0, or 2 with one line (1 only where training diverged or memory ran out); nothing
written but where the words say so; devices, pipes and links given as --out still what they were. (Values
of each key of `dimred options` are tried by scripts/fuzz_options.py.) The devices and links are made
in the temporary folder.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path
from random import Random

import numpy as np
from campaign import Campaign, Result, changed, make_images, snapshot, words_of
from warm import MIB, run

LIMIT = 30
MEMORY = 2048 * MIB
DIGITS = "9" * 4400
TRAIN = words_of("tsimcne")
FREE = [word for word in TRAIN if not word.startswith("run_dir=")]
SWEEP = ["train", "-m", *FREE[1:]]
MINE = ["--config-dir=conf", "experiment=mine"]
# Not a fault: these may end a run with exit 1.
FAILED_RUN = re.compile(r"became|not finite|diverge|memory", re.IGNORECASE)

VALUES = (
    *("-1", "0", "NaN", "inf", "-inf", "1e400", "1e300", "", " ", "x" * 10_000, "[1,2,3]", "[[0]]"),
    *("{a: 1}", "{}", "[]", "null", "~", "${oc.env:HOME}", "${", "???", DIGITS, "1_0", "true"),
    *("é日本", "e\u0301", "\u202egnp", "\U0001f600", "a\nb", "\x1b[31m", "\x07", "\udcff", "\x7f"),
    *("'", '"', "''", "a=b", "a,b", "range(1,0)", "glob(*)", "choice(a,b)", "${seed}", "0x10", "1e3"),
)
PATHS = (
    *("", ".", "..", "~", "~nobody", "a\nb", "x" * 300, "link", "dangling", "folder", "dev/null"),
    *("dev/full", "real", "\udcff", "${oc.env:HOME}", "???", "null", "{home}/new", "no/such/x"),
)
OF_PATHS = re.compile(r"(run_dir|output_dir|dataset\.root|--out|--outputs|--root|--config-dir)=")

OUTS = ("dev/null", "dev/full", "dev/stdout", "link", "dangling", "folder", "/", ".", "")
OUTS += ("real/x", "no/such/folder/x", "x" * 300, "a\nb", "\udcff", "~", "~nobody/x", "run")
BY_OUT = {
    "view": ["view", "run"],
    "export": ["export", "run"],
    "embed": ["embed", "run", "new.npz"],
    "plot": ["plot", "norms", "run"],
    "table": ["table", "table1"],
}
NAMES = ("../../x", "..", ".", "/", "a/b", "{home}/x", "~", "a\nb", "\x1b[31m", "-", " ", "x" * 300, "")
NAMES += ("é", "e\u0301", "\udcff", "%j", "*", "[a]", "con", ".hidden", "\u202egnp", "null", "'a b'")
OPTIONS = (
    *("model.widths=[[1]]", "model.widths=[65536,65536]", "model.widths=[]", "model.widths=[-1]"),
    *(f"seed={DIGITS}", "seed=-1", "seed=1e3", "loss={}", "device.compile=2147483648", "loss=null"),
    *("schedule.epochs_scale=1e300", "schedule.epochs_scale=1e-300", "experiment=null", "=1", "="),
    *("schedule.optimizer.lr_per_256=1e30", "schedule.optimizer.weight_decay=1e30", "dataset=null"),
    *("dataset.std=[1e-300]", "dataset.mean=[1e30]", "dataset.classes=${oc.env:HOME}", "schedule={}"),
    *("dataset.classes=[1_0]", "dataset.classes=[[4]]", "pairing.zoom=${oc.env:HOME}", "a.b=c"),
    *("run_dir=~", "run_dir={home}", "run_dir=real", "run_dir=real/x", "run_dir=link", "run_dir="),
    *("run_dir=dangling", "output_dir=real", "run_dir=a\nb", "run_dir=???", "run_dir=pipe"),
    *("hydra.run.dir={home}/x", "hydra/launcher=basic", "hydra.sweep.dir={home}/y", "+hydra.x=1"),
    *("hydra/job_logging=none", "hydra.verbose=true", "~dataset", "~model.widths", "++a=1", "+a=1"),
    *("schedule.stages={}", "schedule.stages.pretrain=null", "schedule.stages.x.epochs=1", "-m"),
    *("schedule.stages.pretrain.epochs=null", "eval.k=[]", "eval.k=[0]", "eval.k=[1000000]"),
    *("schedule.batch_size=1", "schedule.batch_size=999999999", "checkpoint_every=nan", "\udcff=1"),
    *("checkpoint_every=-1", "eval.batch_size=0", "--config-dir=", "--config-dir=real", "--plugin="),
    *("--plugin=real", "--plugin=new.npz", "--plugin=folder", "--plugin=no.such", "--nosuch", "--"),
)
SWEEPS = ("seed=range(1,0)", "seed=range(0,3,0)", "seed=glob(*)", "dataset=glob(x*)", "seed=")
SWEEPS += ("seed=choice()", "seed=interval(0,1)", "seed=0,0", "seed=a,b", "hydra/launcher=nosuch")
LINES = (
    *([], [""], ["help"], ["help", "help"], ["--version"], ["--version", "x"], ["nosuch"], ["-h", "x"]),
    *(["TRAIN"], ["\udcff"], ["\n"], ["x" * 100_000], ["options", "=1"], ["options", "experiment=null"]),
    *(["embed", "run", ""], ["embed", "run"], ["embed", "run", "dev/null"], ["embed", "run", "pipe2"]),
    *(["embed", "run", "new.npz", "--k", k] for k in ("0", "-1", "999999", DIGITS, "1.5", "nan")),
    *(["view", "run", "--thumbnail", p] for p in ("0", "-1", "999999", DIGITS, "1.5", "nan", "")),
    *(["view", ""], ["view", "."], ["view", ".."], ["view", "real"], ["view", "dev/null"], ["view", "~"]),
    *(["view", "run", "--root", r] for r in ("", "real", "nosuch", "dev/null", "pipe", "{home}")),
    *(["plot", f, "run"] for f in ("", "nosuch", "../x", "norms/../loss", "contrast", "\udcff")),
    *(["table", t] for t in ("", "nosuch", "../x", "\udcff")),
    *(["table", "table1", "--outputs", o] for o in ("", "real", "nosuch", "dev/null", "{home}")),
    *(["table", "table1", "--measures", m] for m in ("", "nosuch", ",", "\udcff", "a" * 9999, "[")),
    *(["table", "table1", "--budget", "nosuch"], ["table", "table1", "--format", ""]),
    *(["baselines", "run", "--only", m] for m in ("nosuch", ",", "z,,", "Z", "\udcff", "z,z")),
    *(["reproduce", "table1", "--list", "--seeds", s] for s in ("", "-1", DIGITS, "a", "1,1", "1.5", ",")),
    *(["reproduce", "table1", "--list", "--rows", r] for r in ("", "nosuch", "99", ",", "\udcff")),
    *(["reproduce", "table1", "--list", o] for o in OPTIONS[:12]),
)
TAGS = '!!python/object/apply:os.system ["touch {home}/EXECUTED"]'
YAML = (
    *("defaults: x", "defaults: {a: b}", "defaults: [1]", "defaults: [[]]", "a: &a [*a]", "null: 1"),
    *("a: " + "[" * 1500 + "]" * 1500, "[" * 100_000, "a: " + "{a: " * 3000, "x", "[]", "", "3", "---"),
    *("# @package _global_\ndefaults:\n  - /experiment: mine", "defaults:\n  - ../../../x", "\t", "a: b: c"),
    *(f"a: {TAGS}", f"# @package _global_\nname: {TAGS}", "# @package _global_\nseed: !!python/name:os.x"),
    *("# @package _global_\ndataset: text", "# @package _global_\nmodel: [1]", "# @package nosuch\na: 1"),
    *("# @package _global_\nname: ${oc.env:HOME}", "# @package _global_\nseed: ${seed}", "a: 1\na: 2"),
    *("# @package _global_\nhydra: {run: {dir: x}}", "# @package _global_\n1: 2", "%YAML 9.9\n---\na: 1"),
    *("# @package _global_\nname: " + "${" * 3000, "a: 2020-99-99", "a: 0b", "? [1]\n: 2", "\ufeffa: 1"),
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{c}: &{c} [{','.join(['*' + b] * 9)}]\n" for b, c in zip("abcdefg", "bcdefgh", strict=True)),
)
VALID = (
    *(TRAIN, TRAIN, TRAIN, [*FREE, "name=x"], [*SWEEP, "seed=0,1"]),
    ["options", "loss=simclr", "dataset=image_folder", "dataset.root=data", "seed=3"],
    *(["view", "run", "--out=out.html", "--thumbnail=4"], ["inspect", "run"], ["export", "run"]),
    *(["embed", "run", "new.npz", "data", "--out=x", "--k=3"], ["plot", "loss", "run", "--out=x"]),
    ["table", "table1", "--outputs=.", "--budget=smoke", "--format=csv", "--measures=loss"],
    *(["baselines", "run", "--only=z", "--again"], ["options", *MINE]),
    ["reproduce", "table1", "--budget=smoke", "--rows=4,8", "--seeds=0,1", "seed=3", "--list"],
)
BASE = Path()
PICKED: list[tuple[str, list[str], str]] = []


def prepare(top: Path) -> None:
    """A finished run, and the lines that were picked."""
    global BASE
    BASE = top / "base"
    make_images(BASE / "data")
    np.savez(BASE / "new.npz", images=np.zeros((3, 8, 8), np.uint8))
    outcome = run(words_of("folder"), BASE, 90)
    assert outcome.code == 0, outcome
    for command, words in BY_OUT.items():
        PICKED.extend(("words --out", [*words, "--out", out], "") for out in OUTS)
        assert command == words[0]
    PICKED.extend(("words name", [*FREE, f"name={name}"], "") for name in NAMES)
    PICKED.extend(("words train", [*TRAIN, word], "") for word in OPTIONS)
    PICKED.extend(("words train", [*SWEEP, word], "") for word in SWEEPS)
    PICKED.extend(("words line", list(line), "") for line in LINES)
    for text in YAML:
        PICKED.append(("words YAML", ["options", *MINE], text))
        PICKED.append(("words YAML", [*TRAIN, *MINE], text))


def mutated(random: Random) -> list[str]:
    """A valid line with one to three changes."""
    command, *words = random.choice(VALID)
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(words)) if words else 0
        word = words.pop(at) if words else "x"
        key, sign, _ = word.partition("=")
        of_path = OF_PATHS.match(word)
        change = random.choice("vvvvvdrcpsx")
        if change == "v":
            value = random.choice(PATHS if of_path else VALUES)
            words.insert(at, f"{key}{sign}{value}" if sign else value)
        elif change == "r":
            words[at:at] = [word, word]
        elif change == "c" and not of_path:
            spot = random.randrange(len(word) + 1)
            letter = random.choice("[]{},=:'\"\\$~+-.*?! \t\n\udcff\u00e9\x00\x1b0aZ%#&|;<>@^`()")
            words.insert(at, f"{word[:spot]}{letter}{word[spot + random.randrange(2):]}")
        elif change == "p":
            words.insert(at, random.choice(("+", "++", "~", "-", "--", "@", "'")) + word)
        elif change == "s":
            words.insert(random.randrange(len(words) + 1), word)
        elif change == "x":
            words[at:at] = [word, random.choice(VALUES[:30])]
    return [word.replace("\x00", "") for word in (command, *words)]


def case(number: int, random: Random, folder: Path) -> Result:
    """A line: first those that were picked, drawn without repetition, then mutations."""
    order = list(range(len(PICKED)))
    Random(CAMPAIGN.args.seed).shuffle(order)
    text = ""
    if number % 2 == 0 and number // 2 < len(order):
        kind, words, text = PICKED[order[number // 2]]
    else:
        kind, words = "words mutated", mutated(random)
    home, work = folder / "home", folder / "deep" / "in" / "work"
    words = [word.replace("{home}", str(home)) for word in words]
    result = Result(kind, what=repr(words)[-300:] + (f", YAML {text[:60]!r}" if text else ""))
    slow = words[:1] == ["baselines"] and not any(word.startswith("--only") for word in words)
    if slow or (words[:1] == ["reproduce"] and "--list" not in words):
        result.tried = 0  # would measure, or train, for minutes
        return result
    _lay_out(work, home, text.replace("{home}", str(home)))
    before, special = snapshot(folder, ["deep/in/work"]), _special(work)
    outcome = run(words, work, LIMIT, memory=MEMORY, env={"HOME": str(home)})
    if outcome.code == 1 and FAILED_RUN.search(outcome.err):
        result.judge(outcome, (1,))
    else:
        result.judge(outcome, one_line="-m" not in words)
    after = snapshot(folder, ["deep/in/work"])
    if kind == "words mutated" and any(OF_PATHS.match(word) for word in words):
        after = {name: seen for name, seen in after.items() if name in before}  # asked for
    touched = changed(before, after)
    if touched:
        result.wrong("outside", f"{touched[:300]}: {outcome}")
    if _special(work) != special:
        result.wrong("outside", f"replaced a device or a link: {outcome}")
    return result


def _lay_out(work: Path, home: Path, text: str) -> None:
    shutil.copytree(BASE, work)
    home.mkdir()
    for name in (".bashrc", ".profile"):
        (home / name).write_text("precious\n")
    (work / "conf" / "experiment").mkdir(parents=True)
    file = work / "conf" / "experiment" / "mine.yaml"
    file.write_text(text or "# @package _global_\nname: mine\n", encoding="utf-8")
    for name in ("dev", "folder", "targets"):
        (work / name).mkdir()
    for name, minor in (("null", 3), ("full", 7)):
        device = os.makedev(1, minor)
        try:
            os.mknod(work / "dev" / name, stat.S_IFCHR | 0o666, device)
        except PermissionError:  # not root
            (work / "dev" / name).symlink_to(f"/dev/{name}")
    (work / "dev" / "stdout").symlink_to("/proc/self/fd/1")
    (work / "real").write_text("x")
    (work / "targets" / "file").write_text("x")
    (work / "link").symlink_to("targets/file")
    (work / "dangling").symlink_to("targets/new")
    for name in ("pipe", "pipe2"):
        os.mkfifo(work / name)


def _special(work: Path) -> list[tuple[int, int]]:
    names = ("dev/null", "dev/full", "dev/stdout", "link", "dangling", "pipe", "folder")
    seen = [(work / name).lstat() for name in names if os.path.lexists(work / name)]
    return [(status.st_mode, status.st_rdev) for status in seen]


if __name__ == "__main__":
    CAMPAIGN = Campaign(__doc__, 1500, extra=("torch.onnx", "onnxruntime", "onnxscript"))
    CAMPAIGN.run(case, prepare)
