"""Layers that make a sequence of sub-pixels."""

from keras_pixel import layers
from tests.support import reach
from tests.support.cases import LayerCase


def _embed(name, channels):
    return LayerCase(
        f"embed_levels_{name}",
        layers.EmbedLevels,
        {"num_levels": 4, "hidden_dim": 2, "channels": channels},
        in_features=channels,
        reach=reach.same_channel,
        channels=channels,
        takes_levels=True,
    )


def _shift(name, channels, in_features):
    return LayerCase(
        f"shift_right_{name}",
        layers.ShiftRight,
        {"channels": channels},
        in_features=in_features,
        reach=reach.one_before,
        channels=channels,
        mask_type="A",
    )


LAYERS = [
    _embed("grey", 1),
    _embed("rgb", 3),
    _shift("grey", 1, 1),
    _shift("rgb", 3, 6),
]
MODELS: list = []
