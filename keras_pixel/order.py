"""What "before" means: raster orders, and every mask made from them.

An image is a sequence. Rows come top to bottom, in a row the columns left to
right, in a pixel the channels in order (R, G, B). Every mask, shift, sampling
loop and test of the library asks this file.

Feature maps carry the order of channels with them: feature `f` belongs to
channel `f % channels`. The groups are interleaved (RGBRGB…), so joining two
tensors on their last axis keeps every feature in its group.

There are eight rasters, one for each corner and direction to begin in. All of
the above is said of the first, `right_down`; in another one an image is
flipped and transposed to it at the model's border (`into_order`), and back
again (`from_order`). The channels of a pixel stay in their order.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

MASK_TYPES = ("A", "B")

# Which way the pixels of a line follow one another, then the lines.
ORDERS = (
    "right_down",
    "left_down",
    "right_up",
    "left_up",
    "down_right",
    "down_left",
    "up_right",
    "up_left",
)


def is_transposed(order: str) -> bool:
    """Whether the lines of an order are columns."""
    return order.startswith(("down", "up"))


def into_order(numpy: Any, images: Any, order: str, axis: int = 1) -> Any:
    """Images turned so that `right_down` is the order in them.

    Args:
        numpy: `numpy` or `keras.ops`.
        images: array or tensor.
        order: one of `ORDERS`.
        axis: int. The axis of the rows, before that of the columns. Defaults
            to `1`.

    Returns:
        What `images` is, rows and columns exchanged if the lines are columns.
    """
    images = _flip(numpy, images, order, axis)
    if is_transposed(order):
        images = numpy.swapaxes(images, axis, axis + 1)
    return images


def from_order(numpy: Any, images: Any, order: str, axis: int = 1) -> Any:
    """Undo `into_order`, which see for the arguments."""
    if is_transposed(order):
        images = numpy.swapaxes(images, axis, axis + 1)
    return _flip(numpy, images, order, axis)


def _flip(numpy: Any, images: Any, order: str, axis: int) -> Any:
    directions = order.split("_")
    if "up" in directions:
        images = numpy.flip(images, axis)
    if "left" in directions:
        images = numpy.flip(images, axis + 1)
    return images


def fitting_order(known: np.ndarray, orders: Sequence[str]) -> np.ndarray:
    """The order of each image in which its known pixels come first.

    Or, where there is none, in which the fewest of them come after the first
    unknown one.

    Args:
        known: bool array `(batch, height, width)`.
        orders: sequence of some of `ORDERS`; the first of those that fit
            alike is chosen.

    Returns:
        int32 array `(batch,)`, indices of `orders`.
    """
    late = []
    for order in orders:
        flat = into_order(np, known, order).reshape(len(known), known[0].size)
        begun = np.cumsum(~flat, axis=1) > 0
        late.append((flat & begun).sum(axis=1))
    return np.argmin(np.stack(late), axis=0).astype("int32")


def sequence_index(image_shape: Sequence[int]) -> np.ndarray:
    """Place of every sub-pixel in the sequence.

    Args:
        image_shape: `(height, width, channels)`.

    Returns:
        int array of shape `(height, width, channels)`: 0 for the first
        sub-pixel, `height * width * channels - 1` for the last.
    """
    return np.arange(np.prod(image_shape, dtype=int)).reshape(image_shape)


def is_before(image_shape: Sequence[int]) -> np.ndarray:
    """The whole order as one matrix, for dense masks and for tests.

    Returns:
        bool array of shape `(height, width, channels, height, width,
        channels)`: `[i, j, c, k, l, d]` is True where sub-pixel `(i, j, c)`
        comes before sub-pixel `(k, l, d)`.
    """
    index = sequence_index(image_shape)
    return index[..., None, None, None] < index[None, None, None, ...]


def channel_of_feature(features: int, channels: int) -> np.ndarray:
    """Channel that each of `features` feature maps belongs to.

    Returns:
        int array of shape `(features,)`.
    """
    return np.arange(features) % channels


def channel_major(features: int, channels: int) -> np.ndarray:
    """Permutation from interleaved features to channel 0, then 1, ….

    Returns:
        int array of shape `(features,)`; `x[..., channel_major(...)]` holds the
        features of channel 0 first.
    """
    return np.argsort(channel_of_feature(features, channels), kind="stable")


def channel_mask(
    in_channels: np.ndarray, out_channels: np.ndarray, mask_type: str
) -> np.ndarray:
    """Which input features an output feature of the same pixel may see.

    Mask A hides a channel from itself, mask B shows it; both show the
    channels before it and hide those after it.

    Args:
        in_channels: int array `(in_features,)`, channel of each input feature.
        out_channels: int array `(out_features,)`, likewise.
        mask_type: "A" or "B".

    Returns:
        bool array of shape `(in_features, out_features)`.
    """
    in_channels = np.asarray(in_channels)[:, None]
    out_channels = np.asarray(out_channels)[None, :]
    if mask_type == "A":
        return in_channels < out_channels
    return in_channels <= out_channels


def is_past(rows_above: Any, columns_right: Any, lag: int | None) -> Any:
    """Whether a tap lies in the past of a wavefront.

    Pixel `(i, j)` has the time `j + lag * i`; all pixels of one time are drawn
    together. A tap to `(i - rows_above, j + columns_right)` has an earlier
    time if and only if `columns_right < lag * rows_above`. This composes: a
    stack of such taps sees the past only, whatever its depth. Rows below are
    never past, not even where their time is earlier: so what is past on a
    wavefront is past in raster order too.

    Args:
        rows_above: int, int array or tensor; negative for rows below.
        columns_right: likewise; negative to the left.
        lag: int, at least 1, or `None` for raster order, where all of the
            rows above are past.

    Returns:
        bool, bool array or tensor.
    """
    if lag is None:
        in_row = (rows_above == 0) & (columns_right < 0)
        return (rows_above > 0) | in_row
    return (rows_above >= 0) & (columns_right < lag * rows_above)


def least_lag(offsets: Iterable[tuple[int, int]]) -> int | None:
    """The least lag of a wavefront on which all of some taps are past.

    Args:
        offsets: pairs of ints, rows above and columns to the right.

    Returns:
        int, at least 1, or `None` if no lag is large enough: a tap that is
        not past in raster order either.
    """
    lag = 1
    for above, right in offsets:
        if above < 0 or (above == 0 and right >= 0):
            return None
        if above:
            lag = max(lag, right // above + 1)
    return lag


def convolution_mask(
    kernel_size: tuple[int, int],
    in_features: int,
    out_features: int,
    channels: int,
    mask_type: str,
    lag: int | None = None,
    dilation_rate: tuple[int, int] = (1, 1),
) -> np.ndarray:
    """Mask of a convolution kernel cropped to its causal rows.

    A kernel of `(kernel_height, kernel_width)` is centred on its output; the
    rows below the centre see only the future and are not stored.

    Args:
        kernel_size: pair of odd ints, of the uncropped kernel.
        in_features: int.
        out_features: int.
        channels: int. Channels of a pixel.
        mask_type: "A" or "B", for the centre tap.
        lag: int or `None`: hide the taps that are not past on a wavefront of
            this lag, see `is_past`. Defaults to `None`, raster order.
        dilation_rate: pair of ints, rows and columns from one tap to the
            next. Defaults to `(1, 1)`.

    Returns:
        bool array of shape `(kernel_height // 2 + 1, kernel_width,
        in_features, out_features)`.
    """
    rows, width = kernel_size[0] // 2 + 1, kernel_size[1]
    centre = width // 2
    past = is_past(
        dilation_rate[0] * np.arange(rows - 1, -1, -1)[:, None],
        dilation_rate[1] * (np.arange(width) - centre),
        lag,
    )
    mask = np.zeros((rows, width, in_features, out_features), bool)
    mask[past] = True
    mask[-1, centre] = channel_mask(
        channel_of_feature(in_features, channels),
        channel_of_feature(out_features, channels),
        mask_type,
    )
    return mask


def shifted_taps(
    kernel_size: tuple[int, int], stack: str, shift: tuple[int, int] = (0, 0)
) -> tuple[np.ndarray, np.ndarray]:
    """Where the taps of a shifted kernel lie, seen from its output.

    A kernel of the vertical stack has its output in the middle of its last
    row, one of the horizontal stack at the end of its last row; `shift` then
    moves all of its taps up and to the left.

    Args:
        kernel_size: pair of ints, rows and columns.
        stack: "vertical" or "horizontal".
        shift: pair of ints, rows up and columns to the left. Defaults to `(0,
            0)`.

    Returns:
        int arrays `(rows, 1)` and `(1, columns)`: rows above the output, and
        columns to the right of it (negative to the left).
    """
    rows, columns = kernel_size
    ahead = columns // 2 if stack == "vertical" else 0
    rows_above = np.arange(rows - 1, -1, -1) + shift[0]
    columns_right = np.arange(columns) - (columns - 1 - ahead) - shift[1]
    return rows_above[:, None], columns_right[None, :]


def crop_taps(
    rows_above: np.ndarray, columns_right: np.ndarray, lag: int | None = None
) -> np.ndarray:
    """Which taps of a kernel over whole pixels are kept.

    Args:
        rows_above: int array.
        columns_right: int array that broadcasts against it.
        lag: int: keep the output's own position and what `is_past` says.
            `None` keeps all. Defaults to `None`.

    Returns:
        bool array.
    """
    if lag is None:
        return np.ones(np.broadcast(rows_above, columns_right).shape, bool)
    itself = (rows_above == 0) & (columns_right == 0)
    return itself | is_past(rows_above, columns_right, lag)


def is_attended(
    rows_above: np.ndarray,
    columns_right: np.ndarray,
    channels_before: np.ndarray,
    lag: int | None = None,
    strict: bool = False,
) -> np.ndarray:
    """Whether a token (sub-pixel) attends to another.

    It sees all tokens of the pixels that are past, and of its own pixel
    itself and those before it.

    Args:
        rows_above: int array, from the token that sees to the one seen.
        columns_right: int array, likewise.
        channels_before: int array, likewise.
        lag: int or `None`, see `is_past`. Defaults to `None`, raster order.
        strict: bool. Hide the whole own pixel. Defaults to `False`.

    Returns:
        bool array.
    """
    past = is_past(rows_above, columns_right, lag)
    if strict:
        return past
    own_pixel = (rows_above == 0) & (columns_right == 0)
    return past | (own_pixel & (channels_before >= 0))


def attention_mask(
    image_shape: tuple[int, int, int],
    lag: int | None = None,
    strict: bool = False,
) -> np.ndarray:
    """Which tokens (sub-pixels) each token of an image attends to.

    Args:
        image_shape: `(height, width, channels)`.
        lag: int or `None`, see `is_past`. Defaults to `None`, raster order.
        strict: bool. Hide the whole own pixel: then the first pixel sees
            nothing. Defaults to `False`.

    Returns:
        bool array `(tokens, tokens)`: `[i, j]` is True where token `i` sees
        token `j`.
    """
    places = np.indices(image_shape).reshape(3, -1)
    rows, columns, channels = places[:, :, None] - places[:, None, :]
    return is_attended(rows, -columns, channels, lag, strict)
