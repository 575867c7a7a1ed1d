"""How many steps attention with a lag keeps, and that these are enough."""

import itertools

import keras
import numpy as np
import pytest

from keras_pixel import layers
from keras_pixel.sampling.schedule import Schedule
from tests.support.cases import randomize
from tests.support.stepping import assert_steps_are_the_call

HEIGHT, WIDTH, CHANNELS = 7, 6, 2

LAYERS = {
    "1d": (
        layers.LocalAttention1D,
        {"query_length": 5, "memory_length": 4},
    ),
    "1d, a row and more": (
        layers.LocalAttention1D,
        {"query_length": 8, "memory_length": 7},
    ),
    "2d": (
        layers.LocalAttention2D,
        {"query_shape": (2, 2), "memory_flange": (1, 1)},
    ),
}


def make(name, lag):
    layer_class, arguments = LAYERS[name]
    return layer_class(num_heads=2, channels=CHANNELS, lag=lag, **arguments)


def tokens():
    """`(row, column, channel)` of all tokens."""
    sizes = map(range, (HEIGHT, WIDTH, CHANNELS))
    return np.array(list(itertools.product(*sizes)), "int32").T


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("lag", [1, 2, 4, WIDTH])
def test_nothing_older_is_seen(name, lag):
    layer = make(name, lag)
    layer.build((None, HEIGHT, WIDTH, 4 * CHANNELS))
    names = ("row", "column", "channel")
    query = {k: x[:, None] for k, x in zip(names, tokens(), strict=True)}
    key = {k: x[None] for k, x in zip(names, tokens(), strict=True)}
    time = {
        who: token["column"] + lag * token["row"]
        for who, token in (("query", query), ("key", key))
    }
    age = (time["query"] - time["key"])[np.asarray(layer.sees(query, key))]
    grid = Schedule((HEIGHT, WIDTH, CHANNELS), 1, lag).grid
    kept = layer.largest_age(grid)
    assert age.max() <= kept < grid.num_steps - 1
    # A block may begin in the middle of a row, where less is in reach.
    assert kept - age.max() <= WIDTH


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("lag", [2, 3, WIDTH])
def test_steps_are_the_call_when_places_are_used_again(name, lag):
    images = keras.Input((HEIGHT, WIDTH, CHANNELS), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = layers.MaskedConv2D(4 * CHANNELS, 3, "A", channels=CHANNELS, lag=2)(x)
    x = make(name, 2)(x)
    head = layers.CategoricalHead(4, channels=CHANNELS)
    model = randomize(keras.Model(images, head(x)))
    random = np.random.default_rng(0)
    levels = random.integers(4, size=(2, HEIGHT, WIDTH, CHANNELS))
    assert_steps_are_the_call(model, levels, lag)
