"""Deep Variational Metric Learning against its equations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from dimred.losses import LossSizes, StepContext, loss_of
from dimred.losses.dvml import DvmlLoss, Posterior
from dimred.losses.dvml_options import Dvml, Release
from dimred.pairing import ClassPairs

N, H, D = 6, 5, 4
PAIRS = ClassPairs(torch.tensor([0, 0, 1, 1, 2, 2]), torch.arange(0, N, 2), torch.arange(1, N, 2))


def lengths(z, pairs, reduction="mean"):
    """A loss of the rows alone, in place of a metric loss: |z_i|^2."""
    rows = z.square().sum(1)
    return rows if reduction == "none" else rows.mean()


def made(stage=0, seed=0, **options):
    torch.manual_seed(seed)
    return DvmlLoss(Dvml(**options), LossSizes(H, D, 3, stage), lengths).double()


def inputs(seed=1):
    generator = torch.Generator().manual_seed(seed)
    z, h = (torch.randn(N, d, generator=generator, dtype=torch.float64) for d in (D, H))
    return z.requires_grad_(), h.requires_grad_()


def context(h, progress=0.0, seed=2):
    return StepContext(h, torch.Generator().manual_seed(seed), progress)


def value(loss, z, h, reduction="mean", **of_context):
    return loss_of(loss, z, PAIRS, context(h, **of_context), reduction)


def number(*arguments, **of_context):
    return float(value(*arguments, **of_context).detach())


def layer(linear, row):
    return [
        sum(w * x for w, x in zip(weights, row, strict=True)) + bias
        for weights, bias in zip(linear.weight.tolist(), linear.bias.tolist(), strict=True)
    ]


def expected_rows(loss, z, h, weights, samples, squared=False, tanh_output=False):
    """Equations 8 to 12 as loops over numbers, with the noise that the generator gives."""
    noise = torch.randn(
        samples, N, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    ).tolist()
    first, _, second = loss.decoder[:3]
    rows = []
    for i, (own, features) in enumerate(zip(z.tolist(), h.tolist(), strict=True)):
        mean, log_variance = (
            layer(head, features) for head in (loss.mean_head, loss.log_variance_head)
        )
        kl = -0.5 * sum(1 + v - m**2 - math.exp(v) for m, v in zip(mean, log_variance, strict=True))
        wholes = [
            [
                o + m + math.exp(v / 2) * e
                for o, m, v, e in zip(own, mean, log_variance, noise[t][i], strict=True)
            ]
            for t in range(samples)
        ]
        distances = []
        for whole in wholes:
            decoded = layer(second, [math.tanh(x) for x in layer(first, whole)])
            if tanh_output:
                decoded = [math.tanh(x) for x in decoded]
            square = sum((x - y) ** 2 for x, y in zip(decoded, features, strict=True))
            distances.append(square if squared else math.sqrt(square))
        terms = (
            kl,
            sum(distances) / samples,
            sum(x**2 for x in wholes[0]),
            sum(x**2 for x in own),
        )
        rows.append(sum(w * term for w, term in zip(weights, terms, strict=True)))
    return rows


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"squared": True}, {"tanh_output": True}, {"detach_target": False}]
)
def test_rows_and_value_are_those_of_the_equations(stage, options):
    loss, (z, h) = made(stage, samples=3, decoder_dim=7, **options), inputs()
    weights = [1, 1, 0.1, 1] if stage == 0 else [0.8, 1, 0.2, 0.8]  # as printed
    options = {key: options[key] for key in options if key != "detach_target"}
    expected = expected_rows(loss, z, h, weights, samples=3, **options)
    assert value(loss, z, h, "none").tolist() == pytest.approx(expected, rel=1e-10)
    assert number(loss, z, h) == pytest.approx(sum(expected) / N, rel=1e-10)


@given(mean=st.floats(-3, 3), log_variance=st.floats(-4, 3))
def test_the_divergence_is_that_from_the_standard_normal(mean, log_variance):
    """With its sign: at least 0, unlike equation 8 as it is printed."""
    parts = torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[log_variance]]).double()
    expected = kl_divergence(Normal(parts[0], (parts[1] / 2).exp()), Normal(0.0, 1.0))
    kl = Posterior(*parts).kl()
    assert float(kl) == pytest.approx(float(expected), abs=1e-9)
    assert float(kl) >= -1e-12


def gradients(loss, z, h, **of_context):
    """Of the value by Z, by H and by the parameters of the loss."""
    names, parameters = zip(*loss.named_parameters(), strict=True)
    found = torch.autograd.grad(value(loss, z, h, **of_context), [z, h, *parameters])
    return dict(zip(("z", "h", *names), found, strict=True))


def only(term, **options):
    """One of the four terms, and so little of the last that it does not count."""
    weights = [0.0, 0.0, 0.0, 1e-30]
    weights[term] = 1.0
    return {"weights": weights, "later_weights": weights, "samples": 2, **options}


def test_the_first_phase_keeps_the_reconstruction_from_the_encoder():
    found = gradients(made(stage=0, **only(1)), *inputs())
    assert found["z"].abs().max() < 1e-20
    assert found["h"].abs().max() == 0
    for name in ("mean_head.weight", "log_variance_head.weight", "decoder.0.weight"):
        assert found[name].abs().max() > 1e-3, name


@pytest.mark.parametrize(
    ("release", "stage", "is_released"),
    [
        (Release.later, 0, False),
        (Release.later, 1, True),
        (Release.always, 0, True),
        (Release.never, 1, False),
    ],
)
def test_when_the_reconstruction_reaches_the_encoder(release, stage, is_released):
    found = gradients(made(stage, **only(1, release=release)), *inputs())
    assert (found["z"].abs().max() > 1e-3) == is_released
    assert (found["h"].abs().max() > 1e-3) == is_released


def test_the_target_of_the_reconstruction_is_detached_or_not():
    """With a decoder that says 0, the distance is |H|, whose gradient is its direction."""
    for detach in (True, False):
        loss, (z, h) = made(0, **only(1, detach_target=detach)), inputs()
        for parameter in loss.decoder.parameters():
            parameter.data.zero_()
        by_h = gradients(loss, z, h)["h"]
        expected = torch.zeros_like(h) if detach else h / h.norm(dim=1, keepdim=True) / N
        torch.testing.assert_close(by_h, expected)


@pytest.mark.parametrize("term", [1, 2])
def test_samples_are_differentiated_through_mean_and_sigma(term):
    """Drawing without this is the fault of two re-implementations, in which mu and sigma learn from
    the divergence alone."""
    loss, (z, h) = made(stage=1, **only(term)), inputs()
    found = gradients(loss, z, h)
    for head in (loss.mean_head, loss.log_variance_head):
        name = "mean_head.bias" if head is loss.mean_head else "log_variance_head.bias"
        for j in range(D):
            ends = []
            for step in (-1e-5, 1e-5):
                head.bias.data[j] += step
                ends.append(number(loss, z, h))
                head.bias.data[j] -= step
            numeric = (ends[1] - ends[0]) / 2e-5
            assert float(found[name][j]) == pytest.approx(numeric, rel=1e-4, abs=1e-6)
            assert abs(numeric) > 1e-4


def test_the_divergence_is_minimized_at_the_standard_normal():
    loss, (z, h) = made(**only(0)), inputs()
    found = gradients(loss, z, h)
    step = 1e-3
    before = number(loss, z, h)
    for name, parameter in loss.named_parameters():
        parameter.data -= step * found[name]
    assert number(loss, z, h) < before


def test_the_weight_of_the_divergence_is_warmed_up_in_the_first_stage_only():
    z, h = inputs()
    for stage, progress, share in [(0, 0.0, 0), (0, 0.25, 0.5), (0, 0.7, 1), (1, 0.0, 1)]:
        loss = made(stage, **only(0, kl_warmup=0.5))
        kl = loss.posterior(h).kl().mean()
        found = number(loss, z, h, progress=progress)
        assert found == pytest.approx(share * float(kl.detach()), abs=1e-12)


def test_fewer_variance_dimensions_leave_the_others_of_z_alone():
    loss, (z, h) = made(**only(2, variance_dim=1)), inputs()
    assert loss.mean_head.out_features == 1
    found = gradients(loss, z, h)["z"]
    # What stands in for the metric loss has the gradient 2 z / N wherever nothing was added to z.
    torch.testing.assert_close(found[:, 1:], 2 * z[:, 1:] / N)
    assert (found[:, 0] - 2 * z[:, 0] / N).abs().min() > 1e-4


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_the_variance_part_is_scaled_to_the_length_of_the_class_part(scale):
    loss, (z, h) = made(variance_scale=scale), inputs()
    posterior, noise = loss.posterior(h), torch.randn(20, N, D, dtype=torch.float64)
    drawn = loss._variance_part(posterior, noise, z)
    length, own = (x.detach().square().sum(-1).mean().sqrt() for x in (z, drawn))
    assert float(own) == pytest.approx(scale * float(length))


def test_several_samples_give_the_mean_of_their_losses():
    z, h = inputs()
    loss = made(**only(2, metric_samples=2))
    noise = loss._noise(z, torch.Generator().manual_seed(2))
    drawn = z + loss.posterior(h).draw(noise)
    expected = sum(lengths(each, PAIRS) for each in drawn) / 2
    assert number(loss, z, h) == pytest.approx(float(expected.detach()))


def test_equal_generators_give_equal_losses_and_others_do_not():
    loss, (z, h) = made(), inputs()
    torch.manual_seed(5)
    first = value(loss, z, h)
    torch.manual_seed(6)
    assert torch.equal(value(loss, z, h), first)
    assert not torch.equal(value(loss, z, h, seed=3), first)


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_it_is_finite_where_images_coincide_or_are_far_apart(scale):
    loss, (z, h) = made(stage=1).float(), inputs()
    z, h = ((scale * x.detach()).float().requires_grad_() for x in (z, h))
    for found in [value(loss, z, h), *gradients(loss, z, h).values()]:
        assert found.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_computed_in_float32(dtype):
    loss, (z, h) = made().float(), inputs()
    z, h = z.detach().to(dtype), h.detach().float()
    found = value(loss, z, h)
    assert found.dtype == torch.float32
    assert torch.equal(found, value(loss, z.float(), h))


def test_terms_are_means_over_the_steps_since_they_were_read():
    loss, (z, h) = made(samples=2), inputs()
    values = []
    for seed in (2, 3):
        value(loss, z, h, seed=seed)
        values.append(loss.read_terms())
    for seed in (2, 3):
        value(loss, z, h, seed=seed)
    with torch.no_grad():
        value(loss, z, h, "none", seed=9)  # of item losses, which are no step
    resumed = made(samples=2)
    resumed.load_state_dict(loss.state_dict())
    for each in (loss, resumed):
        means = each.read_terms()
        assert means.keys() == {"kl", "reconstruction", "synthesized", "metric", "sigma"}
        for name, mean in means.items():
            assert mean == pytest.approx((values[0][name] + values[1][name]) / 2)
    assert values[0]["kl"] == pytest.approx(float(loss.posterior(h).kl().mean().detach()))
    assert values[0]["metric"] == pytest.approx(float(lengths(z, PAIRS).detach()))
