"""A loss that has a parameter to learn, such as a temperature."""

import copy

import pytest
import torch
from test_stage import changed, encoder, equal, train, trainer

from dimred.errors import TrainingDiverged
from dimred.losses import InfoNCE, LearnedCosineKernel
from dimred.training.learned_loss import state_of

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
