"""What a measure says: a number, and what it is a number of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """A number that a measure found.

    measure: which measure, such as "knn". k: its number of neighbors. part: what of the images it
    is about, such as a factor or a labeling. space: where, such as "z", "h" or "z12" for the first
    two dimensions of Z. split: of the images. Each is "" (or None) where it has no bearing.
    """

    value: float
    measure: str
    space: str = ""
    split: str = ""
    k: int | None = None
    part: str = ""

    @property
    def name(self) -> str:
        """What it is called in files and on the terminal: knn15_superclass_z_official."""
        measure = self.measure if self.k is None else f"{self.measure}{self.k}"
        return "_".join(word for word in (measure, self.part, self.space, self.split) if word)

    def described(self) -> dict[str, str | int | None]:
        """What it is a number of, as plain JSON."""
        return {key: value for key, value in vars(self).items() if key != "value"}
