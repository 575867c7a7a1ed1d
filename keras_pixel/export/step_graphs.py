"""The sampler as two ONNX graphs of fixed shapes: row and step."""

import json

import numpy as np

from keras_pixel.export import checks
from keras_pixel.export.conversion import convert
from keras_pixel.export.conversion import session
from keras_pixel.export.graphs import buffer_operations
from keras_pixel.export.graphs import levels_in_range
from keras_pixel.export.graphs import noise_in_range
from keras_pixel.export.graphs import temperature_in_range
from keras_pixel.sampling.portable import Stepper

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


def write_steps(model, folder, metadata, batch_size):
    """Write `row.onnx` and `step.onnx`.

    Both take the states as `state_…`. A state that a graph changes comes out
    as `next_state_…`, and is what both graphs get from then on; the others
    stay. What a row determines comes out of `row.onnx` as `row_…`, for
    `step.onnx`. `first_states` in the metadata is the number that fills each
    state before the first row.

    Raises:
        NotImplementedError: if a first state is not filled with one number.
    """
    import tensorflow as tf

    height, width, channels = model.image_shape
    stepper = Stepper(
        model,
        model.pixel_distribution,
        batch_size,
        width,
        buffer_operations(),
    )
    first = {name: np.asarray(value) for name, value in _eager(stepper).items()}
    metadata = {
        **metadata,
        "batch_size": batch_size,
        "first_states": {name: _fill(x) for name, x in first.items()},
    }
    specs = [
        tf.TensorSpec(state.shape, state.dtype, name)
        for name, state in first.items()
    ]
    rows = {}

    def begin_row(**states):
        new = stepper.begin_row(states)
        if not new:  # a token model's rows bring nothing; ONNX wants an output
            new = {"state_0": tf.identity(states["state_0"])}
        rows.update({k: x for k, x in new.items() if k.startswith("row_")})
        return {
            name if name in rows else f"next_{name}": x
            for name, x in new.items()
        }

    path = folder / "row.onnx"
    convert(begin_row, specs, path, metadata, optimize=False)

    def draw_pixel(column, noise, temperature, given, **states):
        levels, logits, new = stepper.draw_pixel(
            states,
            column,
            noise_in_range(noise),
            temperature_in_range(temperature),
            levels_in_range(given, model.num_levels),
        )
        new = {f"next_{name}": x for name, x in new.items()}
        return {"levels": levels, "logits": logits, **new}

    specs += [tf.TensorSpec(x.shape, x.dtype, k) for k, x in rows.items()]
    pixel = (batch_size, channels)
    specs += [
        tf.TensorSpec((), "int32", "column"),
        tf.TensorSpec(pixel, "float32", "noise"),
        tf.TensorSpec((batch_size,), "float32", "temperature"),
        tf.TensorSpec(pixel, "int32", "given"),
    ]
    path = folder / "step.onnx"
    convert(draw_pixel, specs, path, metadata, optimize=False)


def _eager(stepper):
    import tensorflow as tf

    with tf.init_scope():
        return stepper.first_states()


def _fill(state):
    values = np.unique(state)
    if len(values) != 1:
        raise NotImplementedError(
            "`step.onnx` needs layers whose first states hold one number "
            f"throughout. Received: a state of {len(values)} numbers."
        )
    return values[0].item()


def check_steps(model, folder):
    """Draw images step by step with ONNX Runtime and compare with Keras.

    Both what is drawn is compared and the logits that it is drawn by: the
    levels alone could be right by luck.

    Returns:
        Number of sub-pixels that differ because of a tie.

    Raises:
        ExportError: if they are others than those of Keras.
    """
    row, step = session(folder / "row.onnx"), session(folder / "step.onnx")
    metadata = row.loaded.get_modelmeta().custom_metadata_map
    batch = checks.small_batch(model, json.loads(metadata["batch_size"]))
    noise, temperature = batch["noise"], batch["temperature"]
    fills = json.loads(metadata["first_states"])
    states = {
        x.name: np.full(x.shape, fills[x.name], _DTYPES[x.type])
        for graph in (row, step)
        for x in graph.loaded.get_inputs()
        if x.name in fills
    }
    images = np.zeros(noise.shape, "int32")
    draw = np.full_like(images[:, 0, 0], -1)
    pixels = []

    def advance(graph, **inputs):
        named = [x.name for x in graph.loaded.get_inputs()]
        known = {**states, **inputs}
        outputs = graph(**{name: known[name] for name in named})
        for name, value in outputs.items():
            states[name.removeprefix("next_")] = value
        return outputs

    for y in range(images.shape[1]):
        advance(row)
        for x in range(images.shape[2]):
            drawn = advance(
                step,
                column=np.int32(x),
                noise=noise[:, y, x],
                temperature=temperature,
                given=draw,
            )
            images[:, y, x] = drawn["levels"]
            pixels.append(drawn["logits"])
    expected = np.asarray(model(images, training=False))
    logits = np.stack(pixels, axis=1).reshape(expected.shape)
    checks.check_close("logits", logits, expected, checks.LOGITS_TOLERANCE)
    return checks.check_drawn(model, images, noise, temperature)
