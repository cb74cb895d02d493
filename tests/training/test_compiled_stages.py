"""Every stage trains what it says, compiled or not."""

import copy
from dataclasses import replace

import pytest
import torch
from test_stage import CPU, SAME, NoisyCopies, changed, encoder, equal, train, trainer
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions
from dimred.errors import InputError, WrongGradients
from dimred.pairing import TwoViews
from dimred.training.compute import Compute
from dimred.training.schedule import Trainable
from dimred.training.stage import GRAPHS, compile_mode

PLANS = [
    changed(number=0, name="pretrain"),
    changed(number=1, name="readout", trainable=Trainable.readout),
    changed(number=2, name="finetune"),
]
COMPILED = replace(CPU, compile=True)


def three_stages(compute, first=0):
    """Losses and weights after each of three stages, each in other dimensions, or the later ones,
    as in a run that goes on."""
    net, found = encoder().to(compute.device), []
    pairing = TwoViews(torch.arange(20), BatchAugmentation(AugmentationOptions(noise=0.1)))
    for plan, out_dim in list(zip(PLANS, (3, 2, 2), strict=True))[first:]:
        if net.out_dim != out_dim:
            torch.manual_seed(out_dim)
            net.new_readout(out_dim, normal=True)
        stage = trainer(plan, net=net, pairing=pairing, compute=compute)
        if compute.compile:
            stage.compile()
        found.append((train(stage), copy.deepcopy(net.state_dict())))
    return found


@pytest.fixture
def graphs(monkeypatch):
    """The graphs that are compiled; they are traced, and computed as they are."""
    found = []

    def backend(graph, inputs):
        found.append(graph)
        return aot_autograd(fw_compiler=lambda module, _: make_boxed_func(module.forward))(
            graph, inputs
        )

    compiled = torch.compile
    monkeypatch.setattr(
        "torch.compile",
        lambda function, mode, dynamic: compiled(function, backend=backend, dynamic=dynamic),
    )
    torch.compiler.reset()
    yield found
    torch.compiler.reset()


def same_stages(compute, first, tolerance):
    """Compiled stages, after they were held against plain ones."""
    plain = three_stages(compute, first)
    compiled = three_stages(replace(compute, compile=True), first)
    for (losses, weights), (same_losses, same_weights) in zip(plain, compiled, strict=True):
        torch.testing.assert_close(same_losses, losses, **tolerance)
        torch.testing.assert_close(same_weights, weights, **tolerance)
    names = [name for name, _ in encoder().named_parameters()]
    (_, frozen), (_, finetuned) = compiled[-2:]
    assert [name for name in names if torch.equal(frozen[name], finetuned[name])] == []


@pytest.mark.parametrize("first", [0, 1])
def test_stages_compiled_are_those_of_the_plain_path_and_share_code(graphs, first):
    # A run that begins with the readout, as one that goes on there, compiles while the network is
    # frozen: PyTorch 2.11 took that code for the next stage.
    same_stages(CPU, first, SAME)
    assert len(graphs) == 2  # one that learns, one that is frozen


@pytest.mark.parametrize("part", [{"trainable": Trainable.head}, {"frozen_blocks": 1}])
def test_a_stage_that_trains_a_part_is_compiled_too(graphs, part):
    nets, losses = (encoder(), encoder()), []
    for net, compute in zip(nets, (CPU, COMPILED), strict=True):
        stage = trainer(changed(**part), net=net, compute=compute)
        if compute.compile:
            stage.compile()
        losses.append(train(stage))
    torch.testing.assert_close(*losses, **SAME)
    torch.testing.assert_close(*(net.state_dict() for net in nets), **SAME)
    assert len(graphs) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("first", [0, 1])
def test_compiled_stages_on_a_gpu(first, full_float32):
    torch.compiler.reset()
    same_stages(Compute(torch.device("cuda")), first, {"rtol": 1e-3, "atol": 1e-3})


def test_steps_of_many_sizes_are_compiled_beforehand(graphs):
    class Growing(NoisyCopies):
        same_size = False
        rows = 9  # below 16 inputs PyTorch takes other code

        def select(self, anchors, generator):
            self.rows += 1
            return super().select(torch.arange(self.rows), generator)

    stage = trainer(pairing=Growing(), compute=COMPILED)
    stage.compile()
    compiled = len(graphs)
    train(stage)
    assert len(graphs) == compiled


def test_the_gradients_of_the_first_step_are_looked_at_after_compiling(graphs):
    stage = trainer(changed(name="finetune"), compute=COMPILED)
    stage.compile()
    stage.features = detached(stage.encoder)
    with pytest.raises(WrongGradients, match=r"device\.compile=false"):
        train(stage)


def test_the_mode_of_compiling():
    class Pairing:
        same_size = True

    class Relation:
        same_size = False

    gpu = Compute(torch.device("cuda"), compile=True)
    assert compile_mode(gpu, Pairing()) == GRAPHS == "reduce-overhead"
    assert compile_mode(gpu, Relation()) == "default"  # a graph is of one size
    assert compile_mode(COMPILED, Pairing()) == "default"
    assert compile_mode(replace(gpu, compile=False), Pairing()) is None
    assert compile_mode(replace(gpu, compile=None), Pairing()) is None


def detached(net):
    """Features as code that was compiled while the network was frozen gives them."""
    features = net.features

    def without_gradient(images):
        with torch.no_grad():
            return features(images)

    return without_gradient


def test_code_of_another_stage_stops_the_run_and_names_what_does_not_learn():
    stage = trainer(changed(name="finetune"))
    before = copy.deepcopy(stage.encoder.state_dict())
    stage.features = detached(stage.encoder)
    names = [n for n, _ in stage.encoder.named_parameters() if not n.startswith("readout")]
    with pytest.raises(WrongGradients) as refusal:
        train(stage)
    assert "stage finetune, first step" in str(refusal.value)
    assert f"to be trained and without a gradient: {', '.join(names)}" in str(refusal.value)
    assert "device.compile" not in str(refusal.value)
    # Nothing has been learned from it; batch-norms have only seen the images.
    for name, weight in stage.encoder.named_parameters():
        assert torch.equal(weight, before[name]), name


def test_a_frozen_parameter_with_a_gradient_stops_the_run():
    stage = trainer(PLANS[1], compute=replace(CPU, compile=True))
    stage.interpret()
    stage.encoder.hidden.bias.grad = torch.zeros_like(stage.encoder.hidden.bias)
    with pytest.raises(WrongGradients, match=r"frozen and yet with a gradient: hidden\.bias$"):
        train(stage)


def test_a_gradient_that_is_not_finite_stops_the_run_and_a_loss_that_is_not_is_named_later():
    class Root(torch.autograd.Function):
        """A finite value whose gradient is not."""

        @staticmethod
        def forward(ctx, z):
            return z.sum() * 0

        @staticmethod
        def backward(ctx, upstream):
            return torch.full((12, 2), float("inf"))

    stage = trainer(loss=lambda z, pairs: Root.apply(z))
    with pytest.raises(WrongGradients, match=r"not finite: .*readout\.weight"):
        train(stage)
    stage = trainer(loss=lambda z, pairs: z.sum() * float("nan"))
    next(stage.train_epoch(0, stage.new_epoch()))


def test_only_the_first_step_is_looked_at():
    stage = trainer()
    running = stage.train_epoch(0, stage.new_epoch())
    next(running)
    stage.features = detached(stage.encoder)
    next(running)


def test_compiling_changes_neither_weights_nor_statistics_nor_what_is_drawn():
    stages = [trainer(compute=COMPILED) for _ in range(2)]
    for stage in stages:
        stage.interpret()
    before = copy.deepcopy(stages[0].encoder.state_dict())
    stages[0].compile()
    assert equal(before, stages[0].encoder.state_dict())
    assert all(p.grad is None for p in stages[0].encoder.parameters())
    losses = [train(stage) for stage in stages]
    assert torch.equal(*losses)
    assert equal(*(stage.encoder.state_dict() for stage in stages))


def test_a_batch_too_large_for_the_device_is_said_when_compiling_too():
    def loss(z, pairs):
        raise torch.OutOfMemoryError

    with pytest.raises(InputError, match=r"schedule\.batch_size=6: more than the memory of cpu"):
        trainer(loss=loss).compile()
