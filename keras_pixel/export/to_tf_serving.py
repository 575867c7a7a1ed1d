"""A folder of models that TF-Serving serves as it is."""

import contextlib

from keras_pixel.checks import check_size
from keras_pixel.export import serving_files
from keras_pixel.export import warmup
from keras_pixel.export.checks import ExportError
from keras_pixel.export.graphs import check_exportable
from keras_pixel.export.identity import check_next_version
from keras_pixel.export.identity import read_identity
from keras_pixel.export.identity import write_identity
from keras_pixel.export.model_folders import find_models
from keras_pixel.export.model_folders import find_versions
from keras_pixel.export.model_folders import read_signature_defs
from keras_pixel.export.model_folders import uses_xla
from keras_pixel.export.servable import RequestError
from keras_pixel.export.to_saved_model import saved_model
from keras_pixel.export.to_saved_model import tensorflow_writes
from keras_pixel.export.versions import check_models
from keras_pixel.export.versions import latest
from keras_pixel.export.versions import new_version
from keras_pixel.export.versions import removed_if_empty
from keras_pixel.files import atomic_folder
from keras_pixel.files import local_path

BATCH_SIZES = (1, 4, 16, 32)


def tf_serving(
    models,
    folder,
    version=None,
    batch_sizes=BATCH_SIZES,
    xla=False,
    pictures=False,
    resize=None,
):
    """Write models as TF-Serving wants them, with all it is started with.

    The folder gets, for each model, NAME/VERSION with the SavedModel (see
    `saved_model`) and requests to warm it up: one for each signature and
    batch size. Beside them: models.config, batching.config,
    monitoring.config, compose.yaml, and a README.md with the lines that start
    the server.

    A version is never overwritten, and appears only when it is whole; a
    running server takes it up by itself. Should one model fail, none is
    written.

    Args:
        models: `PixelModel`, served by its own name, which for a loaded one
            is that of the preset; or a dict from names to models.
        folder: folder to write to; it may hold other models and versions.
        version: int. Defaults to `None`: one more than the highest there is,
            for each model.
        batch_sizes: ints. To these batches of requests are padded; a request
            may have as many rows as the largest. Defaults to
            `(1, 4, 16, 32)`.
        xla: bool. See `saved_model`; the lines that start the server then
            switch XLA on. Defaults to `False`.
        pictures, resize: see `saved_model`.

    Returns:
        Dict from names to `pathlib.Path` of the versions written.

    Raises:
        TypeError: if a model is no `PixelModel`.
        ValueError: if a name, the version or the batch sizes cannot be used,
            or the versions that are there are of another preset or
            architecture.
        FileExistsError: if there is that version already.
        ImportError: if the extra `serve` is not installed.
        RuntimeError: see `saved_model`.
    """
    if not isinstance(models, dict):
        check_exportable(models)
        models = {models.name: models}
    folder = local_path(folder)
    batch_sizes = _checked_batch_sizes(batch_sizes)
    check_models(models)
    _check_installed()
    places = {
        name: folder / name / str(new_version(folder / name, version))
        for name in models
    }
    for name, model in models.items():
        check_next_version(name, model, latest(folder / name))
    parents = [folder / name for name in models]
    with removed_if_empty(*parents, folder), contextlib.ExitStack() as stack:
        for name, model in models.items():
            place = stack.enter_context(atomic_folder(places[name]))
            saved_model(model, place, xla, pictures, resize)
            with tensorflow_writes(place):
                warmup.write_warmup(place, name, model.num_levels, batch_sizes)
            write_identity(model, place)
            _check_warmup(place)
    _write_files(folder, batch_sizes)
    return places


def _check_warmup(place):
    try:
        warmup.check_warmup(place)
    except RequestError as error:
        raise ExportError(
            "TF-Serving must be able to replay the warm-up requests. "
            f"Received: {error}"
        ) from error


def _write_files(folder, batch_sizes):
    found = find_models(folder)
    xla = any(
        uses_xla(version)
        for path in found.values()
        for version in find_versions(path).values()
    )
    told = {name: read_identity(latest(path)) for name, path in found.items()}
    signatures = {
        signature
        for path in found.values()
        for signature in read_signature_defs(latest(path))
    }
    serving_files.write_serving_files(
        folder, told, batch_sizes, xla, signatures
    )


def _checked_batch_sizes(batch_sizes):
    sizes = sorted(
        {
            check_size(f"batch_sizes[{i}]", size)
            for i, size in enumerate(batch_sizes)
        }
    )
    if not sizes:
        raise ValueError(
            "`batch_sizes` must hold at least one size. "
            f"Received: batch_sizes={batch_sizes!r}. Use for example (1, 16)."
        )
    # Each is a record for each signature; TF-Serving takes 1,000 of them.
    if len(sizes) > 100:
        raise ValueError(
            "`batch_sizes` must be at most 100. "
            f"Received: {len(sizes)} batch sizes."
        )
    return sizes


def _check_installed():
    try:
        from tensorflow_serving.apis import prediction_log_pb2  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Requests for the warm-up need tensorflow-serving-api. "
            f"Received: {error}. Install it by "
            '`pip install "keras-pixel[serve]"`.'
        ) from error
