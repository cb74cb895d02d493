"""Finding the image files below a folder."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from dimred.errors import InputError
from dimred.files import escaped, expanded, printable

READ = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".avif", ".heic", ".heif", ".hif"),  # the last three with pillow-heif
    ".npy",  # where a folder has no other images; see `image_paths`
)
ARRAY = ".npy"
# Image formats that cannot be read here: reported as unreadable instead of ignored.
_NOT_READ = (".jp2", ".jxl")
SUFFIXES = (*READ, *_NOT_READ)

# Folders in which file servers and operating systems keep thumbnails, deleted files and the like,
# in lower case. Names that could be a class, such as "thumbs" and "recycled", are not among them.
_SYSTEM_FOLDERS = {
    *("@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "@__thumb"),
    *("#recycle", "#snapshot", "~snapshot"),
    *("$recycle.bin", "system volume information", "found.000"),
    *("__macosx", "network trash folder", "lost+found"),
}
CACHE = ".dimred-cache"
"""The folder beside data that keeps what is computed from them."""
# Folders of the kernel, whose files are no images and may never end.
_KERNEL = ("/proc", "/sys", "/dev")
_MEMORY = "/dev/shm"  # an ordinary folder in memory
_MAX_VISITS = 1000
# Names of image files end in a suffix, so that a number in brackets is never part of them.
_SUFFIX = "|".join(map(re.escape, SUFFIXES))
_PAGE = re.compile(rf"(?s)(.*(?:{_SUFFIX}))\[(\d{{1,9}})\]", re.IGNORECASE)


@dataclass
class PassedOver:
    """What a search for image files has passed over.

    other: number of files that are no images by their suffix, by the names of the one or two
        outermost folders that they lie in, and suffix.
    in_system: number of image files in system folders such as "@eaDir", by the names of the one
        or two outermost folders that the system folder lies in, and its own.
    hidden: number of image files and of folders whose names begin with a dot.
    links: number of links back to a folder above or to themselves, or into the kernel's folders.
    used: paths, relative to the folder, of files that are read although they are no images, such as
        tables; they do not count.
    """

    other: Counter[tuple[tuple[str, ...], str]] = field(default_factory=Counter)
    in_system: Counter[tuple[tuple[str, ...], str]] = field(default_factory=Counter)
    hidden: int = 0
    links: int = 0
    used: frozenset[str] = frozenset()

    @property
    def suffixes(self) -> Counter[str]:
        """The other files by suffix, "" for none."""
        return _by_last(self.other)

    @property
    def system_folders(self) -> Counter[str]:
        """The image files in system folders by the folder's name."""
        return _by_last(self.in_system)


def image_paths(
    folder: str, named: str, passed_over: PassedOver | None = None, arrays: bool = False
) -> Iterator[str]:
    """Paths of all image files below `folder`, relative to it, in arbitrary order.

    Hidden files and folders, folders of file servers and systems such as @eaDir, and links that
    lead back to a folder above or into the kernel's folders are passed over.

    named: how error messages begin. passed_over: where to count what is passed over. arrays:
        whether .npy files are images in any case; else only where no other files are, as beside
        images they are labels, features and the like.
    Raises InputError for a folder that cannot be listed, for the root of the file system, and for
    the kernel's folders.
    """
    passed_over = passed_over or PassedOver()
    if _real(folder) == os.sep:
        raise InputError(f"{named}: is the root of the file system; must be a folder of images")
    if _is_of_kernel(folder):
        raise InputError(f"{named}: holds no images, but the system's own files")
    visits: Counter[tuple[int, int]] = Counter()
    pending = [("", frozenset(_identities_above(folder)))]
    npys: list[tuple[tuple[str, ...], str]] = []  # the folder of each, as for `PassedOver`
    has_images = False
    while pending:
        inside, above = pending.pop()
        path = Path(folder, inside)
        try:
            status = path.stat()
            entries = list(os.scandir(path))
        except OSError as error:
            below = f", folder {printable(inside)!r}" if inside else ""
            raise InputError(
                f"{named}{below}: {error.strerror}; must be a folder of images"
            ) from error
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            passed_over.links += 1
            continue
        visits[identity] += 1
        if visits[identity] > _MAX_VISITS:
            raise InputError(
                f"{named}: links lead to the folder {printable(inside)!r} in more than "
                f"{_MAX_VISITS:,} ways; remove some of them"
            )
        outermost = tuple(inside.split("/")[:-1][:2])
        for entry in entries:
            if entry.name == CACHE:
                continue
            if entry.name.startswith("."):
                passed_over.hidden += _is_folder(entry) or _is_image(entry.name)
            elif _is_folder(entry):
                if entry.name.lower() in _SYSTEM_FOLDERS:
                    passed_over.in_system[outermost, entry.name] += _count_images(entry.path)
                elif entry.is_symlink() and _is_of_kernel(entry.path):
                    passed_over.links += 1
                else:
                    pending.append((f"{inside}{entry.name}/", above | {identity}))
            elif _is_image(entry.name):
                if _is_loop(entry):
                    passed_over.links += 1
                elif not arrays and is_array(entry.name):
                    npys.append((outermost, inside + entry.name))
                else:
                    has_images = True
                    yield inside + entry.name
            elif inside + entry.name not in passed_over.used:
                suffix = escaped(PurePath(entry.name).suffix.lower())
                passed_over.other[outermost, suffix] += 1
    if has_images:
        passed_over.other.update((outermost, ARRAY) for outermost, _ in npys)
    else:
        yield from (path for _, path in npys)


def split_page(name: str) -> tuple[str, int | None]:
    """The file and the page that the name or path of an image says: "a.tif[3]" is page 3, counted
    from 0, of "a.tif". The page is None for an image that is a file by itself."""
    found = _PAGE.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def is_array(name: str) -> bool:
    """Whether a file is an .npy file by its name."""
    return name.lower().endswith(ARRAY)


def table_path(root: str, given: str) -> Path | None:
    """The file that a table of a folder's images is given as, here or in that folder; None where
    there is no such file."""
    path, folder = expanded(given), expanded(root)
    places = (path, folder / path, folder / path.name)
    return next((file for file in places if os.path.lexists(file)), None)


def _by_last(counts: Counter[tuple[tuple[str, ...], str]]) -> Counter[str]:
    """Counts by the last part of their keys."""
    sums: Counter[str] = Counter()
    for (_, last), count in counts.items():
        sums[last] += count
    return sums


def _real(path: str) -> str:
    return os.path.realpath(path)  # Path.resolve() raises for links to themselves


def _is_of_kernel(folder: str) -> bool:
    path = PurePath(_real(folder))
    return any(path.is_relative_to(top) for top in _KERNEL) and not path.is_relative_to(_MEMORY)


def _identities_above(folder: str) -> Iterator[tuple[int, int]]:
    """Device and number of each folder that `folder` lies in."""
    for path in Path(_real(folder)).parents:
        try:
            status = path.stat()
        except OSError:
            continue
        yield status.st_dev, status.st_ino


def _count_images(folder: str) -> int:
    return sum(_is_image(name) for _, _, names in os.walk(folder) for name in names)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_loop(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to itself."""
    try:
        entry.is_file()
    except OSError:
        return True
    return False
