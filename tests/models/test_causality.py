"""`check_causality` on models that leak, each in its own way."""

import keras
import numpy as np
import pytest

from keras_pixel import check_causality
from keras_pixel import layers
from keras_pixel.models.causality_probe import Probe
from tests.support.catalogue import randomize


def graph(build, channels=1, size=(4, 5), num_levels=4):
    """`build` of scaled images, then logits."""
    images = keras.Input((*size, channels), dtype="int32")
    features = build(layers.ScaleLevels(num_levels)(images))
    head = layers.CategoricalHead(num_levels, channels=channels)
    return randomize(keras.Model(images, head(features)))


def first(features=6, channels=1):
    return layers.MaskedConv2D(
        features, 3, mask_type="A", channels=channels, name="first"
    )


def wrong_mask(x):
    return layers.MaskedConv2D(4, 3, mask_type="B", name="culprit")(x)


def plain_convolution(x):
    return keras.layers.Conv2D(4, 3, padding="same", name="culprit")(first()(x))


def residual_around_first(x):
    return keras.layers.Add(name="culprit")([x, first(1)(x)])


def one_row_down(x):
    """Sees the pixel below: rolled the wrong way."""
    below = keras.layers.ZeroPadding2D(((0, 1), (0, 0)))(x)
    below = keras.layers.Cropping2D(((1, 0), (0, 0)), name="culprit")(below)
    return keras.layers.Concatenate()([first()(x), below])


@pytest.mark.parametrize(
    ("build", "seen_from", "seen"),
    [
        (wrong_mask, (0, 0, 0), (0, 0, 0)),
        (plain_convolution, (0, 0, 0), r"\(0, 0, 0\)"),
        (residual_around_first, (0, 0, 0), (0, 0, 0)),
        (one_row_down, (0, 0, 0), (1, 0, 0)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_leak_is_named_with_its_layer(build, seen_from, seen):
    with pytest.raises(ValueError, match="not causal") as caught:
        check_causality(graph(build))
    message = str(caught.value)
    assert f"(row, column, channel) = {seen_from} change with" in message
    assert '(name="culprit")' in message
    if isinstance(seen, tuple):
        assert f"with the value at {seen}." in message


def test_leak_between_channels_is_named():
    def mix(x):
        return keras.layers.Dense(6, name="culprit")(first(6, 3)(x))

    with pytest.raises(ValueError, match=r'Dense \(name="culprit"\)') as caught:
        check_causality(graph(mix, channels=3))
    assert "channel) = (0, 0, 0) change with the value at (0, 0, " in str(
        caught.value
    )


def test_leak_at_one_place_only_is_found():
    # The last row of the image sees its own value, no other does.
    class LastRow(keras.layers.Layer):
        def call(self, inputs):
            x, leak = inputs
            return keras.ops.concatenate([x[:, :-1], (x + leak)[:, -1:]], 1)

        def compute_output_shape(self, input_shape):
            return input_shape[0]

    with pytest.raises(ValueError, match=r"\(3, 0, 0\) change .*\(3, 0, 0\)"):
        check_causality(graph(lambda x: LastRow()([first()(x), x])))


def test_model_that_sees_nothing_is_refused():
    with pytest.raises(ValueError, match="sees nothing.*channel 0 that"):
        check_causality(graph(lambda x: x * 0.0))


def test_channel_that_sees_nothing_is_refused():
    class NoGreen(keras.layers.Layer):
        def call(self, inputs):
            return inputs * np.array([1.0, 0.0, 1.0], "float32")

    # Red's features are made of nothing but its own, and so on.
    model = graph(lambda x: NoGreen()(first(3, 3)(x)), channels=3)
    head = model.layers[-1]
    head.kernel.assign(np.kron(np.eye(3), np.ones((1, 4))))
    with pytest.raises(ValueError, match="sees nothing.*channel 1 that"):
        check_causality(model)


def test_model_whose_relus_are_all_off_is_refused():
    def dead(x):
        return keras.layers.ReLU()(first()(x) - 1e3)

    with pytest.raises(ValueError, match="sees nothing.*ReLUs that are 0"):
        check_causality(graph(dead))


def test_model_that_mixes_images_is_refused():
    def mix(x):
        x = first()(x)
        return x - keras.ops.mean(x, axis=0, keepdims=True)

    with pytest.raises(ValueError, match="other images of its batch"):
        check_causality(graph(mix))


def test_floats_and_sequential_models_are_checked():
    def sequential(mask_type):
        return keras.Sequential(
            [
                keras.Input((4, 5, 1)),
                layers.MaskedConv2D(4, 3, mask_type, name="culprit"),
                keras.layers.Dense(4),  # no axis for the channel
            ]
        )

    check_causality(sequential("A"))
    with pytest.raises(ValueError, match='"culprit"'):
        check_causality(sequential("B"))


def test_any_function_of_images_is_checked():
    class Shift(keras.Model):
        def call(self, images):
            images = keras.ops.cast(images, "float32")
            return keras.ops.pad(
                images[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]]
            )

    check_causality(Shift(), image_shape=(3, 3, 2), num_levels=4)
    with pytest.raises(ValueError, match="Pass `image_shape="):
        check_causality(Shift())


def test_large_images_are_tested_at_some_places(monkeypatch):
    model = graph(lambda x: first()(x), size=(16, 16))
    calls, run = [], Probe.run

    def counted(probe, images, *args):
        calls.append(len(images))
        return run(probe, images, *args)

    monkeypatch.setattr(Probe, "run", counted)
    check_causality(model, max_positions=20, num_images=1)
    assert 20 <= sum(calls) < 100
    with pytest.raises(ValueError, match='"culprit"'):
        check_causality(graph(wrong_mask, size=(16, 16)), max_positions=5)


@pytest.mark.parametrize(
    ("build", "options", "words"),
    [
        (
            lambda images: keras.ops.mean(images, axis=(1, 2)),
            {},
            "parameters must have the shape .*= ",
        ),
        (lambda images: images, {"num_levels": None}, "`num_levels` must be"),
    ],
    ids=["shape", "num_levels"],
)
def test_model_that_does_not_fit_is_refused(build, options, words):
    images = keras.Input((4, 5, 3), dtype="int32")
    model = keras.Model(images, build(images))
    with pytest.raises(ValueError, match=words):
        check_causality(model, **{"num_levels": 4, **options})


def test_second_input_is_refused():
    images, other = (keras.Input((4, 5, 1)) for _ in range(2))
    with pytest.raises(ValueError, match="one input.*Received: 2 inputs"):
        check_causality(keras.Model([images, other], images + other))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_positions": 0}, "`max_positions` must be an integer"),
        ({"num_images": 1.5}, "`num_images` must be an integer"),
        ({"batch_size": -1}, "`batch_size` must be an integer"),
        ({"num_levels": 1}, "`num_levels` must be an integer"),
        ({"image_shape": (4, 5)}, "`image_shape` must be three"),
        ({"seed": -1}, "`seed` must be an integer"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_wrong_argument_is_refused(options, words):
    images = keras.Input((4, 5, 1), dtype="int32")
    with pytest.raises(ValueError, match=words):
        check_causality(keras.Model(images, images), **options)


def test_output_that_is_nan_is_named():
    model = graph(lambda x: first()(x) * float("nan"))
    with pytest.raises(ValueError, match="must be finite.*that are NaN"):
        check_causality(model)
