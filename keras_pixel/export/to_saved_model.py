"""One SavedModel with everything: scores, samples, completions, features."""

import contextlib
import math
import pathlib
import shutil

import numpy as np

from keras_pixel.compiled import call_model
from keras_pixel.export import checks
from keras_pixel.export.conversion import quiet
from keras_pixel.export.graphs import Graphs
from keras_pixel.export.graphs import check_exportable
from keras_pixel.export.identity import write_identity
from keras_pixel.export.picture_graphs import PictureGraphs
from keras_pixel.export.picture_graphs import png_files
from keras_pixel.files import atomic_folder


def saved_model(model, path, xla=False, pictures=False, resize=None):
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
      the same as `model.sample(noise=noise)` up to ties.
    - `complete`: images, mask, seed, temperature → `images`.
    - `features`: images → `features`, those of `model.features(images)`;
      left out where the model has none, as the baselines.

    With `pictures=True` there are four more, of PNG and JPEG files as strings
    (`image_bytes`, `examples`: `(batch,)`); a client of TF-Serving's REST sends
    and receives each as `{"b64": …}`:

    - `score_encoded`: image_bytes → `log_prob`, `bits_per_dim`. NaN for what is
      no picture, or has another size (see `resize`).
    - `score_examples`: examples, serialised `tf.train.Example`s with `image`
      (the file) and, where the model has classes, `label` → the same. Left out
      where the model is told more than that.
    - `sample_encoded`: seed, temperature → `image_bytes`, PNG files.
    - `complete_encoded`: image_bytes, mask, seed, temperature → `image_bytes`,
      and `is_valid`, false where there was no picture.

    Each but `score_examples` also takes what the model is told beside the
    images: `labels` int32 `(batch,)`, `order` likewise, `condition` of the
    shape and dtype that its encoder takes. Where the model has learned with
    `label_dropout`, the label `num_classes` stands for no label. A label or
    order out of range scores NaN, and draws as the nearest one.
    `assets.extra/keras_pixel.json` has the number of classes, their names, the
    orders, and the condition's shape. Guidance is not exported: use
    `model.sample(guidance_scale=…)`.

    A tie: where the cumulative probability is within 1e-5 of the noise, the
    rounding of one runtime may draw the next level, and what follows in that
    image differs too. (Of 64 images of 32 x 32 x 3 one or two do.)

    Before it is put in its place it is loaded again and compared with Keras;
    ties are counted, and logged as information by the logger "keras_pixel".

    Args:
        model: `PixelModel`.
        path: folder to write; it must not exist, or be empty.
        xla: bool. Compile the sampler by XLA: faster where the runtime has
            XLA (TF-Serving does only if told to); each batch size is compiled
            when it comes first. Defaults to `False`.
        pictures: bool. Whether to add the signatures of encoded pictures, for
            images of 1 or 3 channels. Defaults to `False`.
        resize: how pictures of another size are brought to the model's:
            "resize" or "center_crop", see `keras_pixel.data.load_data`; `None`
            for not at all. Defaults to `None`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        TypeError: if `model` is no `PixelModel`.
        RuntimeError: if Keras runs on another backend, or what was written
            does not give what Keras gives (`ExportError`).
        ValueError: if `path` is an address, the working directory or a mount,
            or encoded pictures cannot have the model's channels.
        FileExistsError: if there is something at `path`.
        OSError: if the disk is full.
    """
    check_exportable(model)
    if resize is not None and not pictures:
        raise ValueError(
            "`resize` is of encoded pictures. Received: "
            f"resize={resize!r}, pictures=False. Give `pictures=True`, too."
        )
    with atomic_folder(path) as folder:
        _write(model, folder, xla, pictures, resize)
        checks.report_ties(path, check_saved_model(model, folder))
    return pathlib.Path(path)


def _check_space(model, folder):
    """Refuse a disk that cannot even hold the weights, before the work."""
    size = sum(
        math.prod(w.shape) * np.dtype("float32").itemsize for w in model.weights
    )
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"A SavedModel of this model takes more than {size:,} bytes. "
            f"Received: {free:,} bytes free at {str(folder.parent)!r}. Free "
            "some, or write to another disk."
        )


def _write(model, folder, xla, pictures, resize):
    import tensorflow as tf

    _check_space(model, folder)
    graphs = Graphs(model, xla=xla)
    signatures = graphs.signatures()
    if pictures:
        signatures.update(PictureGraphs(graphs, resize).signatures())
    # Not by `keras.export.ExportArchive`, which traces everything twice.
    root = tf.Module()
    root.model_variables = [variable.value for variable in model.variables]
    for name, (function, specs) in signatures.items():
        traced = tf.function(
            _by_position(function, specs),
            input_signature=specs,
            autograph=False,
        )
        setattr(root, name, traced)
    with tensorflow_writes(folder), quiet("tensorflow"), quiet("absl"):
        tf.saved_model.save(
            root,
            str(folder),
            signatures={name: getattr(root, name) for name in signatures},
        )
    if model.conditions:
        write_identity(model, folder)


@contextlib.contextmanager
def tensorflow_writes(folder):
    """Raise TensorFlow's errors of writing as Python's `OSError`."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        message = " ".join(error.message.split())
        raise OSError(
            "The disk must take what is exported. Received: "
            f"{message[:200]}, at {str(folder.parent)!r}. Free some space, or "
            "write to another disk."
        ) from error


def _by_position(function, specs):
    """A function of tensors in the order of `specs`."""
    names = [spec.name for spec in specs]
    return lambda *tensors: function(**dict(zip(names, tensors, strict=True)))


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
    told = checks.conditions(model, batch)

    def run(name, *inputs):
        tensors = {key: tf.constant(batch[key]) for key in (*inputs, *told)}
        return checks.to_numpy(signatures[name](**tensors))

    images, temperature = batch["images"], batch["temperature"]
    scores = run("serving_default", "images")
    checks.check_scores(model, batch, **scores)
    levels = images.astype("int32")
    checks.check_close(
        "logits",
        run("logits", "images")["logits"],
        model.pixel_distribution.level_logits(
            call_model(model, levels, told.values())
        ),
        checks.FLOAT32.logits,
    )
    if model.feature_layers:
        checks.check_close(
            "features",
            run("features", "images")["features"],
            model.feature_model()([levels, *told.values()], training=False),
            checks.FLOAT32.logits,
        )

    def count_ties(drawn, noise, known=None):
        return checks.check_drawn(
            model, drawn, noise, temperature, known, told.values()
        )

    drawn = run("sample_from_noise", "noise", "temperature")["images"]
    ties = count_ties(drawn, batch["noise"])
    noise = np.asarray(Graphs(model).noise(tf.constant(batch["seed"])))
    drawn = run("sample", "seed", "temperature")["images"]
    ties += count_ties(drawn, noise)
    known = batch["mask"] == 1
    drawn = run("complete", "images", "mask", "seed", "temperature")["images"]
    ties += count_ties(drawn, noise, known)
    if (drawn != images)[known].any():
        raise checks.ExportError(
            "The exported `complete` must keep known pixels. "
            f"Received: {int((drawn != images)[known].sum())} changed."
        )
    if "score_encoded" in signatures:
        _check_pictures(model, run, batch)
    return ties


def _check_pictures(model, run, batch):
    """Compare the signatures of files with those of levels."""
    batch["image_bytes"] = png_files(batch["images"], model.num_levels)
    found = run("score_encoded", "image_bytes")
    for name, expected in run("serving_default", "images").items():
        checks.check_close(name, found[name], expected, checks.FLOAT32.scores)
    inputs = ("seed", "temperature")
    for name, given in (
        ("sample", inputs),
        ("complete", ("mask", *inputs)),
    ):
        is_of_images = name == "complete"
        levels = run(name, *(("images",) if is_of_images else ()), *given)
        found = run(
            f"{name}_encoded",
            *(("image_bytes",) if is_of_images else ()),
            *given,
        )
        expected = png_files(levels["images"], model.num_levels)
        if found["image_bytes"].tolist() != expected.tolist():
            raise checks.ExportError(
                f"The exported `{name}_encoded` must give the images of "
                f"`{name}` as PNG files. Received: other files."
            )
