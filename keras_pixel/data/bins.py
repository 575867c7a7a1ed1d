"""Where the bins of a `Discretizer` lie."""

import numpy as np


def scaled(
    low: np.ndarray, high: np.ndarray, num_bins: int, mu: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Edges and centres of bins of equal width between bounds.

    Args:
        low: float64 array `(dimensions,)`.
        high: likewise.
        num_bins: int.
        mu: of equal width on the scale of the mu-law, or `None`: as they are.

    Returns:
        float64 arrays `(dimensions, num_bins + 1)` and `(dimensions,
        num_bins)`.
    """
    # Edges and centres in turn, in [-1, 1].
    places = np.arange(2 * num_bins + 1) / num_bins - 1
    if mu is not None:
        growth = np.abs(places) * np.log1p(mu)
        places = np.sign(places) * np.expm1(growth) / mu
    half = (high - low)[:, None] / 2
    table = low[:, None] + half * (places + 1)
    table[:, 0], table[:, -1] = low, high  # whatever the rounding
    return table[:, ::2], table[:, 1::2]


def quantile(
    values: np.ndarray, num_bins: int, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Edges and centres of bins of about equally many values.

    Args:
        values: float64 array `(number,)`, within the bounds.
        num_bins: int.
        low: the first edge.
        high: the last edge.

    Returns:
        float64 arrays `(num_bins + 1,)` and `(num_bins,)`: the means of the
        values in the bins.

    Raises:
        ValueError: if there are fewer distinct values than bins.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < num_bins:
        raise ValueError(
            "`values` must have at least `num_bins` distinct values within "
            "the bounds, so that no quantile bin is empty. Received: "
            f"{len(distinct)} distinct values, num_bins={num_bins}. Use at "
            f'most {len(distinct)} bins, or `strategy="uniform"`.'
        )
    # How many of the distinct values lie below each inner edge: as near to
    # equal shares as may be, and in each bin at least one.
    below = np.cumsum(counts)
    shares = np.arange(1, num_bins) * (len(values) / num_bins)
    after = np.searchsorted(below, shares)
    before = np.maximum(after - 1, 0)
    nearer = shares - below[before] < below[after] - shares
    first = np.where(nearer, before, after) + 1
    order = np.arange(1, num_bins)
    first = np.maximum.accumulate(first - order) + order
    first = np.maximum(first, order)
    first = np.minimum(first, len(distinct) - num_bins + order)
    lower, upper = distinct[first - 1], distinct[first]
    middle = lower + (upper - lower) / 2
    inner = np.where(middle > lower, middle, upper)
    edges = np.concatenate([[low], inner, [high]])
    starts = np.concatenate([[0], first])
    ends = np.concatenate([first, [len(distinct)]])
    total = np.add.reduceat(distinct * counts, starts)
    means = total / np.add.reduceat(counts, starts)
    # A mean of equal values may be rounded out of its bin.
    return edges, np.clip(means, distinct[starts], distinct[ends - 1])
