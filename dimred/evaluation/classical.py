"""Embeddings by classical methods, to compare a map with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE, LocallyLinearEmbedding

from dimred.evaluation.neighbors import Features, as_float
from dimred.evaluation.principal import principal_components

_LLE_NEIGHBORS = 12
_DENSE_UP_TO = 1_500


def lle(points: Features, dim: int) -> NDArray[np.float64]:
    """Locally linear embedding (Roweis and Saul 2000) with 12 neighbors, by scikit-learn.

    The DrLIM paper (Hadsell, Chopra, LeCun 2006) compares with LLE but does not give the number of
    neighbors.

    points: (n, d), n above 12. Returns (n, dim), deterministic.
    """
    solver = "dense" if len(points) <= _DENSE_UP_TO else "arpack"
    method = LocallyLinearEmbedding(
        n_neighbors=_LLE_NEIGHBORS, n_components=dim, eigen_solver=solver, random_state=0
    )
    embedded: NDArray[np.float64] = method.fit_transform(np.asarray(points, dtype=np.float64))
    return embedded


def tsne_map(points: Features, seed: int) -> NDArray[np.float32]:
    """t-SNE in 2-D after PCA to 50 dimensions, as in Angel (2015, section 5.3.1).

    Perplexity 30, or a third of the points where that is less. points: (n, d). Returns (n, 2).
    """
    points = as_float(points)
    reduced = principal_components(points, min(50, *points.shape)).coordinates
    perplexity = min(30.0, (len(points) - 1) / 3)
    init = "pca" if points.shape[1] > 1 else "random"
    method = TSNE(2, perplexity=perplexity, init=init, random_state=seed)
    embedded: NDArray[np.float32] = method.fit_transform(reduced)
    return embedded


def opentsne_map(points: Features, seed: int, threads: int = 1) -> NDArray[np.float64]:
    """t-SNE in 2-D by openTSNE, fast enough for tens of thousands of points (FIt-SNE).

    openTSNE's defaults, thus without PCA, with which t-SNE of CIFAR-10's pixels has a kNN accuracy
    2 points above the t-SimCNE paper's. Perplexity 30, or a third of the points where that is less.
    points: (n, d), n at least 5. threads: number to compute with. Returns (n, 2).
    Raises ModuleNotFoundError without openTSNE, of the extra `baselines`.
    """
    from openTSNE import TSNE as FastTSNE

    perplexity = min(30.0, (len(points) - 1) / 3)
    method = FastTSNE(perplexity=perplexity, n_jobs=threads, random_state=seed)
    return np.asarray(method.fit(as_float(points)), dtype=np.float64)


def umap_map(points: Features, seed: int) -> NDArray[np.float32]:
    """UMAP in 2-D by umap-learn with its defaults.

    points: (n, d), n above 2. Returns (n, 2).
    Raises ModuleNotFoundError without umap-learn, of the extra `baselines`.
    """
    from umap import UMAP

    method = UMAP(n_neighbors=min(15, len(points) - 1), random_state=seed, n_jobs=1)
    embedded: NDArray[np.float32] = method.fit_transform(as_float(points))
    return embedded
