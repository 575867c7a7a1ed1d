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

    def parts(self, table, every=1):
        """The same, as a list along its first axis.

        Args:
            table: tensor `(num_steps, parts, lanes, …)`.
            every: int. Only every so many lanes are read. Defaults to `1`.
        """
        key = ("parts", id(table), every)
        if key not in self._read:
            found = self.at_lanes(table)
            if every > 1:
                found = found[:, ::every]
            self._read[key] = ops.unstack(found, found.shape[0])
        return self._read[key]

    def place(self, size, age=0):
        """Where a ring of `size` places has the step `age` steps ago.

        int32 scalar tensor; layers with rings of one size share it.
        """
        key = ("place", size, age)
        if key not in self._read:
            self._read[key] = (self.time + (size - age)) % size
        return self._read[key]

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

    A history holds the features of the last steps, `(lanes, batch, features)`
    each: for every number of rows above the lanes in an order of its own, so
    that each lane finds the features of that lane above in its own place.
    Steps are tensors of their own, which are handed on, or lie in a ring, of
    which one place is written (`buffers.most_registers`).

    Args:
        grid: `Grid`.
        offsets: tuple of pairs `(rows_above, columns_right)`.

    Attributes:
        offsets: those of them that exist: in a small image some never do.
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
        # Lanes that are read from -> steps that are kept of them.
        self._steps_kept: dict[int, int] = {}
        for (above, _), age in zip(self.offsets, self._ages, strict=True):
            lanes_above = above % grid.lanes
            kept = self._steps_kept.get(lanes_above, 0)
            self._steps_kept[lanes_above] = max(kept, age)

    def __len__(self):
        return len(self.offsets)

    @functools.cached_property
    def _exists(self):
        """1 where an offset leads to a pixel.

        float32 tensor `(num_steps, offsets, lanes, 1, 1)`.

        What lies above the first row, or beside the columns, is no part of
        the image; it is multiplied by 0.
        """
        grid = self.grid
        row, column = grid.places["row"], grid.places["column"]
        found = []
        for above, right in self.offsets:
            exists = row >= above
            if right:
                inside = column + right
                inside = ops.logical_and(inside >= 0, inside < grid.width)
                exists = ops.logical_and(exists, inside)
            found.append(exists)
        exists = ops.cast(ops.stack(found, axis=1), "float32")
        return exists[..., None, None]

    def init(self, features, dtype):
        """A history of zeros."""
        grid, history = self.grid, {}
        if self.offsets:
            self._exists  # noqa: B018 - made here, before the loop begins
        shape = (grid.lanes, grid.batch_size, features)
        for above, steps in self._steps_kept.items():
            if steps > buffers.most_registers():
                history[above] = ops.zeros((steps, *shape), dtype)
            else:
                history[above] = (ops.zeros(shape, dtype),) * steps
        return tuple(history.values())

    def read(self, history, step, every=1):
        """What lies at the offsets.

        Args:
            history: see `init`.
            step: `Step`.
            every: int. Only every so many lanes are read. Defaults to `1`.

        Returns:
            List of tensors `(lanes, batch, features)`, one per offset.
        """
        kept = dict(zip(self._steps_kept, history, strict=True))
        found = []
        for i, (above, _) in enumerate(self.offsets):
            earlier = kept[above % self.grid.lanes]
            if isinstance(earlier, tuple):
                earlier = earlier[self._ages[i] - 1]
            else:
                place = step.place(earlier.shape[0], self._ages[i])
                earlier = buffers.read_at(earlier, place)
            if every > 1:
                earlier = earlier[::every]
            exists = step.parts(self._exists, every)[i]  # (lanes, 1, 1)
            found.append(earlier * ops.cast(exists, earlier.dtype))
        return found

    def push(self, history, step, features):
        """The history with the features of this step added.

        Args:
            history: see `init`.
            step: `Step`.
            features: tensor `(positions, features)`.
        """
        lanes, pushed = step.by_lane(features), []
        for above, kept in zip(self._steps_kept, history, strict=True):
            new = lanes
            if above:
                new = ops.concatenate([lanes[-above:], lanes[:-above]], axis=0)
            if isinstance(kept, tuple):
                pushed.append((new, *kept[:-1]))
            else:
                place = step.place(kept.shape[0])
                pushed.append(buffers.write_at(kept, place, new))
        return tuple(pushed)
