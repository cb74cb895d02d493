"""Command lines that nobody should type: hostile words picked by hand, mutations of valid lines.

    python scripts/campaigns/words.py --count 1500 --seed 0

Wanted: exit 0, or 2 with one line (1 only where training diverged or memory ran out); nothing
written but where the words say so; devices, pipes and links given as --out still what they were
(they are made in the temporary folder). Values of each key of `dimred options` are tried by
scripts/fuzz_options.py.
"""

from __future__ import annotations

# ruff: noqa: SIM905  (words stand side by side, as on a command line)
import csv
import os
import re
import shlex
import stat
from pathlib import Path
from random import Random

from campaign import Campaign, Result, Skipped, changed, snapshot, sound, words_of
from damage import billion_laughs
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

VALUES = [
    *"-1 0 NaN inf -inf 1e400 1e300 [1,2,3] [[0]] {} [] null ~ ${oc.env:HOME} ${ ???".split(),
    *"' \" '' a=b a,b range(1,0) glob(*) choice(a,b) ${seed} 0x10 1e3 1_0 true".split(),
    *("é日本", "e\u0301", "\U0001f600"),
    *("", " ", "{a: 1}", "x" * 10_000, DIGITS, "a\nb", "\x1b[31m", "\x07", "\udcff", "\u202egnp"),
]
PATHS = [
    *". .. ~ ~nobody link dangling folder dev/null dev/full real ${oc.env:HOME} ??? null".split(),
    *("{home}/new", "no/such/x", "", "\udcff", "a\nb", "x" * 300),
]
OF_PATHS = re.compile(
    r"(run_dir|output_dir|dataset\.root|hydra\.(run|sweep)\.dir|--out|--outputs|--root|--config-dir)="
)
OUTS = [
    *"dev/null dev/full dev/stdout link dangling folder / . real/x no/such/x ~ run".split(),
    *("~nobody/x", "", "x" * 300, "a\nb", "\udcff"),
]
TO_OUT = ("view run", "export run", "embed run new.npz", "plot norms run", "table table1")
NAMES = [
    *"../../x .. . / a/b {home}/x ~ - é e\u0301 \udcff %j * [a] con .hidden null".split(),
    *("\u202egnp", "a\nb", "\x1b[31m", " ", "x" * 300, "", "'a b'"),
]
OPTIONS = """
    model.widths=[[1]] model.widths=[65536,65536] model.widths=[] model.widths=[-1] model.widths
    seed=DIGITS seed=-1 seed=1e3 loss={} loss=null dataset=null experiment=null schedule={} =1 =
    a.b=c device.compile=2147483648 schedule.epochs_scale=1e300 schedule.epochs_scale=1e-300
    schedule.optimizer.lr_per_256=1e30 schedule.optimizer.weight_decay=1e30 dataset.std=[1e-300]
    dataset.mean=[1e30] dataset.classes=${oc.env:HOME} dataset.classes=[1_0] dataset.classes=[[4]]
    pairing.zoom=${oc.env:HOME} run_dir=~ run_dir={home} run_dir=real run_dir=real/x run_dir=link
    run_dir= run_dir=dangling run_dir=??? run_dir=pipe output_dir=real +hydra.x=1 hydra.verbose=true
    hydra.run.dir={home}/x hydra.sweep.dir={home}/y hydra/launcher=basic hydra/job_logging=none -m
    ~dataset ~model.widths ++a=1 +a=1 schedule.stages={} schedule.stages.pretrain=null \udcff=1
    schedule.stages.x.epochs=1 schedule.stages.pretrain.epochs=null eval.k=[] eval.k=[0]
    eval.k=[1000000] schedule.batch_size=1 schedule.batch_size=999999999 checkpoint_every=nan
    checkpoint_every=-1 eval.batch_size=0 --config-dir= --config-dir=real --plugin= --plugin=real
    --plugin=new.npz --plugin=folder --plugin=no.such --nosuch --
"""
SWEEPS = """
    seed=range(1,0) seed=range(0,3,0) seed=glob(*) dataset=glob(x*) seed= seed=choice() seed=a,b
    seed=interval(0,1) seed=0,0 hydra/launcher=nosuch
"""
# A line each; {a,b} stands for each of the words in it.
LINES = """
    {"",help,"help help",--version,"--version x",nosuch,"-h x",TRAIN,\udcff,NEWLINE,HUGE}
    options {=1,experiment=null,NEWLINE}
    embed run {"''","",dev/null,"new.npz --k 0","new.npz --k -1","new.npz --k 999999"}
    embed run new.npz --k {DIGITS,1.5,nan,"''"}
    view run --thumbnail {0,-1,999999,DIGITS,1.5,nan,"''"}
    view {"''",.,..,real,dev/null,~,pipe,"run run"}
    view run --root {"''",real,nosuch,dev/null,pipe,HOME}
    plot {"''",nosuch,../x,norms/../loss,contrast,\udcff} run
    table {"''",nosuch,../x,\udcff,"table1 --budget nosuch","table1 --format ''"}
    table table1 --outputs {"''",real,nosuch,dev/null,HOME}
    table table1 --measures {"''",nosuch,",",\udcff,[,HUGE}
    baselines run --only {nosuch,",",Z,\udcff,"'z,z'","'z,,'"}
    reproduce table1 --list --seeds {"''",-1,DIGITS,a,"'1,1'",1.5,","}
    reproduce table1 --list --rows {"''",nosuch,99,",",\udcff}
    reproduce table1 --list {seed=DIGITS,model.widths=[[1]],loss=null,=1,seed=-1,experiment=null}
"""
TAGS = '!!python/object/apply:os.system ["touch {home}/EXECUTED"]'
GLOBAL = "# @package _global_\n"
YAML = [
    *("defaults: x", "defaults: {a: b}", "defaults: [1]", "defaults: [[]]", "null: 1"),
    *("a: &a [*a]", "x", "[]", "", "3", "---", "\t", "a: b: c", "a: 1\na: 2", "a: 2020-99-99"),
    *("? [1]\n: 2", "a: " + "[" * 1500 + "]" * 1500, "[" * 100_000, "a: " + "{a: " * 3000),
    *("%YAML 9.9\n---\na: 1", "defaults:\n  - ../../../x", "# @package nosuch\na: 1"),
    *(f"a: {TAGS}", "\ufeffa: 1", f"{GLOBAL}defaults:\n  - /experiment: mine"),
    *(f"{GLOBAL}name: {TAGS}", f"{GLOBAL}1: 2", f"{GLOBAL}seed: !!python/name:os.x"),
    *(f"{GLOBAL}dataset: text", f"{GLOBAL}model: [1]", f"{GLOBAL}name: ${{oc.env:HOME}}"),
    *(f"{GLOBAL}seed: ${{seed}}", f"{GLOBAL}name: {'${' * 3000}"),
    *(f"{GLOBAL}hydra: {{run: {{dir: x}}}}", billion_laughs()),
]
VALID = (
    *(TRAIN, TRAIN, TRAIN, [*FREE, "name=x"], [*SWEEP, "seed=0,1"], ["options", *MINE]),
    *(
        line.split()
        for line in (
            "options loss=simclr dataset=image_folder dataset.root=data seed=3",
            "view run --out=out.html --thumbnail=4",
            "inspect run",
            "export run",
            "embed run new.npz data --out=x --k=3",
            "plot loss run --out=x",
            "table table1 --outputs=. --budget=smoke --format=csv --measures=loss",
            "baselines run --only=z --again",
            "reproduce table1 --budget=smoke --rows=4,8 --seeds=0,1 seed=3 --list",
        )
    ),
)
CAMPAIGN = Campaign(__doc__, 1500)
PICKED: list[tuple[str, list[str], str]] = []


def prepare() -> None:
    """A finished run, and the lines that were picked."""
    CAMPAIGN.make_base(each=12)
    sound(run(words_of("folder"), CAMPAIGN.base, 90))
    for line in TO_OUT:
        PICKED.extend(("words --out", [*line.split(), "--out", out], "") for out in OUTS)
    PICKED.extend(("words name", [*FREE, f"name={name}"], "") for name in NAMES)
    PICKED.extend(("words train", [*TRAIN, word], "") for word in OPTIONS.split())
    PICKED.extend(("words train", [*SWEEP, word], "") for word in SWEEPS.split())
    PICKED.extend(("words line", words, "") for words in _lines())
    for text in YAML:
        PICKED.append(("words YAML", ["options", *MINE], text))
        PICKED.append(("words YAML", [*TRAIN, *MINE], text))


def _lines() -> list[list[str]]:
    lines = []
    for line in LINES.strip().splitlines():
        head, _, rest = line.strip().partition("{")
        middle, _, tail = rest.rpartition("}")
        for choice in next(csv.reader([middle])):
            lines.append(shlex.split(f"{head}{choice}{tail}"))
    return lines


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
            words.insert(at, f"{word[:spot]}{letter}{word[spot + random.randrange(2) :]}")
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
    named = {"{home}": str(home), "HOME": str(home), "DIGITS": DIGITS}
    named |= {"HUGE": "x" * 100_000, "NEWLINE": "a\nb"}
    for name, text_of_it in named.items():
        words = [word.replace(name, text_of_it) if "oc.env" not in word else word for word in words]
    result = Result(kind, what=repr(words)[-300:] + (f", YAML {text[:60]!r}" if text else ""))
    slow = words[:1] == ["baselines"] and not any(word.startswith("--only") for word in words)
    if slow or (words[:1] == ["reproduce"] and "--list" not in words):
        raise Skipped  # would measure, or train, for minutes
    _lay_out(work, home, text.replace("{home}", str(home)))
    before, special = snapshot(folder, ["deep/in/work"]), _special(work)
    outcome = run(words, work, LIMIT, memory=MEMORY, env={"HOME": str(home)})
    if outcome.code is None and "left in all" in outcome.out:
        pass  # a longer training, since the mutation has dropped the experiment
    elif outcome.code == 1 and FAILED_RUN.search(outcome.err):
        result.judge(outcome, (1,))
    else:
        result.judge(outcome, one_line="-m" not in words)
    after = snapshot(folder, ["deep/in/work"])
    own = kind == "words mutated" or any(word.startswith("hydra.") for word in words)
    if own and any(OF_PATHS.match(word) for word in words):
        after = {name: seen for name, seen in after.items() if name in before}  # asked for
    touched = changed(before, after)
    if touched:
        result.wrong("outside", f"{touched[:300]}: {outcome}")
    if _special(work) != special:
        result.wrong("outside", f"replaced a device or a link: {outcome}")
    return result


def _lay_out(work: Path, home: Path, text: str) -> None:
    CAMPAIGN.lay_out(work)
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
    CAMPAIGN.run(case, prepare)
