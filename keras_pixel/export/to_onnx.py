"""ONNX files: scores, the whole sampler, and the sampler step by step."""

import pathlib

from keras_pixel.checks import check_size
from keras_pixel.export import checks
from keras_pixel.export.conversion import check_packages
from keras_pixel.export.conversion import convert
from keras_pixel.export.conversion import session
from keras_pixel.export.graphs import Graphs
from keras_pixel.export.graphs import check_exportable
from keras_pixel.export.identity import describe_conditions
from keras_pixel.export.step_graphs import check_steps
from keras_pixel.export.step_graphs import write_steps
from keras_pixel.files import atomic_folder


def onnx(model, folder, step_batch_size=16):
    """Write a model, its sampler included, as ONNX files.

    They use ONNX's own operations only (opset 17) and no random numbers:
    noise is an input, so the same noise gives the same images as in Keras, up
    to ties (see `saved_model`).

    - `log_prob.onnx`: images uint8 `(batch, height, width, channels)` →
      `log_prob` (nats), `bits_per_dim`, each float32 `(batch,)`, in this
      order. Any batch; its axis is called `batch`.
    - `sample.onnx`: noise float32 `(batch, height, width, channels)` in
      [0, 1), temperature float32 `(batch,)` → `images` uint8. The whole
      sampler as one `Loop`. Any batch.
    - `step.onnx`: one turn of that loop, which draws the pixels of one step
      in all lanes (of a few steps where the model has strided grids), of fixed
      shapes and without control flow, so that inputs and outputs can stay on a
      GPU. `row.onnx`, only of models with row work, is run at the start of a
      row (that of a `DiagonalBiLSTM` loops over the columns). See
      `export/onnx/README.md` for how to drive them. Models that cannot be
      drawn step by step have neither.

    All of them also take what the model is told beside the images, `labels`
    and `condition`, as the signatures of `saved_model` do; the metadata say
    of which classes and shape.

    Before they are put in their place they are run with ONNX Runtime and
    compared with Keras; ties are counted as by `saved_model`.

    Args:
        model: `PixelModel`.
        folder: folder to write; it must not exist, or be empty.
        step_batch_size: int. Batch size of `step.onnx` and `row.onnx`.
            Defaults to `16`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        TypeError: if `model` is no `PixelModel`.
        ValueError: if `step_batch_size` is no positive integer.
        ImportError: if a package is missing, naming the extra.
        NotImplementedError: if the model does not convert.
        RuntimeError: if Keras runs on another backend, or what was written
            does not give what Keras gives (`ExportError`).
        FileExistsError: if there is something at `folder`.
    """
    check_exportable(model)
    step_batch_size = check_size("step_batch_size", step_batch_size)
    check_packages()
    with atomic_folder(folder) as temporary:
        write_graphs(model, temporary)
        if model.sampler.is_decodable:
            metadata = _metadata(model)
            write_steps(model, temporary, metadata, step_batch_size)
        checks.report_ties(folder, check_onnx(model, temporary))
    return pathlib.Path(folder)


def write_graphs(model, folder):
    """Write `log_prob.onnx` and `sample.onnx`."""
    graphs, metadata = Graphs(model), _metadata(model)
    signatures = graphs.signatures()
    _, scored = signatures["serving_default"]
    convert(
        graphs.score_by_operations,
        scored,
        folder / "log_prob.onnx",
        {**metadata, "units": {"log_prob": "nats", "bits_per_dim": "bits"}},
        first=("log_prob", "bits_per_dim"),
    )
    sample, specs = signatures["sample_from_noise"]
    convert(sample, specs, folder / "sample.onnx", metadata, optimize=False)


def _metadata(model):
    return {
        "model": model.name,
        "image_shape": list(model.image_shape),
        "num_levels": model.num_levels,
        **describe_conditions(model),
    }


def check_onnx(model, folder):
    """Run ONNX files and compare them with Keras.

    Returns:
        Number of sub-pixels that differ because of a tie.

    Raises:
        ExportError: if they give something else than Keras.
    """
    ties = check_graphs(model, folder)
    if model.sampler.is_decodable:
        ties += check_steps(model, folder)
    return ties


def check_graphs(model, folder):
    """`check_onnx` for `log_prob.onnx` and `sample.onnx` alone."""
    batch = checks.small_batch(model)
    told = checks.conditions(model, batch)
    run = session(folder / "log_prob.onnx")
    checks.check_scores(model, batch, **run(images=batch["images"], **told))
    noise, temperature = batch["noise"], batch["temperature"]
    run = session(folder / "sample.onnx")
    drawn = run(noise=noise, temperature=temperature, **told)["images"]
    return checks.check_drawn(
        model, drawn, noise, temperature, conditions=told.values()
    )
