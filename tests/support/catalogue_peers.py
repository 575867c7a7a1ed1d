"""PixelCNN++ and PixelSNAIL, and their layers."""

import keras

from keras_pixel import layers
from keras_pixel import models
from tests.support import reach
from tests.support import reach_grids
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase
from tests.support.reach_grids import as_reach
from tests.support.reach_grids import kernel

MOVED_DOWN = [(1, 0)]


def _move_down(x):
    """What the vertical stack gets: it knows finished rows only."""
    x = keras.layers.ZeroPadding2D(((1, 0), (0, 0)))(x)
    return keras.layers.Cropping2D(((0, 1), (0, 0)))(x)


def _repeat(x, size):
    x = keras.layers.UpSampling2D(2)(x)
    below, right = x.shape[1] - size[0], x.shape[2] - size[1]
    return keras.layers.Cropping2D(((0, below), (0, right)))(x)


def _down(layer, x):
    y = layer(_move_down(x) if layer.stack == "vertical" else x)
    return _repeat(y, x.shape[1:3])


def _up(layer, x):
    size = tuple(x.shape[1:3])
    layer = type(layer).from_config({**layer.get_config(), "size": size})
    y = _move_down(x) if layer.stack == "vertical" else x
    # Every other pixel.
    y = keras.layers.MaxPooling2D(1, strides=2, padding="same")(y)
    return layer(y)


def _reach_down(stack, rows, columns, lag=None):
    def network(seen):
        y = seen
        if stack == "vertical":
            y = reach_grids.convolve(y, MOVED_DOWN)
        y = reach_grids.convolve(y, kernel(stack, rows, columns, lag=lag), 2)
        return reach_grids.blocks_of_two(y, seen.shape[1:])

    return as_reach(network)


def _reach_up(stack, rows, columns, lag=None):
    def network(seen):
        y = seen
        if stack == "vertical":
            y = reach_grids.convolve(y, MOVED_DOWN)
        y = reach_grids.convolve(y, [(0, 0)], 2)
        taps = kernel(stack, rows, columns, lag=lag)
        return reach_grids.transpose(y, taps, seen.shape[1:])

    return as_reach(network)


def _shifted(name, kernel_size, stack, shift=(0, 0), lag=None, **arguments):
    taps = kernel(stack, *kernel_size, shift, lag)
    return LayerCase(
        f"shifted_conv2d_{name}",
        layers.ShiftedConv2D,
        {
            **{"filters": 3, "kernel_size": kernel_size, "stack": stack},
            **{"shift": shift, "lag": lag, **arguments},
        },
        in_features=2,
        reach=as_reach(lambda seen: reach_grids.convolve(seen, taps)),
        mask_type="B" if (0, 0) in taps else "A",
    )


def _strided(name, kernel_size, stack, lag=None, **arguments):
    return LayerCase(
        f"shifted_conv2d_strided_{name}",
        layers.ShiftedConv2D,
        {
            **{"filters": 3, "kernel_size": kernel_size, "stack": stack},
            **{"strides": 2, "lag": lag, **arguments},
        },
        in_features=2,
        reach=_reach_down(stack, *kernel_size, lag),
        call=_down,
        decodable=False,  # what stands around it here is not
    )


def _transposed(name, kernel_size, stack, lag=None, **arguments):
    return LayerCase(
        f"shifted_conv2d_transpose_{name}",
        layers.ShiftedConv2DTranspose,
        {
            **{"filters": 3, "kernel_size": kernel_size, "size": (4, 5)},
            **{"stack": stack, "lag": lag, **arguments},
        },
        in_features=2,
        reach=_reach_up(stack, *kernel_size, lag),
        call=_up,
        decodable=False,
    )


def _attend(layer, x):
    return layer([x, keras.layers.Concatenate()([x, x])])


def _attend_without_queries(layer, x):
    """All that is seen is seen by values: queries are the same everywhere."""
    return layer([x * 0.0, keras.layers.Concatenate()([x, x])])


def _strict(name, call=_attend, num_heads=1, lag=None):
    of_queries = call is _attend
    return LayerCase(
        f"strict_attention_2d_{name}",
        layers.StrictAttention2D,
        {"key_dim": 4 // num_heads, "num_heads": num_heads, "lag": lag},
        in_features=4,
        reach=reach_grids.strict_attention(lag, of_queries),
        mask_type="B" if of_queries else "A",
        call=call,
        decodable=of_queries,
    )


LAYERS = [
    _shifted("first_vertical", (2, 3), "vertical", (1, 0)),
    _shifted("first_above", (1, 3), "vertical", (1, 0), weight_norm=True),
    _shifted("first_left", (2, 1), "horizontal", (0, 1)),
    _shifted("horizontal", (2, 2), "horizontal", weight_norm=True),
    _shifted("1x1", (1, 1), "horizontal"),
    _shifted("far", (1, 2), "horizontal", (6, 7)),
    _shifted("lag_1", (3, 5), "vertical", lag=1, weight_norm=True),
    _shifted("lag_2", (2, 5), "vertical", (1, 0), lag=2),
    _strided("vertical", (2, 3), "vertical", weight_norm=True),
    _strided("horizontal", (2, 2), "horizontal"),
    _strided("lag_1", (2, 3), "vertical", lag=1),
    _transposed("vertical", (2, 3), "vertical", weight_norm=True),
    _transposed("horizontal", (2, 2), "horizontal"),
    _transposed("wide", (3, 3), "horizontal"),
    _transposed("lag_1", (2, 3), "vertical", lag=1, weight_norm=True),
    _strict("one_head"),
    _strict("values_only", _attend_without_queries),
    _strict("lag_1", num_heads=2, lag=1),
    _strict("lag_3_values_only", _attend_without_queries, lag=3),
]


def _whole_pixel(
    name, model_class, pixel_reach, image_shape, decodable=True, **arguments
):
    return ModelCase(
        name,
        model_class,
        {"image_shape": image_shape, "num_levels": 4, **arguments},
        reach=reach.whole_pixels(pixel_reach),
        pixel_reach=pixel_reach,
        decodable=decodable,
    )


_SMALL_SNAIL = {
    "filters": 4,
    "num_blocks": 1,
    "num_residual_blocks": 1,
    "key_dim": 2,
    "value_dim": 3,
    "num_mixtures": 2,
}

MODELS = [
    _whole_pixel(
        "pixel_cnn_plus_plus_grey",
        models.PixelCNNPlusPlus,
        reach_grids.pixel_cnn_plus_plus(1, 3),
        (4, 5, 1),
        decodable=False,  # the vertical stack sees ahead in its rows
        filters=4,
        num_blocks=1,
        num_mixtures=2,
    ),
    _whole_pixel(
        "pixel_cnn_plus_plus_wavefront_two_channels",
        models.PixelCNNPlusPlus,
        reach_grids.pixel_cnn_plus_plus(1, 2, lag=1),
        (3, 5, 2),
        filters=4,
        num_blocks=1,
        num_resolutions=2,
        dropout=0.0,
        weight_norm=False,
        distribution="categorical",
        lag=1,
    ),
    _whole_pixel(
        "pixel_snail_rgb",
        models.PixelSNAIL,
        reach_grids.pixel_snail(1, 1),
        (3, 4, 3),
        num_heads=2,
        **_SMALL_SNAIL,
    ),
    _whole_pixel(
        "pixel_snail_wavefront_grey",
        models.PixelSNAIL,
        reach_grids.pixel_snail(1, 1, lag=1),
        (4, 5, 1),
        weight_norm=False,
        lag=1,
        **_SMALL_SNAIL,
    ),
]
