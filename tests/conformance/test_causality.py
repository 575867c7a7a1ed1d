"""Does everything see exactly what it should: past, and nothing else?

Two-sided: equality with the expected reach means that the future has exactly
no influence, and that all of the past in reach has some. By changing values
one at a time, and by gradients.
"""

import contextlib

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import models
from keras_pixel import order
from tests.support import catalogue
from tests.support.catalogue import named
from tests.support.catalogue import trainable
from tests.support.reach import as_grid
from tests.support.reach import gradient_reach
from tests.support.reach import measured_reach

SIZES = {1: (4, 5), 2: (3, 4), 3: (3, 4)}


@contextlib.contextmanager
def dtype(name):
    """Within it, layers and arrays are made of this type."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def assert_equal_reach(found, expected):
    expected = np.broadcast_to(expected, found.shape)
    wrong = np.argwhere(found != expected)
    if len(wrong):
        place = tuple(wrong[0][3:])
        grids = [
            as_grid(x[(..., *place)].any(axis=-1)) for x in (found, expected)
        ]
        pytest.fail(
            f"Output at {place} (from {tuple(wrong[0][:3])}), seen:\n"
            + "\nexpected:\n".join(grids)
        )


@pytest.mark.parametrize("case", **named(catalogue.LAYERS))
@pytest.mark.parametrize("proof", ["change", "gradient"])
def test_layer_sees_exactly_its_reach(case, proof):
    if case.takes_levels and proof == "gradient":
        pytest.skip("integers have no gradient")
    height, width = SIZES[case.channels]
    with dtype("float64" if proof == "gradient" else "float32"):
        model = catalogue.randomize(case.on_features(height, width))
    num_levels = 4 if case.takes_levels else None
    if proof == "change":
        found = measured_reach(model, case.channels, num_levels)
    else:
        found = gradient_reach(model, case.channels)
    expected = case.reach((height, width, case.channels))
    assert_equal_reach(found, expected)


@pytest.mark.parametrize("case", **named(catalogue.LAYERS))
def test_expected_reach_of_layer_is_causal(case):
    shape = (4, 5, case.channels)
    allowed = order.is_before(shape)
    if case.mask_type == "B":
        index = order.sequence_index(shape).reshape(-1)
        allowed = allowed | (index[:, None] == index).reshape(allowed.shape)
    assert not (case.reach(shape) & ~allowed).any()


@pytest.mark.parametrize("case", **named(catalogue.MODELS))
def test_model_sees_exactly_its_reach(case):
    model = case.make()
    found = measured_reach(model, case.channels, model.num_levels)
    assert_equal_reach(found, case.reach(model.image_shape))
    assert not (found & ~order.is_before(model.image_shape)).any()


@pytest.mark.parametrize("case", **named(trainable(catalogue.MODELS)))
def test_gradients_of_model_go_exactly_as_far(case):
    with dtype("float64"):
        model = case.make()
    # The layer after the integers makes floats of each sub-pixel by itself.
    floats = model.layers[1].output
    if case.pixel_reach is None:
        outputs, channels, expected = model.outputs, case.channels, case.reach
    else:  # a head that reads the integers, which have no gradient
        outputs = model.get_layer("head").input[:1]
        channels, expected = 1, case.pixel_reach
    found = gradient_reach(keras.Model(floats, outputs[0]), channels)
    shape = (*model.image_shape[:2], channels)
    assert_equal_reach(found, expected(shape))


@pytest.mark.parametrize("case", **named(catalogue.MODELS))
def test_image_sees_no_other_image(case):
    model = case.make()
    images = catalogue.levels(model, 3)
    others = images.copy()
    others[1:] = model.num_levels - 1 - others[1:]
    first, second = (model(x, training=False)[0] for x in (images, others))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("case", **named(catalogue.MODELS))
def test_public_check_passes(case):
    if case.model_class is models.IndependentPixels:
        pytest.skip("sees nothing, which the check refuses")
    assert keras_pixel.check_causality(case.make()) is None
