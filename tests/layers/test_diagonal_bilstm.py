"""Both directions: the slow loop over pixels, and what each half sees."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import DiagonalBiLSTM
from keras_pixel.layers import GatedMaskedConv2D
from keras_pixel.layers import MaskedConv2D
from keras_pixel.layers import RowLSTM
from keras_pixel.layers import ScaleLevels
from tests.support import reach
from tests.support import slow_lstm
from tests.support.cases import randomize
from tests.support.reach import measured_reach
from tests.support.stepping import assert_steps_are_the_call


@pytest.mark.parametrize("size", [(3, 5), (5, 4), (1, 6), (4, 1)], ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("with_more", [False, True])
def test_equals_the_slow_loop(size, channels, with_more):
    layer = DiagonalBiLSTM(2 * channels, channels=channels)
    random = np.random.default_rng(0)
    images = random.normal(size=(2, *size, 3 * channels))
    more = random.normal(size=(2, *size, channels)) if with_more else None
    inputs = [images, more] if with_more else images
    layer(inputs)
    randomize(layer)
    expected = [
        slow_lstm.diagonal_bilstm(layer, image, more[i] if with_more else None)
        for i, image in enumerate(images)
    ]
    np.testing.assert_allclose(layer(inputs), expected, atol=1e-5)


def after_mask_a(with_image):
    """Reach of a 3×3 convolution with mask A, then the layer."""
    image = keras.Input((3, 5, 1))
    hidden = MaskedConv2D(4, 3, mask_type="A")(image)
    inputs = [hidden, image] if with_image else hidden
    model = keras.Model(image, DiagonalBiLSTM(4)(inputs))
    return measured_reach(randomize(model), 1)


def test_sees_the_whole_past_behind_mask_a_given_the_image():
    expected = reach.whole_past((3, 5, 1))
    np.testing.assert_array_equal(after_mask_a(with_image=True), expected)


def test_without_the_image_the_end_of_the_row_above_is_hidden():
    seen = after_mask_a(with_image=False)[:, :, 0, 2, 1, 0]
    assert reach.as_grid(seen) == "#####\n####.\n#...."


@pytest.mark.parametrize("layer_class", [DiagonalBiLSTM, RowLSTM])
def test_steps_on_inputs_that_are_known_by_row(layer_class):
    images = keras.Input((3, 4, 2), dtype="int32")
    x = ScaleLevels(2)(images)
    vertical, _ = GatedMaskedConv2D(4, 3, mask_type="A", channels=2)([x, x])
    model = keras.Model(images, layer_class(4, channels=2)(vertical))
    images = np.random.default_rng(0).integers(2, size=(2, 3, 4, 2))
    assert_steps_are_the_call(randomize(model), images)


def test_number_of_weights_by_hand():
    layer = DiagonalBiLSTM(4)
    layer.build((None, 5, 5, 8))
    assert layer.count_params() == 2 * (8 * 16 + 2 * 4 * 16 + 16)


def test_features_that_do_not_split_are_refused():
    with pytest.raises(ValueError, match="`filters` must be divisible"):
        DiagonalBiLSTM(4, channels=3)
    layer = DiagonalBiLSTM(3, channels=3)
    with pytest.raises(ValueError, match="`in_features` must be divisible"):
        layer.build([(None, 4, 4, 3), (None, 4, 4, 2)])


@pytest.mark.parametrize(
    "shapes",
    [
        [(None, 4, 4, 2)] * 3,
        [(None, 4, 4, 2), (None, 4, 5, 2)],
        [(None, 4, 4, 2), (None, 4, 2)],
        (None, 4, 2),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="one tensor .* or two of the same"):
        DiagonalBiLSTM(4).build(shapes)
