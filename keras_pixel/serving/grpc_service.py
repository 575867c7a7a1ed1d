"""TF-Serving's gRPC services: PredictionService and ModelService."""

import concurrent.futures
import functools
import math
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any
from typing import NoReturn
from typing import Protocol
from typing import TypeVar

import grpc
import numpy as np

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import invalid
from keras_pixel.serving import protocol
from keras_pixel.serving.limits import Limits
from keras_pixel.serving.metrics import Call
from keras_pixel.serving.metrics import Metrics
from keras_pixel.serving.pools import Pools
from keras_pixel.serving.pools import Result
from keras_pixel.serving.pools import too_late
from keras_pixel.serving.repository import ModelRepository


class _Service(Protocol):
    """A service that counts its calls."""

    metrics: Metrics


_AnyService = TypeVar("_AnyService", bound=_Service)


def make_server(
    repository: ModelRepository,
    pools: Pools,
    metrics: Metrics,
    pool: concurrent.futures.Executor,
    limits: Limits,
) -> grpc.Server:
    """Make the gRPC server, without a port.

    Args:
        repository: `ModelRepository`.
        pools: `Pools` that compute.
        metrics: `Metrics`.
        pool: `concurrent.futures.Executor` with a thread for each call.
        limits: `Limits`.

    Returns:
        `grpc.Server`.
    """
    from tensorflow_serving.apis import model_service_pb2_grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    milliseconds = math.ceil(limits.read_timeout * 1000)
    # The longest time that a call takes; a call whose message does not arrive
    # ends with its connection.
    longest = milliseconds + math.ceil(limits.request_timeout * 1000)
    server = grpc.server(
        pool,
        maximum_concurrent_rpcs=limits.num_calls,
        options=[
            ("grpc.max_receive_message_length", limits.max_request_bytes),
            ("grpc.max_send_message_length", -1),
            # A second server on the same port would take half of the requests.
            ("grpc.so_reuseport", 0),
            # Clients connect again by themselves.
            ("grpc.server_handshake_timeout_ms", milliseconds),
            ("grpc.max_connection_idle_ms", longest),
            ("grpc.max_connection_age_ms", longest),
            ("grpc.max_connection_age_grace_ms", longest),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(repository, pools, metrics, limits), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        ModelService(repository, metrics), server
    )
    return server


def _answers(
    method: Callable[[_AnyService, Any, grpc.ServicerContext, Call], Any],
) -> Callable[[_AnyService, Any, grpc.ServicerContext], Any]:
    """Turn errors into gRPC statuses, and count."""

    @functools.wraps(method)
    def answer(
        self: _AnyService, request: Any, context: grpc.ServicerContext
    ) -> Any:
        call = Call(method.__name__)
        begun = time.monotonic()
        code, message = grpc.StatusCode.OK, ""
        try:
            return method(self, request, context, call)
        except RequestError as error:
            code, message = grpc.StatusCode[error.code], str(error)
        except Exception as error:
            # The server keeps running; its operator sees why.
            traceback.print_exc(file=sys.stderr)
            message = f"{type(error).__name__}: {error}"
            code = grpc.StatusCode.INTERNAL
        finally:
            seconds = time.monotonic() - begun
            self.metrics.count("grpc", call, code.name, seconds)
        context.abort(code, protocol.shortened(message))

    return answer


class PredictionService:
    """PredictionService over a `ModelRepository`."""

    def __init__(
        self,
        repository: ModelRepository,
        pools: Pools,
        metrics: Metrics,
        limits: Limits,
    ):
        self.repository = repository
        self.pools = pools
        self.metrics = metrics
        self.limits = limits

    @_answers
    def Predict(
        self, request: Any, context: grpc.ServicerContext, call: Call
    ) -> Any:
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        spec = request.model_spec
        name = spec.signature_name
        version, servable = self.repository.servable(*_address(spec))
        call.model = spec.name
        servable.check(
            name,
            {
                key: _declared(key, proto)
                for key, proto in request.inputs.items()
            },
        )
        inputs = {
            key: _decode(key, proto) for key, proto in request.inputs.items()
        }
        call.is_of(name, inputs)
        timeout = self.limits.request_timeout
        if context.time_remaining() is not None:
            timeout = min(timeout, context.time_remaining())
        future = self.pools.submit(
            servable, name, inputs, timeout, list(request.output_filter)
        )
        outputs = _wait(future, timeout, context)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = name or "serving_default"
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    @_answers
    def GetModelMetadata(
        self, request: Any, context: grpc.ServicerContext, call: Call
    ) -> Any:
        protocol.check_metadata_fields(request.metadata_field)
        address = _address(request.model_spec)
        response = protocol.metadata_response(self.repository, *address)
        call.model = address[0]
        return response

    @_answers
    def Classify(
        self, request: Any, context: grpc.ServicerContext, call: Call
    ) -> NoReturn:
        raise _unimplemented("Classify")

    @_answers
    def Regress(
        self, request: Any, context: grpc.ServicerContext, call: Call
    ) -> NoReturn:
        raise _unimplemented("Regress")

    @_answers
    def MultiInference(
        self, request: Any, context: grpc.ServicerContext, call: Call
    ) -> NoReturn:
        raise _unimplemented("MultiInference")


class ModelService:
    """ModelService over a `ModelRepository`."""

    def __init__(self, repository: ModelRepository, metrics: Metrics):
        self.repository = repository
        self.metrics = metrics

    @_answers
    def GetModelStatus(
        self, request: Any, context: grpc.ServicerContext, call: Call
    ) -> Any:
        address = _address(request.model_spec)
        response = protocol.status_response(self.repository, *address)
        call.model = address[0]
        return response

    @_answers
    def HandleReloadConfigRequest(
        self, request: Any, context: grpc.ServicerContext, call: Call
    ) -> NoReturn:
        raise _unimplemented("HandleReloadConfigRequest")


def _wait(
    future: concurrent.futures.Future[Result],
    timeout: float,
    context: grpc.ServicerContext,
) -> Result:
    """Return a future's result, which nobody waits for in vain."""
    # It gives up its place in the queue when the client goes away.
    if not context.add_callback(future.cancel):
        future.cancel()
    try:
        return future.result(timeout)
    except TimeoutError as error:
        future.cancel()
        raise too_late(timeout) from error
    except concurrent.futures.CancelledError as error:
        raise RequestError(
            "CANCELLED",
            "The client and the server must be there until a request is "
            "answered. Received: one of a client that went away, or of a "
            "server that stops.",
        ) from error


def _address(spec: Any) -> tuple[str, int | None, str]:
    """Return name, version (or `None`) and label of a ModelSpec."""
    if not spec.name:
        raise invalid("`model_spec` must have a name. Received: none.")
    version = spec.version.value if spec.HasField("version") else None
    return spec.name, version, spec.version_label


def _declared(name: str, proto: Any) -> tuple[type, tuple[int, ...]]:
    """Return dtype and shape of a TensorProto."""

    dtypes = {x.as_datatype_enum: x for x in _plain_dtypes()}
    if proto.dtype not in dtypes:
        raise invalid(
            f"The input {name!r} must have a dtype of numbers or strings. "
            f"Received: dtype={proto.dtype}. Make it with "
            "`tf.make_tensor_proto`."
        )
    dtype = dtypes[proto.dtype].as_numpy_dtype
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise invalid(
            f"The input {name!r} must have a known shape. Received: {shape}."
        )
    return dtype, shape


def _plain_dtypes() -> tuple[Any, ...]:
    """What arrays hold: no references, resources and variants."""
    import tensorflow as tf

    signed = (tf.int8, tf.int16, tf.int32, tf.int64)
    unsigned = (tf.uint8, tf.uint16, tf.uint32, tf.uint64)
    floats = (tf.float16, tf.bfloat16, tf.float32, tf.float64)
    others = (tf.complex64, tf.complex128, tf.bool, tf.string)
    return (*signed, *unsigned, *floats, *others)


def _decode(name: str, proto: Any) -> np.ndarray:
    """Return the array of a TensorProto, whose values must fill its shape.

    A single value may stand for the whole tensor, as in constants of graphs.
    """
    import tensorflow as tf

    try:
        return tf.make_ndarray(proto)
    except (ValueError, TypeError, OverflowError) as error:
        size = math.prod(dim.size for dim in proto.tensor_shape.dim)
        raise invalid(
            f"The input {name!r} must hold the {size} values of its shape, in "
            f"the range of its dtype: {error}"
        ) from error


def _unimplemented(method: str) -> RequestError:
    return RequestError(
        "UNIMPLEMENTED",
        f"This development server has no {method}. Use Predict.",
    )
