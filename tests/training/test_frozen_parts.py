"""Stages that train a part of the network only: what moves and how fast, what is drawn, and H that
is kept."""

import copy

import pytest
import torch
from test_stage import CPU, SAME, changed, distance_from_one, equal, images, train, trainer
from torch import nn

from dimred.losses import squared_error_loss
from dimred.models import Backbone, ConvNetBackbone, Encoder
from dimred.models.encoder import max_pool
from dimred.pairing import FixedTargets
from dimred.training import kept_h
from dimred.training.kept_h import KeptH, SampledH, keeps_h
from dimred.training.schedule import FrozenBatchNorm, LrUpdate, Trainable
from dimred.training.stage import StageTrainer

FREEZE = {"frozen_batchnorm": FrozenBatchNorm.freeze}
HEAD = {"trainable": Trainable.head}


def encoder(backbone=lambda: ConvNetBackbone(1, [4, 8, 8]), pool=None):
    torch.manual_seed(0)
    return Encoder(backbone(), [0.5], [0.3], (8, 6), out_dim=2, pool=pool)


def moved(before, net):
    """The names of the parameters, and of the running statistics, that have changed."""
    names = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    buffers = {name for name, _ in net.named_buffers()}
    return names - buffers, names & buffers


def after_training(net, **fields):
    before = copy.deepcopy(net.state_dict())
    # All gradients differ from 0 in this loss, so that every trained parameter moves.
    train(trainer(changed(**fields), net=net, loss=distance_from_one), range(1))
    return moved(before, net)


def parameters(part, prefix):
    return {f"{prefix}.{name}" for name, _ in part.named_parameters()}


@pytest.mark.parametrize("pool", [None, max_pool])
@pytest.mark.parametrize("freeze", list(FrozenBatchNorm))
def test_a_head_stage_moves_all_layers_of_the_head_only(freeze, pool):
    net = encoder(pool=pool)
    weights, statistics = after_training(net, **HEAD, frozen_batchnorm=freeze)
    assert weights == parameters(net.hidden, "hidden") | parameters(net.readout, "readout")
    assert bool(statistics) is (freeze is FrozenBatchNorm.update)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("freeze", list(FrozenBatchNorm))
def test_the_first_blocks_stay_as_they_are(count, freeze):
    net = encoder()
    weights, statistics = after_training(net, frozen_blocks=count, frozen_batchnorm=freeze)
    blocks = [{id(p) for p in block.parameters()} for block in net.backbone.blocks()]
    frozen = set().union(*blocks[:count])
    assert weights == {name for name, p in net.named_parameters() if id(p) not in frozen}
    of_frozen = {id(b) for block in net.backbone.blocks()[:count] for b in block.buffers()}
    expected = {
        name
        for name, buffer in net.backbone.named_buffers(prefix="backbone")
        if freeze is FrozenBatchNorm.update or id(buffer) not in of_frozen
    }
    assert statistics == expected


def test_a_backbone_at_a_tenth_of_the_rate_moves_a_tenth_as_far():
    def steps(factor):
        net = encoder()
        before = copy.deepcopy(net.state_dict())
        plan = changed(
            momentum=0.0, weight_decay=0.0, bias_lr_factor=2.0, backbone_lr_factor=factor
        )
        stage = trainer(plan, net=net, loss=distance_from_one)
        next(stage.train_epoch(0, stage.new_epoch()))
        return {name: p.detach() - before[name] for name, p in net.named_parameters()}

    once, slowly = steps(1.0), steps(0.1)
    for name, by in once.items():
        factor = 0.1 if name.startswith("backbone.") else 1.0
        torch.testing.assert_close(slowly[name], factor * by, rtol=1e-3, atol=1e-7)
        assert by.any(), name


class Dropping(Backbone):
    """A backbone that draws random numbers, as those with dropout do."""

    out_features = 36
    draws = True

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.Dropout(0.5))

    def forward(self, pixels):
        return self.layers(pixels)


def test_a_network_that_draws_does_so_from_the_seed_and_place_of_the_step():
    def run(state, seed=1, epochs=range(2)):
        net = encoder(backbone=Dropping)
        torch.seed()  # whatever was drawn before
        net.load_state_dict(state)
        # Without momentum a step needs no more than the weights before it.
        stage = trainer(changed(seed=seed, momentum=0.0), net=net, loss=distance_from_one)
        return train(stage, epochs), net.state_dict()

    begin = encoder(backbone=Dropping).state_dict()
    losses, weights = run(begin)
    _, halfway = run(begin, epochs=range(1))
    again, same = run(halfway, epochs=range(1, 2))
    assert torch.equal(losses, again)
    assert equal(weights, same)
    assert not torch.equal(run(begin, seed=2)[0], losses)


def test_a_network_that_draws_leaves_the_global_generator_as_it_was():
    stage = trainer(net=encoder(backbone=Dropping), loss=distance_from_one)
    before = torch.random.get_rng_state()
    train(stage)
    assert torch.equal(before, torch.random.get_rng_state())


def targets(shift=(0, 0), kind=FixedTargets):
    values = torch.randn(20, 2, generator=torch.Generator().manual_seed(3))
    return kind(torch.arange(20), values, CPU.device, shift=shift)


class Unsaid(FixedTargets):
    """The same without saying that its views are fixed."""

    fixed_views = False


class Counted(ConvNetBackbone):
    """A backbone that counts the images that it has seen."""

    def __init__(self):
        super().__init__(1, [4, 8, 8])
        self.seen = 0

    def forward(self, pixels):
        self.seen += len(pixels)
        return super().forward(pixels)


@pytest.mark.parametrize("adamw", [False, True])
@pytest.mark.parametrize("trainable", [Trainable.head, Trainable.readout])
def test_kept_h_gives_the_same_head_as_the_backbone_in_every_step(trainable, adamw):
    def run(kind):
        net, pairing = encoder(backbone=Counted), targets(kind=kind)
        plan = changed(trainable=trainable, adamw=adamw, **FREEZE, base_lr=0.01)
        losses = train(trainer(plan, net=net, loss=squared_error_loss, pairing=pairing))
        return losses, net

    (kept, net), (plain, twin) = run(FixedTargets), run(Unsaid)
    torch.testing.assert_close(kept, plain, **SAME)
    torch.testing.assert_close(net.state_dict(), twin.state_dict(), **SAME)
    assert net.backbone.seen == 20  # each image once
    assert twin.backbone.seen == 3 * 3 * 6


def test_h_is_kept_from_stage_to_stage_until_the_backbone_changes():
    net, kept = encoder(backbone=Counted), KeptH()

    def stage(**fields):
        plan = changed(**fields, **FREEZE)
        pixels = images(CPU)
        train(StageTrainer(plan, net, squared_error_loss, targets(), pixels, CPU, kept), range(1))
        return net.backbone.seen

    assert stage(**HEAD) == 20
    assert stage(trainable=Trainable.readout) == 20
    assert stage() == 20 + 18
    assert stage(**HEAD) == 38 + 20


def test_h_is_sampled_to_time_it(monkeypatch):
    def sampled(seconds):
        monkeypatch.setattr(kept_h, "_SECONDS", seconds)
        net, kept = encoder(backbone=Counted), SampledH()
        h = kept.of(net, images(CPU), 6, CPU)
        assert kept.seconds > 0
        return net.backbone.seen, h.images

    few, some = sampled(0.0)
    everything, whole = sampled(1e9)
    assert (few, everything) == (6, 20)
    assert torch.equal(some[:6], whole[:6])
    assert torch.equal(some[6:12], whole[:6])
    assert some.shape == whole.shape


def test_computing_h_can_be_ended_between_batches():
    net, kept = encoder(backbone=Counted), KeptH()
    calls = iter([False, False])

    def between():
        if next(calls, True):
            raise KeyboardInterrupt

    kept.between = between
    with pytest.raises(KeyboardInterrupt):
        kept.of(net, images(CPU), 6, CPU)
    assert net.backbone.seen == 12


def test_h_is_kept_only_where_every_step_has_the_same():
    plan, net = changed(**HEAD, **FREEZE), encoder()
    assert keeps_h(plan, net, targets())
    assert not keeps_h(changed(**FREEZE), net, targets())
    assert not keeps_h(changed(**HEAD), net, targets())  # batch-norms see the batch
    assert not keeps_h(plan, net, targets(shift=(1, 0)))
    assert not keeps_h(plan, encoder(pool=max_pool), targets())
    assert not keeps_h(plan, net, trainer().pairing)


def test_continuing_a_stage_with_kept_h_equals_never_having_stopped():
    plan = changed(**HEAD, **FREEZE, lr_update=LrUpdate.step)
    whole = trainer(plan, net=encoder(), loss=squared_error_loss, pairing=targets())
    train(whole)
    first = trainer(plan, net=encoder(), loss=squared_error_loss, pairing=targets())
    state = first.new_epoch()
    next(first.train_epoch(0, state))
    second = trainer(plan, net=encoder(), loss=squared_error_loss, pairing=targets())
    second.encoder.load_state_dict(first.encoder.state_dict())
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    train(second, range(3), state)
    assert equal(whole.encoder.state_dict(), second.encoder.state_dict())
