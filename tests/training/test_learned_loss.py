"""A loss that has a parameter to learn, such as a temperature."""

import copy

import pytest
import torch
from test_stage import CPU, changed, encoder, equal, train, trainer

from dimred.errors import TrainingDiverged
from dimred.losses import InfoNCE, LearnedCosineKernel, ProxyNCALoss
from dimred.pairing import ClassBatches, ClassPairs, StepBatch
from dimred.training.learned_loss import carry, learned_numbers, parameter_groups, state_of
from dimred.training.sample_losses import sample_losses

NAME = "loss.kernel.log_temperature"


def loss():
    return InfoNCE(LearnedCosineKernel(0.5))


def test_a_temperature_is_learned_and_is_not_decayed():
    by_decay = []
    for decay in (0.0, 0.1):
        stage = trainer(changed(weight_decay=decay, momentum=0.0), loss=loss())
        next(stage.train_epoch(0, stage.new_epoch()))
        by_decay.append(stage.learned_in_loss()[NAME])
    assert by_decay[0] == by_decay[1]
    assert abs(by_decay[0] - torch.tensor(0.5).log()) > 1e-5


def test_training_goes_on_with_the_temperature_that_was_learned():
    whole = trainer(loss=loss())
    train(whole)
    first = trainer(loss=loss())
    state = first.new_epoch()
    next(first.train_epoch(0, state))
    second = trainer(net=encoder(seed=9), loss=loss())
    second.encoder.load_state_dict(first.encoder.state_dict())
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    second.load_loss_state(copy.deepcopy(state_of(first.loss)))
    train(second, range(3), state)
    assert equal(whole.encoder.state_dict(), second.encoder.state_dict())
    assert whole.learned_in_loss() == second.learned_in_loss()


def test_a_temperature_that_is_not_finite_stops_the_run():
    stage = trainer(loss=loss())
    state = stage.new_epoch()
    next(stage.train_epoch(0, state))
    stage.loss.kernel.log_temperature.data.fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match="weights became infinite"):
        stage.check_finite(0, state)


class OfClasses:
    """A pairing of two classes, even and odd."""

    anchors = torch.arange(20)
    same_size = True

    def select(self, anchors, generator):
        none = torch.zeros(0, dtype=torch.int64)
        return StepBatch(anchors, len(anchors), ClassPairs(anchors % 2, none, none))

    def views(self, images, generator, part=slice(None)):
        return images[part].float() / 255


def proxies(factor=1.0, seed=0, dims=2):
    torch.manual_seed(seed)
    return ProxyNCALoss(2, dims, lr_factor=factor)


def test_the_learning_rate_of_a_part_is_multiplied_by_its_factor():
    moved = []
    for factor in (1.0, 8.0):
        stage = trainer(changed(momentum=0.0), loss=proxies(factor), pairing=OfClasses())
        before = stage.loss.proxies.detach().clone()
        next(stage.train_epoch(0, stage.new_epoch()))
        moved.append(stage.loss.proxies.detach() - before)
    assert moved[0].abs().max() > 1e-3
    torch.testing.assert_close(moved[1], 8 * moved[0], rtol=1e-3, atol=1e-6)


def test_every_image_learned_from_has_a_loss_where_batches_do_not_follow_anchors():
    learned = torch.tensor([3, 4, 5, 8, 9, 11, 17])
    pairing = ClassBatches(
        learned, learned % 2, 2, lambda images, *_: images.float() / 255, CPU.device
    )
    stage = trainer(changed(batch_size=4), loss=proxies(), pairing=pairing)
    losses = torch.from_numpy(sample_losses(stage))
    assert torch.isfinite(losses).nonzero().flatten().tolist() == learned.tolist()


def test_parts_of_a_loss_with_other_factors_are_other_groups():
    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.proxies, self.kernel = proxies(50.0), LearnedCosineKernel(0.5)
            self.bias = torch.nn.Parameter(torch.zeros(1))

    both = Both()
    groups = {group["lr_factor"]: group["params"] for group in parameter_groups(both)}
    assert set(groups) == {1.0, 50.0}
    assert groups[50.0] == [both.proxies.proxies]
    assert set(groups[1.0]) == {both.bias, both.kernel.log_temperature}
    assert all(group["weight_decay"] == 0 for group in parameter_groups(both))
    assert parameter_groups(lambda z, pairs: z.sum()) == []


def test_a_parameter_that_parts_of_a_loss_share_is_trained_once():
    shared = torch.nn.ModuleList([torch.nn.Linear(2, 2, bias=False) for _ in range(2)])
    shared[1].weight = shared[0].weight
    (group,) = parameter_groups(shared)
    assert group["params"] == [shared[0].weight]


def test_a_loss_that_goes_on_begins_with_what_the_one_before_has_learned():
    before, after = proxies(seed=0), proxies(seed=1)
    carry(after, before)
    assert torch.equal(after.proxies, before.proxies)
    before.proxies.data.zero_()
    assert after.proxies.any()  # a copy


def test_a_loss_goes_on_in_the_same_shape_and_class_only():
    for before in (proxies(dims=3), loss(), lambda z, pairs: z.sum()):
        after, expected = proxies(seed=1), proxies(seed=1)
        carry(after, before)
        assert torch.equal(after.proxies, expected.proxies)
    # A temperature is learned anew in every stage.
    after, before = LearnedCosineKernel(0.5), LearnedCosineKernel(0.1)
    carry(after, before)
    assert float(after.temperature.detach()) == pytest.approx(0.5)


def test_terms_that_a_loss_has_summed_up_stand_beside_its_learned_numbers():
    named = loss()
    named.read_terms = lambda: {"kl": 2.5}
    assert learned_numbers(named) == {
        "loss.kl": 2.5,
        NAME: pytest.approx(float(torch.tensor(0.5).log())),
    }
    assert learned_numbers(proxies()) == {}  # of one number each only
