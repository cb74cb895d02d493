"""Accuracy of a linear classifier on frozen features."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional

from dimred.evaluation.knn import Labels
from dimred.evaluation.neighbors import Features, as_float

_MAX_ITER = 1000


def logistic_accuracy(
    train: Features, train_labels: Labels, test: Features, test_labels: Labels
) -> float:
    """Accuracy of multinomial logistic regression on standardized features.

    Mean and deviation are those of the training features; L2 penalty with scikit-learn's C = 1,
    L-BFGS until the gradient is below 1e-4 or for 1,000 iterations, whichever is first.
    Deterministic.

    50,000 training points in 512-D on two cores took at most 50 iterations: 1 to 3 s with 10
    classes and 2 to 9 s with 100 (made-up features; float64 takes about twice as long as float32).

    train, test: features (n, d) and (m, d).
    train_labels, test_labels: classes (n,) and (m,).
    Returns the share of correctly classified test points, in [0, 1].
    Raises ValueError for a single training class, or for points and labels that do not fit
    together or are not finite.
    """
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=1.0, tol=1e-4, max_iter=_MAX_ITER)
    )
    with warnings.catch_warnings():
        # Stopping at the iteration limit is part of the measure, as the docstring says.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Many small classes are classes all the same.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        classifier.fit(as_float(train), train_labels)
        return float(classifier.score(as_float(test), test_labels))


def seconds_at_most(n: int, d: int, n_classes: int) -> float:
    """Seconds that `logistic_accuracy` takes on this machine for n training features (n, d), if no
    gradient gets small: by some iterations on fewer made-up features."""
    few, iterations = min(n, 2_000), 10
    random = np.random.default_rng(0)
    features = random.standard_normal((few, d), np.float32)
    labels = random.permutation(np.arange(few) % n_classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        began = time.monotonic()
        LogisticRegression(C=1.0, tol=0, max_iter=iterations).fit(features, labels)
    return (time.monotonic() - began) / iterations * _MAX_ITER * n / few


def sgd_softmax_accuracy(
    batches: Callable[[int], Iterable[tuple[Tensor, Tensor]]],
    test: Tensor,
    test_labels: Tensor,
    n_classes: int,
    epochs: int,
    lr: float,
    seed: int,
) -> float:
    """Accuracy of a softmax classifier trained by SGD on frozen, augmented features.

    The linear evaluation of t-SimCNE (Boehm, Berens, Kobak 2023, https://arxiv.org/abs/2210.09879):
    the backbone frozen and in eval mode, official split, 100 epochs at lr 30 with cosine annealing
    (here stepped per epoch), training images freshly cropped and flipped in every epoch, test
    images as they are. Momentum 0.9 and weight decay 5e-4 as in the authors' code. Features are not
    standardized: lr 30 fits the size that a batch-normalized ResNet gives them. The last epoch's
    classifier is scored, not the best one.

    batches: function from the epoch, from 0, to its batches of features (b, d) and labels (b,)
        int64, all on one device. It augments, shuffles and chooses the batch size.
    test, test_labels: (m, d) and (m,), on the same device.
    n_classes: labels are in [0, n_classes).
    seed: of the initial weights; the global random state is neither read nor changed.
    Returns the share of correctly classified test points, in [0, 1].
    Raises ValueError for n_classes, epochs or lr not positive, an epoch without batches, test
    points without a label each, none of them, or features that are not finite.
    """
    if n_classes < 1 or epochs < 1 or not lr > 0:
        raise ValueError(f"n_classes = {n_classes}, epochs = {epochs}, lr = {lr}: must be positive")
    if len(test) == 0 or len(test) != len(test_labels):
        raise ValueError(f"{len(test)} test points with {len(test_labels)} labels")
    initial = 0.01 * torch.randn(
        n_classes, test.shape[1], generator=torch.Generator().manual_seed(seed), device="cpu"
    )
    weight = initial.to(test.device).requires_grad_()
    bias = torch.zeros(n_classes, device=test.device, requires_grad=True)
    optimizer = torch.optim.SGD([weight, bias], lr=lr, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        if _train_epoch(batches(epoch), weight, bias, optimizer) == 0:
            raise ValueError(f"no batches in epoch {epoch}")
        schedule.step()
    with torch.no_grad():
        logits = functional.linear(test.float(), weight, bias)
    if not torch.isfinite(logits).all():
        raise ValueError("the features of a batch or of the test points are not finite")
    return float((logits.argmax(dim=1) == test_labels).double().mean())


def _train_epoch(
    batches: Iterable[tuple[Tensor, Tensor]],
    weight: Tensor,
    bias: Tensor,
    optimizer: torch.optim.Optimizer,
) -> int:
    """Take one step for each batch; returns the number of batches."""
    n_batches = 0
    for features, labels in batches:
        # Copies, since autograd refuses tensors that were made in inference mode.
        inputs, targets = features.detach().float().clone(), labels.clone()
        with torch.enable_grad():
            loss = functional.cross_entropy(functional.linear(inputs, weight, bias), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        n_batches += 1
    return n_batches
