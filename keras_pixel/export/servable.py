"""What is served: folders of models and versions, and what they take."""

import dataclasses
import functools
import math
import pathlib

import numpy as np

from keras_pixel.export.conversion import quiet
from keras_pixel.export.identity import read_identity
from keras_pixel.export.model_folders import read_signature_defs
from keras_pixel.export.picture_sizes import num_pixels
from keras_pixel.export.picture_sizes import pictures_of_examples

DEFAULT_SIGNATURE = "serving_default"
# These take seconds or minutes, all others a forward pass.
DRAWING_SIGNATURES = (
    *("sample", "sample_from_noise", "complete"),
    *("sample_encoded", "complete_encoded"),
)
# Signatures of files, which are strings.
PICTURES = (
    *("score_encoded", "score_examples"),
    *("sample_encoded", "complete_encoded"),
)
# Of all encoded pictures of a request: decoding one takes up to 30 bytes each.
MAX_PIXELS = 2**25


class RequestError(Exception):
    """A request that cannot be answered.

    Args:
        code: name of the gRPC status, such as "INVALID_ARGUMENT".
        message: what the client is told.
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def invalid(message):
    """A request that can be answered by no server."""
    return RequestError("INVALID_ARGUMENT", message)


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """What a signature says of one of its tensors.

    Args:
        name: name in the signature.
        dtype: NumPy dtype; object for strings.
        shape: tuple; `None` is a free dimension. `None` if the rank is free.
    """

    name: str
    dtype: np.dtype
    shape: tuple | None

    @classmethod
    def from_tensor_info(cls, name, info):
        import tensorflow as tf

        dtype = np.dtype(tf.dtypes.as_dtype(info.dtype).as_numpy_dtype)
        if info.tensor_shape.unknown_rank:
            return cls(name, dtype, None)
        sizes = (dim.size for dim in info.tensor_shape.dim)
        return cls(name, dtype, tuple(None if n < 0 else n for n in sizes))

    @property
    def has_batch(self) -> bool:
        return bool(self.shape and self.shape[0] is None)

    @property
    def dtype_name(self):
        return _shown(self.dtype)

    def check(self, dtype, shape):
        """Refuse another dtype or shape."""
        shape = tuple(shape)
        fits = self.shape is None or (
            len(shape) == len(self.shape)
            and all(
                wanted in (None, size)
                for wanted, size in zip(self.shape, shape, strict=True)
            )
        )
        if not fits:
            wanted = str(self.shape).replace("None", "batch", 1)
            raise invalid(
                f"The input {self.name!r} must have the shape {wanted}. "
                f"Received: shape={shape}."
            )
        if dtype != self.dtype:
            raise invalid(
                f"The input {self.name!r} must be {self.dtype_name}. "
                f"Received: dtype={_shown(np.dtype(dtype))}."
            )


class Servable:
    """A loaded SavedModel, in a session as TF-Serving loads it.

    Args:
        folder: folder of the SavedModel.
        max_batch_size: int. Rows of a request. Defaults to `None`: any.
        max_bytes: int. Size of a request's tensors. Defaults to `None`.
        num_threads: int. Requests that run at once, whatever the number of
            cores; as many more of those that draw. Defaults to `4`.
    """

    def __init__(
        self, folder, max_batch_size=None, max_bytes=None, num_threads=4
    ):
        import tensorflow as tf

        self.signature_defs = read_signature_defs(folder)
        self._said = read_identity(pathlib.Path(folder))
        self.max_batch_size = max_batch_size
        self.max_bytes = max_bytes
        tf1 = tf.compat.v1
        # TensorFlow's own pool has a thread for each core: with one core a
        # sampler's loop holds it until the last pixel.
        config = tf1.ConfigProto()
        for name in ("scores", "drawing"):
            # Of one name: shared by all models.
            config.session_inter_op_thread_pool.add(
                num_threads=num_threads,
                global_name=f"keras_pixel_{name}_{num_threads}",
            )
        self._session = tf1.Session(graph=tf.Graph(), config=config)
        with self._session.graph.as_default(), quiet("tensorflow"):
            tf1.saved_model.load(self._session, ["serve"], str(folder))

    @property
    def signature_names(self):
        """Names of what can be called, sorted."""
        return sorted(
            name for name in self.signature_defs if not name.startswith("__")
        )

    def inputs(self, signature_name=""):
        """`TensorSpec` of every input by name."""
        return self._specs(self._signature_def(signature_name).inputs)

    def outputs(self, signature_name=""):
        """`TensorSpec` of every output by name."""
        return self._specs(self._signature_def(signature_name).outputs)

    @functools.cached_property
    def most_values(self):
        """Values in the inputs of the largest request that is accepted.

        int; or `None` where any number is, or where there are strings that
        may be text.
        """
        most = 0
        for name in self.signature_names:
            values = 0
            for spec in self.inputs(name).values():
                is_text = spec.dtype.kind == "O" and name not in PICTURES
                sizes = spec.shape and [
                    self.max_batch_size if i == 0 and n is None else n
                    for i, n in enumerate(spec.shape)
                ]
                if sizes is None or None in sizes or is_text:
                    return None
                values += math.prod(sizes)
            most = max(most, values)
        return most

    def check(self, signature_name, received):
        """Refuse tensors that the signature does not take.

        Nothing but shapes and dtypes is needed, so that a request that
        declares a huge tensor is refused before there is one.

        Args:
            signature_name: name, "" for the default one.
            received: dict from an input's name to (dtype, shape).

        Raises:
            RequestError: if anything does not fit.
        """
        specs = self.inputs(signature_name)
        if set(received) != set(specs):
            raise invalid(
                f"The signature {signature_name or DEFAULT_SIGNATURE!r} takes "
                f"the inputs {sorted(specs)}. Received: {sorted(received)}."
            )
        rows = {}
        num_bytes = 0
        for name, (dtype, shape) in received.items():
            specs[name].check(dtype, shape)
            num_bytes += math.prod(shape) * specs[name].dtype.itemsize
            if specs[name].has_batch:
                rows[name] = shape[0]
        if self.max_bytes is not None and num_bytes > self.max_bytes:
            raise invalid(
                f"The inputs of a request must take at most {self.max_bytes} "
                f"bytes. Received: {num_bytes} bytes. Send fewer rows at once."
            )
        if len(set(rows.values())) > 1:
            raise invalid(
                "All inputs must have the same number of rows (the size of "
                f"their first dimension). Received: {rows}."
            )
        count = max(rows.values(), default=1)
        if count < 1:
            raise invalid(f"A request must have rows. Received: {count} rows.")
        if self.max_batch_size is not None and count > self.max_batch_size:
            raise invalid(
                f"A request may have at most {self.max_batch_size} rows. "
                f"Received: {count} rows. Send several requests."
            )

    def predict(self, signature_name, inputs, output_filter=(), timeout=None):
        """Call a signature.

        Args:
            signature_name: name, "" for the default one.
            inputs: dict from an input's name to its NumPy array.
            output_filter: names of the outputs wanted; empty for all.
            timeout: seconds after which the computation is aborted; at 0 or
                less it does not begin. What XLA compiled is not aborted: it
                ends first. Defaults to `None`, never.

        Returns:
            Dict from an output's name to its NumPy array.

        Raises:
            RequestError: if the signature does not take these inputs, the
                model does not know a label, or it takes too long.
        """
        import tensorflow as tf

        self.check(
            signature_name,
            {
                name: (value.dtype, value.shape)
                for name, value in inputs.items()
            },
        )
        self._check_labels(inputs)
        self._check_order(inputs)
        _check_pictures(inputs)
        outputs = self.outputs(signature_name)
        unknown = sorted(set(output_filter) - set(outputs))
        if unknown:
            raise invalid(
                f"`output_filter` must name outputs: {sorted(outputs)}. "
                f"Received: {unknown}."
            )
        if timeout is not None and timeout <= 0:
            raise _too_late(0)
        signature = self._signature_def(signature_name)
        names = output_filter or sorted(outputs)
        options = tf.compat.v1.RunOptions(
            inter_op_thread_pool=int(signature_name in DRAWING_SIGNATURES),
            # 0 is no limit.
            timeout_in_ms=0 if timeout is None else math.ceil(timeout * 1000),
        )
        try:
            return self._session.run(
                {name: signature.outputs[name].name for name in names},
                {signature.inputs[k].name: v for k, v in inputs.items()},
                options,
            )
        except tf.errors.DeadlineExceededError as error:
            raise _too_late(timeout) from error
        except tf.errors.CancelledError as error:
            raise RequestError(
                "UNAVAILABLE",
                "A model must be served until it has answered. Received: a "
                "request that was aborted, for the server stops. Send it "
                "again when the server has started.",
            ) from error
        except tf.errors.InvalidArgumentError as error:
            raise invalid(
                f"The model refuses the inputs: {error.message}"
            ) from error

    def abort(self):
        """Abort what is being computed, and compute no more.

        What XLA compiled is not aborted: it ends first.
        """
        self._session.close()

    def _check_labels(self, inputs):
        """Refuse labels out of range, where the version's folder says it.

        The graph itself cannot: it would fail the other rows of a batch.
        """
        if "labels" not in inputs or "num_classes" not in self._said:
            return
        labels, number = inputs["labels"], self._said["num_classes"]
        choice = f"class ids from 0 to {number - 1}"
        if self._said["no_label"] is not None:
            choice += f", or {number} for no label"
            number += 1
        if not ((labels >= 0) & (labels < number)).all():
            raise invalid(
                f"The input 'labels' must hold {choice}. "
                f"Received: ids from {labels.min()} to {labels.max()}."
            )

    def _check_order(self, inputs):
        """Refuse orders out of range, likewise."""
        if "order" not in inputs or "orders" not in self._said:
            return
        order, names = inputs["order"], self._said["orders"]
        if not ((order >= 0) & (order < len(names))).all():
            raise invalid(
                f"The input 'order' must hold indices of {names}. "
                f"Received: from {order.min()} to {order.max()}."
            )

    def _signature_def(self, name):
        name = name or DEFAULT_SIGNATURE
        if name not in self.signature_names:
            raise invalid(
                f"`signature_name` must be one of {self.signature_names}. "
                f"Received: {name!r}."
            )
        return self.signature_defs[name]

    @staticmethod
    def _specs(infos):
        return {
            name: TensorSpec.from_tensor_info(name, info)
            for name, info in infos.items()
        }


def _too_late(timeout):
    return RequestError(
        "DEADLINE_EXCEEDED",
        "A request must be answered in time. Received: one that was "
        f"aborted after {timeout:.3g} seconds of computing. Send fewer "
        "rows at once.",
    )


def _check_pictures(inputs):
    """Refuse encoded pictures that would fill the memory."""
    files = [*inputs.get("image_bytes", np.empty(0)).flat]
    files += pictures_of_examples(inputs.get("examples", np.empty(0)).flat)
    try:
        total = sum(map(num_pixels, files))
    except ValueError as error:
        raise invalid(
            f"Encoded pictures must be PNG or JPEG. Received: {error}. "
            "Convert it."
        ) from error
    if total > MAX_PIXELS:
        raise invalid(
            f"The pictures of a request may have at most {MAX_PIXELS} pixels "
            f"together. Received: {len(files)} pictures of {total} pixels. "
            "Send fewer or smaller ones."
        )


def _shown(dtype):
    return "string" if dtype.kind == "O" else dtype.name
