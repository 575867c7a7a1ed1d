"""Are graphs that users may build causal, and the same in both ways?"""

from unittest import mock

import hypothesis
import keras
import numpy as np
from hypothesis import strategies as st

from keras_pixel import check_causality
from keras_pixel import layers
from keras_pixel.sampling import schedule
from tests.support import catalogue
from tests.support.stepping import assert_steps_are_the_call
from tests.support.stepping import lags_of

KERNELS = st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3]))
# Layers that mix all features of a pixel are for one channel only.
MIXERS = {
    "dense": lambda features: keras.layers.Dense(features),
    "norm": lambda features: keras.layers.LayerNormalization(),
    "1x1": lambda features: keras.layers.Conv2D(features, 1),
}
KINDS = "convolution residual join gate activation mix rows diagonals".split()
STEPS = st.tuples(
    st.sampled_from(KINDS),
    KERNELS,
    st.sampled_from(sorted(MIXERS)),
)


def build(image_shape, first_kernel, steps):
    channels = image_shape[-1]
    images = keras.Input(image_shape, dtype="int32")

    def convolve(x, kernel, mask_type="B"):
        return layers.MaskedConv2D(
            2 * channels, kernel, mask_type, channels=channels
        )(x)

    scaled = layers.ScaleLevels(4)(images)
    vertical, x = layers.GatedMaskedConv2D(
        2 * channels, first_kernel, mask_type="A", channels=channels
    )([scaled, scaled])
    x = x + convolve(scaled, first_kernel, "A")
    for kind, kernel, mixer in steps:
        if kind == "convolution":
            x = convolve(x, kernel)
        elif kind == "residual":
            x = keras.layers.Add()([x, convolve(x, kernel)])
        elif kind == "join":
            x = keras.layers.Concatenate()([x, convolve(x, kernel)])
            x = convolve(x, 1)
        elif kind == "gate":
            vertical, x = layers.GatedMaskedConv2D(
                2 * channels, kernel, channels=channels
            )([vertical, x])
        elif kind == "rows":
            x = layers.RowLSTM(2 * channels, kernel[1], channels=channels)(x)
        elif kind == "diagonals":
            x = layers.DiagonalBiLSTM(2 * channels, channels=channels)(x)
        elif kind == "activation":
            x = keras.layers.Dropout(0.5)(keras.activations.gelu(x))
        elif channels == 1:
            x = MIXERS[mixer](2)(x)
    logits = layers.CategoricalHead(4, channels=channels)(x)
    return catalogue.randomize(keras.Model(images, logits))


@hypothesis.given(
    image_shape=st.tuples(
        st.integers(1, 3), st.integers(1, 4), st.integers(1, 3)
    ),
    first_kernel=st.sampled_from([(3, 3), (3, 1), (5, 3)]),
    steps=st.lists(STEPS, max_size=3),
)
@hypothesis.settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_random_graph_is_causal_and_steps_as_it_calls(
    image_shape, first_kernel, steps
):
    model = build(image_shape, first_kernel, steps)
    check_causality(model)
    random = np.random.default_rng(0)
    images = random.integers(4, size=(2, *image_shape))
    assert_steps_are_the_call(model, images)


LEVELS = st.tuples(
    st.sampled_from(["plain", "weight_norm", "blocks"]),
    st.sampled_from([(2, 2), (2, 3), (1, 2)]),
    st.booleans(),
)


def build_strided(image_shape, lag, condition, levels):
    """A network over whole pixels on up to three grids, with conditions."""
    images = keras.Input(image_shape, dtype="int32")
    vector = keras.Input((3,))
    plane = keras.Input((*image_shape[:2], 2))
    scaled = layers.ScaleLevels(4)(images)
    x = layers.BackgroundChannels(coordinates=True)(scaled)
    x = layers.MaskedConv2D(4, 3, "A", lag=lag)(x)
    if condition == "vector":
        shift = keras.layers.Reshape((1, 1, 4))(keras.layers.Dense(4)(vector))
        x = keras.layers.Add()([x, shift])
    elif condition == "map":
        seen = keras.layers.Conv2D(4, 3, padding="same")(plane)
        x = keras.layers.Multiply()([x, seen])
    way_down = []
    for kind, kernel, attends in levels:
        way_down.append(x)
        if kind == "blocks":
            x = layers.DownsampleConv2D(4)(x)
        else:
            x = layers.ShiftedConv2D(
                4, kernel, strides=2, lag=lag, weight_norm=kind != "plain"
            )(x)
        x = keras.layers.Add()([x, layers.MaskedConv2D(4, 3, lag=lag)(x)])
        if attends:
            joined = keras.layers.Concatenate()([x, x])
            x = layers.StrictAttention2D(4, lag=lag)([x, joined])
    for (kind, _, _), wide in zip(levels[::-1], way_down[::-1], strict=True):
        size = wide.shape[1:3]
        if kind == "blocks":
            x = layers.UpsampleConv2D(4, size)(x)
        else:
            x = layers.ShiftedConv2DTranspose(4, (3, 2), size, lag=lag)(x)
        x = keras.layers.Add()([keras.activations.elu(x), wide])
    head = layers.LogisticMixtureHead(
        num_levels=4, channels=image_shape[-1], num_mixtures=2
    )
    model = keras.Model([images, vector, plane], head([x, images]))
    return catalogue.randomize(model)


@hypothesis.given(
    image_shape=st.tuples(
        st.integers(1, 5), st.integers(1, 6), st.integers(1, 3)
    ),
    lag=st.integers(1, 3),
    extra=st.integers(0, 3),
    condition=st.sampled_from(["none", "vector", "map"]),
    levels=st.lists(LEVELS, max_size=2),
    positions=st.sampled_from([2, 256]),
)
@hypothesis.settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_strided_graph_with_conditions_steps_as_it_calls(
    image_shape, lag, extra, condition, levels, positions
):
    model = build_strided(image_shape, lag, condition, levels)
    random = np.random.default_rng(0)
    images = random.integers(4, size=(3, *image_shape))
    conditions = [
        random.normal(size=(3, *x.shape[1:])).astype("float32")
        for x in model.inputs[1:]
    ]
    drawn_along = max(lags_of(model)[0], min(lag + extra, image_shape[1]))
    with mock.patch.object(schedule, "_POSITIONS", positions):
        assert_steps_are_the_call(model, images, drawn_along, conditions)
