"""Convolutions, the input's and the output's layers, and their models."""

import numpy as np

from keras_pixel import layers
from keras_pixel import models
from tests.support import reach
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase


def _convolution(
    layer_class, window, name, kernel_size, mask_type, channels=1, **arguments
):
    return LayerCase(
        name,
        layer_class,
        {
            **{"filters": 2 * channels, "kernel_size": kernel_size},
            **{"mask_type": mask_type, "channels": channels, **arguments},
        },
        in_features=channels * (1 if mask_type == "A" else 2),
        reach=window(np.broadcast_to(kernel_size, 2), mask_type),
        channels=channels,
        mask_type=mask_type,
    )


def _masked(name, *args, **arguments):
    name = f"masked_conv2d_{name}"
    return _convolution(
        layers.MaskedConv2D, reach.window, name, *args, **arguments
    )


def _dilated(name, kernel_size, mask_type, dilation, **arguments):
    def window(kernel_size, mask_type):
        return reach.window(kernel_size, mask_type, dilation)

    return _convolution(
        layers.MaskedConv2D,
        window,
        f"masked_conv2d_dilated_{name}",
        kernel_size,
        mask_type,
        dilation_rate=dilation,
        **arguments,
    )


def _gated(name, *args, **arguments):
    name = f"gated_masked_conv2d_{name}"
    return _convolution(
        layers.GatedMaskedConv2D, reach.gated_window, name, *args, **arguments
    )


def _head(name, channels=1, **arguments):
    return LayerCase(
        f"categorical_head_{name}",
        layers.CategoricalHead,
        {"num_levels": 4, "channels": channels, **arguments},
        in_features=2 * channels,
        reach=reach.window((1, 1), "B"),
        channels=channels,
    )


def _scale(name, channels=1, **arguments):
    return LayerCase(
        f"scale_levels_{name}",
        layers.ScaleLevels,
        {"num_levels": 4, **arguments},
        in_features=channels,
        reach=reach.same_channel,
        channels=channels,
    )


LAYERS = [
    _masked("a_grey", 3, "A"),
    _masked("a_rgb", 3, "A", channels=3),
    _masked("a_wide", (1, 5), "A", channels=2),
    _masked("a_tall", (5, 1), "A"),
    _masked("b_grey", (5, 3), "B"),
    _masked("b_rgb", 3, "B", channels=3),
    _masked("b_1x1_no_bias", 1, "B", channels=2, use_bias=False),
    _dilated("b_wide", (1, 3), "B", (1, 3)),
    _dilated("a_grey", 3, "A", (2, 1)),
    _dilated("b_two_channels", (3, 5), "B", (1, 2), channels=2),
    _gated("a_grey", 3, "A"),
    _gated("a_rgb", (3, 5), "A", channels=3),
    _gated("b_grey", (5, 3), "B"),
    _gated("b_rgb", 3, "B", channels=3),
    _gated("b_1x1", 1, "B", channels=2),
    _head("grey"),
    _head("rgb", channels=3),
    _head("low_rank", channels=2, rank=2),
    _scale("rgb", channels=3),
    _scale("fourier", channels=2, num_frequencies=2),
]

MODELS = [
    ModelCase(
        "pixel_cnn_grey",
        models.PixelCNN,
        {
            **{"image_shape": (4, 5, 1), "num_levels": 4},
            "filters": 8,
            "num_blocks": 1,
            "first_kernel_size": 3,
            "head_filters": 8,
        },
        # Two kernels of 3 in a row: two rows up, and a blind spot.
        reach=reach.pixel_cnn(3, 3),
    ),
    ModelCase(
        "pixel_cnn_rgb",
        models.PixelCNN,
        {
            "image_shape": (3, 4, 3),
            "num_levels": 2,
            "filters": 12,
            "num_blocks": 2,
            "first_kernel_size": 3,
            "head_filters": 0,
            "head_rank": 2,
            "num_frequencies": 1,
            "dropout": 0.5,
            "activation": "gelu",
        },
        reach=reach.pixel_cnn(3, 3, 3),
    ),
    ModelCase(
        "gated_pixel_cnn_grey",
        models.GatedPixelCNN,
        {
            **{"image_shape": (4, 5, 1), "num_levels": 4},
            "filters": 4,
            "num_layers": 2,
            "first_kernel_size": 5,
            "head_filters": 12,
        },
        reach=reach.whole_past,
    ),
    ModelCase(
        "gated_pixel_cnn_two_channels",
        models.GatedPixelCNN,
        {
            "image_shape": (3, 4, 2),
            "num_levels": 3,
            "filters": 12,
            "num_layers": 2,
            "first_kernel_size": 3,
            "head_filters": 0,
            "head_rank": 2,
            "num_frequencies": 1,
            "dropout": 0.5,
        },
        reach=reach.whole_past,
    ),
]
