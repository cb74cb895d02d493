"""What the Gaussian of the variance part of `loss=dvml` has become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dimred.losses.dvml_options import Dvml
from dimred.measures.protocol import Detail, Embedding, LeftOut, Measure, Setting
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.evaluation.measurement import Measurement

# Of the mean over the images, above which a dimension counts as used: Burda, Grosse, Salakhutdinov
# 2016, https://arxiv.org/abs/1509.00519, section 5.2.
ACTIVE_VARIANCE = 0.01


@register("measure", "variational")
@dataclass
class Variational(Measure):
    """For `loss=dvml`, over all images: the mean KL divergence of the variance part z_V from the
    standard normal in nats, its mean sigma, how many of its dimensions are active (the variance of
    their mean over the images is above 0.01), and the lengths (root mean square) of z_I and z_V.
    A divergence near 0, sigma near 1 and no active dimension mean that the posterior has collapsed:
    z_V is noise that says nothing of the image."""

    def applies(self, setting: Setting) -> bool:
        return isinstance(setting.config.last_loss, Dvml)

    def measure(self, embedding: Embedding) -> Iterator[Measurement | Detail]:
        import torch

        from dimred.evaluation.measurement import Measurement
        from dimred.losses.dvml import DvmlLoss

        loss = embedding.loss
        if not isinstance(loss, DvmlLoss):
            raise LeftOut("what the loss has learned is not known")
        weight = loss.mean_head.weight
        with torch.no_grad():
            h = torch.from_numpy(embedding.h).to(weight.device, weight.dtype)
            posterior = loss.posterior(h)
            variance = posterior.log_variance.exp()
            active = int((posterior.mean.var(0, correction=0) > ACTIVE_VARIANCE).sum())
            drawn = posterior.mean.square() + variance  # the mean square of z_V
            yield Measurement(float(posterior.kl().mean()), "kl")
            yield Measurement(float(variance.sqrt().mean()), "sigma")
            yield Measurement(float(active), "active_dims")
            yield Measurement(float(drawn.sum(1).mean().sqrt()), "length", "z_v")
            z = torch.from_numpy(embedding.z)
            yield Measurement(float(z.square().sum(1).mean().sqrt()), "length", "z")
        yield Detail("dims", str(loss.variance_dim))

    @classmethod
    def lines(cls, results: dict[str, Any]) -> list[str]:
        try:
            active, kl = results["active_dims"], results["kl"]
            text = (
                f"{active:.0f} of {results['dims']} dimensions active, KL {kl:.3g} nats, sigma "
                f"{results['sigma']:.3f}, length {results['length_z_v']:.3g} beside "
                f"{results['length_z']:.3g} of z_I"
            )
        except KeyError:
            return []
        collapsed = [
            "  none is active: its posterior has collapsed, and it says nothing of an image"
        ]
        return [f"variance part z_V     {text}", *(collapsed if not active else [])]
