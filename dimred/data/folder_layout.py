"""The split and the classes that the folders of an image folder say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, NoReturn

from dimred.data.found import counted
from dimred.data.image_paths import READ, PassedOver
from dimred.data.selection import UNLABELED
from dimred.data.spelling import composed, listed, one_spelling
from dimred.errors import InputError
from dimred.files import escaped, printable

_SIDES = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval"), "other"),
    **dict.fromkeys(("evaluation", "holdout", "heldout"), "other"),
}
# Words that names such as "Train_Set", "test-images" or "imagesTraining" have besides.
_FILLING = "dataset|data|sets?|split|images?|imgs?|pictures?|photos?|files?|samples?|folder"

Parts = tuple[str, ...]  # the parts of a path below the root


@dataclass(frozen=True)
class File:
    """An image: the path of its file below the root, with "/" between parts, and the split and
    class from it.

    classes: all that it shows, where a table says that it may be several; None elsewhere.
    page: which of the file's it is, where pages are images; None where the file is the image.
    """

    path: str
    is_test: bool
    class_name: str | None
    classes: tuple[str, ...] | None = None
    page: int | None = None

    @property
    def name(self) -> str:
        """The path as text, with the page: "a.tif[3]"."""
        return printable(self.place)

    @property
    def place(self) -> str:
        """The path with the page, as `decode` takes it."""
        return self.path if self.page is None else f"{self.path}[{self.page}]"

    @property
    def order(self) -> tuple[bool, list[str], int]:
        """What images are sorted by: train before test, then by path, then by page."""
        return self.is_test, self.path.split("/"), self.page or 0


@dataclass(frozen=True)
class Layout:
    """What the folders of an image folder say.

    files: train before test, each sorted by path.
    split: names of the two folders of the split; None without one.
    not_classes: folders in the place of a class without image files, and the suffixes in each.
    notes: what else is worth saying about it.
    """

    files: list[File]
    split: tuple[str, str] | None
    not_classes: dict[str, str]
    notes: tuple[str, ...]


def layout_of(
    root: str,
    paths: Sequence[str],
    passed_over: PassedOver,
    said_elsewhere: frozenset[str] = frozenset(),
) -> Layout:
    """The split and class of every image file.

    root: the folder as the user gave it, for messages. paths: relative to it.
    said_elsewhere: "class" and "split" where a table says these. Folders are then no classes.
    Raises InputError for a folder without images, and for a layout that can be read in more than
    one way, such as images beside class folders.
    """
    parts = [tuple(path.split("/")) for path in paths]
    return _Reading(root, parts, passed_over, said_elsewhere).layout()


def side_of(name: str) -> str | None:
    """The side of a split that a folder is called after: "train", "test" or, as for "val",
    "other"; None for other names. Case, separators, digits and words such as "set" do not matter.
    """
    word = re.sub("[^a-z]+", "", name.lower())
    while word and word not in _SIDES:
        shorter = re.sub(f"^({_FILLING})|({_FILLING})$", "", word)
        if shorter == word:
            return None
        word = shorter
    return _SIDES.get(word)


class _Reading:
    """Reads the layout of image files below a root. paths: their parts."""

    def __init__(
        self,
        root: str,
        paths: list[Parts],
        passed_over: PassedOver,
        said_elsewhere: frozenset[str] = frozenset(),
    ):
        self.root, self.paths, self.passed_over = root, paths, passed_over
        self.has_classes = "class" not in said_elsewhere
        self.has_sides = self.has_classes or "split" not in said_elsewhere
        self.notes: list[str] = []

    def layout(self) -> Layout:
        """See `layout_of`."""
        if not self.paths:
            others = counted(self.passed_over.suffixes)
            raise self._error(
                f"no images there; image files end in {' '.join(READ)}"
                + (f"; there are {others}" if others else "")
            )
        sides = self._sides() if self.has_sides else {}
        inside = {path: path[1:] if sides else path for path in self.paths}
        has_split = set(sides.values()) == {"train", "test"}
        if not self.has_classes:
            inside = {path: path[-1:] for path in self.paths}
        elif len(sides) > 1:
            self._refuse_wrappers_in_split(sides)
        else:
            self._refuse_wrapper(list(inside.values()), [*sides])
        names = [printable(rest[0]) for rest in inside.values() if len(rest) > 1]
        spelled, notes = one_spelling(names)
        self.notes += notes
        files = [
            File(
                "/".join(path),
                has_split and sides[path[0]] == "test",
                spelled[printable(rest[0])] if len(rest) > 1 else None,
            )
            for path, rest in inside.items()
        ]
        files.sort(key=lambda file: file.order)
        self._refuse_loose_files(files, sides)
        if len(set(spelled.values())) == 1:
            files = self._without_classes(files)
        else:
            self._note_folders_in_classes(list(inside.values()))
        not_classes = self._folders_that_are_no_classes(sides, set(spelled))
        split = None
        if has_split:
            train, test = (
                next(printable(name).lower() for name, its in sides.items() if its == side)
                for side in ("train", "test")
            )
            split = train, test
        return Layout(files, split, not_classes, tuple(self.notes))

    def _error(self, problem: str) -> InputError:
        return InputError(f"dataset.root={self.root!r}: {problem}")

    def _at(self, *folders: str) -> str:
        """The option that names a folder below the root."""
        return shlex.quote(f"dataset.root={escaped(str(PurePath(self.root, *folders)))}")

    def _sides(self) -> dict[str, str]:
        """The side of the split for each outermost folder that is one; {} where these are classes.

        Raises InputError where they are mixed with others.
        """
        folders = sorted({path[0] for path in self.paths if len(path) > 1})
        called = {name: side for name in folders if (side := side_of(name)) is not None}
        exact = any(name.lower() in ("train", "test") for name in folders)
        loose = any(len(path) == 1 for path in self.paths)
        if not called:
            return {}
        if len(called) == len(folders) == 1 and not loose:
            self.notes.append(f"{_shown(folders)} holds all images and is read as the folder")
            return called
        if not exact and len(set(called.values())) == 1:
            self.notes.append(
                f"{_shown(called)} is called like a side of a split, but is read as a class"
                if len(called) == 1
                else f"{_shown(called)} are called like one side of a split, but read as classes"
            )
            return {}
        sides: dict[str, str] = {
            name: side for side in ("train", "test") for name, its in called.items() if its == side
        }
        beside = [path for path in self.paths if len(path) == 1 or path[0] not in sides]
        if beside:
            others = [path for path in beside if path[0] in called and len(path) > 1]
            self._refuse_beside(sides, min(others or beside))
        for side in ("train", "test"):
            names = [name for name, its in sides.items() if its == side]
            if len({name.lower() for name in names}) > 1:
                raise self._error(
                    f"{_shown(names)} are all called like the {side} side of a split; put their "
                    f"images into one folder, {side}/"
                )
        if any(name.lower() not in ("train", "test") for name in sides):
            train, test = (
                _shown([name for name, its in sides.items() if its == side])
                for side in ("train", "test")
            )
            self.notes.append(f"{train} and {test} are read as the train and the test split")
        return sides

    def _refuse_beside(self, sides: dict[str, str], path: Parts) -> NoReturn:
        first, *more = sides
        missing = {"train", "test"} - set(sides.values())
        is_side = len(path) > 1 and side_of(path[0]) is not None
        if not missing:
            what = "put " + (
                f"those of {_shown(path[:1])}" if is_side else "all images, or all class folders,"
            )
            advice = f"{what} inside these"
        elif is_side:
            (side,) = missing
            advice = f"for a split, rename {_shown(path[:1])} to {side}/"
        elif len(path) > 1:
            advice = f"if {_shown([first])} is a class, rename it to {_shown([f'{first}_class'])}"
        else:
            advice = f"put all images inside {_shown([first])}"
        if is_side or missing:
            inside = _wrapper([p[1:] for p in self.paths if p[0] == first])
            advice += f", or learn from one folder, {self._at(first, *inside)}"
        beside, folders = printable("/".join(path)), "split folders" if more else "split folder"
        raise self._error(f"{beside!r} lies beside the {folders} {_shown(sides)}; {advice}")

    def _refuse_wrapper(self, paths: list[Parts], within: list[str]) -> None:
        """Refuse a folder that holds nothing but one folder, whose own folders would be ignored.

        within: the outer folders that `paths` lie in.
        """
        wrapper = _wrapper(paths)
        if wrapper:
            inside = [path[len(wrapper) :] for path in paths]
            # Raises what is wrong further inside, so that the advice works.
            _Reading(str(PurePath(self.root, *within, *wrapper)), inside, PassedOver()).layout()
            raise self._error(
                f"all images lie in {_shown(['/'.join([*within, *wrapper])])}, so that the "
                f"folders in it would be no classes; give {self._at(*within, *wrapper)}"
            )

    def _refuse_wrappers_in_split(self, sides: dict[str, str]) -> None:
        inside_of = {name: [p[1:] for p in self.paths if p[0] == name] for name in sides}
        classes = {_folded(path[1]) for path in self.paths if len(path) > 2}
        if len(classes) == 1 and not any(map(_wrapper, inside_of.values())):
            return
        wrappers = {name: _folders_around_class(paths) for name, paths in inside_of.items()}
        wrapped = {name: inside for name, inside in wrappers.items() if inside}
        # A side of one class, with folders in it, which is a class of the other side too.
        classes = {_folded(p[1]) for p in self.paths if p[0] not in wrapped and len(p) > 2}
        if any(_folded(inside[0]) not in classes for inside in wrapped.values()):
            folders = " and ".join(_shown(["/".join([n, *i])]) for n, i in wrapped.items())
            raise self._error(
                f"all images of {_shown(wrapped)} lie in {folders}, so that the folders in there "
                f"would be no classes; move them up into {_shown(wrapped)}, or put images straight "
                "into a folder that is a class"
            )

    def _refuse_loose_files(self, files: list[File], sides: dict[str, str]) -> None:
        loose = next((file.name for file in files if file.class_name is None), None)
        classed = next((file.name for file in files if file.class_name is not None), None)
        if loose is not None and classed is not None:
            with_loose = {path[0] for path in self.paths if len(path) == 2}
            labeled = [side for side in sides if side not in with_loose]
            advice = (
                f"learn from one folder, {self._at(labeled[0])}"
                if labeled
                else "put every image into a class folder, or none"
            )
            raise self._error(
                f"{loose!r} is in no class folder but {classed!r} is in one; {advice}"
            )

    def _without_classes(self, files: list[File]) -> list[File]:
        """The files of one class alone, which says nothing about them, without it."""
        sides: dict[bool, list[Parts]] = {}
        for file in files:
            sides.setdefault(file.is_test, []).append(tuple(file.path.split("/")))
        folders = ["/".join(_common(paths)) for paths in sides.values()]
        self.notes.append(f"all images are in {' and '.join(map(_slashed, folders))}: {UNLABELED}")
        return [replace(file, class_name=None) for file in files]

    def _note_folders_in_classes(self, paths: list[Parts]) -> None:
        """Classes in which all images lie in further folders may not be those that were meant."""
        if all(len(path) > 2 for path in paths):
            classes, inner = ({path[i] for path in paths} for i in (0, 1))
            note = (
                f"the classes are {_shown(classes)}; the folders in them, {_shown(inner)}, are "
                "not classes"
            )
            if all(map(side_of, inner)):
                note += ", and no split, which would have to be outermost"
            self.notes.append(note)

    def _folders_that_are_no_classes(
        self, sides: dict[str, str], classes: set[str]
    ) -> dict[str, str]:
        """`Layout.not_classes`. Folders of the system in the place of a class are noted."""
        if not classes:
            return {}
        depth = 1 if sides else 0

        def in_place(folders: Parts) -> bool:
            return len(folders) > depth and (not sides or folders[0] in sides)

        without: dict[str, set[str]] = {}
        for folders, suffix in self.passed_over.other:
            if in_place(folders) and printable(folders[depth]) not in classes:
                without.setdefault(folders[depth], set()).add(suffix or "no suffix")
        system = {
            name: count
            for (folders, name), count in self.passed_over.in_system.items()
            if in_place((*folders, name)) and len(folders) == depth and count
        }
        if system:
            self.notes.append(f"folders of the system are no classes: {_shown(set(system))}")
        return {printable(name): listed(sorted(s)) for name, s in sorted(without.items())}


def _wrapper(paths: list[Parts]) -> list[str]:
    """The folders, outermost first, that hold nothing but the next one, down to the one that holds
    the classes or the split; [] where there is no such folder, or the last one holds images."""
    folders = _common(paths)
    return [] if _holds_image(folders, paths) else folders


def _folders_around_class(paths: list[Parts]) -> list[str]:
    """As `_wrapper`, where the last folder, which holds images, is one of several classes."""
    folders = _common(paths)
    return folders[:-1] if _holds_image(folders, paths) else folders


def _holds_image(folders: list[str], paths: list[Parts]) -> bool:
    """Whether an image lies straight in the last of the folders that all paths lie in."""
    return any(len(path) == len(folders) + 1 for path in paths)


def _common(paths: list[Parts]) -> list[str]:
    """The folders, outermost first, that all paths lie in."""
    common: list[str] = []
    for names in zip(*(path[:-1] for path in paths), strict=False):
        if len(set(names)) > 1:
            break
        common.append(names[0])
    return common


def _folded(name: str) -> str:
    return composed(printable(name)).casefold()


def _shown(names: Sequence[str] | set[str] | dict[str, Any]) -> str:
    """Names of folders for a message."""
    ordered = sorted(names) if isinstance(names, set) else names
    return listed(map(_slashed, ordered))


def _slashed(folder: str) -> str:
    return f"{escaped(folder)}/"
