"""One spelling for each name of a class, and lists of names in messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC); macOS writes names decomposed."""
    return unicodedata.normalize("NFC", name)


def one_spelling(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """One spelling for names that differ in their Unicode form only.

    Returns the name of the class for each name, and what is worth saying: which names became one,
    and which differ only in case or spaces. Names that have one spelling keep it.
    """
    spellings: dict[str, set[str]] = {}
    for name in sorted(set(names)):
        spellings.setdefault(composed(name), set()).add(name)
    chosen = {
        name: form if len(same) > 1 else name for form, same in spellings.items() for name in same
    }
    merged = [form for form, same in spellings.items() if len(same) > 1]
    notes = []
    if merged:
        notes.append(f"two Unicode spellings of a name are one class: {listed(map(repr, merged))}")
    alike: dict[str, list[str]] = {}
    for name in sorted(set(chosen.values())):
        folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        alike.setdefault(folded, []).append(name)
    near = [name for same in alike.values() if len(same) > 1 for name in same]
    if near:
        notes.append(
            f"classes whose names differ only in case, width or spaces: {listed(map(repr, near))}"
        )
    return chosen, notes


def listed(words: Iterable[str], most: int = 5) -> str:
    """The first words and, where there are more, how many in all."""
    every = list(words)
    more = [f"... ({len(every):,} in all)"] if len(every) > most else []
    return ", ".join([*every[:most], *more])
