"""Layers and models over whole pixels, drawn by wavefronts."""

import keras

from keras_pixel import layers
from keras_pixel import models
from tests.support import reach
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase


def _down_and_up(layer, inputs):
    """A coarser grid and back: features of the same size."""
    filters = inputs.shape[-1]
    size = inputs.shape[1:3]
    if isinstance(layer, layers.DownsampleConv2D):
        return layers.UpsampleConv2D(filters, size)(layer(inputs))
    return layer(layers.DownsampleConv2D(filters)(inputs))


def _upsample(name):
    """`UpsampleConv2D` must know the size: it is made when it is called."""

    def call(layer, inputs):
        config = {**layer.get_config(), "size": inputs.shape[1:3]}
        return _down_and_up(type(layer).from_config(config), inputs)

    return LayerCase(
        name,
        layers.UpsampleConv2D,
        {"filters": 2, "size": (4, 5)},
        in_features=2,
        reach=reach.down_and_up,
        call=call,
    )


def _mixture_head(name, channels, **arguments):
    def call(layer, inputs):
        levels = keras.layers.Rescaling(0.0, dtype="float32")(inputs)
        levels = levels[..., :channels]
        return layer([inputs, keras.ops.cast(levels, "int32")])

    return LayerCase(
        f"logistic_mixture_head_{name}",
        layers.LogisticMixtureHead,
        {"channels": channels, "num_levels": 4, "num_mixtures": 2, **arguments},
        in_features=2 * channels,
        reach=reach.window((1, 1), "B"),
        channels=channels,
        call=call,
        decodable=False,  # what stands around it here is not
    )


LAYERS = [
    LayerCase(
        "masked_conv2d_a_lag",
        layers.MaskedConv2D,
        {"filters": 2, "kernel_size": (5, 5), "mask_type": "A", "lag": 1},
        in_features=1,
        reach=reach.on_wavefront(reach.window((5, 5), "A"), 1),
        mask_type="A",
    ),
    LayerCase(
        "masked_conv2d_b_lag",
        layers.MaskedConv2D,
        {"filters": 4, "kernel_size": (3, 7), "lag": 2, "channels": 2},
        in_features=4,
        reach=reach.on_wavefront(reach.window((3, 7), "B"), 2),
        channels=2,
    ),
    LayerCase(
        "concat_elu",
        layers.ConcatELU,
        {},
        in_features=4,
        reach=reach.same_channel,
        channels=2,
    ),
    LayerCase(
        "gated_residual",
        layers.GatedResidual,
        {},
        in_features=4,
        reach=reach.same_channel,
        channels=2,
        call=lambda layer, x: layer([x, layers.ConcatELU()(x)]),
    ),
    LayerCase(
        "scale_shift",
        layers.ScaleShift,
        {},
        in_features=4,
        reach=reach.same_channel,
        channels=2,
        call=lambda layer, x: layer([x, layers.ConcatELU()(x)]),
    ),
    LayerCase(
        "background_channels",
        layers.BackgroundChannels,
        {"coordinates": True},
        in_features=2,
        reach=reach.one_pixel,
        # Two numbers of features are alike: a dense layer makes them two.
        call=lambda layer, x: keras.layers.Dense(2)(layer(x)),
    ),
    LayerCase(
        "downsample_conv2d",
        layers.DownsampleConv2D,
        {"filters": 3},
        in_features=2,
        reach=reach.down_and_up,
        call=_down_and_up,
    ),
    _upsample("upsample_conv2d"),
    _mixture_head("grey", 1),
    _mixture_head("rgb_groups", 3, whole_pixel=False),
]

MODELS = [
    ModelCase(
        "wavefront_pixel_cnn_grey",
        models.WavefrontPixelCNN,
        {
            **{"image_shape": (5, 6, 1), "num_levels": 4},
            "filters": 4,
            "num_resolutions": 2,
            "num_mixtures": 2,
            "first_kernel_size": 3,
            "dropout": 0.5,
        },
        reach=reach.wavefront_pixel_cnn((3, 3), (3, 3), 2),
        pixel_reach=reach.wavefront_pixel_cnn((3, 3), (3, 3), 2),
    ),
    ModelCase(
        "wavefront_pixel_cnn_rgb",
        models.WavefrontPixelCNN,
        {
            **{"image_shape": (4, 4, 3), "num_levels": 4},
            "filters": (4, 6),
            "num_resolutions": 2,
            "kernel_size": (3, 5),
            "first_kernel_size": (3, 5),
            "lag": None,
            "num_mixtures": 2,
            "coordinates": True,
        },
        reach=reach.whole_pixels(
            reach.wavefront_pixel_cnn((3, 5), (3, 5), None)
        ),
        pixel_reach=reach.wavefront_pixel_cnn((3, 5), (3, 5), None),
    ),
    ModelCase(
        "wavefront_pixel_cnn_categorical",
        models.WavefrontPixelCNN,
        {
            **{"image_shape": (3, 4, 3), "num_levels": 2},
            "filters": 4,
            "num_resolutions": 2,
            "first_kernel_size": 3,
            "distribution": "categorical",
        },
        reach=reach.whole_pixels(reach.wavefront_pixel_cnn((3, 3), (3, 3), 2)),
        pixel_reach=reach.wavefront_pixel_cnn((3, 3), (3, 3), 2),
    ),
    ModelCase(
        "pixel_cnn_mixture",
        models.PixelCNN,
        {
            "image_shape": (3, 4, 3),
            "num_levels": 4,
            "filters": 12,
            "num_blocks": 1,
            "first_kernel_size": 3,
            "head_filters": 0,
            "distribution": "logistic_mixture",
            "num_mixtures": 2,
        },
        reach=reach.pixel_cnn(3, 3),
        pixel_reach=lambda shape: reach.pixel_cnn(3, 3)((*shape[:2], 3)).any(
            axis=(2, 5)
        )[:, :, None, :, :, None],
    ),
]
