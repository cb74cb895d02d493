"""Options of the group `pairing` whose pairs have labels: similar, dissimilar or not compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from dimred.options.option import nested, option
from dimred.options.registry import register
from dimred.pairing.formats import PairFormat
from dimred.pairing.options import PairingOptions

if TYPE_CHECKING:
    import torch

    from dimred.data.image_set import ImageSet
    from dimred.data.transformations import Transformation
    from dimred.pairing import Pairing, PairingScope, Relation, RelationOfSamples, Viewpoints


class Sampling(Enum):
    """How the pairs of a step are drawn."""

    in_batch = "in_batch"
    pairs = "pairs"


class Variant(Enum):
    """How DrLIM treats shifted images (Hadsell, Chopra, LeCun 2006, section 3.3)."""

    neighbors = "neighbors"
    shifted_neighbors = "shifted_neighbors"
    invariant = "invariant"


class ViewpointLabel(Enum):
    """How many labels a pair of views has."""

    merged = "merged"
    separate = "separate"


class Adjacency(Enum):
    """Which views count as near for a merged label."""

    both = "both"
    either = "either"


@dataclass
class TransformationOptions:
    """Strengths of the transformations of every image; the image itself is always kept too."""

    shift: list[int] = option([], "Horizontal shifts in pixels, to the right.")
    rotation: list[float] = option([], "Rotations in degrees, clockwise.", above=-180, at_most=180)
    shear: list[float] = option([], "Horizontal shears in degrees.", above=-90, below=90)
    blur: list[int] = option(
        [], "Box blurs: radii in pixels of the square to average over.", at_least=1
    )

    def build(self) -> list[Transformation]:
        """The transformations in the order of the options."""
        from dimred.data.transformations import Transformation, TransformationKind

        return [
            Transformation(kind, float(strength))
            for kind in TransformationKind
            for strength in getattr(self, kind.name)
        ]

    def variants(self, images: ImageSet) -> ImageSet:
        """Every image and its transformations, as `transformed` orders them.

        Raises InputError for a shift or blur as large as the images.
        """
        from dimred.data.transformations import transformed
        from dimred.errors import InputError

        height, width = images.images.shape[-2:]
        if any(radius >= min(height, width) for radius in self.blur):
            raise InputError(
                f"pairing.transformations.blur={self.blur}: the images are {height}x{width}; the "
                f"radius must be at most {min(height, width) - 1}"
            )
        if any(abs(pixels) >= width for pixels in self.shift):
            raise InputError(
                f"pairing.transformations.shift={self.shift}: the images are {width} pixels wide; "
                f"shift by at most {width - 1}"
            )
        return transformed(images, self.build())

    def problems(self) -> Iterator[str]:
        """One line for each kind with a strength that is 0 or repeated."""
        for name in ("shift", "rotation", "shear", "blur"):
            values = getattr(self, name)
            if 0 in values or len(set(values)) < len(values):
                yield (
                    f"pairing.transformations.{name}={values}: give each strength once, and not 0, "
                    "which is the image itself and always there"
                )

    @property
    def n_variants(self) -> int:
        """Number of variants of an image, itself included."""
        return 1 + len(self.shift) + len(self.rotation) + len(self.shear) + len(self.blur)


@dataclass
class RelationOptions(PairingOptions):
    """Options of every pairing with labeled pairs."""

    provides: ClassVar[PairFormat] = PairFormat.labeled_pairs

    sampling: Sampling = option(
        Sampling.in_batch,
        "in_batch = schedule.batch_size images, their neighbors and transformations, each "
        "embedded once, and every pair among them; pairs = schedule.batch_size pairs, half of them "
        "similar (Angel's (2015)).",
    )

    samples_per_step: int | None = option(
        None,
        "For in_batch: embed at most this many samples per step, drawn at random from the images, "
        "neighbors and transformations of the batch; null for all. For the same work, more images "
        "with fewer samples each are more informative.",
        at_least=2,
    )

    def relation(self, scope: PairingScope) -> RelationOfSamples:
        """Which samples of the images in `scope` are similar."""
        raise NotImplementedError

    def build(self, scope: PairingScope, batch_size: int, device: torch.device) -> Pairing:
        """The pairing of the images that the map is learned from.

        Raises InputError where a label has no similar pair or no dissimilar pair.
        """
        from dimred.errors import InputError
        from dimred.pairing import InBatchSampling, PairSampling

        relation, samples = self.relation(scope)
        for component, (_, similar) in zip(
            relation.components, relation.totals().tolist(), strict=True
        ):
            if similar == 0:
                raise InputError(
                    f"pairing={self.name}: no two of the training images are similar by "
                    f"{component}, so that nothing would be brought together; take more images of "
                    "each kind"
                )
        if self.sampling is Sampling.pairs:
            return PairSampling(relation, samples, device)
        return InBatchSampling(relation, samples, device, batch_size, self.samples_per_step)


@register("pairing", "knn")
@dataclass
class Knn(RelationOptions):
    """Each image is similar to its nearest neighbors in pixels, dissimilar to all others."""

    k: int = option(5, "Neighbors of each image.", at_least=1)
    same_class: bool = option(
        True, "Search neighbors among images of the same class only, as Angel (2015) did."
    )

    def relation(self, scope: PairingScope) -> RelationOfSamples:
        from dimred.pairing import neighborhood

        return scope.neighbors(self.k, self.same_class, neighborhood)


@dataclass
class KnnWithTransformations(Knn):
    """Nearest neighbors, with transformed variants of every image."""

    transformations: TransformationOptions = nested(
        TransformationOptions, "Transformations of every image."
    )

    def samples(self, images: ImageSet) -> ImageSet:
        return self.transformations.variants(images)

    def problems(self) -> Iterator[str]:
        yield from self.transformations.problems()


@register("pairing", "knn_translations")
@dataclass
class KnnTranslations(KnnWithTransformations):
    """DrLIM's relations of shifted images: variants (a), (b) and (c) of the paper's section 3.3."""

    transformations: TransformationOptions = nested(
        lambda: TransformationOptions(shift=[-6, -3, 3, 6]), "Transformations of every image."
    )
    variant: Variant = option(
        Variant.invariant,
        "neighbors = no shifts; shifted_neighbors = shifted images are separate images, "
        "similar to their nearest neighbors; invariant = an image is similar to its own shifts "
        "and to its neighbors in all shifts.",
    )

    def samples(self, images: ImageSet) -> ImageSet:
        return images if self.variant is Variant.neighbors else super().samples(images)

    def relation(self, scope: PairingScope) -> RelationOfSamples:
        from dimred.pairing import neighborhood

        if self.variant is Variant.shifted_neighbors:
            scope = scope.samplewise()
        return scope.neighbors(self.k, self.same_class, neighborhood)


@register("pairing", "neighborhood_transformation")
@dataclass
class NeighborhoodTransformation(KnnWithTransformations):
    """Angel's (2015) two labels: same neighborhood, and same transformation."""

    n_labels: ClassVar[str] = "2"

    transformations: TransformationOptions = nested(
        lambda: TransformationOptions(shift=[-6, -3, 3, 6]), "Transformations of every image."
    )

    @property
    def components(self) -> int:
        return 2

    def relation(self, scope: PairingScope) -> RelationOfSamples:
        from dimred.pairing import neighborhood_and_transformation

        return scope.neighbors(self.k, self.same_class, neighborhood_and_transformation)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.transformations.n_variants == 1:
            yield (
                "pairing.transformations: needs at least one strength, such as "
                "pairing.transformations.shift=[-3,3]"
            )


@register("pairing", "viewpoint")
@dataclass
class Viewpoint(RelationOptions):
    """Views of one object from near angles are similar, whatever the lighting."""

    n_labels: ClassVar[str] = "1, or 2 with pairing.label=separate"

    label: ViewpointLabel = option(
        ViewpointLabel.merged,
        "merged = one label, near or not (DrLIM's); separate = one for the azimuth and one for the "
        "elevation (Angel's (2015)).",
    )
    adjacency: Adjacency = option(
        Adjacency.both,
        "Which views are similar for a merged label: both = the same or the next azimuth and the "
        "same or the next elevation; either = one of the two. The paper says contiguous elevation "
        "or azimuth, which taken literally makes all views of one azimuth similar.",
    )

    @property
    def components(self) -> int:
        return 1 if self.label is ViewpointLabel.merged else 2

    def relation(self, scope: PairingScope) -> RelationOfSamples:
        return scope.viewpoints(self._relation)

    def _relation(self, categories: Viewpoints) -> Relation:
        from dimred.pairing import azimuth_and_elevation, merged_viewpoint

        if self.label is ViewpointLabel.separate:
            return azimuth_and_elevation(categories)
        return merged_viewpoint(categories, both=self.adjacency is Adjacency.both)


@register("pairing", "class_label")
@dataclass
class ClassLabel(RelationOptions):
    """Images of the same class are similar, of different classes dissimilar."""

    def relation(self, scope: PairingScope) -> RelationOfSamples:
        return scope.classes()
