"""LSTMs over images: one recurrence for rows, diagonals and tokens.

Many positions go on in step. Tensors are laid out `(time, directions,
positions, batch, features)`. The gates of a position are `inputs + taps @
kernel`, where the taps are the hidden states, one time step before, of the
positions around it (`offsets`). `4 * filters` gate features are the input,
forget and output gate and the new content, `filters` of each.
"""

import keras
from keras import ops

from keras_pixel.layers import buffers


def lstm(inputs, kernel, offsets=(0,)):
    """Hidden states of all times, from zero states.

    The gradient is written out: the loop back in time only adds up what
    passes through the states, and all that depends on one time alone, the
    gradient of the kernel too, is done for all times at once. It takes half
    the time of differentiating the loop, keeps two states a step in memory,
    and needs no loop that XLA can differentiate.

    Args:
        inputs: tensor `(time, directions, positions, batch, 4 * filters)`.
        kernel: tensor `(directions, len(offsets) * filters, 4 * filters)`.
        offsets: ints; tap k of position p is position `p + offsets[k]`, zero
            outside. Defaults to a state's own position.

    Returns:
        Tensor `(time, directions, positions, batch, filters)`.
    """

    @ops.custom_gradient
    def run(inputs, kernel):
        hidden, cells = run_lstm(inputs, kernel, offsets)

        def gradient(upstream):
            return _gradient(inputs, kernel, offsets, hidden, cells, upstream)

        return hidden, gradient

    return run(inputs, kernel)


def run_lstm(inputs, kernel, offsets=(0,), reverse=False):
    """Hidden states and cells of all times; see `lstm`.

    Args:
        inputs, kernel, offsets: as in `lstm`.
        reverse: bool. Whether time runs from the last to the first.

    Returns:
        Two tensors `(time, directions, positions, batch, filters)`.
    """

    def step(states, inputs):
        hidden, cell = states
        gates = inputs + _matmul(_taps(hidden, offsets), kernel)
        states = lstm_cell(gates, cell)
        return states, states

    states = _zero_states(inputs[0])
    return recur(step, states, inputs, reverse)


def lstm_cell(gates, cell):
    """One step of an LSTM.

    Args:
        gates: tensor `(…, 4 * filters)`.
        cell: tensor `(…, filters)`, float32 in mixed precision: it adds up
            over many steps.

    Returns:
        Hidden state, in the dtype of `gates`, and cell, each `(…, filters)`.
    """
    i, f, o, content = _activate(gates, cell.dtype)
    cell = f * cell + i * content
    return ops.cast(o * ops.tanh(cell), gates.dtype), cell


def cell_dtype(dtype):
    """Dtype of the cells where `dtype` is computed in."""
    dtype = keras.backend.standardize_dtype(dtype)
    return "float32" if dtype in ("bfloat16", "float16") else dtype


def gate_bias(shape, dtype=None):
    """Initializer: ones for the forget gate, zeros for the others."""
    size = shape[0] // 4
    zeros, ones = ops.zeros((size,), dtype), ops.ones((size,), dtype)
    return ops.concatenate([zeros, ones, zeros, zeros])


def recur(step, states, sequence, reverse=False):
    """Run `step` along the first axis of a sequence.

    Args:
        step: function `(states, item) -> (states, outputs)`, where outputs
            have the structure, shapes and dtypes of states.
        states: tuple of tensors.
        sequence: tensor or tuple of tensors.
        reverse: bool. Whether to begin at the end.

    Returns:
        Outputs, stacked along a new first axis.
    """
    items = keras.tree.flatten(sequence)
    length = items[0].shape[0]

    def step_at(states, time):
        item = [buffers.read_at(x, time) for x in items]
        return step(states, keras.tree.pack_sequence_as(sequence, item))

    if not buffers.is_portable():
        # Read here, items are views; `scan` would copy them all first.
        times = ops.arange(length, dtype="int32")
        return ops.scan(step_at, states, times, reverse=reverse)[1]
    # `scan` does not convert to other formats.
    outputs = tuple(
        ops.broadcast_to(
            ops.zeros_like(state)[None], (length, *ops.shape(state))
        )
        for state in states
    )

    def body(index, states, outputs):
        time = length - 1 - index if reverse else index
        states, new = step_at(states, time)
        outputs = tuple(
            buffers.write_at(buffer, time, x)
            for buffer, x in zip(outputs, new, strict=True)
        )
        return index + 1, states, outputs

    return ops.while_loop(
        lambda index, *_: index < length,
        body,
        (ops.zeros((), "int32"), states, outputs),
        maximum_iterations=length,
    )[2]


def _gradient(inputs, kernel, offsets, hidden, cells, upstream):
    """Gradients of the inputs and of the kernel."""
    dtype = cells.dtype
    before = _taps(_one_later(hidden), offsets)
    gates = inputs + _matmul(before, kernel)
    i, f, o, content = _activate(gates, dtype)
    squashed = ops.tanh(cells)
    # How a cell moves the hidden state, and how gates move cell or state.
    through = o * (1.0 - ops.square(squashed))
    slopes = ops.concatenate(
        [
            content * i * (1.0 - i),
            _one_later(cells) * f * (1.0 - f),
            squashed * o * (1.0 - o),
            i * (1.0 - ops.square(content)),
        ],
        axis=-1,
    )
    backward_kernel = ops.transpose(kernel, (0, 2, 1))

    def gate_gradients(d_hidden, d_cell, slopes):
        moved = [d_cell, d_cell, d_hidden, d_cell]
        return ops.cast(ops.concatenate(moved, axis=-1) * slopes, inputs.dtype)

    def step(states, items):
        d_hidden, d_cell = states
        upstream, through, forget, slopes = items
        d_hidden = d_hidden + ops.cast(upstream, dtype)
        d_cell = d_cell + d_hidden * through
        d_taps = _matmul(
            gate_gradients(d_hidden, d_cell, slopes), backward_kernel
        )
        states = _untaps(ops.cast(d_taps, dtype), offsets), d_cell * forget
        return states, (d_hidden, d_cell)

    states = tuple(ops.zeros_like(cells[0]) for _ in range(2))
    d_hidden, d_cell = recur(
        step, states, (upstream, through, f, slopes), reverse=True
    )
    d_inputs = gate_gradients(d_hidden, d_cell, slopes)
    d_kernel = ops.matmul(
        ops.transpose(_directions_first(before), (0, 2, 1)),
        _directions_first(d_inputs),
    )
    return d_inputs, d_kernel


def _activate(gates, dtype):
    i, f, o, content = ops.split(ops.cast(gates, dtype), 4, axis=-1)
    return ops.sigmoid(i), ops.sigmoid(f), ops.sigmoid(o), ops.tanh(content)


def _zero_states(gates):
    state = ops.zeros_like(gates[..., : gates.shape[-1] // 4])
    return state, ops.cast(state, cell_dtype(gates.dtype))


def _matmul(features, kernel):
    """`(…, directions, positions, batch, in)` by a kernel a direction."""
    shape = ops.shape(features)
    if kernel.shape[0] == 1:
        # TensorFlow 2.21 crashes on a CPU on (time, 1, n, in) by (1, in, out).
        flat, kernel = ops.reshape(features, (-1, shape[-1])), kernel[0]
    else:
        flat = ops.reshape(features, (*shape[:-3], -1, shape[-1]))
    outputs = ops.matmul(flat, kernel)
    return ops.reshape(outputs, (*shape[:-1], kernel.shape[-1]))


def _taps(hidden, offsets):
    if offsets == (0,):
        return hidden
    return ops.concatenate([_moved(hidden, n) for n in offsets], axis=-1)


def _untaps(taps, offsets):
    """What each position gets back from those that saw it."""
    if offsets == (0,):
        return taps
    parts = [
        _moved(part, -n)
        for part, n in zip(
            ops.split(taps, len(offsets), axis=-1), offsets, strict=True
        )
    ]
    return sum(parts[1:], parts[0])


def _moved(features, offset):
    """Position p gets what was at `p + offset`."""
    if offset == 0:
        return features
    positions, first = features.shape[-3], max(offset, 0)
    pads = [[0, 0] for _ in features.shape]
    pads[-3] = [max(-offset, 0), max(offset, 0)]
    padded = ops.pad(features, pads)
    return padded[..., first : first + positions, :, :]


def _one_later(sequence):
    """What was at time t is at t + 1; zeros at first."""
    return ops.concatenate(
        [ops.zeros_like(sequence[:1]), sequence[:-1]], axis=0
    )


def _directions_first(sequence):
    directions = sequence.shape[1]
    moved = ops.moveaxis(sequence, 1, 0)
    return ops.reshape(moved, (directions, -1, sequence.shape[-1]))
