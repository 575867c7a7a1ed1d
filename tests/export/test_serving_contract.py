"""What TF-Serving needs of a model, held with its official messages."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pixel.export import warmup
from tests.support.serving import ServingSession
from tests.support.serving import predict_request

pytest.importorskip("tensorflow_serving", reason="needs the extra serve")

BATCH_SIZES = (1, 2, 4)
IMAGES = ("uint8", (None, 4, 5, 1))
PER_ROW = {"seed": ("int32", (None,)), "temperature": ("float32", (None,))}
SIGNATURES = {
    "serving_default": (
        {"images": IMAGES},
        {
            "log_prob": ("float32", (None,)),
            "bits_per_dim": ("float32", (None,)),
        },
    ),
    "logits": (
        {"images": IMAGES},
        {"logits": ("float32", (None, 4, 5, 1, 4))},
    ),
    "features": (
        {"images": IMAGES},
        {"features": ("float32", (None, 4, 5, 8))},
    ),
    "sample": (PER_ROW, {"images": IMAGES}),
    "sample_from_noise": (
        {
            "noise": ("float32", (None, 4, 5, 1)),
            "temperature": ("float32", (None,)),
        },
        {"images": IMAGES},
    ),
    "complete": (
        {"images": IMAGES, "mask": ("uint8", (None, 4, 5)), **PER_ROW},
        {"images": IMAGES},
    ),
}


@pytest.fixture(scope="module")
def session(models_folder):
    return ServingSession(models_folder / "tiny" / "1")


def described(infos):
    return {
        name: (
            tf.dtypes.as_dtype(info.dtype).name,
            tuple(
                None if dim.size < 0 else dim.size
                for dim in info.tensor_shape.dim
            ),
        )
        for name, info in infos.items()
    }


def make_request(signature, rows, first=0):
    random = np.random.default_rng(first)
    values = {
        "images": random.integers(4, size=(rows, 4, 5, 1)).astype("uint8"),
        "mask": random.integers(2, size=(rows, 4, 5)).astype("uint8"),
        "noise": random.random((rows, 4, 5, 1), "float32"),
        "seed": np.arange(first, first + rows, dtype="int32"),
        "temperature": np.linspace(0.5, 1, rows, dtype="float32"),
    }
    inputs, _ = SIGNATURES[signature]
    return predict_request(signature, **{name: values[name] for name in inputs})


def test_there_are_these_signatures(session):
    found = {k for k, v in session.signature_defs.items() if v.inputs}
    assert found == set(SIGNATURES)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature_has_these_tensors(session, name):
    signature = session.signature_defs[name]
    inputs, outputs = SIGNATURES[name]
    assert signature.method_name == "tensorflow/serving/predict"
    assert described(signature.inputs) == inputs
    assert described(signature.outputs) == outputs


def test_warmup_has_a_record_per_signature_and_batch_size(models_folder):
    found = []
    for log in warmup.read_warmup(models_folder / "tiny" / "1"):
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "tiny"
        (rows,) = {
            value.tensor_shape.dim[0].size for value in request.inputs.values()
        }
        found.append((request.model_spec.signature_name, rows))
    assert sorted(found) == sorted(
        (name, size) for name in SIGNATURES for size in BATCH_SIZES
    )


def test_warmup_replays_record_by_record(models_folder, session):
    for log in warmup.read_warmup(models_folder / "tiny" / "1"):
        request = log.predict_log.request
        _, outputs = SIGNATURES[request.model_spec.signature_name]
        results = session.run(request)
        assert {
            name: (value.dtype.name, (None, *value.shape[1:]))
            for name, value in results.items()
        } == outputs


@pytest.mark.parametrize("sizes", [(1, 2), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("name", SIGNATURES)
def test_batching_changes_no_result(session, name, sizes):
    requests = [
        make_request(name, rows, first=10 * index)
        for index, rows in enumerate(sizes)
    ]
    together = session.run_batched(requests, BATCH_SIZES)
    for request, batched in zip(requests, together, strict=True):
        for key, value in session.run(request).items():
            if value.dtype == "uint8":
                np.testing.assert_array_equal(batched[key], value)
            else:
                np.testing.assert_allclose(batched[key], value, 1e-4, 1e-5)


def test_bad_row_leaves_the_others_alone(session):
    good = make_request("serving_default", 1)
    bad = predict_request(
        "serving_default", images=np.full((1, 4, 5, 1), 9, "uint8")
    )
    alone = session.run(good)["log_prob"]
    together = session.run_batched([good, bad], BATCH_SIZES)
    np.testing.assert_allclose(together[0]["log_prob"], alone, 1e-5)
    assert np.isnan(together[1]["log_prob"]).all()
