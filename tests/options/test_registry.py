"""A choice registers itself; what cannot be one is refused with a clear line."""

import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

import dimred.losses
from dimred.config.conf_folder import choices
from dimred.errors import InputError
from dimred.losses.options import LossOptions, SimCLR
from dimred.models.options import ModelOptions
from dimred.options import nested, option, register
from dimred.options import registry as module
from dimred.options.option import leaves
from dimred.options.origin import origin_of
from dimred.options.registry import forget, registered, unknown
from dimred.pairing.options import PairingOptions

GROUPS = ("dataset", "pairing", "model", "loss")


@pytest.fixture(autouse=True)
def forget_this_module():
    yield
    forget(__name__)


@dataclass
class _Base(LossOptions):
    """A loss of these tests."""

    margin: float = option(1.0, "A margin.", above=0)

    def build(self):
        return None


def test_a_registered_class_is_a_choice_everywhere():
    @register("loss", "one", "other")
    @dataclass
    class Mine(_Base):
        """Mine."""

    assert registered("loss")["one"] is registered("loss")["other"] is Mine
    assert Mine.choices == ("one", "other")
    assert {"one", "other"} < set(choices("loss"))
    assert (Mine().name, Mine(margin=2.0).name, Mine("other").name) == ("one", "one", "other")
    assert next(spec.default for spec in fields(Mine) if spec.name == "name") == "one"
    # Of its base classes nothing changes.
    assert (_Base().name, LossOptions().name, SimCLR().name) == ("", "", "simclr")


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_makes_options_of_its_name(group):
    assert registered(group)
    for name, options in registered(group).items():
        assert options(name=name).name == name
        assert options().name == options.choices[0]
        assert options.origin is None, "it is dimred's own"


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_has_a_sentence_of_documentation(group):
    for options in registered(group).values():
        for key, spec in leaves(options):
            assert spec.metadata["doc"].endswith("."), key


@dataclass
class _Undocumented:
    radius: float = 1.0


def _classes():
    @dataclass
    class Docless(_Base):
        pass

    class Plain(_Base):
        """No dataclass."""

    @dataclass
    class Buildless(LossOptions):
        """Builds nothing."""

    @dataclass
    class Field(_Base):
        """A field without a sentence."""

        radius: float = 1.0

    @dataclass
    class Nested(_Base):
        """A nested field without a sentence."""

        more: _Undocumented = nested(_Undocumented, "More.")

    @dataclass
    class File(_Base):
        """A Path."""

        file: Path = option(Path(), "A file.")

    @dataclass
    class Good(_Base):
        """Good."""

    return {kind.__name__: kind for kind in (Docless, Plain, Buildless, Field, Nested, File, Good)}


@pytest.mark.parametrize(
    ("group", "names", "kind", "line"),
    [
        ("loss", ["x"], "Docless", "needs a docstring"),
        ("loss", ["x"], "Plain", "put @dataclass below @register"),
        ("loss", ["x"], "Buildless", r"must define build\(\)"),
        ("loss", ["x"], "Field", r"Field.radius: needs a sentence of documentation"),
        ("loss", ["x"], "Nested", r"Nested.more.radius: needs a sentence"),
        ("loss", ["x"], "File", r"File.file: must be a str: option\(..., is_path=True\)"),
        ("loss", [], "Good", "without a name"),
        ("loss", ["a b"], "Good", "'a b' is no name"),
        ("loss", ["simclr"], "Good", "loss=simclr is already dimred.losses.options.SimCLR"),
        ("model", ["x"], "Good", "is registered as a model, but is no model's options"),
    ],
)
def test_what_cannot_be_a_choice_is_refused(group, names, kind, line):
    with pytest.raises(TypeError, match=line):
        register(group, *names)(_classes()[kind])
    assert "x" not in registered(group)


def test_a_class_of_a_module_that_is_imported_again_takes_its_own_place():
    first, second = _classes()["Good"], _classes()["Good"]
    register("loss", "good")(first)
    register("loss", "good")(second)
    assert registered("loss")["good"] is second
    forget(__name__)
    assert "good" not in registered("loss")


def test_a_new_file_beside_the_losses_is_found(tmp_path, monkeypatch):
    (tmp_path / "brand_new.py").write_text(
        "from dataclasses import dataclass\n"
        "from dimred.losses.options import LossOptions\n"
        "from dimred.options import register\n\n\n"
        '@register("loss", "brand_new")\n@dataclass\nclass BrandNew(LossOptions):\n'
        '    """Brand new."""\n\n    def build(self):\n        return None\n'
    )
    (tmp_path / "no_choice.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.setattr(dimred.losses, "__path__", [*dimred.losses.__path__, str(tmp_path)])
    places = dimred.losses.__spec__.submodule_search_locations
    monkeypatch.setattr(dimred.losses.__spec__, "submodule_search_locations", [*places, tmp_path])
    monkeypatch.setattr(module, "_discovered", False)
    options = registered("loss")["brand_new"]
    assert (options().name, options.origin) == ("brand_new", None)
    forget("dimred.losses.brand_new")


def test_choices_are_listed_without_what_builds_them():
    code = (
        "import sys; from dimred.options.registry import registered;"
        f"[registered(group) for group in {GROUPS}];"
        "heavy = {'torch', 'hydra', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("base", "ask"),
    [
        (LossOptions, lambda options: options.build()),
        (LossOptions, lambda options: options.embedding_groups),
        (PairingOptions, lambda options: options.samples(None)),
        (ModelOptions, lambda options: options.backbone(1, (8, 8))),
        (PairingOptions, lambda options: options.data_files()),
    ],
)
def test_an_unknown_choice_is_plain_values_until_it_is_asked_to_do_something(base, ask):
    values = {"name": "mine", "widths": [1, 2], "more": {"a": 1}}
    options = unknown(base, values, {"name": "mine.py"})
    assert isinstance(options, base)
    assert (options.name, options.widths, options.more) == ("mine", [1, 2], {"a": 1})
    line = rf"{base.group}=mine: comes from the plug-in mine.py.*--plugin"
    with pytest.raises(InputError, match=line):
        ask(options)


@pytest.mark.parametrize("key", ["build", "_x", "embedding_groups", "data_files"])
def test_an_unknown_choice_has_no_value_in_place_of_a_method(key):
    with pytest.raises(TypeError, match=key):
        unknown(LossOptions, {"name": "mine", key: 1}, {})


def test_the_origin_of_a_package_is_all_its_files(tmp_path, monkeypatch):
    (tmp_path / "my_package/inner").mkdir(parents=True)
    files = [tmp_path / "my_package" / name for name in ("__init__.py", "loss.py", "inner/a.py")]
    for file in files:
        file.write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_package", raising=False)
    __import__("my_package.loss")
    seen = {origin_of("my_package.loss").sha256}
    for file in files:
        file.write_text("x = 2\n")
        seen.add(origin_of("my_package.loss").sha256)
    assert len(seen) == 4
    origin = origin_of("my_package")
    assert (origin.name, origin.version) == ("my_package", None)
    files[1].rename(files[1].with_name("other.py"))
    assert origin_of("my_package") != origin
    del sys.modules["my_package"], sys.modules["my_package.loss"]


def test_dimreds_own_modules_have_no_origin_and_others_the_version_of_their_distribution():
    assert origin_of("dimred.losses") is None
    origin = origin_of("pytest")
    assert (origin.name, origin.version) == ("pytest", pytest.__version__)
