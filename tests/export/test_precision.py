"""ONNX files in float16: they load, and are what Keras is in float32."""

import json

import numpy as np
import onnx
import pytest

import keras_pixel
from benchmarks.export import load_runner
from keras_pixel import export
from keras_pixel.export import to_onnx
from keras_pixel.export.checks import ExportError
from keras_pixel.export.checks import check_drawn
from keras_pixel.export.conversion import session
from keras_pixel.export.graphs import Graphs
from keras_pixel.export.precision import TOLERANCES
from keras_pixel.export.precision import in_precision
from keras_pixel.layers.lora import enable_lora
from tests.support import catalogue

FLOAT, FLOAT16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
TRAINABLE = catalogue.trainable(catalogue.MODELS)
# Convolutions, recurrence, attention; a mixture over strided grids.
EVERY_RUN = (
    "pixel_cnn_grey",
    "pixel_rnn_diagonal_bilstm_grey",
    "image_transformer_1d_rgb",
    "wavefront_pixel_cnn_grey",
)
OFTEN = [case for case in TRAINABLE if case.name in EVERY_RUN]


def test_cases_of_every_run_are_there():
    assert len(OFTEN) == len(EVERY_RUN)


@pytest.mark.parametrize("case", **catalogue.named(TRAINABLE, OFTEN))
def test_scores_are_close_to_those_of_float32(case, tmp_path):
    model = case.make()
    lowered = in_precision(model, "float16")
    to_onnx.write_scores(Graphs(lowered), tmp_path, {})
    images = catalogue.levels(model, 4)
    scores = session(tmp_path / "log_prob.onnx")(images=images)
    expected = model.log_prob(images)
    assert scores["log_prob"].dtype == np.float32
    np.testing.assert_allclose(
        scores["log_prob"], expected, rtol=TOLERANCES["float16"].scores
    )
    assert (scores["log_prob"] != expected).any()
    loaded = onnx.load(tmp_path / "log_prob.onnx")
    onnx.checker.check_model(loaded, full_check=True)
    # What is multiplied is float16.
    assert FLOAT16 in {x.data_type for x in loaded.graph.initializer}


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", **catalogue.named(catalogue.trainable(catalogue.MODELS))
)
def test_every_model_is_exported_whole(case, tmp_path):
    # It compares scores, samples and steps with Keras.
    export.onnx(case.make(), tmp_path / "onnx", 2, precision="float16")


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("float16") / "onnx"
    return export.onnx(model, path, step_batch_size=2, precision="float16")


def test_inputs_and_outputs_are_those_of_float32(files, model):
    for name in ("log_prob.onnx", "sample.onnx"):
        graph = onnx.load(files / name).graph
        dtypes = {
            x.type.tensor_type.elem_type for x in (*graph.input, *graph.output)
        }
        assert FLOAT in dtypes
        assert FLOAT16 not in dtypes


def test_files_say_their_precision(files):
    for path in files.iterdir():
        metadata = {x.key: x.value for x in onnx.load(path).metadata_props}
        assert json.loads(metadata["precision"]) == "float16"


def test_states_of_the_steps_are_float16(files):
    graph = onnx.load(files / "step.onnx").graph
    states = {
        x.type.tensor_type.elem_type
        for x in graph.input
        if x.name.startswith("state_")
    }
    assert FLOAT16 in states


def test_runner_draws_what_keras_draws(files, model):
    random = np.random.default_rng(0)
    noise = random.random((3, *model.noise_shape), "float32")
    drawn = load_runner().StepSampler(files, "cpu").sample(noise)
    one = np.ones(3, "float32")
    tolerances = TOLERANCES["float16"]
    count = check_drawn(model, drawn, noise, one, tolerances=tolerances)
    assert count < noise.size / 20
    with pytest.raises(ExportError):
        check_drawn(model, drawn[::-1], noise, one, tolerances=tolerances)


def test_a_sum_beyond_float16_is_right(tmp_path):
    """Log-probabilities of an image of 256 levels leave its range."""
    model = keras_pixel.PixelCNN(
        (32, 32, 3), num_levels=256, filters=6, num_blocks=1, head_filters=0
    )
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    images = catalogue.levels(model, 1)
    expected = model.log_prob(images)
    assert expected < -65504
    to_onnx.write_scores(Graphs(in_precision(model, "float16")), tmp_path, {})
    found = session(tmp_path / "log_prob.onnx")(images=images)["log_prob"]
    np.testing.assert_allclose(found, expected, rtol=5e-3)


def test_float32_is_the_model_itself(model):
    assert in_precision(model, "float32") is model


def test_what_cannot_be_is_refused(tmp_path):
    def refuse(model, words):
        with pytest.raises(NotImplementedError, match=words):
            export.onnx(model, tmp_path / "onnx", precision="float16")

    model = catalogue.MODELS[0].make()
    own = keras_pixel.PixelModel(
        model.inputs, model.outputs[0], num_levels=model.num_levels
    )
    refuse(own, "a graph of one's own")
    for case in catalogue.MODELS:
        if not case.trainable:
            refuse(case.make(), "a baseline")
    wide = catalogue.MODELS[0].make()
    wide.weights[0].assign(np.full(wide.weights[0].shape, 1e5))
    refuse(wide, "range of float16.*weight of 1e.05")
    enable_lora(model, 2)
    refuse(model, "LoRA")
    assert list(tmp_path.iterdir()) == []


def test_unknown_precision_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="must be one of .*'float16'.*='int8'"):
        export.onnx(model, tmp_path / "onnx", precision="int8")
    with pytest.raises(ValueError, match="precision='int8'"):
        export.triton(model, tmp_path / "onnx", precision="int8")
