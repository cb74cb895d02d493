"""Errors of a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimred.measures.protocol import Embedding, LeftOut, Measure, Setting
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dimred.evaluation.measurement import Measurement

_SHIFTED_COPIES = 10
_BATCH = 1024  # fixed, since the random shifts depend on it


@register("measure", "errors")
@dataclass
class ClassifierErrors(Measure):
    """Error rate of a classifier on test images, unchanged and randomly shifted; of the classes
    that it learned, as it can name no other."""

    shifted_test: list[int] = option(
        [],
        "For classifiers: also measure the error on test images shifted at random by up to "
        "[horizontal, vertical] pixels, ten times each; [] = off.",
        at_least=0,
        at_most=10_000,
    )

    def problems(self) -> Iterator[str]:
        if len(self.shifted_test) not in (0, 2):
            yield f"eval.shifted_test={self.shifted_test}: must be [] or two numbers of pixels"

    def applies(self, setting: Setting) -> bool:
        return setting.images.labels is not None and setting.config.classifies

    def measure(self, embedding: Embedding) -> Iterator[Measurement]:
        import numpy as np

        from dimred.data.options import FitOn
        from dimred.evaluation.measurement import Measurement

        setting = embedding.setting
        labels = setting.images.labels
        assert labels is not None
        test = setting.images.held_out
        if setting.images.is_unseen is not None:
            test = test[~setting.images.is_unseen[test]]
        if not len(test):
            raise LeftOut("no test image is of a class that was learned from")
        y = labels.values[test]
        kind = "test_error" if setting.config.dataset.fit_on is FitOn.train else "training_error"
        yield Measurement(float(np.mean(embedding.z[test].argmax(1) != y)), kind)
        if self.shifted_test:
            errors = [
                self._shifted_error(embedding, test, y, copy) for copy in range(_SHIFTED_COPIES)
            ]
            yield Measurement(float(np.mean(errors)), f"shifted_{kind}")

    def _shifted_error(
        self, embedding: Embedding, test: NDArray[np.int64], y: NDArray[np.int64], copy: int
    ) -> float:
        import numpy as np
        import torch

        from dimred.pairing import randomly_shifted
        from dimred.training.seeds import generator_at

        setting, encoder = embedding.setting, embedding.encoder
        compute = setting.compute
        across, down = self.shifted_test
        generator = generator_at(compute.device, setting.config.seed, "shifted test", copy)
        encoder.eval()
        predictions = []
        samples = torch.from_numpy(test * setting.n_variants).to(compute.device)
        with torch.inference_mode():
            for batch in setting.resident.batches(torch.split(samples, _BATCH)):
                pixels = randomly_shifted(batch, (across, down), generator).float().div_(255)
                logits = encoder(pixels.contiguous(memory_format=compute.memory_format))[1]
                predictions.append(logits.argmax(1).cpu().numpy())
        return float(np.mean(np.concatenate(predictions) != y))
