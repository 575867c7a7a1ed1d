"""One SavedModel with everything: scores, samples, completions, features."""

import pathlib

import keras
import numpy as np

from keras_pixel.export import checks
from keras_pixel.export.graphs import Graphs
from keras_pixel.export.graphs import check_exportable
from keras_pixel.files import atomic_folder


def saved_model(model, path, xla=False):
    """Write a model, its sampler included, as a TensorFlow SavedModel.

    It runs wherever TensorFlow does, without Keras and this package: in
    TF-Serving, in `tf.saved_model.load`, in `saved_model_cli`. Batch size is
    free. Signatures (levels are uint8, `mask` is uint8 with 1 = known):

    - `serving_default`: images → `log_prob` (nats), `bits_per_dim`, each
      `(batch,)`. NaN for an image with levels out of range.
    - `logits`: images → `logits` `(batch, height, width, channels, levels)`.
    - `sample`: seed int32 `(batch,)`, temperature float32 `(batch,)` →
      `images`. A row depends on its own seed and temperature alone.
    - `sample_from_noise`: noise float32 in [0, 1), temperature → `images`,
      the same as `model.sample(noise=noise)`.
    - `complete`: images, mask, seed, temperature → `images`.
    - `features`: images → `features`, those of `model.features(images)`.

    Before it is put in its place it is loaded again and compared with Keras.

    Args:
        model: `PixelModel`.
        path: folder to write; it must not exist, or be empty.
        xla: bool. Compile the sampler by XLA: faster where the runtime has
            XLA (TF-Serving does only if told to); each batch size is compiled
            when it comes first. Defaults to `False`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        TypeError: if `model` is no `PixelModel`.
        RuntimeError: if Keras runs on another backend, or what was written
            does not give what Keras gives (`ExportError`).
        FileExistsError: if there is something at `path`.
    """
    check_exportable(model)
    with atomic_folder(path) as folder:
        _write(model, folder, xla)
        checks.report_ties(path, check_saved_model(model, folder))
    return pathlib.Path(path)


def _write(model, folder, xla):
    graphs = Graphs(model, xla=xla)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, (function, specs) in graphs.signatures().items():
        archive.add_endpoint(name, function, input_signature=specs)
    archive.write_out(str(folder), verbose=False)


def check_saved_model(model, folder):
    """Load a SavedModel and compare every signature with Keras.

    Returns:
        Number of sub-pixels that differ because of a tie.

    Raises:
        ExportError: if it gives something else than Keras.
    """
    import tensorflow as tf

    signatures = tf.saved_model.load(str(folder)).signatures
    batch = checks.small_batch(model)

    def run(name, *inputs):
        tensors = {key: tf.constant(batch[key]) for key in inputs}
        return checks.to_numpy(signatures[name](**tensors))

    images, temperature = batch["images"], batch["temperature"]
    scores = run("serving_default", "images")
    checks.check_scores(model, images, **scores)
    levels = images.astype("int32")
    checks.check_close(
        "logits",
        run("logits", "images")["logits"],
        model(levels, training=False),
        checks.LOGITS_TOLERANCE,
    )
    checks.check_close(
        "features",
        run("features", "images")["features"],
        model.features(images),
        checks.LOGITS_TOLERANCE,
    )
    drawn = run("sample_from_noise", "noise", "temperature")["images"]
    ties = checks.check_drawn(model, drawn, batch["noise"], temperature)
    noise = np.asarray(Graphs(model).noise(tf.constant(batch["seed"])))
    drawn = run("sample", "seed", "temperature")["images"]
    ties += checks.check_drawn(model, drawn, noise, temperature)
    known = batch["mask"] == 1
    drawn = run("complete", "images", "mask", "seed", "temperature")["images"]
    ties += checks.check_drawn(model, drawn, noise, temperature, known)
    if (drawn != images)[known].any():
        raise checks.ExportError(
            "The exported `complete` must keep known pixels. "
            f"Received: {int((drawn != images)[known].sum())} changed."
        )
    return ties
