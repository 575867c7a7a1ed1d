"""Are graphs that users may build causal, and the same in both ways?"""

import hypothesis
import keras
import numpy as np
from hypothesis import strategies as st

from keras_pixel import check_causality
from keras_pixel import layers
from tests.conformance.test_incremental import assert_step_is_call
from tests.support import catalogue

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
    assert_step_is_call(model, random.integers(4, size=(2, *image_shape)))
