"""What the network sees: images beside views of them, as a run's pairing draws them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dimred.config import RunConfig
from dimred.data.composite import composite, in_words
from dimred.data.first_look import first_look
from dimred.data.image_set import ImageSet
from dimred.data.own_options import ImageFolder, OwnImages, Store
from dimred.data.window import AUTO, MAX_SAMPLED
from dimred.errors import InputError
from dimred.files import expanded
from dimred.options.option import walk
from dimred.options.registry import registered
from dimred.options.trial import tried
from dimred.pairing import Pairing, PairingScope, RelationOptions
from dimred.pairing.options import AugmentedOptions
from dimred.plots.sheets import Picture, Tile, sheet
from dimred.run.inputs import fit_positions, lines_on
from dimred.run_folder.files_now import outline, own_images
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.sources import with_source_found
from dimred.training.seeds import generator_at

SHOWN = 8  # images, and views of each
READ = 64  # images at most, where the pairing can be built on them
MORE = 2_000  # where it cannot
_CPU = torch.device("cpu")
_Pixels = NDArray[np.uint8]


class Preview(NamedTuple):
    """A sheet of views before training. file: its name. images: how many were read. lines: what
    is said of these before training, and what training sees otherwise."""

    figure: Figure
    file: Path
    images: int
    lines: list[str]


def preview(config: RunConfig) -> Preview:
    """The sheet of what the network would see. Reads up to 64 images, or 2,000 where the pairing
    cannot be built on so few, into memory; trains and writes nothing.

    Raises InputError for data that cannot be read, and a pairing without views or that cannot be
    built on the images read.
    """
    config = with_source_found(config)
    _check(config)
    limit = config.dataset.limit
    try:
        images, figure = _of_few(config, READ)
    except NoViews:
        raise
    except InputError:  # such as too few of a class for its batches, or for train_per_class
        if limit is not None and limit <= READ:
            raise
        images, figure = _of_few(config, MORE)
    file = expanded(config.output_dir) / "figures" / f"preview-{_name(config)}.png"
    return Preview(figure, file, len(images), _lines(config, images))


def _name(config: RunConfig) -> str:
    """A name that previews of other images, windows or augmentations do not have."""
    parts = {"dataset": config.dataset, "pairing": config.pairing}
    values = {key: value for key, _, value in walk(parts)} | {"seed": config.seed}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
    return f"{config.name or config.dataset.name}-{config.pairing.name}-{digest[:8]}"


def _of_few(config: RunConfig, count: int) -> tuple[ImageSet, Figure]:
    """Up to `count` images, and the sheet of these."""
    dataset = config.dataset.read_only()
    few = replace(dataset, limit=min(dataset.limit or count, count))
    if isinstance(few, OwnImages):  # a packed file would be written, and of all images
        few = replace(few, store=Store.memory)
    images = few.load(config.seed)
    try:
        return images, views_figure(config, images, fit_positions(config, images))
    except NoViews:
        raise
    except InputError as error:
        if not _is_cut(config, len(images)):
            raise
        raise InputError(f"{error} (a preview reads {len(images):,} images)") from error


def _is_cut(config: RunConfig, n: int) -> bool:
    """Whether n images are as many as a preview reads, and the run may have more."""
    return n in (READ, MORE) and n != config.dataset.limit


def _lines(config: RunConfig, images: ImageSet) -> list[str]:
    """What is said of the images that were read, but of classes and split, of which these are a
    part; and what training sees otherwise: the window of files is found in those that are read."""
    bare = replace(images, labels=None, presence=None, is_test=np.zeros_like(images.is_test))
    lines = lines_on(images, first_look(bare))
    of_files = isinstance(config.dataset, ImageFolder) and config.dataset.window == AUTO
    if of_files and images.window and _is_cut(config, len(images)):
        lines.append(
            f"note: the window is of these {len(images):,} images; training takes that of up to "
            f"{MAX_SAMPLED:,} (dataset.window)"
        )
    return lines


def figure_of_views(path: Path, root: str | None = None, channels: str | None = None) -> Figure:
    """The sheet of what the network of a finished run saw.

    root: the current location of the data, if they have moved. channels: those to show, such as
        "0,2,3"; None for the first three.
    Raises InputError for a folder without a finished run, images that are missing or have changed,
    and a pairing without views.
    """
    run = FinishedRun(path, root).showing(channels)
    _check(run.config)
    learned = fit_positions(run.config, outline(run.map).take(run.map.images))
    if run.has_files and not (run.files_now.gone or run.files_now.changed):
        some = _spread(learned, READ)
        try:
            images = own_images(run, run.files_now, some)
            return views_figure(run.config, images, np.arange(len(some)), run.channels)
        except NoViews:
            raise
        except InputError:  # as above; what is wrong with all images is said by what follows
            pass
    return views_figure(run.config, run.images(), learned, run.channels)


class NoViews(InputError):
    """The pairing shows images as they are."""


def views_figure(
    config: RunConfig,
    images: ImageSet,
    learned: NDArray[np.int64],
    channels: Sequence[int] | None = None,
) -> Figure:
    """A row an image: as it is, then views of it (or, for pairings that transform every image in
    fixed ways, its transformations).

    learned: int64 (n,), positions of images to learn from. Eight of them, evenly spaced, are shown.
    channels: those to show, as of `composite`.
    Raises NoViews for a pairing that shows images as they are, and InputError as its `build`.
    """
    options, chosen = config.pairing, _spread(learned, SHOWN)
    with tried(options, "samples"):
        samples = options.samples(images)
    n_variants = len(samples) // len(images)
    first = chosen * n_variants
    if n_variants > 1:
        rows = torch.from_numpy(first[:, None] + np.arange(n_variants))
        views = [list(each) for each in samples.images[rows].numpy()[:, 1:]]
        what = "its transformations"
    else:
        scope = PairingScope(samples, 1, learned, None)
        with tried(options, "build"):
            pairing = options.build(scope, config.schedule.batch_size, _CPU)
        if getattr(pairing, "fixed_views", False):
            raise _no_views(config)
        views = _drawn(pairing, images.images[torch.from_numpy(chosen)], config.seed)
        what = f"{SHOWN} views of it"
    tiles = [
        Tile(tuple(Picture(composite(each, channels)) for each in (image, *of_it)), name)
        for image, of_it, name in zip(
            images.images[torch.from_numpy(chosen)].numpy(),
            views,
            _names(images, chosen),
            strict=True,
        )
    ]
    colors = in_words(channels, images.images.shape[1], images.is_rgb)
    data = f"{config.dataset.name}, pairing={options.name}, seed {config.seed}"
    text = ", ".join(filter(None, (f"{data}: an image, then {what}", colors)))
    return sheet(tiles, 1, "What the network sees", text, _on(config, images))


def _check(config: RunConfig) -> None:
    """Raise NoViews for a pairing known to show images as they are, before neighbors are sought."""
    kind, options = type(config.pairing), config.pairing
    own = not isinstance(options, RelationOptions) or kind.build is not RelationOptions.build
    if not own and getattr(options, "transformations", None) is None:
        raise _no_views(config)


def _no_views(config: RunConfig) -> NoViews:
    return NoViews(
        f"pairing={config.pairing.name}: shows images as they are; there are no views to draw"
    )


def _spread(positions: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Up to `count` of the positions, evenly spaced."""
    places = np.linspace(0, len(positions) - 1, min(count, len(positions)))
    return positions[places.round().astype(np.int64)]


def _drawn(pairing: Pairing, images: torch.Tensor, seed: int) -> list[list[_Pixels]]:
    """Views of each image, as bytes; those of one call may be of another size than of the next."""
    found: list[list[_Pixels]] = [[] for _ in images]
    number = 0
    while len(found[0]) < SHOWN:
        generator = generator_at(_CPU, seed, "shown views", number)
        views = pairing.views(images, generator).mul(255).round().byte().numpy()
        for row, view in enumerate(views):
            found[row % len(images)].append(view)
        number += 1
    return [views[:SHOWN] for views in found]


def _names(images: ImageSet, chosen: NDArray[np.int64]) -> list[str]:
    if images.sources is not None:
        return [str(images.sources[i]) for i in chosen]
    return [f"image {images.index[i]}" for i in chosen]


def _on(config: RunConfig, images: ImageSet) -> str:
    """The augmentations that are on and apply to the images, or other options that are set."""
    options = config.pairing
    if isinstance(options, AugmentedOptions):
        return options.in_words(images.images.shape[1], images.is_rgb)
    plain = registered("pairing")[options.name](name=options.name)
    given = {key: value for key, _, value in walk(options)}
    usual = {key: value for key, _, value in walk(plain)}
    changed = [f"pairing.{key}={value}" for key, value in given.items() if value != usual[key]]
    return ", ".join(changed)
