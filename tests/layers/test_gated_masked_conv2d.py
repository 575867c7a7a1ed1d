"""The two stacks: what each sees, and the gate, by hand."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import GatedMaskedConv2D
from tests.support.catalogue import randomize
from tests.support.reach import as_grid


def seen_by(output, mask_type, place=(2, 2), size=5):
    """Grid of the pixels that stack `output` sees at `place`."""
    inputs = keras.Input((size, size, 2))
    layer = GatedMaskedConv2D(2, 3, mask_type=mask_type)
    model = randomize(keras.Model(inputs, layer([inputs, inputs])[output]))
    pixels = size * size
    images = np.repeat(np.random.rand(1, size, size, 2), pixels, axis=0)
    changed = images.copy()
    changed.reshape(pixels, pixels, 2)[range(pixels), range(pixels)] += 1.0
    moved = np.asarray(model(images)) != np.asarray(model(changed))
    return as_grid(moved[:, place[0], place[1]].any(-1).reshape(size, size))


def grid(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


def test_vertical_stack_with_mask_a_sees_rows_above_only():
    assert seen_by(0, "A") == grid("""
        .....
        .###.
        .....
        .....
        .....
    """)


def test_vertical_stack_with_mask_b_sees_its_own_row_of_shifted_input():
    assert seen_by(0, "B") == grid("""
        .....
        .###.
        .###.
        .....
        .....
    """)


def test_horizontal_stack_with_mask_a_sees_left_and_above():
    assert seen_by(1, "A") == grid("""
        .....
        .###.
        .#...
        .....
        .....
    """)


def test_gate_of_one_pixel_by_hand():
    layer = GatedMaskedConv2D(1, 3)
    layer.build([(None, 1, 1, 1), (None, 1, 1, 1)])
    for weight in layer.weights:
        weight.assign(np.zeros(weight.shape))
    # The horizontal kernel's centre tap makes a = 2 h and b = 3 h.
    layer.horizontal.kernel.assign([[[[0, 0]], [[2, 3]], [[0, 0]]]])
    layer.output_convolution.kernel.assign([[[[1.0]]]])
    pixel = np.full((1, 1, 1, 1), 0.5, "float32")
    vertical, horizontal = layer([pixel, pixel])
    # Residual 0.5 + tanh(1) * sigmoid(1.5).
    expected = 0.5 + 0.76159416 * 0.81757448
    assert float(horizontal[0, 0, 0, 0]) == pytest.approx(expected, abs=1e-6)
    assert float(vertical[0, 0, 0, 0]) == 0.0


def test_mask_a_has_no_residual_connection():
    layer = GatedMaskedConv2D(1, 3, mask_type="A")
    layer.build([(None, 2, 2, 1), (None, 2, 2, 1)])
    for weight in layer.weights:
        weight.assign(np.zeros(weight.shape))
    image = np.ones((1, 2, 2, 1), "float32")
    assert not np.asarray(layer([image, image])[1]).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filters": 5, "channels": 2}, "filters=5, channels=2. Use 4 or 6"),
        ({"kernel_size": 2}, "must be an odd positive integer"),
        (
            {"kernel_size": (1, 3), "mask_type": "A"},
            r"at least 3 high.*Received: kernel_size=\(1, 3\)",
        ),
        ({"mask_type": "C"}, "`mask_type` must be"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        GatedMaskedConv2D(**{"filters": 4, "kernel_size": 3, **arguments})


def test_residual_that_does_not_fit_is_refused():
    layer = GatedMaskedConv2D(4, 3)
    with pytest.raises(ValueError, match="Received: 6 features, filters=4"):
        layer.build([(None, 4, 4, 4), (None, 4, 4, 6)])
