"""RUN/probed/NAME/result.json: accuracy with few labels, as `dimred probe` keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev
from typing import Any

from dimred.errors import InputError
from dimred.run_folder import layout
from dimred.run_folder.files import RunFiles

RESULT = "result.json"
METHODS = {
    "probe": "linear probe",
    "finetune": "fine-tuned",
    "scratch": "from scratch",
    "random": "random net, linear probe",
    "pixels": "pixels",
}
"""What is compared, by name, in the order of tables."""
ALL = "all"
_ADVICE = "; delete it, and dimred probe makes it anew"


@dataclass(frozen=True)
class Fit:
    """A classifier that has been trained and tested.

    method: of METHODS. labels: labeled images a class; None for all there are. draw: of the labeled
    images, from 0. accuracy: share of the test images, in [0, 1].
    """

    method: str
    labels: int | None
    draw: int
    accuracy: float
    seconds: float

    @property
    def key(self) -> tuple[str, int | None, int]:
        """What tells it from other fits of a probe."""
        return self.method, self.labels, self.draw


@dataclass(frozen=True)
class Point:
    """The fits of a method with so many labels. deviation: n - 1; None for one draw."""

    method: str
    labels: int | None
    draws: int
    mean: float
    deviation: float | None
    lowest: float
    highest: float


@dataclass
class Probed:
    """The result of a probe.

    target: the images in words. dataset: the name of their data set. own: whether they are the
        run's own. settings: what decides about the numbers; fits of other settings do not go
        together.
    classes: their number. train, test: images. split: of these, in words. chance: accuracy of the
        best constant answer. fits: those that are finished.
    """

    target: str
    dataset: str
    own: bool
    settings: dict[str, Any]
    classes: int
    train: int
    test: int
    split: str
    chance: float
    notes: tuple[str, ...] = ()
    fits: list[Fit] = field(default_factory=list)

    @property
    def labels(self) -> list[int | None]:
        """Labels a class that there are fits of, ascending."""
        return sorted({fit.labels for fit in self.fits}, key=in_order)

    def points(self, draws: int | None = None) -> Iterator[Point]:
        """The fits put together, by labels and then in the order of METHODS. draws: of the first
        so many draws; None for all that there are."""
        fits = [fit for fit in self.fits if draws is None or fit.draw < draws]
        for labels in self.labels:
            for method in METHODS:
                found = [f.accuracy for f in fits if (f.method, f.labels) == (method, labels)]
                if found:
                    deviation = stdev(found) if len(found) > 1 else None
                    mean, ends = fmean(found), (min(found), max(found))
                    yield Point(method, labels, len(found), mean, deviation, *ends)

    def as_json(self) -> dict[str, Any]:
        """The content of result.json."""
        content = asdict(self)
        fits = sorted(self.fits, key=_fit_order)
        content["fits"] = [{**asdict(fit), "labels": shown(fit.labels)} for fit in fits]
        content["points"] = [{**asdict(p), "labels": shown(p.labels)} for p in self.points()]
        return content

    @classmethod
    def of_json(cls, content: Any) -> Probed:
        """The result in the content of a result.json. Raises ValueError, LookupError, TypeError or
        AttributeError for another content."""
        values = {key: value for key, value in content.items() if key != "points"}
        fits = [_fit(**fit) for fit in values.pop("fits")]
        result = cls(**values, fits=fits)
        texts = (result.target, result.dataset, result.split, *result.notes)
        numbers = (result.classes, result.train, result.test)
        if not all(type(text) is str for text in texts):
            raise TypeError("a text is none")
        if not all(type(n) is int and n > 0 for n in numbers) or type(result.chance) is not float:
            raise TypeError("a number is none")
        result.notes = tuple(result.notes)
        result.settings.items()  # an AttributeError where they are no mapping
        return result


def in_order(labels: int | None) -> float:
    """Sorts numbers of labels; all there are come last."""
    return float("inf") if labels is None else labels


def shown(labels: int | None) -> int | str:
    """A number of labels a class, or "all"."""
    return ALL if labels is None else labels


def read_probed(files: RunFiles, name: str) -> Probed | None:
    """The result RUN/probed/NAME/; None where there is none. Raises InputError for a damaged
    one."""
    file = _result_file(name)
    if not files.exists(file):
        return None
    return _read(files, file)[1]


def probes_of(files: RunFiles) -> tuple[dict[str, Any], list[str]]:
    """The content of each result.json of a run that has fits, by name, and a line for each that
    cannot be read."""
    folder = files.folder / layout.PROBED
    if folder.is_symlink() or not folder.is_dir():
        return {}, []
    found: dict[str, Any] = {}
    damaged = []
    for path in sorted(folder.iterdir()):
        if files.exists(file := _result_file(path.name)):
            try:
                content, result = _read(files, file)
            except (InputError, OSError) as error:
                damaged.append(str(error))
            else:
                found |= {path.name: content} if result.fits else {}
    return found, damaged


def _read(files: RunFiles, file: str) -> tuple[Any, Probed]:
    content = files.json(file, _ADVICE)
    with files.decoding(file, _ADVICE):
        return content, Probed.of_json(content)


def _result_file(name: str) -> str:
    return f"{layout.PROBED}/{name}/{RESULT}"


def _fit(method: str, labels: int | str, draw: int, accuracy: float, seconds: float) -> Fit:
    count = None if labels == ALL else labels
    sound = method in METHODS and (count is None or (type(count) is int and count > 0))
    sound = sound and type(draw) is int and draw >= 0
    if not sound or not 0 <= accuracy <= 1 or not seconds >= 0:
        raise ValueError(f"a fit of {str(method)[:20]} is none")
    return Fit(method, count, draw, accuracy, seconds)  # type: ignore[arg-type]


def _fit_order(fit: Fit) -> tuple[float, int, int]:
    return in_order(fit.labels), list(METHODS).index(fit.method), fit.draw
