"""Imports point one way, libraries are usable alone, help is light."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dimred
from dimred.commands import COMMANDS
from dimred.run_folder import layout

PACKAGE = Path(dimred.__file__).parent
# What each package may import, besides itself, errors, files, array_files and steps.
MAY_IMPORT = {
    "array_files": set(),
    "errors": set(),
    "files": set(),
    "fusing": set(),
    "scaling": set(),
    "steps": set(),
    "options": set(),
    "data": {"fusing", "options"},
    "models": {"options", "scaling"},
    "pairing": {"data", "options", "scaling"},
    "loggers": {"options"},
    "losses": {"fusing", "options", "pairing"},
    "training": {"data", "fusing", "losses", "models", "options", "pairing"},
    "evaluation": {"data", "losses", "pairing"},
    "page": set(),
    "plots": {"data", "evaluation"},
    "config": {"data", "loggers", "losses", "models", "options", "pairing", "training"},
    "run_folder": {"config", "data", "models", "options", "training"},
    "tables": {"config", "run_folder"},
    "measures": {
        "config",
        "data",
        "evaluation",
        "losses",
        "models",
        "options",
        "pairing",
        "plots",
        "training",
    },
    "run": {
        "config",
        "data",
        "evaluation",
        "loggers",
        "losses",
        "measures",
        "models",
        "options",
        "pairing",
        "plots",
        "run_folder",
        "training",
    },
    "analysis": {
        "config",
        "data",
        "evaluation",
        "measures",
        "models",
        "page",
        "plots",
        "run_folder",
        "tables",
        "training",
    },
    "commands": {"analysis", "config", "options", "page", "plots", "run", "run_folder", "tables"},
    "__init__": {"analysis", "commands", "config", "options", "run"},
    "__main__": {"commands"},
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


def package(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_imports_point_one_way():
    offenders = []
    for path in sorted(PACKAGE.rglob("*.py")):
        here = package(path)
        if here not in MAY_IMPORT:
            offenders.append(f"{path.relative_to(PACKAGE)}: say what {here} may import")
            continue
        allowed = MAY_IMPORT[here] | {here, "errors", "files", "array_files", "steps"}
        # A configuration builds what it describes, inside functions.
        for module in imports(path, top_level_only=here == "config"):
            parts = module.split(".")
            inside = parts[0] == "dimred" and len(parts) > 1 and not parts[1].startswith("__")
            if inside and parts[1] not in allowed:
                offenders.append(f"{path.relative_to(PACKAGE)} imports {module}")
    assert not offenders, "\n".join(offenders)


def test_files_of_a_run_folder_are_spelled_in_one_place():
    offenders = []
    for name in ("analysis", "commands", "run", "run_folder"):
        for path in (PACKAGE / name).rglob("*.py"):
            texts = {
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            if path != PACKAGE / "run_folder" / "layout.py":
                offenders += [f"{path}: {text}" for text in texts & set(layout.FILES)]
    assert not offenders, "\n".join(offenders)


def opened_files(path):
    """Calls that open a file: the line, the name of the function, the mode, and whether the
    encoding is given."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            words = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            modes = [
                word for word in words if isinstance(word, str) and set(word) <= set("rwaxbt+")
            ]
            encoded = any(keyword.arg == "encoding" for keyword in node.keywords)
            yield node.lineno, name, modes[0] if modes else "r", encoded


def test_text_files_are_utf8_and_all_files_are_written_in_one_place():
    """A locale's own encoding would not read what was written elsewhere; a file that is not written
    atomically can be half-written."""
    offenders = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path == PACKAGE / "files.py":
            continue
        for line, name, mode, encoded in opened_files(path):
            if name == "read_text" and not encoded:
                offenders.append(f"{path}:{line}: {name} without an encoding")
            writes = name == "write_bytes" or (name == "open" and set(mode) & set("wax+"))
            if writes and path != PACKAGE / "commands" / "train.py":  # /dev/null
                offenders.append(f"{path}:{line}: writes a file by itself")
    assert not offenders, "\n".join(offenders)


def test_there_are_no_circles():
    list(TopologicalSorter(MAY_IMPORT).static_order())


LIBRARIES = ("losses", "pairing", "models", "data", "evaluation", "page")


def test_libraries_are_plain_without_hydra():
    for name in LIBRARIES:
        for path in (PACKAGE / name).rglob("*.py"):
            roots = {module.split(".")[0] for module in imports(path)}
            assert not roots & {"hydra", "omegaconf"}, path
    names = ", ".join(f"dimred.{name}" for name in LIBRARIES)
    code = f"import sys, {names}; sys.exit(bool({{'hydra', 'omegaconf'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys; from dimred.commands.main import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'hydra', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"dimred" in done.stdout


def test_what_is_mistyped_is_refused_before_torch_is_imported():
    commands = [
        ["train", "epochs=1"],
        ["train", "dataset=image_folder", "dataset.root=nowhere"],
        ["train", "dataset=npz", "dataset.path=nowhere"],
        ["train", "dataset=mnist", "dataset.root=nowhere"],
        ["train", "experiment=smoke", "model.init_from=nowhere"],
        ["train", "experiment=smoke", "model.weights=nowhere.pt"],
        ["view", "nowhere"],
        ["inspect", "nowhere"],
        ["embed", "nowhere", "nowhere.png"],
        ["export", "nowhere"],
        ["options", "nowhere"],
    ]
    code = (
        "import sys; from dimred.commands.main import main\n"
        f"for words in {commands}:\n"
        "    code = main(words)\n"
        "    if code != 2 or 'torch' in sys.modules:\n"
        "        sys.exit(f'{words}: {code}, torch was imported: {\"torch\" in sys.modules}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nowhere") >= 10
