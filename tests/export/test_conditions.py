"""Exports of models that are told labels or another condition."""

import importlib.util
import json

import numpy as np
import onnx
import pytest

from keras_pixel import export
from keras_pixel.export import identity
from keras_pixel.export import warmup
from keras_pixel.export.conversion import session
from keras_pixel.export.graphs import Graphs
from tests.support import catalogue
from tests.support import conditional_exports
from tests.support.conditional_exports import conditions
from tests.support.imports import ROOT

# What each is told: dtype and shape without the batch.
TOLD = {
    "rows": {"labels": ("int32", ()), "condition": ("float32", (3, 4, 2))},
    "strides": {"condition": ("float32", (4, 4, 2))},
    "vector": {"condition": ("int32", ())},
    "orders": {"order": ("int32", ())},
}
DRAWN_BY = {
    "serving_default": {"images"},
    "logits": {"images"},
    "features": {"images"},
    "sample": {"seed", "temperature"},
    "sample_from_noise": {"noise", "temperature"},
    "complete": {"images", "mask", "seed", "temperature"},
}


# In every run the one that is told two things.
PARAMS = [
    pytest.param(name, marks=[] if name == "rows" else [pytest.mark.slow])
    for name in TOLD
]


@pytest.fixture(scope="module", params=PARAMS)
def model(request):
    if request.param == "rows":
        return request.getfixturevalue("told_model")
    return getattr(conditional_exports, request.param)()


@pytest.fixture(scope="module")
def signatures(model, request, tmp_path_factory):
    import tensorflow as tf

    if model.name == "rows":
        folder = request.getfixturevalue("told_models_folder") / "tiny" / "1"
    else:
        folder = tmp_path_factory.mktemp("export") / "1"
        export.saved_model(model, folder)
    loaded = tf.saved_model.load(str(folder))

    def run(name, **inputs):
        tensors = {key: tf.constant(x) for key, x in inputs.items()}
        outputs = loaded.signatures[name](**tensors)
        return {key: x.numpy() for key, x in outputs.items()}

    run.loaded = loaded
    return run


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "onnx"
    return export.onnx(model, path, step_batch_size=2)


@pytest.fixture(scope="module")
def sampler(files):
    path = ROOT / "export" / "onnx" / "runner.py"
    spec = importlib.util.spec_from_file_location("runner", path)
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner.StepSampler(files, "cpu")


def drawn_by(model, count):
    random = np.random.default_rng(count)
    noise = random.random((count, *model.noise_shape), "float32")
    return noise, np.linspace(0.5, 1.5, count, dtype="float32")


def test_every_signature_takes_what_the_model_is_told(signatures, model):
    import tensorflow as tf

    for name, others in DRAWN_BY.items():
        found = signatures.loaded.signatures[name]
        specs = found.structured_input_signature[1]
        assert set(specs) == {*others, *TOLD[model.name]}
        for key, (dtype, shape) in TOLD[model.name].items():
            assert specs[key] == tf.TensorSpec((None, *shape), dtype, key)


@pytest.mark.parametrize("count", [1, 3])
def test_saved_model_gives_what_keras_gives(signatures, model, count):
    images = catalogue.levels(model, count)
    told = conditions(model, count)
    scores = signatures("serving_default", images=images, **told)
    expected = model.log_prob(images, **told)
    np.testing.assert_allclose(scores["log_prob"], expected, rtol=1e-5)
    features = signatures("features", images=images, **told)["features"]
    expected = model.features(images, **told)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    noise, temperature = drawn_by(model, count)
    drawn = signatures(
        "sample_from_noise", noise=noise, temperature=temperature, **told
    )["images"]
    expected = model.sample(noise=noise, temperature=temperature, **told)
    np.testing.assert_array_equal(drawn, expected)
    seed = np.arange(count, dtype="int32")
    mask = np.zeros(images.shape[:3], "uint8")
    mask[:, :1] = 1
    drawn = signatures(
        "complete",
        **{"images": images, "mask": mask, "seed": seed},
        **{"temperature": temperature, **told},
    )["images"]
    expected = model.complete(
        images,
        mask == 1,
        noise=Graphs(model).noise(seed),
        temperature=temperature,
        **told,
    )
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("count", [1, 3])
def test_onnx_gives_what_keras_gives(files, sampler, model, count):
    images = catalogue.levels(model, count)
    told = conditions(model, count)
    scores = session(files / "log_prob.onnx")(images=images, **told)
    expected = model.log_prob(images, **told)
    np.testing.assert_allclose(scores["log_prob"], expected, rtol=1e-5)
    noise, temperature = drawn_by(model, count)
    drawn = session(files / "sample.onnx")(
        noise=noise, temperature=temperature, **told
    )["images"]
    expected = model.sample(noise=noise, temperature=temperature, **told)
    np.testing.assert_array_equal(drawn, expected)
    # The steps have a fixed batch of two: filled up, or in several turns.
    stepped = sampler.sample(noise, temperature, **told)
    np.testing.assert_array_equal(stepped, expected)


def test_one_condition_for_all_images(sampler, model):
    noise, temperature = drawn_by(model, 3)
    told = {name: x[0] for name, x in conditions(model, 1).items()}
    expected = model.sample(noise=noise, temperature=temperature, **told)
    drawn = sampler.sample(noise, temperature, **told)
    np.testing.assert_array_equal(drawn, expected)


def test_onnx_files_say_what_the_model_is_told(files, model):
    names = ["log_prob.onnx", "sample.onnx", "step.onnx"]
    names += ["row.onnx"] if model.name == "rows" else []
    assert {path.name for path in files.iterdir()} == set(names)
    for name in names:
        loaded = onnx.load(files / name)
        found = {x.name for x in loaded.graph.input}
        assert set(TOLD[model.name]) <= found
        assert ("row" in found) == (name == "row.onnx")
        metadata = {x.key: json.loads(x.value) for x in loaded.metadata_props}
        said = identity.describe_conditions(model)
        assert said.items() <= metadata.items()


# === Of the model of labels and a map alone ===


@pytest.fixture(scope="module")
def version(told_models_folder):
    return told_models_folder / "tiny" / "1"


def test_metadata_say_what_may_be_sent(version, told_models_folder):
    said = json.loads((version / "assets.extra/keras_pixel.json").read_text())
    expected = {
        "num_classes": 3,
        "class_names": ["cat", "dog", "owl"],
        "no_label": 3,
        "condition_shape": [3, 4, 2],
        "condition_dtype": "float32",
    }
    assert expected.items() <= said.items()
    text = (told_models_folder / "README.md").read_text()
    assert (
        "- `tiny`: `labels` int32 (batch,): a class id from 0 to 2, or 3 for "
        "no label; `condition` float32 (batch, 3, 4, 2)\n"
    ) in text
    told = '"labels": [0, 1], "condition": [CONTEXT, CONTEXT]}'
    assert f'"temperature": [1.0, 1.0], {told}' in text


def test_images_alone_say_nothing_new():
    model = catalogue.MODELS[0].make()
    assert identity.describe_conditions(model) == {}
    assert not {"num_classes", "class_names"} & set(identity.identity(model))


def test_encoder_made_again_is_the_same_model(told_model):
    # Keras numbers the layers of a second encoder anew.
    again = conditional_exports.rows()
    assert identity.identity(again) == identity.identity(told_model)


def test_warmup_has_labels_that_exist(version):
    for log in warmup.read_warmup(version):
        inputs = log.predict_log.request.inputs
        rows = inputs["labels"].tensor_shape.dim[0].size
        assert rows in (1, 2)
        assert [dim.size for dim in inputs["condition"].tensor_shape.dim] == [
            *(rows, 3, 4, 2)
        ]
        assert not any(inputs["labels"].int_val)


@pytest.fixture(scope="module")
def run(version):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(version))

    def run(name, **inputs):
        tensors = {key: tf.constant(x) for key, x in inputs.items()}
        outputs = loaded.signatures[name](**tensors)
        return {key: x.numpy() for key, x in outputs.items()}

    return run


def test_the_last_label_stands_for_none(run, told_model):
    images = catalogue.levels(told_model, 2)
    told = conditions(told_model, 2)
    told["labels"] = np.array([3, 3], "int32")
    scores = run("serving_default", images=images, **told)["log_prob"]
    expected = told_model.log_prob(images, condition=told["condition"])
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_label_out_of_range_leaves_other_rows_alone(run, told_model):
    images = catalogue.levels(told_model, 3)
    told = conditions(told_model, 3)
    told["labels"] = np.array([1, -1, 4], "int32")
    scores = run("serving_default", images=images, **told)["log_prob"]
    nearest = {**told, "labels": np.array([1, 0, 3], "int32")}
    expected = run("serving_default", images=images, **nearest)["log_prob"]
    np.testing.assert_allclose(scores[0], expected[0], rtol=1e-5)
    assert np.isnan(scores[1:]).all()
    assert np.isfinite(expected).all()
    noise, temperature = drawn_by(told_model, 3)
    given = {"noise": noise, "temperature": temperature}
    np.testing.assert_array_equal(
        run("sample_from_noise", **given, **told)["images"],
        run("sample_from_noise", **given, **nearest)["images"],
    )


@pytest.mark.parametrize("model", ["rows"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"condition": None}, "`condition` must be given if.*'labels'.*Give"),
        ({"labels": 4}, "`labels` must be class ids from 0 to 2, or 3 for"),
        ({"labels": -1}, "values from -1 to -1. Use one"),
        ({"labels": 0.5}, "labels.dtype=float64"),
        ({"labels": [1, 2]}, "one for each of the 1. Received: labels.shape"),
        ({"condition": np.zeros((4, 2))}, r"shape \(3, 4, 2\), or one"),
    ],
)
def test_runner_refuses_what_cannot_be_meant(sampler, arguments, words):
    told = {"labels": 1, "condition": np.zeros((3, 4, 2)), **arguments}
    with pytest.raises(ValueError, match=words):
        sampler.sample(np.zeros((1, 3, 4, 1)), **told)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vector"], indirect=True)
def test_runner_refuses_labels_for_a_model_without(sampler):
    with pytest.raises(ValueError, match=r"labels=1, a .* takes \['condition'"):
        sampler.sample(np.zeros((1, 3, 4, 1)), labels=1, condition=0)
