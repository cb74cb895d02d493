"""Options and choices that the documentation names exist, and its table of choices is whole."""

import re

from pages import PAGES, ROOT, Page

from dimred.config.conf_folder import GROUPS, choices
from dimred.config.run import run_schema
from dimred.options.option import leaves
from dimred.options.registry import registered
from dimred.training.schedule import StageOptions

_CODE = re.compile(r"`([^`]+)`")
# Pages about what is not in the package, and pages made from records of old runs.
_SKIPPED = {"extending.md", "results.md"}


def known_keys():
    keys = {key for key, _ in leaves(run_schema())}
    keys |= {f"schedule.stages.STAGE.{key}" for key, _ in leaves(StageOptions)}
    for group in ("dataset", "pairing", "model", "loss"):
        for options in registered(group).values():
            keys |= {f"{group}.{key}" for key, _ in leaves(options)}
    return keys


def test_keys_and_choices_that_are_named_exist():
    known, wrong = known_keys(), []
    groups = "|".join(GROUPS)
    for path in PAGES:
        if path.name in _SKIPPED:
            continue
        for code in _CODE.findall(Page(path).prose):
            for word in code.split():
                choice = re.fullmatch(rf"({groups})=(\w+)", word)
                key = re.fullmatch(rf"((?:{groups}|eval)\.[\w.]+?)(\.)?(=.*)?", word)
                if choice and choice[2] not in {*choices(choice[1]), "NAME"}:
                    wrong.append(f"{path.relative_to(ROOT)}: {word}")
                if key and not word.endswith(".png"):
                    name = re.sub(r"(schedule\.stages)\.\w+", r"\1.STAGE", key[1])
                    if name not in known and not any(k.startswith(f"{name}.") for k in known):
                        wrong.append(f"{path.relative_to(ROOT)}: {word}")
    assert not wrong, "\n".join(wrong)


def test_the_table_of_choices_is_whole():
    prose = Page(ROOT / "docs" / "getting-started.md").prose
    for group in set(GROUPS) - {"experiment"}:
        (row,) = re.findall(rf"^\| `{group}` \|(.*)\|$", prose, re.MULTILINE)
        named = set(_CODE.findall(row.replace("which `digits`, `mnist` and `canvases` choose", "")))
        known = set(choices(group))
        assert named <= known, group
        assert known <= named, group


def test_every_experiment_is_named():
    prose = "".join(Page(path).prose for path in PAGES if path.name not in _SKIPPED)
    named = set(_CODE.findall(prose))
    rows = re.compile(r"table(1|_a1)_row\d")
    missing = {name for name in choices("experiment") if not rows.fullmatch(name)} - named
    assert not missing, ", ".join(sorted(missing))
