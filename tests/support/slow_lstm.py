"""The recurrent layers pixel by pixel in NumPy: slow and obvious.

Each takes a layer with weights and one image of features `(height, width,
features)`, in float64.
"""

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def step(gates, cell):
    """Hidden state and cell of one place."""
    i, f, o, content = np.split(gates, 4)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(content)
    return sigmoid(o) * np.tanh(cell), cell


def shown(kernel, channels):
    """Of a pixel's own features: only channels up to that of the output."""
    sees, is_seen = np.indices(kernel.shape)[::-1] % channels
    return np.where(is_seen <= sees, kernel, 0.0)


def row_lstm(layer, image):
    height, width, _ = image.shape
    filters, side = layer.filters, layer.kernel_size // 2
    to_state, kernel, bias = (
        np.asarray(w, "float64")
        for w in (layer.input_to_state.kernel, layer.kernel, layer.bias)
    )
    hidden = np.zeros((height, width, filters))
    cell = np.zeros((height, width, filters))
    for i in range(height):
        for j in range(width):
            gates = bias.copy()
            for n in range(-side, side + 1):
                if not 0 <= j + n < width:
                    continue
                if n < 0:
                    gates += image[i, j + n] @ to_state[0, n + side]
                if n == 0:
                    own = shown(to_state[0, side], layer.channels)
                    gates += image[i, j] @ own
                if i > 0:
                    gates += hidden[i - 1, j + n] @ kernel[n + side]
            before = cell[i - 1, j] if i > 0 else np.zeros(filters)
            hidden[i, j], cell[i, j] = step(gates, before)
    return hidden


def diagonal_lstm(layer, image):
    to_state = np.asarray(layer.input_to_state.kernel, "float64")[0, 0]
    to_state = shown(to_state, layer.channels)
    return diagonal(image @ to_state, layer.kernel, layer.bias)


def diagonal(from_input, kernel, bias):
    """From the upper left corner to the lower right one."""
    height, width, _ = from_input.shape
    left, above = np.asarray(kernel, "float64")
    filters = len(left)
    # A frame of zeros around the image: index -1 is outside.
    hidden = np.zeros((height + 1, width + 1, filters))
    cell = np.zeros((height + 1, width + 1, filters))
    for i in range(height):
        for j in range(width):
            gates = from_input[i, j] + np.asarray(bias, "float64")
            gates = gates + hidden[i, j - 1] @ left + hidden[i - 1, j] @ above
            hidden[i, j], cell[i, j] = step(gates, cell[i, j - 1])
    return hidden[:height, :width]


def diagonal_bilstm(layer, image, more=None):
    """`more`: features that only the right LSTM is given."""
    left = diagonal_lstm(layer.left, image)
    if more is not None:
        image = np.concatenate([image, more], axis=-1)
    mirrored = image[:, ::-1] @ np.asarray(layer.right_input_kernel, "float64")
    right = diagonal(mirrored, layer.right_kernel, layer.right_bias)[:, ::-1]
    outputs = left.copy()
    outputs[1:] += right[:-1]
    return outputs


def scanline_lstm(layer, image):
    height, width, features = image.shape
    channels, size = layer.channels, layer.hidden_dim
    to_state, kernel, bias = (
        np.asarray(w, "float64")
        for w in (layer.input_kernel, layer.kernel, layer.bias)
    )
    outputs = np.zeros((height, width, channels * size))
    hidden, cell = np.zeros(size), np.zeros(size)
    for i in range(height):
        for j in range(width):
            for c in range(channels):
                token = image[i, j, c::channels]
                gates = token @ to_state + hidden @ kernel + bias
                hidden, cell = step(gates, cell)
                outputs[i, j, c::channels] = hidden
    return outputs
