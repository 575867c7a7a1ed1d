"""What may depend on what, as matrices: expected, measured, by gradient.

A reach is a bool array `(height, width, channels, height, width, channels)`:
`[i, j, c, k, l, d]` is True where the output at sub-pixel `(k, l, d)` sees
the input at `(i, j, c)`.
"""

import keras
import numpy as np
import pytest

from keras_pixel import order


def _offsets(image_shape):
    """Rows down, columns right, and channels up, from input to output."""
    axes = np.ogrid[tuple(slice(n) for n in image_shape * 2)]
    return axes[3] - axes[0], axes[4] - axes[1], axes[5] - axes[2]


def window(kernel_size, mask_type, dilation=(1, 1)):
    """Reach of a masked convolution, from its words, not from its mask."""

    def reach(image_shape):
        down, right, up = _offsets(image_shape)
        inside = (down <= kernel_size[0] // 2 * dilation[0]) & (
            abs(right) <= kernel_size[1] // 2 * dilation[1]
        )
        inside &= (down % dilation[0] == 0) & (right % dilation[1] == 0)
        above, left = down > 0, (down == 0) & (right > 0)
        same = (down == 0) & (right == 0)
        same = same & ((up > 0) if mask_type == "A" else (up >= 0))
        return inside & (above | left | same)

    return reach


def gated_window(kernel_size, mask_type):
    """Reach of the horizontal output of a gated convolution.

    The vertical stack is shifted down by one row: with mask B it reaches one
    row further up than its kernel.
    """

    def reach(image_shape):
        down, right, up = _offsets(image_shape)
        rows = kernel_size[0] // 2 + (mask_type == "B")
        side = kernel_size[1] // 2
        above = (down > 0) & (down <= rows) & (abs(right) <= side)
        own_row = window((1, kernel_size[1]), mask_type)(image_shape)
        return (above & np.ones_like(up, bool)) | own_row

    return reach


def same_channel(image_shape):
    down, right, up = _offsets(image_shape)
    return (down == 0) & (right == 0) & (up == 0)


def whole_pixels(pixel_reach):
    """Reach of a model over whole pixels, whose head orders the channels.

    Args:
        pixel_reach: what the features before the head see.
    """

    def reach(image_shape):
        seen = pixel_reach((*image_shape[:2], 1))
        down, right, up = _offsets(image_shape)
        return seen | ((down == 0) & (right == 0) & (up > 0))

    return reach


def on_wavefront(reach, lag):
    """What of a reach has an earlier time, or lies in the own pixel."""

    def earlier(image_shape):
        down, right, _ = _offsets(image_shape)
        time = right + lag * down
        own_pixel = (down == 0) & (right == 0)
        return reach(image_shape) & ((time > 0) | own_pixel)

    return earlier


def one_before(image_shape):
    """The sub-pixel just before, in raster order."""
    index = order.sequence_index(image_shape)
    return index[..., None, None, None] + 1 == index


def chain(*reaches):
    """Reach of one layer after the other."""

    def reach(image_shape):
        size = int(np.prod(image_shape))
        total = np.eye(size, dtype=int)
        for step in reaches:
            step = np.broadcast_to(step(image_shape), image_shape * 2)
            total = (total @ step.reshape(size, size) > 0).astype(int)
        return total.astype(bool).reshape(image_shape * 2)

    return reach


def pixel_cnn(first_kernel_size, *kernel_sizes):
    """A convolution with mask A, then some with mask B."""
    sizes = (first_kernel_size, *kernel_sizes)
    windows = [
        window((size, size), "B" if i else "A") for i, size in enumerate(sizes)
    ]
    # The 1x1 kernels mix each channel with those before it.
    return chain(*windows, window((1, 1), "B"))


def whole_past(image_shape):
    """No blind spot: everything before."""
    return order.is_before(image_shape)


def past_and_self(image_shape):
    """Everything before, and the sub-pixel itself (mask B)."""
    return order.is_before(image_shape) | same_channel(image_shape)


def above_and_left(image_shape):
    """The pixels above and to the left, with mask B: no column further on."""
    _, right, _ = _offsets(image_shape)
    return past_and_self(image_shape) & (right >= 0)


def row_lstm(kernel_size):
    """A triangle: each row up is seen `side` columns wider to both sides.

    The states of a row see `side` columns more to the left.
    """

    def reach(image_shape):
        down, right, _ = _offsets(image_shape)
        side = kernel_size // 2
        triangle = (-right <= down * side) & (right <= (down + 1) * side)
        return past_and_self(image_shape) & triangle

    return reach


def one_pixel(image_shape):
    """All features of a pixel see all of the same pixel."""
    down, right, _ = _offsets(image_shape)
    return (down == 0) & (right == 0)


def down_and_up(image_shape):
    """A strided 2×2 convolution, then the transposed one.

    Every pixel sees what the first pixel of its 2×2 block sees: itself, and
    what is above and to the left of it.
    """
    axes = np.ogrid[tuple(slice(n) for n in image_shape * 2)]
    return (np.abs(axes[3] // 2 * 2 - axes[0] - 0.5) < 1) & (
        np.abs(axes[4] // 2 * 2 - axes[1] - 0.5) < 1
    )


def wavefront_pixel_cnn(kernel_size, first_kernel_size, lag, num_blocks=1):
    """What the features of a `WavefrontPixelCNN` of two resolutions see."""

    def reach(image_shape):
        rows, columns = image_shape[:2]
        coarse = (-(-rows // 2), -(-columns // 2))

        def matrix(shape, kernel, mask_type="B"):
            seen = window(kernel, mask_type)
            if lag is not None:
                seen = on_wavefront(seen, lag)
            seen = seen((*shape, 1))
            return seen.reshape(shape[0] * shape[1], -1).astype(int)

        def blocks(x, shape, number):
            # Two convolutions each, and the residual connection.
            step = matrix(shape, kernel_size)
            return x @ np.linalg.matrix_power(step, 2 * number)

        fine = np.indices((rows, columns)).reshape(2, -1)
        first_of = np.indices(coarse).reshape(2, -1) * 2
        offset = first_of[:, None, :] - fine[:, :, None]
        down = ((offset >= 0) & (offset <= 1)).all(axis=0).astype(int)
        up = (first_of[:, :, None] == (fine // 2 * 2)[:, None, :]).all(axis=0)
        first = matrix((rows, columns), first_kernel_size, "A")
        x = blocks(first, (rows, columns), num_blocks)
        lower = blocks(x @ down, coarse, 2 * num_blocks) @ up.astype(int)
        total = blocks(lower, (rows, columns), num_blocks + 1)
        # A short cut misses the first convolution of its block. The longest
        # one sees what the others see, and more.
        late = matrix((rows, columns), kernel_size)
        total = total + blocks(x @ late, (rows, columns), num_blocks)
        return (total > 0).reshape(*image_shape[:2], 1, *image_shape[:2], 1)

    return reach


def measured_reach(model, channels, num_levels=None, num_images=4):
    """Change each sub-pixel (or group of features) alone, see what moves."""
    height, width, features = model.inputs[0].shape[1:]
    image_shape = (height, width, channels)
    size = height * width * channels
    random = np.random.default_rng(0)
    reach = np.zeros((size, size), bool)
    for _ in range(num_images):
        images = np.repeat(_draw(random, model, num_levels), size, axis=0)
        changed = images.copy()
        for position in range(size):
            row, column, channel = np.unravel_index(position, image_shape)
            group = changed[position, row, column, channel::channels]
            other = _draw(random, model, num_levels)[0, row, column]
            other = other[channel::channels]
            if num_levels:
                other = (group + 1 + other % (num_levels - 1)) % num_levels
            group[:] = other
        moved = _run(model, changed) != _run(model, images)
        reach |= _by_channel(moved, channels).reshape(size, size)
    return reach.reshape(image_shape * 2)


def gradient_reach(model, channels):
    """Where the gradient of a sub-pixel's features by the input is not 0.

    Each image of a batch is asked about one output position, so that one
    backward pass answers for all. The model must be one of float64 (all but
    its head): a softmax over a single token depends on nothing, yet its
    gradient is a unit in the last place where the processor rounds its one
    probability below 1. There that is 1e-16, while the faintest true gradient
    of these models is 1e-6 of the largest.
    """
    assert model.inputs[0].dtype == "float64", model.inputs[0].dtype
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes gradients with TensorFlow")
    import tensorflow as tf

    height, width, features = model.inputs[0].shape[1:]
    image_shape = (height, width, channels)
    size = height * width * channels
    random = np.random.default_rng(0)
    reach = np.zeros((size, size), bool)
    for _ in range(4):
        images = tf.constant(
            np.repeat(_draw(random, model, None), size, axis=0), "float64"
        )
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=False)
            asked = np.zeros(outputs.shape)
            for position in range(size):
                row, column, channel = np.unravel_index(position, image_shape)
                if len(outputs.shape) == 5:
                    asked[position, row, column, channel] = 1.0
                else:
                    asked[position, row, column, channel::channels] = 1.0
            asked *= random.uniform(0.5, 1.0, asked.shape)
            total = tf.reduce_sum(outputs * tf.cast(asked, outputs.dtype))
        gradient = tape.gradient(total, images).numpy()
        size_of = np.abs(gradient)
        largest = size_of.max(axis=(1, 2, 3), keepdims=True)
        seen = size_of > 1e-12 * largest
        reach |= _by_channel(seen, channels).reshape(size, size).T
    return reach.reshape(image_shape * 2)


def as_grid(flags):
    """Rows of `#` and `.`, for errors and hand-worked expectations."""
    return "\n".join("".join(".#"[int(x)] for x in row) for row in flags)


def _draw(random, model, num_levels):
    shape = (1, *model.inputs[0].shape[1:])
    if num_levels:
        return random.integers(num_levels, size=shape).astype("int32")
    return random.uniform(-1, 1, shape).astype("float32")


def _run(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def _by_channel(flags, channels):
    if flags.ndim == 5:  # (batch, height, width, channels, levels)
        return flags.any(axis=-1)
    return flags.reshape(*flags.shape[:3], -1, channels).any(axis=3)
