"""Requests that TF-Serving replays when it loads a model."""

import numpy as np

from keras_pixel.export.model_folders import read_signature_defs
from keras_pixel.export.model_folders import uses_xla
from keras_pixel.export.picture_graphs import png_files
from keras_pixel.export.servable import DEFAULT_SIGNATURE
from keras_pixel.export.servable import Servable

# TF-Serving looks for it in every version's folder.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
# More records make TF-Serving refuse the model.
MAX_RECORDS = 1000


def write_warmup(folder, name, num_levels, batch_sizes):
    """Write one PredictionLog per signature and batch size.

    Args:
        folder: `pathlib.Path` of the SavedModel.
        name: the model's name in the server.
        num_levels: int. Levels of an image.
        batch_sizes: ints.
    """
    import tensorflow as tf

    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in _logs(folder, name, num_levels, batch_sizes):
            writer.write(log.SerializeToString())


def read_warmup(folder):
    """PredictionLogs of a version's folder."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    records = tf.data.TFRecordDataset(str(folder / WARMUP_FILE))
    return [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in records
    ]


def check_warmup(folder):
    """Replay the smallest request of each signature; look at all others.

    TF-Serving does not load a model whose warm-up fails.

    Raises:
        RequestError: if a request is refused.
    """
    servable = Servable(folder)
    replayed = set()
    for name, inputs in _requests(folder):
        if name in replayed:
            shapes = {k: (v.dtype, v.shape) for k, v in inputs.items()}
            servable.check(name, shapes)
        else:
            servable.predict(name, inputs)
            replayed.add(name)


def replay_warmup(servable, folder):
    """Replay the requests of a version's folder, where it has any.

    Without XLA the first of a signature brings all that the later ones need.

    Args:
        servable: `Servable` of the folder.
        folder: `pathlib.Path` of the SavedModel.
    """
    if not (folder / WARMUP_FILE).is_file():
        return
    every = uses_xla(folder)
    replayed = set()
    for name, inputs in _requests(folder):
        rows = max(map(len, inputs.values()))
        if rows <= (servable.max_batch_size or rows) and (
            every or name not in replayed
        ):
            servable.predict(name, inputs)
            replayed.add(name)


def _requests(folder):
    """Name of the signature and arrays of every request."""
    import tensorflow as tf

    for log in read_warmup(folder):
        request = log.predict_log.request
        yield (
            request.model_spec.signature_name,
            {k: tf.make_ndarray(proto) for k, proto in request.inputs.items()},
        )


def _logs(folder, name, num_levels, batch_sizes):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    signatures = read_signature_defs(folder)
    sizes = signatures[DEFAULT_SIGNATURE].inputs["images"].tensor_shape.dim
    image_shape = tuple(dim.size for dim in sizes[1:])
    for signature, definition in sorted(signatures.items()):
        # The initialiser has no inputs, and nobody calls it.
        if not definition.inputs:
            continue
        for size in sorted(batch_sizes):
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, info in sorted(definition.inputs.items()):
                shape = [dim.size for dim in info.tensor_shape.dim]
                value = _values(
                    key, (size, *shape[1:]), num_levels, image_shape
                )
                request.inputs[key].CopyFrom(
                    tf.make_tensor_proto(value, dtype=info.dtype)
                )
            yield log


def _values(name, shape, num_levels, image_shape):
    random = np.random.default_rng(0)
    if name in ("image_bytes", "examples"):
        levels = random.integers(num_levels, size=(*shape, *image_shape))
        files = png_files(levels, num_levels)
        return files if name == "image_bytes" else _examples(files)
    if name == "images":
        return random.integers(num_levels, size=shape)
    if name == "mask":
        return random.integers(2, size=shape)
    if name == "noise":
        return random.random(shape)
    if name == "seed":
        return np.arange(shape[0])
    if name == "temperature":
        return np.ones(shape)
    # Labels and orders, of which there is always 0, and other conditions.
    return np.zeros(shape)


def _examples(files):
    """Pictures as serialised examples, all of the label 0."""
    import tensorflow as tf

    return np.array(
        [
            tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "image": tf.train.Feature(
                            bytes_list=tf.train.BytesList(value=[file])
                        ),
                        "label": tf.train.Feature(
                            int64_list=tf.train.Int64List(value=[0])
                        ),
                    }
                )
            ).SerializeToString()
            for file in files
        ],
        dtype=object,
    )
