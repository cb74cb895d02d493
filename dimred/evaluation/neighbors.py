"""Exact nearest-neighbor search, by a KD-tree or by all distances in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array
from torch import Tensor

from dimred.steps import bar

Features = NDArray[np.number]
Rows = NDArray[np.int64]
Float = type[np.float32 | np.float64]

MANY = 100_000
"""Points above which comparing all with all takes too long: the square of the number, on two cores
and in 128-D 2 s for 20,000 points, some 50 s for 100,000 (2026-11-27). Above it `neighbors_of_all`
is approximate, and `neighbor_overlap` that of a sample."""

# A block of distances has 16 MiB in float32. It is wide, since selecting the smallest of few long
# rows is faster than of many short ones.
_QUERIES_IN_BLOCK = 256
_POINTS_IN_BLOCK = 16_384
_QUERIES_AT_ONCE = 16_384  # share one conversion of each block of points
_VALUES_IN_BLOCK = 2**23  # coordinates in a block, 64 MiB in float64
_VALUES_KEPT = 2**26  # coordinates of all training points to keep on the device, 512 MiB in float64
_CPU_VALUES_RANKED = 2**16  # coordinates of candidates at a time, so that they stay in cache
_TREE_DIMS = 3
CPU_TREE_DIMS = 8
_MAX_DIRECT_DIMS = 15  # as scikit-learn, which uses matrix products from 16 dimensions on
_SPARE = 16  # candidates beyond k
_MAX_CANDIDATES = 1 / 64  # share of the points; ranking more takes longer than float32 saves
_GROUP = 16
_MAX_SQUARE = 1e37  # squared lengths up to this have finite sums and products in float32
_UNDERFLOW = 1e-30  # bounds the error from squares that underflow in float32


# scikit-learn first adds all values to see whether they are finite; large ones overflow there.
_overflow_is_fine = np.errstate(over="ignore", invalid="ignore")


@_overflow_is_fine
def nearest(
    train: Features, query: Features | None, k: int, device: torch.device | None = None
) -> NDArray[np.int64]:
    """The k nearest training points of each query by Euclidean distance, nearest first.

    In up to 3 dimensions, on the CPU up to 8, by scikit-learn's KD-tree, which takes a second for a
    million points in 2-D; in more by `nearest_in_blocks`. They agree where distances differ by more
    than float64 rounding. In scikit-learn, the order of equally far points, and which of them are
    left out at the k-th place, is undefined.

    train: points (n, d); integers such as pixels are computed in float32 or wider.
    query: points (m, d), or None for the training points, each with neighbors among the others
        (equal points are neighbors, but a point is not its own neighbor).
    k: from 1 to n, or to n - 1 without queries.
    device: to search on; None for the CPU.
    Returns positions in train, int64 (m, k).
    Raises ValueError for a bad k, or points that are empty, not finite, or of different dimensions.
    """
    device = device or torch.device("cpu")
    if train.shape[1] > (CPU_TREE_DIMS if device.type == "cpu" else _TREE_DIMS):
        return nearest_in_blocks(train, query, k, device)
    _check_k(train, query, k)
    search = NearestNeighbors(n_neighbors=k).fit(as_float(train))
    neighbors: NDArray[np.int64] = search.kneighbors(
        None if query is None else as_float(query), return_distance=False
    )
    return neighbors


def nearest_others(
    points: Features, rows: Rows, k: int, device: torch.device | None = None
) -> Rows:
    """The k nearest other points of those at `rows`, as `nearest` finds them.

    points: (n, d). rows: positions (m,). k: from 1 to n - 1. Returns positions (m, k).
    Raises ValueError as `nearest` does.
    """
    return without_own(nearest(points, points[rows], k + 1, device), rows)


def neighbors_up_to(k: int, points: Features, device: torch.device | None = None) -> Rows:
    """The k nearest other points of each by `nearest` (n, k); all others where there are fewer,
    none for a single point."""
    k = min(k, len(points) - 1)
    return nearest(points, None, k, device) if k else np.empty((len(points), 0), np.int64)


def without_own(near: Rows, own: Rows) -> Rows:
    """Positions (n, k) without each row's own (n,), or else without the last: (n, k - 1). That is
    so for rows with more than k equal points."""
    others = near != own[:, None]
    others[others.all(axis=1), -1] = False
    kept: Rows = near[others].reshape(len(near), -1)
    return kept


@torch.inference_mode(False)  # worker threads would not inherit inference mode
@torch.no_grad()
@_overflow_is_fine
def nearest_in_blocks(
    train: Features, query: Features | None, k: int, device: torch.device
) -> NDArray[np.int64]:
    """`nearest` by all distances, on any device.

    Distances in float32 give k + 16 candidates for each query, of which the k nearest are chosen in
    float64. If the error bound of float32 does not exclude that another point is nearer, as where
    many are almost equally far, all distances of the query are computed in float64.

    Takes some 250 MiB besides the points and the results, and on devices other than the CPU up to
    512 MiB more to keep the training points.

    Equally far points are ordered by position, and the lowest positions are kept at the k-th place.
    Where all distances are computed in float64 in more than 15 dimensions, that is guaranteed for
    integers only, since rounding in matrix products can make equal distances differ.
    """
    _check_k(train, query, k)
    train = check_array(as_float(train))
    queries = train if query is None else check_array(as_float(query))
    if queries.shape[1] != train.shape[1]:
        raise ValueError(
            f"queries in {queries.shape[1]} dimensions, training points in {train.shape[1]}"
        )
    search = _Search(train, queries, k, device, among=query is None)
    neighbors = np.empty((len(queries), k), dtype=np.int64)
    certain = np.zeros(len(queries), dtype=bool)
    if search.float32_helps:
        for rows in bar([*_parts(np.arange(len(queries)), search.at_once)], text="neighbors"):
            neighbors[rows], certain[rows] = search.by_candidates(rows)
            if certain[rows].mean() < 0.5:
                break
    for rows in bar([*_parts(np.flatnonzero(~certain), search.at_once)], text="neighbors"):
        neighbors[rows] = search.in_float64(rows)
    return neighbors


class _Search:
    """Search of the k nearest training points (n, d) of queries (m, d).

    among: the queries are the training points, and no point is its own neighbor.
    """

    def __init__(
        self, train: Features, queries: Features, k: int, device: torch.device, among: bool
    ):
        narrow = np.result_type(train, queries) == np.float32
        dtype: Float = np.float32 if narrow else np.float64
        home = device if train.size <= _VALUES_KEPT else torch.device("cpu")
        self.k, self.device, self.among = k, device, among
        self.points = _tensor(train, dtype).to(home)
        self.queries = self.points if among else _tensor(queries, dtype)
        # Points are centered, since matrix products lose precision far from the origin. The median
        # of integers is a multiple of one half, so that integers stay exact.
        some = train[:: len(train) // 1_000 + 1].astype(np.float64)
        self.origin = _tensor(np.median(some, axis=0), dtype).to(device)
        n, dims = train.shape
        max_points = max(_VALUES_IN_BLOCK // dims, 1)
        self.n_queries = min(_QUERIES_IN_BLOCK, max_points)
        self.n_points = min(_POINTS_IN_BLOCK, max_points)
        self.at_once = min(_QUERIES_AT_ONCE, max(_VALUES_IN_BLOCK // (dims + 4 * (k + _SPARE)), 1))
        # With u = eps / 2, the float32 error of |p|^2 - 2pq, including the rounding of coordinates
        # and for any order of summation, is at most (2d + 8)u |p|^2 + (d + 6)u |q|^2 plus terms in
        # (du)^2: less than `slack` times |p|^2 + |q|^2.
        rounding = (dims + 8) * torch.finfo(torch.float32).eps
        self.slack = rounding / (1 - rounding)
        self.float32_helps = (
            k + _SPARE < _MAX_CANDIDATES * n
            and rounding < 0.5
            and _float32_is_whole(device)
            and self._longest() < _MAX_SQUARE
        )

    def by_candidates(self, rows: Rows) -> tuple[Rows, NDArray[np.bool_]]:
        """Neighbors (m, k) of the queries at `rows`, and which are certain to be correct (m,)."""
        queries = self._queries(rows)
        bounds, places = self._ranked(queries, rows, self.k + _SPARE, torch.float32)
        # Sorted by position, which the stable sort by distance keeps for ties.
        places = places.clamp_(max=len(self.points) - 1).sort(1).values
        distances, order = self._distances(queries, places).sort(dim=1, stable=True)
        lengths = _squares(self._moved(queries, torch.float32))
        others = bounds[:, -1] + (1 - self.slack) * lengths  # lower bound of all other distances
        certain = (distances[:, self.k - 1] + _UNDERFLOW < others) & (lengths < _MAX_SQUARE)
        return places.gather(1, order[:, : self.k]).cpu().numpy(), certain.cpu().numpy()

    def in_float64(self, rows: Rows) -> Rows:
        """Neighbors (m, k) of the queries at `rows`."""
        queries = self._queries(rows)
        return self._ranked(queries, rows, self.k, torch.float64)[1].cpu().numpy()

    def _ranked(
        self, queries: Tensor, rows: Rows, kept: int, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """The smallest squared distances of each query, ascending, less a constant of the query,
        and the points' positions, both (m, kept). In float32 they are lower bounds."""
        is_bound = dtype == torch.float32
        measure = _differences if self._direct(dtype) else torch.mm
        positions = torch.from_numpy(rows).to(self.device)
        # NaN comes last in a sort.
        values = queries.new_full((len(rows), kept), torch.nan, dtype=dtype)
        places = torch.zeros_like(values, dtype=torch.int64)
        for first in range(0, len(self.points), self.n_points):
            right = self._right(self.points[first : first + self.n_points], dtype)

            def search(part: slice, first: int = first, right: Tensor = right) -> None:
                distances = measure(self._left(queries[part], dtype), right)
                if self.among:
                    _leave_out(distances, positions[part] - first)
                some = min(kept, distances.shape[1])
                near = _some_smallest(distances, some) if is_bound else _smallest(distances, some)
                # A stable sort prefers earlier results for ties, which have lower positions.
                both = torch.cat([values[part], distances.gather(1, near)], 1)
                ordered, order = both.sort(dim=1, stable=True)
                values[part] = ordered[:, :kept]
                both = torch.cat([places[part], near + first], 1)
                places[part] = both.gather(1, order[:, :kept])

            _for_parts(search, len(rows), self.n_queries, self.device)
        return values, places

    def _distances(self, queries: Tensor, places: Tensor) -> Tensor:
        """Squared distances (m, c) of queries (m, d) to the points at `places` (m, c)."""
        dims = queries.shape[1]
        values = _CPU_VALUES_RANKED if self.device.type == "cpu" else _VALUES_IN_BLOCK
        size = max(values // (places.shape[1] * dims), 1)
        result = queries.new_empty(places.shape, dtype=torch.float64)

        def measure(part: slice) -> None:
            near = places[part].flatten().to(self.points.device)
            points = self.points.index_select(0, near).to(self.device).double()
            differences = points.view(-1, places.shape[1], dims).sub_(queries[part, None].double())
            result[part] = differences.square_().sum(2)

        _for_parts(measure, len(places), size, self.device)
        return result

    def _queries(self, rows: Rows) -> Tensor:
        return self.queries[torch.from_numpy(rows).to(self.queries.device)].to(self.device)

    def _direct(self, dtype: torch.dtype) -> bool:
        """Whether distances are sums of squared differences, instead of |p|^2 - 2pq as the product
        of `_left` and `_right`."""
        return dtype == torch.float64 and len(self.origin) <= _MAX_DIRECT_DIMS

    def _left(self, queries: Tensor, dtype: torch.dtype) -> Tensor:
        if self._direct(dtype):
            return queries.double()
        return F.pad(self._moved(queries, dtype), (0, 1), value=1)

    def _right(self, points: Tensor, dtype: torch.dtype) -> Tensor:
        if self._direct(dtype):
            return points.to(self.device).double().T
        moved = self._moved(points, dtype)
        squares = _squares(moved)
        if dtype == torch.float32:
            squares *= 1 - self.slack
        right = torch.cat([-2 * moved, squares[:, None].to(dtype)], 1)
        if dtype == torch.float32:
            # Points at infinity fill the last group of `_some_smallest`.
            right = F.pad(right, (0, 0, 0, -len(points) % _GROUP))
            right[len(points) :, -1] = torch.inf
        return right.T

    def _moved(self, points: Tensor, dtype: torch.dtype) -> Tensor:
        points = points.to(self.device)
        if dtype == torch.float64:
            return points.double() - self.origin
        return (points - self.origin).float()

    def _longest(self) -> float:
        """The largest square of a point's distance from the origin."""
        parts = torch.split(self.points, self.n_points)
        return max(float(_squares(self._moved(part, torch.float32)).max()) for part in parts)


def as_float(x: Features) -> NDArray[np.floating]:
    """The same numbers as float32 or wider, without a copy where possible."""
    return np.asarray(x, dtype=np.result_type(x, np.float32))


def _check_k(train: Features, query: Features | None, k: int) -> None:
    max_k = len(train) - (query is None)
    if not 1 <= k <= max_k:
        raise ValueError(f"k = {k}: must be from 1 to {max_k} with {len(train)} points")


def _parts(rows: Rows, size: int) -> Iterator[Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _for_parts(work: Callable[[slice], None], n: int, size: int, device: torch.device) -> None:
    """Call `work` for the parts of range(n), on the CPU in PyTorch's number of threads.

    Each thread computes its part alone. Threads that share every operation wait for one another,
    which takes several times as long where other programs keep the cores busy.
    """
    parts = [slice(start, start + size) for start in range(0, n, size)]
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(parts) == 1:
        for part in parts:
            work(part)
        return
    try:
        # set_num_threads applies to the calling thread and to threads started later.
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(work, parts))
    finally:
        torch.set_num_threads(threads)


def _tensor(x: Features, dtype: Float) -> Tensor:
    """The same numbers, without a copy where PyTorch can share them."""
    return torch.from_numpy(np.require(x, dtype, ["C_CONTIGUOUS", "WRITEABLE"]))


def _float32_is_whole(device: torch.device) -> bool:
    """Whether products of float32 are not rounded to TF32 or bf16 by a setting of PyTorch."""
    products = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    settings = {product.fp32_precision for product in products}
    return settings <= {"none", "ieee"} and not torch.is_autocast_enabled(device.type)


def _squares(points: Tensor) -> Tensor:
    """The square of each point's length, summed in float64, (n,)."""
    return points.square().sum(1, dtype=torch.float64)


def _differences(left: Tensor, right: Tensor) -> Tensor:
    """Squared distances (m, n) of (m, d) and (d, n)."""
    distances = left.new_zeros(len(left), right.shape[1])
    for a, b in zip(left.T, right, strict=True):
        distances += (a[:, None] - b).square_()
    return distances


def _leave_out(distances: Tensor, places: Tensor) -> None:
    """Make each row's distance (m, n) at its place (m,) infinite, where that is within the row."""
    width = distances.shape[1]
    columns = places.clamp(0, width - 1)[:, None]
    inside = (columns[:, 0] == places)[:, None]
    distances.scatter_(1, columns, distances.gather(1, columns).masked_fill_(inside, torch.inf))


def _some_smallest(distances: Tensor, k: int) -> Tensor:
    """Columns of the k smallest values of each row, in any order; ties are arbitrary.

    Searches only the k groups of columns with the smallest minima, which hold k smallest values.
    """
    m, n = distances.shape
    width = n // _GROUP
    if n % _GROUP or width < 2 * k:
        return distances.topk(k, largest=False, sorted=False).indices
    groups = distances.view(m, _GROUP, width)  # of every width-th column
    group = groups.amin(1).topk(k, largest=False, sorted=False).indices
    values = groups.gather(2, group[:, None].expand(-1, _GROUP, -1)).flatten(1)
    chosen = values.topk(k, largest=False, sorted=False).indices
    return group.gather(1, chosen % k) + chosen // k * width


def _smallest(distances: Tensor, k: int) -> Tensor:
    """Columns of the k smallest values of each row, ascending; the lowest columns among ties."""
    values, columns = distances.topk(k, largest=False)
    # topk chooses arbitrarily among ties; only rows with more ties than places need a sort.
    crowded = (distances <= values[:, -1:]).sum(1) > k
    columns[crowded] = distances[crowded].argsort(dim=1, stable=True)[:, :k]
    return columns.sort(1).values
