"""Where and when pixels are drawn: lanes, steps, and the past that is kept.

Pixel `(row, column)` has the time `column + lag * row`, and all pixels of one
time are drawn together. About `width / lag` rows are in flight at a time. Each
has a lane: row `r` is drawn in lane `r % lanes`, and when it is finished the
lane takes row `r + lanes`. Several images may follow one another in the lanes,
as if they stood on top of each other: then no lane is ever idle for long.

Raster order is the wavefront of lag `width`: one row in flight, one lane.

Times and lanes are numbers of the code, so that what a pixel sees of the past
lies at fixed places: a tap to `(row - a, column + b)` reads what lane `lane -
a` held `lag * a - b` steps ago.
"""

import functools

import numpy as np
from keras import ops

from keras_pixel.layers import buffers

# A history of up to so many steps is kept as one tensor a step, which are
# handed on from step to step without a copy. Longer ones lie in a ring.
_MOST_REGISTERS = 16


class Grid:
    """The positions of one resolution, and when each has its turn.

    Args:
        height: int. Rows of an image, on this grid.
        width: int. Columns.
        lag: int, from 1 to `width`.
        lanes: int. `lag * lanes` is at least `width`.
        num_steps: int or scalar tensor. Steps until all images are drawn.
        batch_size: int or scalar tensor. Images drawn side by side.
        num_images: int or scalar tensor. Images drawn one after the other in
            the same lanes. Defaults to `1`.
        image_rows: int. Rows from one of them to the next. Defaults to
            `None`, `height`.
        finest: the `Grid` of the pixels themselves. Defaults to `None`: this.
        stride: int. Pixels from one position to the next. Defaults to `1`.
    """

    def __init__(
        self,
        height,
        width,
        lag,
        lanes,
        num_steps,
        batch_size,
        num_images=1,
        image_rows=None,
        finest=None,
        stride=1,
    ):
        self.height = height
        self.width = width
        self.lag = lag
        self.lanes = lanes
        self.num_steps = num_steps
        self.batch_size = batch_size
        self.num_images = num_images
        self.image_rows = image_rows or height
        self.stride = stride
        self._finest = finest or self
        self._coarser: dict[int, Grid] = {}
        self._taps: dict = {}

    def coarser(self, factor):
        """The grid that has every `factor`-th row and column of this one.

        It has the same lag: its time counts every `factor`-th step.
        """
        finest, stride = self._finest, self.stride * factor
        if stride == finest.stride:
            return finest
        if stride not in finest._coarser:
            finest._coarser[stride] = Grid(
                -(-finest.height // stride),
                -(-finest.width // stride),
                finest.lag,
                finest.lanes // stride,
                finest.num_steps // stride,
                finest.batch_size,
                finest.num_images,
                finest.image_rows // stride,
                finest,
                stride,
            )
        return finest._coarser[stride]

    @property
    def positions(self):
        """Positions of a step: lanes times images side by side."""
        return self.lanes * self.batch_size

    def zeros(self, features, dtype):
        """Features of a step, all 0."""
        return ops.zeros((self.positions, features), dtype)

    @functools.cached_property
    def places(self):
        """What is where, at every time in every lane.

        Returns:
            Dict of tensors `(num_steps, lanes)`: int32 `row`, `column` and
            `image` (which of those that follow one another), and bool
            `is_pixel`: False where the lane is idle.
        """
        time = ops.arange(self.num_steps, dtype="int32")[:, None]
        lane = np.arange(self.lanes, dtype="int32")
        period = self.lag * self.lanes
        # Never negative: other runtimes round such quotients differently.
        turn = (time - self.lag * lane + period) // period - 1
        stacked = lane + self.lanes * turn
        column = time - self.lag * stacked
        row = ops.maximum(stacked, 0)
        image = row // self.image_rows
        row = row - image * self.image_rows
        inside = ops.logical_and(row < self.height, column < self.width)
        begun = ops.logical_and(stacked >= 0, image < self.num_images)
        return {
            "row": ops.minimum(row, self.height - 1),
            "column": ops.minimum(column, self.width - 1),
            "image": ops.minimum(image, self.num_images - 1),
            "is_pixel": ops.logical_and(inside, begun),
        }

    def taps(self, offsets):
        """How to read the past at some offsets, and how to keep it.

        Args:
            offsets: tuple of pairs `(rows_above, columns_right)`.

        Returns:
            `Taps`, of the offsets that exist on this grid.
        """
        offsets = tuple(offsets)
        if offsets not in self._taps:
            self._taps[offsets] = Taps(self, offsets)
        return self._taps[offsets]


class Step:
    """One step on one grid.

    Args:
        grid: `Grid`.
        time: int32 scalar tensor, counted in the steps of this grid.
        phase: int. The time's remainder after division by the number of
            steps that the loop writes out: which coarser grids have their
            turn is known without running.
    """

    def __init__(self, grid, time, phase=0):
        self.grid = grid
        self.time = time
        self.phase = phase
        self._read: dict = {}

    def at_lanes(self, table):
        """What a table of the grid has at this time: `(num_steps, …)`."""
        if id(table) not in self._read:
            self._read[id(table)] = buffers.read_at(table, self.time)
        return self._read[id(table)]

    @property
    def row(self):
        """int32 tensor `(lanes,)`, rows in their images."""
        return self.at_lanes(self.grid.places["row"])

    @property
    def column(self):
        """int32 tensor `(lanes,)`."""
        return self.at_lanes(self.grid.places["column"])

    @property
    def raster_column(self):
        """int32 scalar, in raster order: the column of the only lane."""
        return self.column[0]

    def by_lane(self, features):
        """`(positions, features)` as `(lanes, batch, features)`."""
        return ops.reshape(features, (self.grid.lanes, -1, features.shape[-1]))


class Taps:
    """Reads earlier positions at fixed offsets out of a history.

    A history holds the features of the last steps, `(lanes + 1, batch,
    features)` each. The last lane holds zeros: it is read where an offset
    leads out of the image.

    Args:
        grid: `Grid`.
        offsets: tuple of pairs `(rows_above, columns_right)`.

    Attributes:
        offsets: those of them that exist: in a small image some never do.
        steps_kept: int. Length of the history.
    """

    def __init__(self, grid, offsets):
        self.grid = grid
        self.offsets = tuple(
            (above, right)
            for above, right in offsets
            if above < grid.height and abs(right) < grid.width
        )
        self._ages = [grid.lag * a - b for a, b in self.offsets]
        if min(self._ages, default=1) < 1:
            raise ValueError(
                "Every offset must lie in the past. "
                f"Received: offsets={self.offsets}, lag={grid.lag}"
            )
        self.steps_kept = max(self._ages, default=0)

    def __len__(self):
        return len(self.offsets)

    @functools.cached_property
    def _source(self):
        """Lanes to read from, `(num_steps, len(offsets), lanes)`."""
        grid = self.grid
        lane = np.arange(grid.lanes)
        row, column = grid.places["row"], grid.places["column"]
        sources = []
        for above, right in self.offsets:
            exists = row >= above
            if right:
                inside = column + right
                inside = ops.logical_and(inside >= 0, inside < grid.width)
                exists = ops.logical_and(exists, inside)
            source = ((lane - above) % grid.lanes).astype("int32")
            sources.append(ops.where(exists, source, grid.lanes))
        return ops.cast(ops.stack(sources, axis=1), "int32")

    def init(self, features, dtype):
        """A history of zeros."""
        grid = self.grid
        if self.offsets:
            self._source  # noqa: B018 - made here, before the loop begins
        shape = (grid.lanes + 1, grid.batch_size, features)
        if self.steps_kept > _MOST_REGISTERS:
            return ops.zeros((self.steps_kept, *shape), dtype)
        return tuple(ops.zeros(shape, dtype) for _ in range(self.steps_kept))

    def read(self, history, step, every=1):
        """What lies at the offsets.

        Args:
            history: see `init`.
            step: `Step`.
            every: int. Only every so many lanes are read. Defaults to `1`.

        Returns:
            List of tensors `(positions, features)`, one per offset.
        """
        if not self.offsets:
            return []
        source = step.at_lanes(self._source)  # (len(offsets), lanes)
        if every > 1:
            source = source[:, ::every]
        found = []
        for i, age in enumerate(self._ages):
            if isinstance(history, tuple):
                earlier = history[age - 1]
            else:
                size = self.steps_kept
                place = (step.time + (size - age)) % size
                earlier = buffers.read_at(history, place)
            taken = ops.take(earlier, source[i], axis=0)
            found.append(ops.reshape(taken, (-1, taken.shape[-1])))
        return found

    def push(self, history, step, features):
        """The history with the features of this step added.

        Args:
            history: see `init`.
            step: `Step`.
            features: tensor `(positions, features)`.
        """
        if not self.offsets:
            return history
        lanes = ops.pad(step.by_lane(features), [[0, 1], [0, 0], [0, 0]])
        if isinstance(history, tuple):
            return (lanes, *history[:-1])
        place = step.time % self.steps_kept
        return buffers.write_at(history, place, lanes)
