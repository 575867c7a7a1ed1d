"""The development server's gRPC services, by the official stubs."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.serving import predict_request

grpc = pytest.importorskip("grpc", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def model_stub(channel):
    from tensorflow_serving.apis import model_service_pb2_grpc

    return model_service_pb2_grpc.ModelServiceStub(channel)


def images(rows=2):
    random = np.random.default_rng(0)
    return random.integers(4, size=(rows, 4, 5, 1)).astype("uint8")


def predict(stub, request):
    response = stub.Predict(request, timeout=60)
    outputs = {k: tf.make_ndarray(v) for k, v in response.outputs.items()}
    return response, outputs


def test_predict_scores(stub, model):
    response, outputs = predict(
        stub, predict_request("serving_default", images=images())
    )
    assert response.model_spec.name == "tiny"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    assert outputs["log_prob"].dtype == "float32"
    np.testing.assert_allclose(
        outputs["log_prob"], model.log_prob(images()), 1e-5
    )


def test_default_signature_version_and_output_filter(stub):
    request = predict_request("", images=images())
    request.model_spec.version.value = 1
    request.output_filter.append("bits_per_dim")
    _, outputs = predict(stub, request)
    assert list(outputs) == ["bits_per_dim"]


def test_sample_rows_stand_for_themselves(stub):
    def draw(seed, temperature):
        request = predict_request(
            "sample",
            seed=np.array(seed, "int32"),
            temperature=np.array(temperature, "float32"),
        )
        return predict(stub, request)[1]["images"]

    together = draw([7, 8], [1, 0.5])
    np.testing.assert_array_equal(together[1:], draw([8], [0.5]))


def test_metadata(stub):
    from tensorflow_serving.apis import get_model_metadata_pb2

    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "tiny"
    request.metadata_field.append("signature_def")
    response = stub.GetModelMetadata(request, timeout=60)
    assert response.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert "sample_from_noise" in signatures.signature_def
    request.metadata_field[:] = ["weights"]
    assert refused(stub.GetModelMetadata, request) == "INVALID_ARGUMENT"


def test_status(model_stub):
    from tensorflow_serving.apis import get_model_status_pb2

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "tiny"
    (status,) = model_stub.GetModelStatus(
        request, timeout=60
    ).model_version_status
    assert (status.version, status.State.Name(status.state)) == (1, "AVAILABLE")
    request.model_spec.name = "huge"
    assert refused(model_stub.GetModelStatus, request) == "NOT_FOUND"


def refused(method, request):
    with pytest.raises(grpc.RpcError) as error:
        method(request, timeout=60)
    assert error.value.details()
    return error.value.code().name


@pytest.mark.parametrize(
    ("signature", "inputs", "words"),
    [
        ("", {"images": np.zeros((1, 4, 5), "uint8")}, "must have the shape"),
        ("", {"images": np.zeros((1, 4, 5, 1), "int32")}, "must be uint8"),
        ("", {"images": np.zeros((9, 4, 5, 1), "uint8")}, "at most 8 rows"),
        ("", {"images": np.zeros((0, 4, 5, 1), "uint8")}, "must have rows"),
        ("", {"image": np.zeros((1, 4, 5, 1), "uint8")}, "takes the inputs"),
        ("draw", {}, "must be one of"),
        ("sample", {"seed": np.zeros(1, "int32")}, "takes the inputs"),
        (
            "sample",
            {"seed": np.zeros(2, "int32"), "temperature": np.ones(1, "f")},
            "same number of rows",
        ),
    ],
)
def test_bad_request_is_refused(stub, signature, inputs, words):
    with pytest.raises(grpc.RpcError, match=words) as error:
        stub.Predict(predict_request(signature, **inputs), timeout=60)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_tensor_with_too_few_values_is_refused(stub):
    request = predict_request("", images=images())
    request.inputs["images"].tensor_content = b"\0"
    assert refused(stub.Predict, request) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("size", [2**40, -1])
def test_tensor_of_absurd_shape_is_refused_unmade(stub, size):
    request = predict_request("", images=images())
    # One value for a tensor of any size: a small message.
    request.inputs["images"].ClearField("tensor_content")
    request.inputs["images"].int_val.append(0)
    request.inputs["images"].tensor_shape.dim[0].size = size
    assert refused(stub.Predict, request) == "INVALID_ARGUMENT"


def test_tensor_without_dtype_is_refused(stub):
    request = predict_request("", images=images())
    request.inputs["images"].dtype = 0
    assert refused(stub.Predict, request) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("dtype", [20, 21, 120, 121, 104, 9999])
def test_dtype_of_no_array_is_refused(stub, dtype):
    request = predict_request("", images=images())
    request.inputs["images"].dtype = dtype
    assert refused(stub.Predict, request) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("value", [-1, 300, 2**31 - 1])
def test_value_out_of_the_dtypes_range_is_refused(stub, value):
    request = predict_request("", images=images(1))
    request.inputs["images"].ClearField("tensor_content")
    request.inputs["images"].int_val.extend([value] * 20)
    assert refused(stub.Predict, request) == "INVALID_ARGUMENT"


def test_error_is_short_enough_for_a_header(stub):
    request = predict_request("\N{SNOWMAN}" * 20_000, images=images())
    with pytest.raises(grpc.RpcError, match="must be one of") as error:
        stub.Predict(request, timeout=60)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(error.value.details()) <= 500


def test_unknown_output_model_or_version_is_refused(stub):
    request = predict_request("", images=images())
    request.output_filter.append("score")
    assert refused(stub.Predict, request) == "INVALID_ARGUMENT"
    request = predict_request("", images=images())
    request.model_spec.version.value = 2
    assert refused(stub.Predict, request) == "NOT_FOUND"
    request.model_spec.name = "huge"
    assert refused(stub.Predict, request) == "NOT_FOUND"
    request.model_spec.name = ""
    assert refused(stub.Predict, request) == "INVALID_ARGUMENT"


def test_long_request_is_refused(stub):
    request = predict_request("", images=np.zeros((5001, 4, 5, 1), "uint8"))
    assert refused(stub.Predict, request) == "RESOURCE_EXHAUSTED"


def test_other_methods_are_unimplemented(stub, model_stub):
    from tensorflow_serving.apis import classification_pb2
    from tensorflow_serving.apis import model_management_pb2

    request = classification_pb2.ClassificationRequest()
    assert refused(stub.Classify, request) == "UNIMPLEMENTED"
    reload = model_management_pb2.ReloadConfigRequest()
    method = model_stub.HandleReloadConfigRequest
    assert refused(method, reload) == "UNIMPLEMENTED"


def test_calls_are_counted(server, stub):
    import requests

    predict(stub, predict_request("serving_default", images=images()))
    text = requests.get(
        f"http://127.0.0.1:{server.rest_port}/monitoring/prometheus/metrics",
        timeout=60,
    ).text
    assert (
        'keras_pixel_requests_total{method="Predict",model="tiny",'
        'protocol="grpc",signature="serving_default",status="OK"}'
    ) in text
