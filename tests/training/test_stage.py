"""One stage of training: what moves, what does not, and exact continuation."""

import copy
import dataclasses
from dataclasses import replace
from itertools import chain

import pytest
import torch

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions
from dimred.data.resident import ResidentImages
from dimred.errors import TrainingDiverged
from dimred.losses import tsimcne_loss
from dimred.models import ConvNetBackbone, Encoder
from dimred.pairing import PositivePairs, StepBatch, TwoViews
from dimred.training.compute import Compute
from dimred.training.sample_losses import sample_losses
from dimred.training.schedule import (
    Anneal,
    FrozenBatchNorm,
    LrUpdate,
    OptimizerName,
    OptimizerOptions,
    ScheduleOptions,
    Stage,
    StageOptions,
    Trainable,
)
from dimred.training.seeds import generator_at
from dimred.training.stage import StageTrainer

CPU = Compute(torch.device("cpu"))


def changed(number=0, name="train", base_lr=0.1, batch_size=6, seed=1, adamw=False, **fields):
    """A stage of three epochs without warm-up, with other fields of its stage, of its schedule or
    of its optimizer."""
    kind = OptimizerName.adamw if adamw else OptimizerName.sgd
    fields |= {"lr_per_256": base_lr * 256 / batch_size, "batch_size": batch_size}

    def own(options, **defaults):
        names = {spec.name for spec in dataclasses.fields(options)} - {"name"}
        return {**defaults, **{key: fields.pop(key) for key in names & set(fields)}}

    stage = StageOptions(**own(StageOptions, epochs=3, out_dim=2, warmup_epochs=0))
    optimizer = OptimizerOptions(kind, **own(OptimizerOptions))
    schedule = ScheduleOptions(**own(ScheduleOptions), optimizer=optimizer)
    assert not fields, fields
    return Stage(number, name, stage, schedule, seed)


STAGE = changed()


class NoisyCopies:
    """A pairing that records which images it was given."""

    anchors = torch.arange(20)
    same_size = True

    def __init__(self):
        self.seen = []

    def select(self, anchors, generator):
        count = len(anchors)
        return StepBatch(anchors, 2 * count, PositivePairs(torch.arange(2 * count).roll(count)))

    def views(self, images, generator, part=slice(None)):
        self.seen.append(images[:, 0, 0, 0].tolist())
        views = images.float().div(255).repeat(2, 1, 1, 1)
        return (views + 0.1 * torch.rand(views.shape, generator=generator))[part]


def images(compute, n=20):
    data = torch.randint(0, 256, (n, 1, 6, 6), generator=torch.Generator().manual_seed(0))
    data[:, 0, 0, 0] = torch.arange(n)
    return ResidentImages(data.to(torch.uint8), compute.device, 0.5)


def encoder(seed=0):
    torch.manual_seed(seed)
    return Encoder(ConvNetBackbone(1, [4, 8]), [0.5], [0.3], hidden_dim=8, out_dim=2)


def trainer(stage=STAGE, net=None, loss=tsimcne_loss, pairing=None, compute=CPU):
    net = net or encoder()
    return StageTrainer(
        stage,
        net.to(compute.device).to(memory_format=compute.memory_format),
        loss,
        pairing or NoisyCopies(),
        images(compute),
        compute,
    )


def train(stage, epochs=range(3), state=None):
    losses = None
    for epoch in epochs:
        state = state or stage.new_epoch()
        for _ in stage.train_epoch(epoch, state):
            pass
        losses, state = state.losses, None
    return losses


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def test_an_epoch_draws_every_image_at_most_once_and_orders_differ():
    pairing = NoisyCopies()
    train(trainer(pairing=pairing), range(2))
    first, second = [list(chain(*pairing.seen[i : i + 3])) for i in (0, 3)]
    assert len(first) == len(set(first)) == 18
    assert first != second
    assert len(set(first) | set(second)) > 18


def test_same_seed_same_weights_and_another_seed_others():
    nets = [encoder() for _ in range(3)]
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        train(trainer(changed(seed=seed), net))
    states = [net.state_dict() for net in nets]
    assert equal(states[0], states[1])
    assert not equal(states[0], states[2])


@pytest.mark.parametrize("adamw", [False, True])
@pytest.mark.parametrize("stop", [(0, 1), (1, 0), (1, 2), (2, 3)])
def test_continuing_at_any_step_equals_never_having_stopped(adamw, stop):
    whole = trainer(changed(adamw=adamw))
    train(whole)

    first = trainer(changed(adamw=adamw))
    epoch, step = stop
    train(first, range(epoch))
    state = first.new_epoch()
    running = first.train_epoch(epoch, state)
    for _ in range(step):
        next(running)
    second = trainer(changed(adamw=adamw), net=encoder(seed=9))
    second.encoder.load_state_dict(first.encoder.state_dict())
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    train(second, range(epoch, 3), state)
    assert equal(whole.encoder.state_dict(), second.encoder.state_dict())


def test_randomness_does_not_come_from_the_global_generator():
    before = torch.random.get_rng_state()
    net = encoder()
    torch.random.set_rng_state(before)
    train(trainer(net=net))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("freeze", "moves"), [(FrozenBatchNorm.update, True), (FrozenBatchNorm.freeze, False)]
)
def test_a_readout_stage_moves_the_readout_only(freeze, moves):
    net = encoder()
    before = copy.deepcopy(net.state_dict())
    train(trainer(changed(trainable=Trainable.readout, frozen_batchnorm=freeze), net=net))
    for name, tensor in net.state_dict().items():
        same = torch.equal(before[name], tensor)
        if name.startswith("readout"):
            assert not same, name
        elif "running" in name or "tracked" in name:
            assert same is not moves, name
        else:
            assert same, name


def test_learning_rate_per_step_is_finer_than_per_epoch():
    by_epoch, by_step = trainer(), trainer(changed(lr_update=LrUpdate.step))
    assert by_epoch.lr(1, 0) == by_epoch.lr(1, 2)
    assert by_step.lr(1, 0) > by_step.lr(1, 2) > by_step.lr(2, 0)


def test_a_loss_that_is_not_finite_is_named_with_its_step():
    calls = []

    def loss(z, pairs):
        calls.append(1)
        return tsimcne_loss(z, pairs) * (float("nan") if len(calls) == 2 else 1)

    stage = trainer(loss=loss)
    state = stage.new_epoch()
    running = stage.train_epoch(4, state)
    next(running)
    stage.check_finite(4, state)
    next(running)
    with pytest.raises(TrainingDiverged, match="nan in stage train, epoch 5, step 2 of 3"):
        stage.check_finite(4, state)


def test_sgd_moves_the_weights_as_written_out():
    """v <- momentum v + (gradient + decay w); w <- w - rate v, the rate new in every epoch."""
    plan = changed(warmup_epochs=2)
    ours = encoder()
    stage = trainer(plan, net=ours)
    by_hand = encoder()
    twin = trainer(plan, net=by_hand)
    velocity = {name: torch.zeros_like(w) for name, w in by_hand.named_parameters()}
    rates = [stage.lr(epoch, 0) for epoch in range(3)]
    assert len(set(rates)) > 1

    class ByHand:
        def __init__(self):
            self.param_groups = [{"lr": None, "lr_factor": 1.0}]

        def zero_grad(self, set_to_none):
            by_hand.zero_grad()

        @torch.no_grad()
        def step(self):
            for name, w in by_hand.named_parameters():
                velocity[name] = 0.9 * velocity[name] + w.grad + 5e-4 * w
                w -= rates[len(taken) // 3] * velocity[name]
            taken.append(1)

    taken = []
    twin.optimizer = ByHand()
    train(stage)
    train(twin)
    assert len(taken) == 9
    for name, w in ours.named_parameters():
        torch.testing.assert_close(w, dict(by_hand.named_parameters())[name], rtol=1e-5, atol=1e-6)


def test_weights_that_are_not_finite_are_named():
    stage = trainer()
    state = stage.new_epoch()
    next(stage.train_epoch(0, state))
    stage.check_finite(0, state)
    stage.encoder.readout.bias.data[0] = float("inf")
    with pytest.raises(TrainingDiverged, match=r"weights became infinite.*epoch 1, step 1 of 3"):
        stage.check_finite(0, state)


def test_a_stage_begins_without_the_gradients_of_the_one_before():
    net = encoder()
    train(trainer(net=net))
    assert all(weight.grad is not None for weight in net.parameters())
    train(trainer(changed(trainable=Trainable.readout), net=net))
    assert {name for name, p in net.named_parameters() if p.grad is not None} == {
        "readout.weight",
        "readout.bias",
    }


def distance_from_one(z, pairs):
    """Unlike losses of differences it has a gradient for the biases of the head."""
    return (z - 1).square().mean()


# Float sums in another order, over nine steps.
SAME = {"rtol": 1e-4, "atol": 1e-5}


@pytest.mark.parametrize("adamw", [False, True])
@pytest.mark.parametrize("switch", [{"fused_optimizer": False}, {"channels_last": False}])
def test_a_switch_of_the_device_leaves_the_result_as_it_is(switch, adamw):
    plan = changed(adamw=adamw, base_lr=0.01)
    # AdamW moves by a gradient's sign; that of the readout's bias is 0 in losses of differences.
    loss = distance_from_one if adamw else tsimcne_loss
    stages = [trainer(plan, loss=loss, compute=replace(CPU, **one)) for one in ({}, switch)]
    losses = [train(stage) for stage in stages]
    torch.testing.assert_close(*losses, **SAME)
    torch.testing.assert_close(*(stage.encoder.state_dict() for stage in stages), **SAME)


def test_bf16_trains_close_to_float32():
    stages = [trainer(compute=replace(CPU, bf16=choice)) for choice in (False, True)]
    losses = [train(stage) for stage in stages]
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(losses[0], losses[1], rtol=0.02, atol=0.02)
    assert not torch.equal(losses[0], losses[1])


@pytest.mark.gpu
@pytest.mark.parametrize("adamw", [False, True])
@pytest.mark.parametrize("switch", ["channels_last", "compile", "fused_optimizer"])
def test_switches_leave_the_result_on_a_gpu_as_it_is(switch, adamw, full_float32):
    gpu = Compute(torch.device("cuda"), channels_last=False, fused_optimizer=False)
    plan = changed(adamw=adamw, base_lr=0.01, warmup_epochs=2)
    loss = distance_from_one if adamw else tsimcne_loss
    pairing = TwoViews(torch.arange(20), BatchAugmentation(AugmentationOptions(noise=0.1)))
    stages = [
        trainer(plan, loss=loss, pairing=pairing, compute=compute)
        for compute in (gpu, replace(gpu, **{switch: True}))
    ]
    losses = [train(stage) for stage in stages]
    tolerance = {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(*losses, **tolerance)
    torch.testing.assert_close(*(stage.encoder.state_dict() for stage in stages), **tolerance)


@pytest.mark.gpu
def test_a_step_does_not_wait_for_the_gpu(nothing_waits):
    pairing = TwoViews(torch.arange(20), BatchAugmentation(AugmentationOptions(noise=0.1)))
    stage = trainer(pairing=pairing, compute=Compute(torch.device("cuda"), bf16=True))
    state = stage.new_epoch()
    running = stage.train_epoch(0, state)
    next(running)  # whose gradients are looked at
    with nothing_waits():
        next(running)
        next(running)


def first_step(factor, net=None, **fields):
    """How far one step moves each parameter, and the stage."""
    net = net or encoder()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    plan = changed(momentum=0.0, weight_decay=0.0, bias_lr_factor=factor, **fields)
    stage = trainer(plan, net=net, loss=distance_from_one)
    next(stage.train_epoch(0, stage.new_epoch()))
    return {name: p.detach() - before[name] for name, p in net.named_parameters()}, stage


def test_twice_the_rate_for_biases_moves_them_twice_as_far_and_the_weights_the_same():
    once, _ = first_step(1.0)
    twice, _ = first_step(2.0)
    biases = [name for name in once if name.endswith("bias")]
    # Of the batch-norms too, as Caffe's scale layers have them.
    assert {"hidden.bias", "readout.bias"} < set(biases)
    for name, moved in once.items():
        assert moved.any(), name
        if name not in biases:
            assert torch.equal(twice[name], moved), name
        else:
            torch.testing.assert_close(twice[name], 2 * moved, rtol=1e-5, atol=1e-7)


def test_the_rate_of_biases_follows_the_schedule():
    _, stage = first_step(2.0, warmup_epochs=2)
    seen = []
    for epoch in range(3):
        for _ in stage.train_epoch(epoch, stage.new_epoch()):
            weights, biases = (group["lr"] for group in stage.optimizer.param_groups)
            assert biases == 2 * weights
            seen.append(weights)
    assert seen == [stage.lr(epoch, 0) for epoch in range(3) for _ in range(3)]
    assert len(set(seen)) > 1


def test_a_readout_stage_with_its_own_rate_for_biases_moves_the_readout_only():
    net = encoder()
    moved, stage = first_step(2.0, net, trainable=Trainable.readout)
    assert {name for name, by in moved.items() if by.any()} == {"readout.weight", "readout.bias"}
    grouped = [p for group in stage.optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in grouped} == {id(net.readout.weight), id(net.readout.bias)}


@pytest.mark.parametrize("adamw", [False, True])
def test_continuing_with_another_rate_for_biases_equals_never_having_stopped(adamw):
    plan = changed(adamw=adamw, bias_lr_factor=2.0, anneal=Anneal.inv, lr_update=LrUpdate.step)
    whole = trainer(plan, loss=distance_from_one)
    train(whole)
    first = trainer(plan, loss=distance_from_one)
    state = first.new_epoch()
    running = first.train_epoch(0, state)
    next(running)
    second = trainer(plan, net=encoder(seed=9), loss=distance_from_one)
    second.encoder.load_state_dict(first.encoder.state_dict())
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    train(second, range(3), state)
    assert equal(whole.encoder.state_dict(), second.encoder.state_dict())


def test_inv_falls_with_every_step_of_the_stage():
    """Caffe's policy with the number of steps since the stage began; three steps an epoch here."""
    stage = trainer(changed(anneal=Anneal.inv, lr_update=LrUpdate.step))
    assert stage.steps == 3
    rates = [stage.lr(epoch, step) for epoch in range(3) for step in range(3)]
    assert rates == pytest.approx([0.1 * (1 + 1e-4 * i) ** -0.75 for i in range(9)], rel=1e-12)
    assert rates[0] == 0.1
    assert stage.lr(3333, 1) == pytest.approx(0.1 * 2**-0.75)


def test_inv_by_epoch_still_counts_steps():
    stage = trainer(changed(anneal=Anneal.inv))
    rates = [stage.lr(epoch, step) for epoch in range(2) for step in range(3)]
    expected = [0.1] * 3 + [0.1 * (1 + 3e-4) ** -0.75] * 3
    assert rates == pytest.approx(expected, rel=1e-12)


class Twice(NoisyCopies):
    """Learns from images 3 to 16 only, each with another beside it."""

    anchors = torch.arange(3, 17)

    def select(self, anchors, generator):
        items = torch.cat([anchors, (anchors - 2) % 14 + 3])
        return StepBatch(
            items, 2 * len(items), PositivePairs(torch.arange(2 * len(items)).roll(len(items)))
        )


def distance_of_views(z, pairs, reduction="mean"):
    rows = (z - z[pairs.partner]).square().sum(1)
    return rows if reduction == "none" else rows.mean()


@pytest.mark.parametrize("batch_size", [5, 7, 14])  # also where the last batch has fewer
def test_every_item_has_the_mean_of_its_own_rows(batch_size):
    pairing = Twice()
    trained = trainer(changed(batch_size=batch_size), loss=distance_of_views, pairing=pairing)
    before = copy.deepcopy(trained.encoder.state_dict())
    losses = sample_losses(trained)
    assert torch.isfinite(torch.from_numpy(losses)).tolist() == [3 <= i < 17 for i in range(20)]
    # Again from what the pairing was given: which images, and so which noise.
    net = trained.encoder.eval()
    rows = {i: [] for i in range(20)}
    pixels = trained.images.images
    for step, seen in enumerate(pairing.seen):
        generator = generator_at(CPU.device, 1, "views of item losses", step, 0)
        with torch.no_grad():
            _, z = net(NoisyCopies().views(pixels[torch.tensor(seen)], generator))
        for i, value in enumerate((z - z.roll(len(seen), 0)).square().sum(1)):
            rows[seen[i % len(seen)]].append(float(value))
    for item in range(3, 17):
        assert losses[item] == pytest.approx(sum(rows[item]) / len(rows[item]), rel=1e-5)
    # Nothing has changed by looking.
    for name, weight in trained.encoder.state_dict().items():
        assert torch.equal(weight, before[name]), name
