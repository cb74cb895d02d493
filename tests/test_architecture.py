"""The house: imports point one way, rooms are usable alone, help is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dimred
from dimred.cli import COMMANDS

PACKAGE = Path(dimred.__file__).parent
# What each room may import, besides errors and files.
MAY_IMPORT = {
    "errors": set(),
    "files": set(),
    "fusing": set(),
    "help": set(),
    "data": set(),
    "models": set(),
    "pairing": {"data"},
    "losses": {"pairing"},
    "training": {"data", "losses", "models", "pairing"},
    "evaluation": {"data", "losses", "pairing"},
    "reporting": {"data"},
    # A configuration builds what it describes, inside functions, where it may import it.
    "config": set(),
    "figures": {"data", "reporting"},
    "measures": {"config", "evaluation", "pairing"},
    "results": {
        "config",
        "data",
        "evaluation",
        "figures",
        "measures",
        "models",
        "pairing",
        "reporting",
        "training",
    },
    "stages": {"config", "data", "models", "pairing", "training"},
    "recorded": {"config", "data", "pairing", "reporting", "results", "stages", "training"},
    "train": {
        "config",
        "data",
        "evaluation",
        "measures",
        "pairing",
        "recorded",
        "reporting",
        "results",
        "stages",
        "training",
    },
    "complaints": set(),
    "launch": {"complaints", "config", "help"},
    "tables": set(),
    "table": {"complaints", "config", "launch", "tables"},
    "finished": {"config", "data", "models", "reporting", "tables", "train", "training"},
    "rate": {"config", "stages", "train", "training"},
    "reproduce": {"baselines", "complaints", "config", "launch", "rate", "tables"},
    "baselines": {
        "complaints",
        "config",
        "data",
        "evaluation",
        "finished",
        "reporting",
        "tables",
    },
    "plot": {"complaints", "data", "evaluation", "reporting", "tables"},
    "placing": {"complaints", "data", "evaluation", "finished"},
    "onnx_export": {"complaints", "finished", "models"},
    "inspection": {"complaints", "data", "evaluation", "finished", "reporting"},
    "viewing": {"complaints", "data", "evaluation", "finished", "page", "reporting"},
    "page": set(),
    "cli": {"help"},
    "__main__": {"cli"},
}


def imports(path, top_level_only=False):
    """Modules that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "dimred":
                yield from (f"dimred.{alias.name}" for alias in node.names)
            yield str(node.module)


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    here = room(path)
    assert here in MAY_IMPORT, "say what the new room may import"
    allowed = MAY_IMPORT[here] | {here, "errors", "files", "fusing"}
    # The command and the configuration import what is heavy inside functions.
    for module in imports(path, top_level_only=here in ("config", "cli", "launch")):
        parts = module.split(".")
        if parts[0] == "dimred" and len(parts) > 1 and not parts[1].startswith("__"):
            assert parts[1] in allowed, f"{here} imports {module}"


LIBRARIES = ("losses", "pairing", "models", "data", "evaluation", "page")


def test_rooms_are_plain_libraries_without_hydra():
    for name in LIBRARIES:
        for path in (PACKAGE / name).rglob("*.py"):
            roots = {module.split(".")[0] for module in imports(path)}
            assert not roots & {"hydra", "omegaconf"}, path
    rooms = ", ".join(f"dimred.{name}" for name in LIBRARIES)
    code = f"import sys, {rooms}; sys.exit(bool({{'hydra', 'omegaconf'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys; from dimred.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'hydra', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"dimred" in done.stdout


def test_a_bad_key_is_refused_before_torch_is_imported():
    code = (
        "import sys; from dimred.cli import main; code = main(['train', 'sed=1']);"
        "sys.exit('torch was imported' if 'torch' in sys.modules else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 2, done.stderr
