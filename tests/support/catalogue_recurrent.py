"""Recurrent layers and their models."""

from keras_pixel import layers
from keras_pixel import models
from tests.support import reach
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase


def _lstm(layer_class, name, layer_reach, channels=1, **arguments):
    return LayerCase(
        name,
        layer_class,
        {"filters": 2 * channels, "channels": channels, **arguments},
        in_features=2 * channels,
        reach=layer_reach,
        channels=channels,
    )


def _scanline(name, channels, hidden_dim=3):
    return LayerCase(
        name,
        layers.ScanlineLSTM,
        {"hidden_dim": hidden_dim, "channels": channels},
        in_features=2 * channels,
        reach=reach.past_and_self,
        channels=channels,
    )


LAYERS = [
    _lstm(layers.RowLSTM, "row_lstm_grey", reach.row_lstm(3)),
    _lstm(
        layers.RowLSTM,
        "row_lstm_rgb",
        reach.row_lstm(1),
        channels=3,
        kernel_size=1,
    ),
    _lstm(
        layers.RowLSTM,
        "row_lstm_wide",
        reach.row_lstm(5),
        channels=2,
        kernel_size=5,
    ),
    _lstm(layers.DiagonalLSTM, "diagonal_lstm_grey", reach.above_and_left),
    _lstm(
        layers.DiagonalLSTM,
        "diagonal_lstm_two_channels",
        reach.above_and_left,
        channels=2,
    ),
    _lstm(layers.DiagonalBiLSTM, "diagonal_bilstm_grey", reach.past_and_self),
    _lstm(
        layers.DiagonalBiLSTM,
        "diagonal_bilstm_rgb",
        reach.past_and_self,
        channels=3,
    ),
    _scanline("scanline_lstm_grey", channels=1),
    _scanline("scanline_lstm_two_channels", channels=2),
]

MODELS = [
    ModelCase(
        "pixel_rnn_row_lstm_grey",
        models.PixelRNN,
        {
            **{"image_shape": (4, 5, 1), "num_levels": 3},
            "variant": "row_lstm",
            "filters": 4,
            "num_layers": 2,
            "first_kernel_size": 3,
            "head_filters": 12,
        },
        reach=reach.chain(
            reach.window((3, 3), "A"), reach.row_lstm(3), reach.row_lstm(3)
        ),
    ),
    ModelCase(
        "pixel_rnn_diagonal_bilstm_grey",
        models.PixelRNN,
        {
            **{"image_shape": (4, 5, 1), "num_levels": 4},
            "filters": 4,
            "num_layers": 1,
            "first_kernel_size": 3,
            "head_filters": 12,
        },
        reach=reach.whole_past,
    ),
    ModelCase(
        "pixel_rnn_diagonal_bilstm_two_channels",
        models.PixelRNN,
        {
            **{"image_shape": (3, 4, 2), "num_levels": 3},
            "variant": "diagonal_bilstm",
            "filters": 6,
            "num_layers": 2,
            "kernel_size": 3,
            "first_kernel_size": 3,
            "head_filters": 0,
            "head_rank": 2,
            "num_frequencies": 1,
            "dropout": 0.5,
        },
        reach=reach.whole_past,
    ),
    ModelCase(
        "pixel_lstm_embedding_two_channels",
        models.PixelLSTM,
        {
            **{"image_shape": (2, 4, 2), "num_levels": 3},
            "hidden_dim": 6,
            "num_layers": 2,
            "head_rank": 2,
            "dropout": 0.5,
        },
        reach=reach.whole_past,
    ),
    ModelCase(
        "pixel_lstm_scaled_grey",
        models.PixelLSTM,
        {
            **{"image_shape": (3, 4, 1), "num_levels": 4},
            "hidden_dim": 6,
            "num_layers": 1,
            "inputs": "scaled",
            "num_frequencies": 1,
        },
        reach=reach.whole_past,
    ),
]
