"""Which graphs can be stepped along, and how the others are refused."""

import keras
import numpy as np
import pytest

from keras_pixel import layers
from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.nodes import split_channels
from keras_pixel.sampling.pointwise import pointwise_kind
from tests.support import catalogue
from tests.support.stepping import assert_steps_are_the_call
from tests.support.stepping import lags_of
from tests.support.stepping import step_by_step


def graph(build, channels=1):
    images = keras.Input((3, 4, channels), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = build(
        layers.MaskedConv2D(6, 3, "A", channels=channels, name="first")(x)
    )
    head = layers.CategoricalHead(4, channels=channels)
    return keras.Model(images, head(x))


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (keras.layers.ReLU(), "element"),
        (keras.layers.Activation("gelu"), "element"),
        (keras.layers.Activation("softmax"), "pixel"),
        (keras.layers.Add(), "element"),
        (keras.layers.Concatenate(), "element"),
        (keras.layers.Concatenate(axis=1), None),
        (keras.layers.Dropout(0.5), "element"),
        (keras.layers.Rescaling(2.0), "element"),
        (keras.layers.Dense(3), "pixel"),
        (keras.layers.Conv2D(3, 1), "pixel"),
        (keras.layers.Conv2D(3, 1, strides=2), None),
        (keras.layers.Conv2D(3, 3), None),
        (keras.layers.LayerNormalization(), "pixel"),
        (keras.layers.LayerNormalization(axis=(1, 2)), None),
        (keras.layers.BatchNormalization(), "pixel"),
        (keras.layers.BatchNormalization(axis=1), None),
        (keras.layers.Flatten(), None),
        (keras.layers.GlobalAveragePooling2D(), None),
        (layers.ScaleLevels(4), "element"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_kinds_of_layers(layer, kind):
    assert pointwise_kind(layer) == kind


@pytest.mark.parametrize(
    "name",
    "relu celu elu gelu hard_tanh leaky_relu relu6 selu sigmoid silu softplus "
    "softsign squareplus tanh exponential log_sigmoid".split(),
)
def test_activations_as_functions_work_feature_by_feature(name):
    x = getattr(keras.activations, name)(keras.Input((2, 2, 3)))
    assert pointwise_kind(x._keras_history.operation) == "element"


def test_array_for_each_feature_is_no_work_of_one_group():
    scale = np.arange(6, dtype="float32")
    DecodingGraph(graph(lambda x: x * scale))
    with pytest.raises(ValueError, match="not causal"):
        step_by_step(
            graph(lambda x: x * scale, channels=3), np.zeros((1, 3, 4, 3))
        )


def test_layer_that_looks_around_is_refused_by_name():
    pool = keras.layers.AveragePooling2D(3, 1, padding="same", name="culprit")
    with pytest.raises(
        NotImplementedError,
        match=r'Received: AveragePooling2D \(name="culprit"\).*"naive"',
    ):
        DecodingGraph(graph(pool))


def test_layer_that_mixes_channels_shows_them_to_later_pixels_only():
    dense = keras.layers.Dense(6, name="culprit")
    DecodingGraph(graph(dense))
    with pytest.raises(ValueError, match=r"not causal"):
        step_by_step(graph(dense, channels=3), np.zeros((1, 3, 4, 3)))
    images = keras.Input((3, 4, 3), dtype="int32")
    mixed = keras.layers.Dense(6)(layers.ScaleLevels(4)(images))
    x = layers.MaskedConv2D(6, 3, "A")(keras.layers.ReLU()(mixed))
    head = layers.CategoricalHead(4, channels=3, whole_pixel=True)
    model = catalogue.randomize(keras.Model(images, head([x, images])))
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 3))
    assert_steps_are_the_call(model, levels)


def test_layer_of_other_channels_is_refused_by_name():
    convolution = layers.MaskedConv2D(6, 3, channels=2, name="culprit")
    with pytest.raises(
        NotImplementedError, match='channels=2 in .*"culprit".*with 3'
    ):
        DecodingGraph(graph(convolution, channels=3))


def test_models_inside_a_model_are_looked_into():
    inner = keras.Input((3, 4, 6))
    inner = keras.Model(
        inner, layers.MaskedConv2D(6, 3)(keras.layers.ReLU()(inner))
    )
    chain = keras.Sequential([layers.MaskedConv2D(6, (3, 1)), inner])
    model = catalogue.randomize(graph(lambda x: chain(inner(x))))
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    assert_steps_are_the_call(model, levels)


def test_lag_is_the_largest_that_a_layer_needs():
    def lag_of(build):
        return DecodingGraph(graph(build)).lag

    assert lag_of(lambda x: x) == 2  # the first 3×3 kernel
    assert lag_of(layers.MaskedConv2D(6, (3, 7))) == 4
    assert lag_of(layers.MaskedConv2D(6, (3, 7), lag=1)) == 2
    assert lag_of(layers.MaskedConv2D(6, (1, 7))) == 2
    assert lag_of(layers.RowLSTM(6, 5)) == 3
    assert lag_of(layers.DiagonalLSTM(6)) == 2
    assert lag_of(layers.DiagonalBiLSTM(6)) is None
    assert lag_of(layers.CausalAttention(2)) is None
    assert lag_of(layers.CausalAttention(2, lag=3)) == 3


def test_lag_that_is_too_small_is_refused():
    model = graph(layers.MaskedConv2D(6, (3, 5)))
    assert DecodingGraph(model).schedule(2, lag=3).lag == 3
    with pytest.raises(ValueError, match="`lag` must be at least the model's"):
        DecodingGraph(model).schedule(2, lag=2)


def test_vertical_stack_that_is_not_shifted_is_refused():
    gated = layers.GatedMaskedConv2D(6, 3, name="culprit")
    with pytest.raises(ValueError, match='mask_type "A".*"culprit"'):
        DecodingGraph(graph(lambda x: gated([x, x])[1]))


@pytest.mark.parametrize("channels", [1, 3])
def test_graph_without_mask_a_is_refused(channels):
    images = keras.Input((2, 2, channels), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = layers.MaskedConv2D(6, 3, channels=channels, name="culprit")(x)
    model = keras.Model(images, x)
    with pytest.raises(ValueError, match="not causal.*culprit"):
        assert_steps_are_the_call(model, np.zeros((1, 2, 2, channels), int))


def test_image_added_at_the_end_is_refused():
    images = keras.Input((2, 2, 1), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    model = keras.Model(images, x + layers.MaskedConv2D(1, 3, mask_type="A")(x))
    with pytest.raises(ValueError, match="not causal: .*channel 0 of 1"):
        assert_steps_are_the_call(model, np.zeros((1, 2, 2, 1), int))


def test_normalisation_dense_and_operations_are_stepped():
    def build(x):
        x = keras.layers.LayerNormalization()(x)
        x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(x))
        x = keras.ops.tanh(x) * keras.ops.sigmoid(-x) + 0.5
        x = keras.layers.Concatenate()([x, keras.activations.relu(x)])
        return keras.layers.Conv2D(4, 1)(keras.layers.GaussianNoise(1.0)(x))

    model = graph(build)
    random = np.random.default_rng(0)
    for weight in model.weights:  # variances must be above 0
        weight.assign(random.uniform(0.1, 1.0, weight.shape))
    assert_steps_are_the_call(model, random.integers(4, size=(2, 3, 4, 1)))


def test_layer_used_twice_has_two_states():
    shared = layers.MaskedConv2D(6, 3)
    model = catalogue.randomize(graph(lambda x: shared(shared(x))))
    images = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    assert_steps_are_the_call(model, images)


def test_split_channels_takes_interleaved_features():
    features = np.arange(6, dtype="float32").reshape(1, 6)
    parts = [np.asarray(x).tolist() for x in split_channels(features, 3)]
    assert parts == [[[0, 3]], [[1, 4]], [[2, 5]]]


def test_optimizer_of_a_compiled_model_is_left_alone():
    class Local(keras.optimizers.Adam):  # cannot be made from its config
        def __init__(self):
            super().__init__(0.01)

        def get_config(self):
            raise NotImplementedError

    convolution = layers.MaskedConv2D(4, 3)
    model = graph(convolution)
    model.compile(Local(), loss="mse")
    assert DecodingGraph(model).nodes


def test_function_in_an_activation_is_tried():
    def mixing(x):
        return x - keras.ops.mean(x, axis=-1, keepdims=True)

    kinds = {mixing: "pixel", lambda x: x * 0.5: "element"}
    for function, kind in kinds.items():
        assert pointwise_kind(keras.layers.Activation(function)) == kind
    model = graph(keras.layers.Activation(mixing), channels=3)
    with pytest.raises(ValueError, match="not causal"):
        step_by_step(model, np.zeros((1, 3, 4, 3)))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_are_stepped_in_the_dtype_of_the_input(dtype):
    images = keras.Input((3, 4, 1), dtype=dtype)
    x = (images - 2) / 2  # wraps around in uint8
    x = layers.MaskedConv2D(6, 3, "A")(x)
    model = keras.Model(images, layers.CategoricalHead(4)(x))
    catalogue.randomize(model)
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    expected = model(levels.astype(dtype), training=False)
    np.testing.assert_allclose(
        step_by_step(model, levels), expected, rtol=1e-4, atol=1e-5
    )


def test_other_number_for_each_column_is_refused_by_name():
    scale = np.arange(4, dtype="float32")[:, None]
    with pytest.raises(NotImplementedError, match="Multiply"):
        DecodingGraph(graph(lambda x: x * scale))


def test_arguments_by_keyword():
    model = graph(lambda x: keras.layers.Dense(6)(inputs=x))
    catalogue.randomize(model)
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    assert_steps_are_the_call(model, levels)


def test_after_the_head_layers_work_on_each_channel():
    images = keras.Input((3, 4, 3), dtype="int32")
    x = layers.MaskedConv2D(6, 3, "A", channels=3)(
        layers.ScaleLevels(4)(images)
    )
    x = layers.CategoricalHead(4, channels=3)(x)
    x = keras.layers.Dense(4)(x) * np.arange(4, dtype="float32")
    x = keras.layers.Rescaling(np.float32(2))(keras.ops.log_softmax(x))
    model = catalogue.randomize(keras.Model(images, x))
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 3))
    assert_steps_are_the_call(model, levels)


def test_more_operations_are_stepped():
    def build(x):
        x = keras.ops.concatenate([x, keras.ops.where(x > 0.1, x, -x)], axis=-1)
        return keras.layers.Softmax()(keras.ops.logaddexp(x, 0.5 * x))

    model = catalogue.randomize(graph(build))
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    assert_steps_are_the_call(model, levels)


def test_vertical_stack_may_have_any_number_of_features():
    def build(x):
        vertical, x = layers.GatedMaskedConv2D(6, 3, "A", channels=3)([x, x])
        vertical = keras.layers.Dense(4)(vertical)
        return layers.GatedMaskedConv2D(6, 3, channels=3)([vertical, x])[1]

    model = catalogue.randomize(graph(build, channels=3))
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 3))
    assert_steps_are_the_call(model, levels)


def test_layers_of_other_dtype_policies_are_stepped():
    model = graph(
        lambda x: layers.MaskedConv2D(6, 3)(
            layers.MaskedConv2D(6, 3, dtype="mixed_bfloat16")(x)
        )
    )
    catalogue.randomize(model)
    levels = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    found = step_by_step(model, levels)
    expected = model(levels, training=False)
    np.testing.assert_allclose(found, expected, atol=0.05)


def resampled(x, stride, build=lambda x: x):
    """`x` by a coarser grid and back."""
    size = tuple(x.shape[1:3])
    x = build(layers.DownsampleConv2D(6, stride)(x))
    return layers.UpsampleConv2D(6, size, stride)(x)


def test_strides_that_do_not_divide_each_other_are_stepped():
    model = graph(lambda x: resampled(x, 2) + resampled(x, 3))
    assert DecodingGraph(model).stride == 6
    catalogue.randomize(model)
    images = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    for lag in lags_of(model):
        assert_steps_are_the_call(model, images, lag)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.CausalAttention(2, name="culprit"),
        lambda: layers.ScanlineLSTM(6, name="culprit"),
        lambda: layers.DiagonalBiLSTM(6, name="culprit"),
        lambda: layers.ShiftRight(name="culprit"),
    ],
    ids=["attention", "scanline", "bilstm", "shift"],
)
def test_raster_order_beside_strides_is_refused_by_name(make):
    for build in (
        lambda x: make()(x) + resampled(x, 2),
        lambda x: resampled(x, 2, make()),
    ):
        with pytest.raises(
            NotImplementedError, match='without strided.*"culprit".*"naive"'
        ):
            DecodingGraph(graph(build))


def test_strict_attention_in_raster_order_is_stepped_beside_strides():
    def attend(x):
        both = keras.layers.Concatenate()([x, x])
        return layers.StrictAttention2D(6)([x, both])

    model = graph(lambda x: resampled(x, 2, attend))
    catalogue.randomize(model)
    assert DecodingGraph(model).lag is None
    images = np.random.default_rng(0).integers(4, size=(2, 3, 4, 1))
    assert_steps_are_the_call(model, images)


@pytest.mark.parametrize("shape", [(3, 1, 6), (1, 4, 6), (3, 4, 6), (1, 1, 6)])
def test_condition_is_a_whole_map_or_the_same_for_all_pixels(shape):
    images = keras.Input((3, 4, 1), dtype="int32")
    condition = keras.Input(shape)
    x = layers.MaskedConv2D(6, 3, "A")(layers.ScaleLevels(4)(images))
    x = layers.CategoricalHead(4)(x + condition)
    model = catalogue.randomize(keras.Model([images, condition], x))
    if shape[0] * shape[1] in (1, 12):
        random = np.random.default_rng(0)
        levels = random.integers(4, size=(2, 3, 4, 1))
        values = random.normal(size=(2, *shape)).astype("float32")
        assert_steps_are_the_call(model, levels, conditions=[values])
    else:
        with pytest.raises(NotImplementedError, match="Repeat it to a whole"):
            DecodingGraph(model)
