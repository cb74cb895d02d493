"""The result of a measure: a number and what it describes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """The value of a measure.

    measure: its name, such as "knn". k: its number of neighbors. part: the factor, labeling or
    component that it is about. space: the embedding measured, such as "z", "h" or "z12" for the
    first two dimensions of Z. split: of the images. Each is "" (or None) where it does not apply.
    """

    value: float
    measure: str
    space: str = ""
    split: str = ""
    k: int | None = None
    part: str = ""

    @property
    def name(self) -> str:
        """Its name in files and on the terminal, such as knn15_superclass_z_official."""
        measure = self.measure if self.k is None else f"{self.measure}{self.k}"
        return "_".join(part for part in (measure, self.part, self.space, self.split) if part)

    def described(self) -> dict[str, str | int | None]:
        """All but the value, as plain JSON."""
        return {key: value for key, value in vars(self).items() if key != "value"}
