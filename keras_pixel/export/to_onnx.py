"""ONNX files: scores, the whole sampler, and the sampler step by step."""

import pathlib

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_size
from keras_pixel.export import checks
from keras_pixel.export.conversion import check_packages
from keras_pixel.export.conversion import convert
from keras_pixel.export.conversion import session
from keras_pixel.export.graphs import Graphs
from keras_pixel.export.graphs import check_exportable
from keras_pixel.export.identity import describe_conditions
from keras_pixel.export.precision import TOLERANCES
from keras_pixel.export.precision import in_precision
from keras_pixel.export.step_graphs import check_steps
from keras_pixel.export.step_graphs import write_steps
from keras_pixel.files import atomic_folder


def onnx(model, folder, step_batch_size=16, precision="float32"):
    """Write a model, its sampler included, as ONNX files.

    They use ONNX's own operations only (opset 17) and no random numbers:
    noise is an input, so the same noise gives the same images as in Keras, up
    to ties (see `saved_model`).

    - `log_prob.onnx`: images uint8 `(batch, height, width, channels)` →
      `log_prob` (nats), `bits_per_dim`, each float32 `(batch,)`, in this
      order. Any batch; its axis is called `batch`.
    - `sample.onnx`: noise float32 `(batch, height, width, channels)` in
      [0, 1), temperature float32 `(batch,)` → `images` uint8. The whole
      sampler as one `Loop`. Any batch of at least one.
    - `step.onnx`: one turn of that loop, which draws the pixels of one step
      in all lanes (of a few steps where the model has strided grids), of fixed
      shapes and without control flow, so that inputs and outputs can stay on a
      GPU. `row.onnx`, only of models with row work, is run at the start of a
      row (that of a `DiagonalBiLSTM` loops over the columns).
      `step_temperature_1.onnx`, only of mixtures, does at a temperature of 1
      what `step.onnx` does, and faster. See `export/onnx/README.md` for how to
      drive them. Models that cannot be drawn step by step have none of these.

    All of them also take what the model is told beside the images, `labels`
    and `condition`, as the signatures of `saved_model` do; the metadata say
    of which classes and shape.

    With `precision="float16"` weights, hidden layers and states are float16;
    inputs, the head, probabilities and scores stay float32. The files have
    half the size. It is for GPUs: ONNX Runtime computes most of it in float32
    on a CPU.

    Before they are put in their place they are run with ONNX Runtime and
    compared with Keras; ties are counted as by `saved_model`. In float16 they
    are compared with Keras in float32: scores within a relative 0.005, logits
    within 0.02 of the largest, and levels where the cumulative probability
    lies farther than 0.02 from the noise, to 1/128 of their number.

    Args:
        model: `PixelModel`.
        folder: folder to write; it must not exist, or be empty.
        step_batch_size: int. Batch size of `step.onnx` and `row.onnx`.
            Defaults to `16`.
        precision: "float32" or "float16". Defaults to `"float32"`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        TypeError: if `model` is no `PixelModel`.
        ValueError: if `step_batch_size` is no positive integer, or there is
            no such `precision`.
        ImportError: if a package is missing, naming the extra.
        NotImplementedError: if the model does not convert; and in float16 if
            it is a baseline, a graph of one's own or has LoRA.
        RuntimeError: if Keras runs on another backend, or what was written
            does not give what Keras gives (`ExportError`).
        FileExistsError: if there is something at `folder`.
    """
    check_exportable(model)
    step_batch_size = check_size("step_batch_size", step_batch_size)
    check_choice("precision", precision, TOLERANCES)
    check_packages()
    lowered = in_precision(model, precision)
    tolerances = TOLERANCES[precision]
    with atomic_folder(folder) as temporary:
        write_graphs(lowered, temporary, precision)
        if model.sampler.is_decodable:
            metadata = _metadata(lowered, precision)
            write_steps(lowered, temporary, metadata, step_batch_size)
        ties = check_onnx(model, temporary, tolerances)
        checks.report_ties(folder, ties, tolerances)
    return pathlib.Path(folder)


def write_graphs(model, folder, precision="float32"):
    """Write `log_prob.onnx` and `sample.onnx` of a model in a precision."""
    graphs, metadata = Graphs(model), _metadata(model, precision)
    write_scores(graphs, folder, metadata)
    sample, specs = graphs.signatures()["sample_from_noise"]
    convert(sample, specs, folder / "sample.onnx", metadata, optimize=False)


def write_scores(graphs, folder, metadata):
    """Write `log_prob.onnx` alone."""
    _, scored = graphs.signatures()["serving_default"]
    convert(
        graphs.score_portably,
        scored,
        folder / "log_prob.onnx",
        {**metadata, "units": {"log_prob": "nats", "bits_per_dim": "bits"}},
        first=("log_prob", "bits_per_dim"),
    )


def _metadata(model, precision):
    return {
        "model": model.name,
        "image_shape": list(model.image_shape),
        "num_levels": model.num_levels,
        "precision": precision,
        **describe_conditions(model),
    }


def check_onnx(model, folder, tolerances=checks.FLOAT32):
    """Run ONNX files and compare them with Keras.

    Args:
        model: `PixelModel`, in float32.
        folder: `pathlib.Path` of the files.
        tolerances: `Tolerances`. Defaults to those of float32.

    Returns:
        Number of sub-pixels that differ because of a tie.

    Raises:
        ExportError: if they give something else than Keras.
    """
    ties = check_graphs(model, folder, tolerances)
    if model.sampler.is_decodable:
        ties += check_steps(model, folder, tolerances)
    return ties


def check_graphs(model, folder, tolerances=checks.FLOAT32):
    """`check_onnx` for `log_prob.onnx` and `sample.onnx` alone."""
    batch = checks.small_batch(model)
    told = checks.conditions(model, batch)
    run = session(folder / "log_prob.onnx")
    scores = run(images=batch["images"], **told)
    checks.check_scores(model, batch, **scores, tolerances=tolerances)
    noise, temperature = batch["noise"], batch["temperature"]
    run = session(folder / "sample.onnx")
    drawn = run(noise=noise, temperature=temperature, **told)["images"]
    return checks.check_drawn(
        model,
        drawn,
        noise,
        temperature,
        conditions=told.values(),
        tolerances=tolerances,
    )
