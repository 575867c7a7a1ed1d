"""The sampler as ONNX graphs of fixed shapes: a step, and row work."""

import json

import numpy as np

from keras_pixel.compiled import call_model
from keras_pixel.export import checks
from keras_pixel.export.conversion import convert
from keras_pixel.export.conversion import session
from keras_pixel.export.graphs import condition_specs
from keras_pixel.export.graphs import conditions_in_range
from keras_pixel.export.graphs import levels_in_range
from keras_pixel.export.graphs import noise_in_range
from keras_pixel.export.graphs import temperature_in_range
from keras_pixel.sampling.stepper import Stepper

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
_AT_TEMPERATURE_1 = "step_temperature_1.onnx"


def write_steps(model, folder, metadata, batch_size):
    """Write `step.onnx`, and `row.onnx` where the model has row work.

    Where a distribution searches for levels at a temperature of 1, a graph
    without control flow cannot choose to: `step_temperature_1.onnx` does so,
    and has no input `temperature`.

    All take the states as `state_…`. A state that a graph changes comes out
    as `next_state_…`, and is what both graphs get from then on; the others
    stay. What a row determines comes out of `row.onnx` as `row_…`, for
    `step.onnx`. `first_states` in the metadata is the number that fills each
    state before the first step.

    What the model is told beside the images goes into every call, and the
    number of the row into those of `row.onnx`: a map differs from row to row.

    Raises:
        NotImplementedError: if a first state is not filled with one number.
    """
    import tensorflow as tf

    stepper = Stepper(model, batch_size)
    with tf.init_scope():
        first = stepper.first_states()
    first = {name: np.asarray(value) for name, value in first.items()}
    metadata = {
        **metadata,
        **stepper.layout(),
        "batch_size": batch_size,
        "first_states": {name: _fill(x) for name, x in first.items()},
    }
    specs = [
        *condition_specs(model, batch_size),
        *(tf.TensorSpec(x.shape, x.dtype, name) for name, x in first.items()),
    ]
    rows = {}

    def start_row(row=0, **states):
        told = conditions_in_range(model, states)
        new = stepper.start_row(states, row, told)
        rows.update({k: x for k, x in new.items() if k.startswith("row_")})
        return {
            name if name in rows else f"next_{name}": x
            for name, x in new.items()
        }

    if stepper.graph.has_rows:
        row = [tf.TensorSpec((), "int32", "row")] if model.conditions else []
        path = folder / "row.onnx"
        convert(start_row, [*row, *specs], path, metadata, optimize=False)

    def draw(call, noise, given, temperature=None, **states):
        if temperature is not None:
            temperature = temperature_in_range(temperature)
        levels, parameters, new = stepper.draw(
            states,
            call,
            noise_in_range(noise),
            temperature,
            levels_in_range(given, model.num_levels),
            conditions_in_range(model, states),
        )
        new = {f"next_{name}": x for name, x in new.items()}
        return {"levels": levels, "logits": parameters, **new}

    layout = stepper.layout()
    channels = model.image_shape[-1]
    shape = (layout["steps_per_call"], layout["lanes"], batch_size, channels)
    specs += [tf.TensorSpec(x.shape, x.dtype, k) for k, x in rows.items()]
    specs += [
        tf.TensorSpec((), "int32", "call"),
        tf.TensorSpec(shape, "float32", "noise"),
        tf.TensorSpec(shape, "int32", "given"),
    ]
    temperature = tf.TensorSpec((batch_size,), "float32", "temperature")
    graphs = {"step.onnx": [*specs, temperature]}
    if model.pixel_distribution.searches_levels:
        graphs[_AT_TEMPERATURE_1] = specs
    for name, inputs in graphs.items():
        convert(draw, inputs, folder / name, metadata, optimize=False)


def _fill(state):
    values = np.unique(state)
    if len(values) != 1:
        raise NotImplementedError(
            "`step.onnx` needs layers whose first states hold one number "
            f"throughout. Received: a state of {len(values)} numbers."
        )
    return values[0].item()


def check_steps(model, folder, tolerances=checks.FLOAT32):
    """Draw images step by step with ONNX Runtime and compare with Keras.

    Both what is drawn is compared and the logits that it is drawn by: the
    levels alone could be right by luck.

    Args:
        model: `PixelModel`, in float32.
        folder: `pathlib.Path` of the files.
        tolerances: `Tolerances`. Defaults to those of float32.

    Returns:
        Number of sub-pixels that differ because of a tie.

    Raises:
        ExportError: if they are others than those of Keras.
    """
    ties = _check_step(model, folder / "step.onnx", tolerances)
    path = folder / _AT_TEMPERATURE_1
    if path.exists():
        ties += _check_step(model, path, tolerances)
    return ties


def _check_step(model, path, tolerances):
    """`check_steps` for one of the graphs that draw."""
    step = session(path)
    graphs = {"step": step}
    if path.with_name("row.onnx").exists():
        graphs["row"] = session(path.with_name("row.onnx"))
    metadata = step.loaded.get_modelmeta().custom_metadata_map
    metadata = {key: json.loads(x) for key, x in metadata.items()}
    batch = checks.small_batch(model, metadata["batch_size"])
    noise, temperature = batch["noise"], batch["temperature"]
    if path.name == _AT_TEMPERATURE_1:
        temperature = np.ones_like(temperature)
    told = checks.conditions(model, batch)
    crossing = {"conditions": [*told.values()]}
    states = {
        x.name: np.full(
            x.shape, metadata["first_states"][x.name], _DTYPES[x.type]
        )
        for graph in graphs.values()
        for x in graph.loaded.get_inputs()
        if x.name in metadata["first_states"]
    }
    stepper = Stepper(model, len(noise))
    schedule, border = stepper.schedule, stepper.graph.border
    calls = (metadata["num_calls"], metadata["steps_per_call"])
    arranged = np.asarray(schedule.by_step(border.turn(noise, crossing)))
    # (calls, steps of a call, lanes, batch, channels)
    arranged = arranged.reshape(*calls, *arranged.shape[1:])
    draw = np.full_like(arranged[0], -1, "int32")
    found: dict[str, list] = {"levels": [], "logits": []}

    def advance(graph, **inputs):
        named = [x.name for x in graph.loaded.get_inputs()]
        known = {**states, **inputs}
        outputs = graph(**{name: known[name] for name in named})
        for name, value in outputs.items():
            states[name.removeprefix("next_")] = value
        return outputs

    for call in range(calls[0]):
        if "row" in graphs and call % schedule.width == 0:
            row = np.int32(call // schedule.width)
            advance(graphs["row"], row=row, **told)
        drawn = advance(
            step,
            call=np.int32(call),
            noise=arranged[call],
            temperature=temperature,
            given=draw,
            **told,
        )
        for name, values in found.items():
            values.append(drawn[name])
    images, logits = (
        np.asarray(
            border.turn(
                schedule.images(np.concatenate(found[name])),
                crossing,
                inverse=True,
            )
        )
        for name in ("levels", "logits")
    )
    expected = np.asarray(call_model(model, images, told.values()))
    checks.check_close("logits", logits, expected, tolerances.logits)
    return checks.check_drawn(
        model,
        images,
        noise,
        temperature,
        conditions=told.values(),
        tolerances=tolerances,
    )
