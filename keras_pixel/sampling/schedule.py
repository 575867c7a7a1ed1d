"""The order in which the pixels of a batch of images are drawn."""

from keras import ops

from keras_pixel.layers.grid import Grid

# Positions of a step from which on matrix products are efficient. With fewer
# images side by side than that takes, steps count; with more, idle lanes do,
# and images follow one another in the lanes.
_POSITIONS = 256


class Schedule:
    """Lanes, steps, and how images are laid out along them.

    Args:
        image_shape: `(height, width, channels)`.
        num_images: int or scalar tensor. Images to draw.
        lag: int, or `None` for raster order, the largest lag there is. One
            that is larger than the width counts as the width.
        stride: int. The coarsest grid's. Defaults to `1`.
        fills_lanes: bool. Whether images may follow one another in the lanes.
            Defaults to `True`.

    Attributes:
        lag: int.
        grid: `Grid` of the pixels.
        num_blocks: int or scalar tensor. Blocks of `stride` steps: of these
            each coarser grid has its turn in the same places.
        is_raster: bool.
    """

    def __init__(
        self, image_shape, num_images, lag=None, stride=1, fills_lanes=True
    ):
        height, width, self.channels = image_shape
        self.height, self.width, self.stride = height, width, stride
        self.num_images = num_images
        rows = -(-height // stride) * stride
        if lag is None or lag >= width:
            lag, lanes = width, stride
        else:
            # In an image of few rows there is no use for more lanes.
            lanes = min(-(-width // lag), rows)
            lanes = -(-lanes // stride) * stride
            lag = max(lag, -(-width // lanes))
        self.lag = lag
        self.is_raster = lag == width and stride == 1
        stack = 1
        if fills_lanes and lanes > stride:
            stack = num_images * min(lanes, _POSITIONS) // _POSITIONS
            if isinstance(num_images, int):
                stack = max(stack, 1)
            else:
                stack = ops.maximum(stack, 1)
        self.stack = stack
        # Side by side: rounded up, and filled with copies.
        batch_size = (num_images + stack - 1) // stack
        num_steps = width + lag * (stack * rows - 1)
        self.num_blocks = (num_steps + stride - 1) // stride
        self.num_steps = self.num_blocks * stride
        self.grid = Grid(
            height,
            width,
            lag,
            lanes,
            self.num_steps,
            batch_size,
            stack,
            rows,
        )

    def by_image(self, values):
        """What each image has, as `(stack, batch, …)`.

        Args:
            values: tensor `(num_images, …)`.
        """
        grid = self.grid
        count = self.stack * grid.batch_size
        if not isinstance(self.stack, int) or self.stack > 1:
            index = ops.arange(count, dtype="int32") % self.num_images
            values = ops.take(values, index, axis=0)
        return ops.reshape(values, (self.stack, -1, *values.shape[1:]))

    def by_step(self, values, grid=None):
        """What each pixel has, in the order of the steps.

        Args:
            values: tensor `(num_images, height, width, …)`.
            grid: the `Grid` that they are on. Defaults to `None`, the finest.

        Returns:
            Tensor `(num_steps, lanes, batch, …)`; lanes that are idle have
            what some pixel has.
        """
        grid = grid or self.grid
        values = self.by_image(values)  # (stack, batch, height, width, …)
        rest = tuple(range(4, len(values.shape)))
        values = ops.transpose(values, (0, 2, 3, 1, *rest))
        shape = values.shape[4:]
        pixels = self.stack * grid.height * grid.width
        flat = ops.reshape(values, (pixels, -1, *shape))
        places = grid.places
        index = places["image"] * grid.height + places["row"]
        return ops.take(flat, index * grid.width + places["column"], axis=0)

    def images(self, values):
        """What each pixel was given, as images; undoes `by_step`.

        Args:
            values: tensor `(num_steps, lanes, batch, …)`.

        Returns:
            Tensor `(num_images, height, width, …)`.
        """
        grid = self.grid
        image = ops.arange(self.stack, dtype="int32")[:, None, None]
        row = image * grid.image_rows
        row = row + ops.arange(grid.height, dtype="int32")[:, None]
        time = ops.arange(grid.width, dtype="int32") + grid.lag * row
        flat = ops.reshape(values, (-1, *ops.shape(values)[2:]))
        found = ops.take(flat, time * grid.lanes + row % grid.lanes, axis=0)
        # (stack, height, width, batch, …)
        rest = tuple(range(4, len(found.shape)))
        found = ops.transpose(found, (0, 3, 1, 2, *rest))
        shape = (-1, grid.height, grid.width, *values.shape[3:])
        return ops.reshape(found, shape)[: self.num_images]
