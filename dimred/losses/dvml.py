"""Deep Variational Metric Learning (Lin et al., ECCV 2018), around another loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dimred.losses.distances import root
from dimred.losses.protocol import Loss, LossSizes, Reduction, StepContext, loss_of
from dimred.pairing.pairs import ClassPairs

if TYPE_CHECKING:
    from dimred.losses.dvml_options import Dvml

# Of log sigma^2: beyond, the exponential and its gradient leave float32.
_LOG_VARIANCE = 20.0
_TERMS = ("kl", "reconstruction", "synthesized", "metric", "sigma")


class Posterior(NamedTuple):
    """The Gaussian of the variance part z_V of each image: mean and log sigma^2, (n, d) each."""

    mean: Tensor
    log_variance: Tensor

    def kl(self) -> Tensor:
        """KL divergence from the standard normal in nats, of each image (n,): 1/2 sum_j (mu_j^2 +
        sigma_j^2 - log sigma_j^2 - 1). The paper's equation 8 prints it with the sign of the
        bound that is maximized."""
        mean, log_variance = self
        return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)

    def draw(self, noise: Tensor) -> Tensor:
        """Samples (t, n, d) for standard normal noise (t, n, d), differentiable in both parts."""
        return self.mean + (0.5 * self.log_variance).exp() * noise


class DvmlLoss(nn.Module):
    """Splits an embedding into a class part z_I, which is Z, and a variance part z_V with a learned
    Gaussian, and minimizes (equation 12)

        w1 KL(z_V) + w2 |H - decoder(z_I + z_V)| + w3 loss(z_I + z_V) + w4 loss(z_I),

    with weights of their own in the first stage and in later ones (section 3.5). The heads of mu
    and log sigma^2 are linear layers on H, beside the encoder's readout, which gives z_I; the
    decoder is linear, tanh, linear. They belong to the loss: trained and resumed with the run, and
    no part of the encoder, since only z_I is used afterwards.

    In stages that are not released (`Dvml.is_released`), the reconstruction trains the decoder and
    the two heads only; but with `detach_target` false, the encoder too, through its target.

    options: weights and choices. sizes: of H and Z, and the stage. metric: the loss that it is
    around, of (Z, `ClassPairs`).
    """

    takes_context = True
    carries_on = True
    _sums: Tensor
    _count: Tensor

    def __init__(self, options: Dvml, sizes: LossSizes, metric: Loss):
        super().__init__()
        self.options = options
        self.weights = options.weights_of(sizes.stage)
        self.released = options.is_released(sizes.stage)
        self.warms_up = sizes.stage == 0 and options.kl_warmup > 0
        self.out_dim = sizes.out_dim
        self.variance_dim = options.variance_dim or sizes.out_dim
        self.metric = metric
        self.mean_head = nn.Linear(sizes.h_dim, self.variance_dim)
        self.log_variance_head = nn.Linear(sizes.h_dim, self.variance_dim)
        layers = [
            nn.Linear(sizes.out_dim, options.decoder_dim),
            nn.Tanh(),
            nn.Linear(options.decoder_dim, sizes.h_dim),
        ]
        self.decoder = nn.Sequential(*layers, *([nn.Tanh()] if options.tanh_output else []))
        self.register_buffer("_sums", torch.zeros(len(_TERMS), dtype=torch.float64))
        self.register_buffer("_count", torch.zeros((), dtype=torch.float64))

    def forward(
        self,
        z: Tensor,
        pairs: ClassPairs,
        *,
        context: StepContext,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """The loss, or with reduction="none" that of each row, as `Loss`.

        z: z_I (n, d); bf16 and float16 are computed in float32.
        context: with H of the same rows.
        """
        with torch.autocast(z.device.type, enabled=False):
            z = z if z.dtype == torch.float64 else z.float()
            h = context.h.to(self.mean_head.weight.dtype)
            posterior = self.posterior(h)
            noise = self._noise(z, context.generator)
            synthesized = (
                z + self._variance_part(posterior, noise, z)[: self.options.metric_samples]
            )
            kl = posterior.kl().to(z.dtype)
            reconstruction = self._reconstruction(z, h, posterior, noise)
            parts = [self._metric(part, pairs, context, reduction) for part in synthesized]
            of_synthesized = torch.stack(parts).mean(0)
            of_z = self._metric(z, pairs, context, reduction)
            if reduction == "mean":
                kl, reconstruction = kl.mean(), reconstruction.mean()
            terms = (kl, reconstruction, of_synthesized, of_z)
            if torch.is_grad_enabled() and reduction == "mean":
                self._sum_up(terms, posterior)
            return self._weighted(terms, context.progress)

    def _weighted(self, terms: tuple[Tensor, ...], progress: float) -> Tensor:
        kl, *others = self.weights
        if self.warms_up:
            kl *= min(progress / self.options.kl_warmup, 1.0)
        total = torch.zeros_like(terms[0])
        for weight, term in zip((kl, *others), terms, strict=True):
            total = total + weight * term
        return total

    def posterior(self, h: Tensor) -> Posterior:
        """The Gaussian of z_V for H (n, h)."""
        bound = _LOG_VARIANCE
        return Posterior(self.mean_head(h), self.log_variance_head(h).clamp(-bound, bound))

    def _noise(self, z: Tensor, generator: torch.Generator) -> Tensor:
        shape = (self.options.samples, len(z), self.variance_dim)
        return torch.randn(shape, generator=generator, device=z.device, dtype=z.dtype)

    def _variance_part(self, posterior: Posterior, noise: Tensor, z: Tensor) -> Tensor:
        """Samples of z_V (t, n, d): with fewer dimensions than Z, the others are 0."""
        drawn = posterior.draw(noise.to(posterior.mean.dtype)).to(z.dtype)
        if self.options.variance_scale is not None:
            length, own = (x.detach().square().sum(-1).mean().sqrt() for x in (z, drawn))
            drawn = drawn * (self.options.variance_scale * length / own.clamp_min(1e-12))
        return F.pad(drawn, (0, self.out_dim - self.variance_dim))

    def _reconstruction(self, z: Tensor, h: Tensor, posterior: Posterior, noise: Tensor) -> Tensor:
        """The mean over samples of the distance of H from what is decoded, of each row (n,)."""
        if not self.released:
            z, posterior = z.detach(), self.posterior(h.detach())
        whole = z + self._variance_part(posterior, noise, z)
        decoded: Tensor = self.decoder(whole.to(h.dtype))
        target = h.detach() if self.options.detach_target else h
        squares = (decoded - target).square().sum(2).to(z.dtype)
        return (squares if self.options.squared else root(squares)).mean(0)

    def _metric(
        self, z: Tensor, pairs: ClassPairs, context: StepContext, reduction: Reduction
    ) -> Tensor:
        return loss_of(self.metric, z, pairs, context, reduction)

    @torch.no_grad()
    def _sum_up(self, terms: tuple[Tensor, ...], posterior: Posterior) -> None:
        sigma = (0.5 * posterior.log_variance).exp().mean()
        self._sums += torch.stack([term.detach().double() for term in (*terms, sigma)])
        self._count += 1

    def read_terms(self) -> dict[str, float]:
        """The means of the four terms without their weights, and of sigma, over the steps since
        they were last read: kl, reconstruction, synthesized, metric, sigma."""
        means = (self._sums / self._count.clamp_min(1)).tolist()
        self._sums.zero_()
        self._count.zero_()
        return dict(zip(_TERMS, means, strict=True))
