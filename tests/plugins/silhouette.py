"""A measure in one file: how well the features keep the classes apart.

dimred train --plugin silhouette.py eval.silhouette=true
"""

from dataclasses import dataclass

from dimred.evaluation.measurement import Measurement
from dimred.measures.protocol import LeftOut, Measure
from dimred.options import option, register


@register("measure", "silhouette")
@dataclass
class Silhouette(Measure):
    """The silhouette of the classes in H, in [-1, 1]: Rousseeuw 1987,
    https://doi.org/10.1016/0377-0427(87)90125-7."""

    silhouette: bool = option(False, "Also measure the silhouette of the classes in H.")

    def applies(self, setting):
        return self.silhouette

    def measure(self, embedding):
        from sklearn.metrics import silhouette_score

        labels = embedding.setting.images.labels
        if labels is None:
            raise LeftOut("the images have no labels")
        yield Measurement(float(silhouette_score(embedding.h, labels.values)), "silhouette", "h")
