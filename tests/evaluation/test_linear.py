import numpy as np
import pytest
import torch

from dimred.evaluation import logistic_accuracy, sgd_softmax_accuracy


def blobs(n, n_classes, dims=16, seed=0):
    """Rectified features around one center a class, as after a ReLU."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    centers = 2 * rng.normal(size=(n_classes, dims))
    points = np.maximum(centers[labels] + 0.5 * rng.normal(size=(n, dims)), 0)
    return points.astype(np.float32), labels


def test_many_small_classes_are_classes_without_a_warning():
    x, y = np.repeat(np.eye(30, dtype=np.float32), 2, axis=0), np.repeat(np.arange(30), 2)
    assert logistic_accuracy(x[:35], y[:35], x[35:], y[35:]) == pytest.approx(1 / 25)
    assert logistic_accuracy(x[::2], y[::2], x, y) == 1


def shuffled(labels):
    return np.random.default_rng(1).permutation(labels)


def logistic(x, y):
    half = len(x) // 2
    return logistic_accuracy(x[:half], y[:half], x[half:], y[half:])


def sgd(x, y, n_classes, epochs=5, lr=30.0, seed=0, noise=0.1):
    half = len(x) // 2
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    epochs_asked = []

    def batches(epoch):
        epochs_asked.append(epoch)
        generator = torch.Generator().manual_seed(epoch)
        for batch in torch.randperm(half, generator=generator).split(128):
            augmented = x[batch] + noise * torch.randn(x[batch].shape, generator=generator)
            yield augmented, y[batch]

    accuracy = sgd_softmax_accuracy(batches, x[half:], y[half:], n_classes, epochs, lr, seed)
    assert epochs_asked == list(range(epochs))
    return accuracy


@pytest.mark.parametrize("measure", [logistic, lambda x, y: sgd(x, y, 10)])
def test_separable_classes_are_found_and_shuffled_labels_are_not(measure):
    x, y = blobs(2000, 10)
    assert measure(x, y) > 0.97
    assert measure(x, shuffled(y)) == pytest.approx(0.1, abs=0.05)


def test_scales_and_constant_features_do_not_matter_to_the_logistic_classifier():
    x, y = blobs(600, 3)
    x[:, 0] *= 1e5
    x[:, 1] *= 1e-5
    x[:, 2] = 7
    assert logistic(x, y) > 0.97


def test_no_convergence_warning_leaks(monkeypatch):
    monkeypatch.setattr("dimred.evaluation.linear._MAX_ITER", 1)
    logistic(*blobs(200, 3))


def test_a_single_class_is_refused():
    x, _ = blobs(20, 2)
    with pytest.raises(ValueError, match="class"):
        logistic(x, np.zeros(20, int))


def test_sgd_is_determined_by_its_seed_alone_and_leaves_the_global_random_state():
    x, y = blobs(400, 10)
    y = shuffled(y)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = sgd(x, y, 10, epochs=2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert sgd(x, y, 10, epochs=2) == first
    assert len({sgd(x, y, 10, epochs=1, lr=1e-6, seed=seed) for seed in range(5)}) > 1


def test_sgd_takes_features_made_without_gradients():
    x, y = blobs(100, 2)
    with torch.inference_mode():
        features, labels = torch.from_numpy(x).half(), torch.from_numpy(y) + 0
    with torch.no_grad():
        found = sgd_softmax_accuracy(lambda _: [(features, labels)], features, labels, 2, 20, 1, 0)
    assert found > 0.97


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_classes": 0}, "n_classes = 0"),
        ({"epochs": 0}, "epochs = 0"),
        ({"lr": 0.0}, "lr = 0"),
        ({"lr": float("nan")}, "lr = nan"),
        ({"batches": lambda _: []}, "no batches in epoch 0"),
        ({"batches": lambda _: [(torch.full((4, 3), torch.inf), torch.zeros(4).long())]}, "finite"),
        ({"test": torch.full((4, 3), torch.nan)}, "finite"),
        ({"test": torch.zeros(3, 3)}, "3 test points with 4 labels"),
        ({"test": torch.zeros(0, 3), "test_labels": torch.zeros(0)}, "0 test points"),
    ],
)
def test_bad_arguments_of_sgd_are_refused(change, message):
    labels = torch.zeros(4).long()
    arguments = {
        "batches": lambda _: [(torch.zeros(4, 3), labels)],
        "test": torch.zeros(4, 3),
        "test_labels": labels,
        "n_classes": 2,
        "epochs": 1,
        "lr": 1.0,
        "seed": 0,
    }
    with pytest.raises(ValueError, match=message):
        sgd_softmax_accuracy(**{**arguments, **change})
