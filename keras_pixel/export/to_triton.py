"""A folder of models that NVIDIA's Triton serves as it is."""

import contextlib

from keras_pixel import files
from keras_pixel.checks import check_choice
from keras_pixel.checks import check_size
from keras_pixel.export import checks
from keras_pixel.export import triton_config
from keras_pixel.export.conversion import check_packages
from keras_pixel.export.graphs import check_exportable
from keras_pixel.export.identity import check_next_version
from keras_pixel.export.identity import write_identity
from keras_pixel.export.precision import TOLERANCES
from keras_pixel.export.precision import in_precision
from keras_pixel.export.to_onnx import check_graphs
from keras_pixel.export.to_onnx import write_graphs
from keras_pixel.export.versions import check_models
from keras_pixel.export.versions import latest
from keras_pixel.export.versions import new_version
from keras_pixel.export.versions import removed_if_empty
from keras_pixel.files import atomic_folder
from keras_pixel.files import local_path

# The file of a version, by the name that Triton's backend expects.
MODEL_FILE = "model.onnx"
# Threads for one operation, by graph: those of one pixel are too small to be
# shared.
GRAPHS = {"log_prob": 0, "sample": 1}


def triton(
    models, folder, version=None, max_batch_size=32, precision="float32"
):
    """Write models as a model repository of the Triton Inference Server.

    The folder gets two models of ONNX Runtime for each: NAME_log_prob and
    NAME_sample, `log_prob.onnx` and `sample.onnx` of `onnx`. Each has its
    config.pbtxt (names, dtypes and shapes as in the file; requests are put
    together into batches; one instance on every GPU, or on the CPU; warm-up at
    batch sizes of 1 and the largest) and VERSION/model.onnx. A README.md has
    the lines that start the server.

    `step.onnx` is not among them: it keeps states between its calls, and takes
    a scalar, which Triton does not allow in a model of a fixed batch. Images
    are drawn by NAME_sample, whose loop ONNX Runtime controls from the CPU.

    A version is never overwritten, and appears only when it is whole. Should
    one model fail, none is written.

    Args:
        models: `PixelModel`, served by its own name, which for a loaded one
            is that of the preset; or a dict from names to models.
        folder: folder to write to; it may hold other models and versions.
        version: int. Defaults to `None`: one more than the highest there is,
            for each model.
        max_batch_size: int. Rows that are computed together at most; a
            request may have as many. Defaults to `32`.
        precision: see `onnx`.

    Returns:
        Dict from the names of the models in Triton to `pathlib.Path` of the
        versions written.

    Raises:
        TypeError: if a model is no `PixelModel`.
        ValueError: if a name, the version or the batch size cannot be used, or
            the versions that are there are of another preset or architecture.
        FileExistsError: if there is that version already.
        ImportError, NotImplementedError, RuntimeError: see `onnx`.
    """
    if not isinstance(models, dict):
        check_exportable(models)
        models = {models.name: models}
    folder = local_path(folder)
    max_batch_size = check_size("max_batch_size", max_batch_size)
    # As many requests of one row are made for the warm-up.
    if max_batch_size > 1024:
        raise ValueError(
            "`max_batch_size` must be at most 1024. "
            f"Received: max_batch_size={max_batch_size}. Send larger batches "
            "as several requests."
        )
    check_models(models)
    check_choice("precision", precision, TOLERANCES)
    check_packages()
    places = {}
    for name, model in models.items():
        parts = {graph: folder / f"{name}_{graph}" for graph in GRAPHS}
        number = max(
            new_version(part, version, MODEL_FILE) for part in parts.values()
        )
        for graph, part in parts.items():
            check_next_version(part.name, model, latest(part, MODEL_FILE))
            places[name, graph] = part / str(number)
    parents = [place.parent for place in places.values()]
    with removed_if_empty(*parents, folder), contextlib.ExitStack() as stack:
        new = {
            key: stack.enter_context(atomic_folder(place))
            for key, place in places.items()
        }
        for name, model in models.items():
            parts = {graph: new[name, graph] for graph in GRAPHS}
            _write(model, parts, folder, precision)
        # The server reads it before the version, which comes last.
        for (name, graph), place in places.items():
            triton_config.write_config(
                place.parent,
                new[name, graph] / MODEL_FILE,
                max_batch_size,
                GRAPHS[graph],
            )
    found = {place.parent.name: place for place in places.values()}
    text = triton_config.readme(list(found), max_batch_size)
    files.write_text(folder / "README.md", text)
    return found


def _write(model, places, folder, precision):
    """Write the graphs of one model into folders, and check them."""
    together, tolerances = places["log_prob"], TOLERANCES[precision]
    write_graphs(in_precision(model, precision), together, precision)
    ties = check_graphs(model, together, tolerances)
    checks.report_ties(folder, ties, tolerances)
    for graph, place in places.items():
        (together / f"{graph}.onnx").rename(place / MODEL_FILE)
        write_identity(model, place)
