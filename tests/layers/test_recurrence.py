"""The recurrence behind all recurrent layers, its gradient and its forms."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_pixel.layers import recurrence
from keras_pixel.layers.buffers import portable
from tests.support import slow_lstm

OFFSETS = [(0,), (0, -1), (-1, 0, 1), (-2, -1, 0, 1, 2)]


def draw(offsets, directions=2, time=4, positions=3, batch=2, filters=2):
    random = np.random.default_rng(0)
    shapes = (
        (time, directions, positions, batch, 4 * filters),
        (directions, len(offsets) * filters, 4 * filters),
        (time, directions, positions, batch, filters),
    )
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def slow(inputs, kernel, offsets):
    """Place by place."""
    time, directions, positions, batch, size = inputs.shape
    hidden = np.zeros((time, directions, positions, batch, size // 4))
    cells = np.zeros_like(hidden)
    for t, d, p, b in np.ndindex(time, directions, positions, batch):
        gates = inputs[t, d, p, b].astype("float64")
        for part, n in zip(
            np.split(kernel[d], len(offsets)), offsets, strict=True
        ):
            if t and 0 <= p + n < positions:
                gates = gates + hidden[t - 1, d, p + n, b] @ part
        cell = cells[t - 1, d, p, b] if t else np.zeros(size // 4)
        hidden[t, d, p, b], cells[t, d, p, b] = slow_lstm.step(gates, cell)
    return hidden


@pytest.mark.parametrize("offsets", OFFSETS, ids=str)
@pytest.mark.parametrize("directions", [1, 2])
def test_states_are_those_of_the_slow_loop(offsets, directions):
    inputs, kernel, _ = draw(offsets, directions)
    found = recurrence.lstm(inputs, kernel, offsets)
    np.testing.assert_allclose(found, slow(inputs, kernel, offsets), atol=1e-5)


def test_reversed_time():
    inputs, kernel, _ = draw((0,))
    found, _ = recurrence.run_lstm(inputs, kernel, reverse=True)
    expected = slow(inputs[::-1], kernel, (0,))[::-1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def gradients(function, arrays):
    """By the backend's own means."""
    tensors = [ops.convert_to_tensor(x) for x in arrays]
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function, argnums=range(len(tensors)))(*tensors)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = function(*tensors)
    return tape.gradient(total, tensors)


@pytest.mark.parametrize("offsets", OFFSETS, ids=str)
@pytest.mark.parametrize("directions", [1, 2])
def test_gradient_is_that_of_differences(offsets, directions):
    inputs, kernel, weights = draw(offsets, directions)
    found = gradients(
        lambda *x: ops.sum(recurrence.lstm(*x, offsets) * weights),
        [inputs, kernel],
    )
    random = np.random.default_rng(1)
    for number, gradient in enumerate(found):
        way = random.normal(size=gradient.shape)
        ends = []
        for length in (-1e-4, 1e-4):
            moved = [inputs.astype("float64"), kernel.astype("float64")]
            moved[number] = moved[number] + length * way
            ends.append((slow(*moved, offsets) * weights).sum())
        slope = (ends[1] - ends[0]) / 2e-4
        assert (np.asarray(gradient) * way).sum() == pytest.approx(
            slope, rel=1e-3, abs=1e-4
        )


@pytest.mark.parametrize("reverse", [False, True])
def test_form_for_exporters_gives_the_same(reverse):
    inputs, kernel, _ = draw((0, -1))
    expected = recurrence.run_lstm(inputs, kernel, (0, -1), reverse)
    with portable():
        found = recurrence.run_lstm(inputs, kernel, (0, -1), reverse)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_cells_stay_float32_in_low_precision(dtype):
    inputs, kernel, _ = draw((0,))
    inputs, kernel = ops.cast(inputs, dtype), ops.cast(kernel, dtype)
    hidden, cells = recurrence.run_lstm(inputs, kernel)
    assert keras.backend.standardize_dtype(hidden.dtype) == dtype
    assert keras.backend.standardize_dtype(cells.dtype) == "float32"


def test_forget_gate_starts_open():
    bias = np.asarray(recurrence.gate_bias((8,)))
    np.testing.assert_array_equal(bias, [0, 0, 1, 1, 0, 0, 0, 0])
