"""Facts of the paper: what each variant sees, the numbers of weights."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import DiagonalBiLSTM
from keras_pixel.layers import RowLSTM
from keras_pixel.models import PixelRNN
from tests.conformance.test_normalisation import IMAGES
from tests.conformance.test_normalisation import total_probability
from tests.models.test_pixel_cnn import grid
from tests.models.test_pixel_cnn import seen_at
from tests.support.catalogue import levels
from tests.support.catalogue import randomize

SMALL = {"filters": 6, "num_layers": 1, "head_filters": 6}


def test_diagonal_bilstm_sees_the_whole_past_with_one_layer():
    model = PixelRNN((3, 6, 1), 2, **{**SMALL, "first_kernel_size": 3})
    assert seen_at(randomize(model), (2, 2)) == grid("""
        ######
        ######
        ##....
    """)


def test_row_lstm_sees_a_triangle():
    model = PixelRNN(
        (3, 6, 1), 2, "row_lstm", **{**SMALL, "first_kernel_size": 1}
    )
    # A first kernel of one pixel with mask A shows nothing at all.
    assert "#" not in seen_at(randomize(model), (2, 2))
    model = PixelRNN(
        (4, 7, 1), 2, "row_lstm", **{**SMALL, "first_kernel_size": 3}
    )
    assert seen_at(randomize(model), (3, 2)) == grid("""
        ######.
        #####..
        ####...
        ##.....
    """)


@pytest.mark.parametrize("image_shape, num_levels", IMAGES.values(), ids=IMAGES)
def test_row_lstm_is_normalised(image_shape, num_levels):
    model = PixelRNN(image_shape, num_levels, "row_lstm", **SMALL)
    assert total_probability(randomize(model)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("variant", "lstm"),
    [
        ("row_lstm", 3 * 8 * 16 + 3 * 4 * 16 + 16),
        ("diagonal_bilstm", 2 * (8 * 16 + 2 * 4 * 16 + 16)),
    ],
)
def test_number_of_weights_by_hand(variant, lstm):
    model = PixelRNN(
        (5, 5, 1), 4, variant, filters=4, num_layers=2, head_filters=6
    )
    first, expand = 4 * 7 * 8 + 8, 4 * 8 + 8
    head = (8 * 6 + 6) + (6 * 4 + 4)
    # The first Diagonal BiLSTM is given the image too.
    shown = 16 if variant == "diagonal_bilstm" else 0
    assert model.count_params() == first + shown + 2 * (lstm + expand) + head


def test_layers_are_those_of_the_variant():
    for variant, layer_class in (
        ("row_lstm", RowLSTM),
        ("diagonal_bilstm", DiagonalBiLSTM),
    ):
        model = PixelRNN((3, 3, 1), 2, variant, filters=4, num_layers=3)
        found = [isinstance(layer, layer_class) for layer in model.layers]
        assert sum(found) == 3


def test_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="'row_lstm', 'diagonal_bilstm'"):
        PixelRNN((4, 4, 1), 2, variant="bilstm")


@pytest.mark.graphs
def test_trains_with_xla_as_without():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("other backends always compile")
    losses = []
    for jit_compile in (False, True):
        model = randomize(PixelRNN((3, 4, 1), 2, **SMALL))
        model.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
        history = model.fit(
            levels(model, 4), epochs=3, verbose=0, shuffle=False
        ).history
        losses.append(history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
