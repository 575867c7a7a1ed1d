"""Continuous values <-> integer levels: audio, actions, measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_keys
from keras_pixel.checks import check_number
from keras_pixel.checks import check_size
from keras_pixel.data import bins

STRATEGIES = ("uniform", "quantile", "mu_law")
OUT_OF_BOUNDS = ("clip", "error")

Bounds = float | Sequence[float] | np.ndarray | None


class Discretizer:
    """Turns continuous values into integer levels, and levels into values.

    There are exactly `num_bins` bins, level `k` is the bin from
    `bin_edges[k]` up to, and without, `bin_edges[k + 1]`; the last bin has
    its upper edge too. A level stands for the centre of its bin.

    - "uniform": bins of equal width.
    - "quantile": bins of about equally many of the values of `fit`; a level
      stands for their mean. Values that occur often are never split: with
      ties the bins are as equal as may be, and none is empty.
    - "mu_law": bins that are narrow in the middle of the bounds and wide at
      their ends, as for speech and music: of equal width in `sign(x) * ln(1 +
      mu * |x|) / ln(1 + mu)`, where `x` is scaled to [-1, 1].

    Source: ITU-T G.711 and van den Oord et al., 2016, "WaveNet", section 2.2,
    https://arxiv.org/abs/1609.03499, for the mu-law. Differs from them: a
    level stands for the middle of its bin on the scale above, and no level
    for -1 or 1 themselves.

    Args:
        num_bins: int from 2 to 256, the `num_levels` of the model. Defaults
            to `256`.
        strategy: "uniform", "quantile" or "mu_law". Defaults to `"uniform"`.
        low: the lowest value, a number or one per dimension. Defaults to
            `None`: that of the values of `fit`. With "mu_law" fitted bounds
            lie symmetrically about 0.
        high: the highest value, likewise.
        num_dims: int, the size of the last axis of the values: each place on
            it has bins of its own. Defaults to `None`: the same bins for all
            values, of any shape.
        mu: float above 0. How much narrower the middle is, with "mu_law".
            Defaults to `255.0`.
        out_of_bounds: "clip" puts values below or above the bounds into the
            first or the last bin (`count_out_of_bounds` counts them), "error"
            refuses them. Defaults to `"clip"`.

    Attributes:
        bin_edges: float64 array `(num_bins + 1,)`, or `(num_dims, num_bins +
            1)`.
        bin_centers: float64 array `(num_bins,)`, or `(num_dims, num_bins)`:
            the value that each level stands for.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import numpy as np
    >>> discretizer = Discretizer(4, low=0.0, high=8.0)
    >>> discretizer.transform(np.array([0.0, 1.9, 2.0, 8.0, 9.5])).tolist()
    [0, 0, 1, 3, 3]
    >>> discretizer.inverse_transform(np.array([0, 3])).tolist()
    [1.0, 7.0]
    """

    def __init__(
        self,
        num_bins: int = 256,
        strategy: str = "uniform",
        low: Bounds = None,
        high: Bounds = None,
        num_dims: int | None = None,
        mu: float = 255.0,
        out_of_bounds: str = "clip",
    ):
        self.num_bins = check_size("num_bins", num_bins, 2, 256)
        self.strategy = check_choice("strategy", strategy, STRATEGIES)
        if num_dims is not None:
            num_dims = check_size("num_dims", num_dims)
        self.num_dims = num_dims
        self.mu = float(check_number("mu", mu, above=0))
        self.out_of_bounds = check_choice(
            "out_of_bounds", out_of_bounds, OUT_OF_BOUNDS
        )
        lowest, highest = self._bounds("low", low), self._bounds("high", high)
        self._given = (lowest, highest)
        self._edges: np.ndarray | None = None  # (num_dims or 1, num_bins + 1)
        self._centers: np.ndarray | None = None
        if lowest is not None and highest is not None:
            self._check_order(lowest, highest)
            if self.strategy != "quantile":
                self._make_bins(lowest, highest)

    @property
    def bin_edges(self) -> np.ndarray:
        return self._by_dimension(self._bins()[0])

    @property
    def bin_centers(self) -> np.ndarray:
        return self._by_dimension(self._bins()[1])

    def fit(self, values: Any) -> Discretizer:
        """Find the bins; bounds that were given stay as they are.

        Args:
            values: float or integer array, `(…,)` or `(…, num_dims)`.

        Returns:
            This discretizer.

        Raises:
            TypeError: if the values are not real numbers.
            ValueError: if they are not finite, have the wrong shape, or do
                not differ enough for `num_bins` bins.
        """
        columns = self._columns(values)
        if not columns.size:
            raise ValueError(
                "`values` must hold at least one value to fit the bins to. "
                f"Received: values.shape={np.shape(values)}. Give values, or "
                "`low` and `high`."
            )
        low, high = columns.min(axis=0), columns.max(axis=0)
        if self.strategy == "mu_law":
            high = np.maximum(np.abs(low), np.abs(high))
            low = -high
        low = low if self._given[0] is None else self._given[0]
        high = high if self._given[1] is None else self._given[1]
        self._check_order(low, high)
        if self.strategy != "quantile":
            self._make_bins(low, high)
            return self
        self._refuse_or_clip(columns, low, high)
        found = [
            bins.quantile(np.clip(column, *bounds), self.num_bins, *bounds)
            for column, *bounds in zip(columns.T, low, high, strict=True)
        ]
        self._edges = np.stack([edges for edges, _ in found])
        self._centers = np.stack([centers for _, centers in found])
        return self

    def transform(self, values: Any) -> np.ndarray:
        """Levels of values.

        Args:
            values: float or integer array, `(…,)` or `(…, num_dims)`.

        Returns:
            uint8 array of levels of the same shape, 0 to `num_bins - 1`.

        Raises:
            TypeError: if the values are not real numbers.
            ValueError: if they are not finite or have the wrong shape; with
                `out_of_bounds="error"` also if one lies out of bounds; and if
                the bins are not known yet.
        """
        edges, _ = self._bins()
        columns = self._columns(values)
        self._refuse_or_clip(columns, edges[:, 0], edges[:, -1])
        # What is out of bounds lies beyond all inner edges, too.
        found = [
            np.searchsorted(inner, column, side="right")
            for inner, column in zip(edges[:, 1:-1], columns.T, strict=True)
        ]
        levels = np.stack(found, axis=-1).astype("uint8")
        return levels.reshape(np.shape(values))

    def inverse_transform(self, levels: Any) -> np.ndarray:
        """Values that levels stand for: the centres of their bins.

        Args:
            levels: integer array, `(…,)` or `(…, num_dims)`.

        Returns:
            float64 array of the same shape.

        Raises:
            TypeError: if the levels are not integers.
            ValueError: if one is out of range or the shape is wrong, and if
                the bins are not known yet.
        """
        _, centers = self._bins()
        levels = np.asarray(levels)
        if not np.issubdtype(levels.dtype, np.integer):
            raise TypeError(
                "`levels` must hold integers. "
                f"Received: levels.dtype={levels.dtype}. Give what `transform` "
                "or `model.sample` returned."
            )
        self._check_shape("levels", levels.shape)
        if levels.size and not (
            0 <= levels.min() and levels.max() < self.num_bins
        ):
            raise ValueError(
                f"`levels` must lie from 0 to {self.num_bins - 1} "
                f"(num_bins={self.num_bins}). Received: levels from "
                f"{levels.min()} to {levels.max()}. Use a discretizer with as "
                "many bins as the model has levels."
            )
        if self.num_dims is None:
            return centers[0][levels]
        return centers[np.arange(self.num_dims), levels]

    def count_out_of_bounds(self, values: Any) -> int:
        """How many values lie below the first edge or above the last.

        Args:
            values: as in `transform`, which clips that many.
        """
        edges, _ = self._bins()
        columns = self._columns(values)
        return _count(columns, edges[:, 0], edges[:, -1])

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs, as JSON values.

        Bounds that were found by `fit` are written as if they had been given;
        of "quantile" the bins themselves are written, too.
        """
        low, high = self._given
        if self._edges is not None:
            low, high = self._edges[:, 0], self._edges[:, -1]
        config = {
            "num_bins": self.num_bins,
            "strategy": self.strategy,
            "low": self._as_json(low),
            "high": self._as_json(high),
            "num_dims": self.num_dims,
            "mu": self.mu,
            "out_of_bounds": self.out_of_bounds,
        }
        if self.strategy == "quantile" and self._edges is not None:
            config["bin_edges"] = self._as_json(self._edges)
            config["bin_centers"] = self._as_json(self._centers)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretizer:
        """Make a discretizer of what `get_config` returned.

        Raises:
            TypeError: if `config` is not a dict.
            ValueError: if a key is unknown or a value out of range.
        """
        tables = ("bin_edges", "bin_centers")
        arguments = (
            *("num_bins", "strategy", "low", "high"),
            *("num_dims", "mu", "out_of_bounds"),
        )
        check_keys("config", config, (), (*arguments, *tables))
        given = {key: config[key] for key in arguments if key in config}
        found = cls(**given)
        if any(key in config for key in tables):
            found._set_bins(*(config.get(key) for key in tables))
        return found

    # === Inside: everything by dimension, one where `num_dims` is None ===

    def _bins(self) -> tuple[np.ndarray, np.ndarray]:
        if self._edges is None or self._centers is None:
            way_out = "Call `fit(values)` first"
            if self.strategy != "quantile":
                way_out += ", or give `low` and `high`"
            raise ValueError(
                "The bins of a `Discretizer` must be known before it is used. "
                f"Received: strategy={self.strategy!r}, not fitted. {way_out}."
            )
        return self._edges, self._centers

    def _by_dimension(self, table: np.ndarray) -> np.ndarray:
        return table[0].copy() if self.num_dims is None else table.copy()

    def _as_json(self, table: np.ndarray | None) -> Any:
        if table is None:
            return None
        return table[0].tolist() if self.num_dims is None else table.tolist()

    def _bounds(self, name: str, value: Bounds) -> np.ndarray | None:
        """A bound as a float64 array `(dimensions,)`."""
        if value is None:
            return None
        size = self.num_dims or 1
        try:
            array = np.asarray(value, "float64")
        except (TypeError, ValueError):
            array = np.array(np.nan)
        fits = array.shape == () or array.shape == (self.num_dims,)
        if not fits or not np.isfinite(array).all():
            raise ValueError(
                f"`{name}` must be a finite number, or one for each of "
                f"`num_dims` dimensions. Received: {name}={value!r}, num_dims="
                f"{self.num_dims}. Use a number for all dimensions."
            )
        return np.broadcast_to(array, (size,)).copy()

    def _check_order(self, low: np.ndarray, high: np.ndarray) -> None:
        # NaN where the difference of two huge numbers overflows.
        with np.errstate(over="ignore"):
            fits = (high > low) & np.isfinite(high - low)
        if not fits.all():
            wrong = int(np.flatnonzero(~fits)[0])
            raise ValueError(
                "`low` must lie below `high`, and their difference be finite. "
                f"Received: low={low[wrong]:g}, high={high[wrong]:g} in "
                f"dimension {wrong}. Give other bounds, or leave out a "
                "dimension that has one value only."
            )

    def _make_bins(self, low: np.ndarray, high: np.ndarray) -> None:
        mu = self.mu if self.strategy == "mu_law" else None
        self._set_bins(*bins.scaled(low, high, self.num_bins, mu))

    def _set_bins(self, edges: Any, centers: Any) -> None:
        size = self.num_dims or 1
        try:
            edges = np.asarray(edges, "float64").reshape(size, -1)
            centers = np.asarray(centers, "float64").reshape(size, -1)
            fits = edges.shape[1] == centers.shape[1] + 1 == self.num_bins + 1
        except (TypeError, ValueError):
            fits = False
        if not (
            fits
            # Of the values that lie in the last bin its edge may be the only.
            and (np.diff(edges[:, :-1]) > 0).all()
            and (edges[:, -2] <= edges[:, -1]).all()
            and (edges[:, :-1] <= centers).all()
            and (centers <= edges[:, 1:]).all()
        ):
            raise ValueError(
                "The bins must be `num_bins` that follow one another, each "
                f"with its centre inside. Received: num_bins={self.num_bins}, "
                f"strategy={self.strategy!r}, and bounds too near for so many "
                "or bins that do not fit. Use fewer bins or wider bounds."
            )
        self._edges, self._centers = edges, centers

    def _check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        if self.num_dims is not None and shape[-1:] != (self.num_dims,):
            raise ValueError(
                f"`{name}` must have `num_dims` as last axis. "
                f"Received: {name}.shape={shape}, num_dims={self.num_dims}. "
                "Use `num_dims=None` for the same bins everywhere."
            )

    def _columns(self, values: Any) -> np.ndarray:
        """Values as a float64 array `(number, dimensions)`."""
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise TypeError(
                "`values` must be real numbers. "
                f"Received: values.dtype={array.dtype}. Convert them first."
            )
        self._check_shape("values", array.shape)
        if not np.isfinite(array).all():
            wrong = int((~np.isfinite(array)).sum())
            raise ValueError(
                "`values` must be finite. "
                f"Received: {wrong} of {array.size} values NaN or infinite. "
                "Replace or drop them first."
            )
        return array.astype("float64").reshape(-1, self.num_dims or 1)

    def _refuse_or_clip(
        self, columns: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> None:
        if self.out_of_bounds == "clip":
            return
        number = _count(columns, low, high)
        if number:
            raise ValueError(
                "`values` must lie within the bounds, with "
                f'`out_of_bounds="error"`. Received: {number} of '
                f"{columns.size} values out of bounds, values from "
                f"{columns.min():g} to {columns.max():g}. Widen `low` and "
                '`high`, or use `out_of_bounds="clip"`.'
            )


def _count(columns: np.ndarray, low: np.ndarray, high: np.ndarray) -> int:
    return int(((columns < low) | (columns > high)).sum())
