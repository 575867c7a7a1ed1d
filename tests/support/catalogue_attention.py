"""Attention and its models."""

import numpy as np

from keras_pixel import layers
from keras_pixel import models
from keras_pixel import order
from tests.support import reach
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase


def blocks_1d(query_length, memory_length):
    """Reach of 1D attention, from its words: lengths in pixels."""

    def seen(image_shape):
        channels = image_shape[-1]
        index = order.sequence_index(image_shape)
        start = index // (query_length * channels) * (query_length * channels)
        first = start - memory_length * channels
        seeing = index[..., None, None, None]  # what is seen
        return (seeing <= index) & (seeing >= first)

    return seen


def blocks_2d(query_shape, memory_flange):
    """Reach of 2D attention, from its words: sizes in pixels."""

    def seen(image_shape):
        index = order.sequence_index(image_shape)
        rows, columns, _ = np.indices(image_shape)
        top = rows // query_shape[0] * query_shape[0]
        left = columns // query_shape[1] * query_shape[1]
        right = left + query_shape[1] - 1
        row, column = (
            rows[..., None, None, None],
            columns[..., None, None, None],
        )
        near = (
            (row >= top - memory_flange[0])
            & (column >= left - memory_flange[1])
            & (column <= right + memory_flange[1])
        )
        return near & (index[..., None, None, None] <= index)

    return seen


def _layer(name, layer_class, seen, channels=1, hidden_dim=4, **arguments):
    return LayerCase(
        name,
        layer_class,
        {"channels": channels, **arguments},
        in_features=channels * hidden_dim,
        reach=seen,
        channels=channels,
    )


def _local_1d(name, query_length, memory_length, **arguments):
    return _layer(
        f"local_attention_1d_{name}",
        layers.LocalAttention1D,
        blocks_1d(query_length, memory_length),
        query_length=query_length,
        memory_length=memory_length,
        **arguments,
    )


def _local_2d(name, query_shape, memory_flange, **arguments):
    return _layer(
        f"local_attention_2d_{name}",
        layers.LocalAttention2D,
        blocks_2d(query_shape, memory_flange),
        query_shape=query_shape,
        memory_flange=memory_flange,
        **arguments,
    )


def _keras(class_name, **config):
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": config,
    }


LAYERS = [
    _layer(
        "causal_attention_grey",
        layers.CausalAttention,
        reach.past_and_self,
        num_heads=2,
    ),
    _layer(
        "causal_attention_rgb",
        layers.CausalAttention,
        reach.past_and_self,
        channels=3,
        num_heads=1,
    ),
    # Blocks of 7 pixels that end inside rows of 4 and 5; memory of a part of
    # a block, of more than one block, and none.
    _local_1d("grey", 7, 2, num_heads=2),
    _local_1d("long_memory", 2, 3, num_heads=1, channels=2),
    _local_1d("rgb", 5, 0, num_heads=2, channels=3),
    _local_2d("grey", (2, 3), (1, 1), num_heads=2),
    _local_2d("rgb", (2, 3), (3, 2), num_heads=1, channels=3),
    # Only a part of the columns is read in a step.
    _local_2d("narrow", (3, 1), (0, 0), num_heads=1, channels=2),
    _layer(
        "per_sub_pixel_grey",
        layers.PerSubPixel,
        reach.same_channel,
        layers=[_keras("Dense", units=3)],
    ),
    _layer(
        "per_sub_pixel_rgb",
        layers.PerSubPixel,
        reach.same_channel,
        channels=3,
        layers=[
            _keras("RMSNormalization"),
            _keras("Dense", units=3, activation="tanh"),
            _keras("LayerNormalization"),
        ],
    ),
    _layer(
        "positional_encoding_2d_learned",
        layers.PositionalEncoding2D,
        reach.same_channel,
        channels=3,
    ),
    _layer(
        "positional_encoding_2d_sinusoidal",
        layers.PositionalEncoding2D,
        reach.same_channel,
        channels=2,
        hidden_dim=5,
        kind="sinusoidal",
    ),
]


def _model(name, seen, image_shape, **arguments):
    return ModelCase(
        f"image_transformer_{name}",
        models.ImageTransformer,
        {
            "image_shape": image_shape,
            "num_levels": 3,
            "num_layers": 1,
            "hidden_dim": 4,
            "num_heads": 2,
            "intermediate_dim": 6,
            **arguments,
        },
        reach=seen,
    )


MODELS = [
    _model(
        "full_grey",
        reach.whole_past,
        (3, 4, 1),
        attention="full",
        positional_encoding="learned",
        dropout=0.5,
    ),
    _model(
        "1d_rgb",
        # The head lets a channel see what the channels before it have seen.
        reach.chain(
            reach.one_before, blocks_1d(4, 1), reach.window((1, 1), "B")
        ),
        (2, 5, 3),
        query_shape=(1, 4),
        memory_flange=(0, 1),
        activation="gelu",
    ),
    _model(
        "2d_two_channels",
        reach.chain(
            reach.window((3, 3), "A"),
            blocks_2d((2, 2), (1, 1)),
            blocks_2d((2, 2), (1, 1)),
            reach.window((1, 1), "B"),
        ),
        (4, 5, 2),
        attention="local_2d",
        num_layers=2,
        query_shape=(2, 2),
        memory_flange=(1, 1),
        positional_encoding=None,
        first_kernel_size=3,
        num_frequencies=1,
        head_rank=2,
    ),
]
