"""Attention to what a wavefront has drawn before."""

from keras_pixel import layers
from keras_pixel import models
from tests.support import reach
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase
from tests.support.catalogue_attention import blocks_1d
from tests.support.catalogue_attention import blocks_2d


def _layer(name, layer_class, seen, lag, channels=1, **arguments):
    return LayerCase(
        f"{name}_wavefront",
        layer_class,
        {"num_heads": 2, "channels": channels, "lag": lag, **arguments},
        in_features=4 * channels,
        reach=reach.on_wavefront(seen, lag),
        channels=channels,
    )


LAYERS = [
    _layer(
        "causal_attention", layers.CausalAttention, reach.past_and_self, 2, 2
    ),
    # Blocks over several rows.
    _layer(
        "local_attention_1d",
        layers.LocalAttention1D,
        blocks_1d(7, 3),
        1,
        query_length=7,
        memory_length=3,
    ),
    _layer(
        "local_attention_2d",
        layers.LocalAttention2D,
        blocks_2d((2, 3), (1, 2)),
        1,
        channels=2,
        query_shape=(2, 3),
        memory_flange=(1, 2),
    ),
]


def _model(name, seen, image_shape, lag, **arguments):
    return ModelCase(
        f"image_transformer_wavefront_{name}",
        models.ImageTransformer,
        {
            "image_shape": image_shape,
            "num_levels": 3,
            "num_layers": 1,
            "hidden_dim": 4,
            "num_heads": 2,
            "intermediate_dim": 6,
            "first_kernel_size": 3,
            "lag": lag,
            **arguments,
        },
        reach=reach.chain(
            reach.on_wavefront(reach.window((3, 3), "A"), lag),
            reach.on_wavefront(seen, lag),
            reach.window((1, 1), "B"),
        ),
    )


MODELS = [
    _model(
        "full_grey",
        reach.past_and_self,
        (3, 5, 1),
        2,
        attention="full",
        dropout=0.5,
    ),
    _model(
        "2d_two_channels",
        blocks_2d((2, 2), (1, 1)),
        (4, 5, 2),
        1,
        attention="local_2d",
        query_shape=(2, 2),
        memory_flange=(1, 1),
    ),
]
