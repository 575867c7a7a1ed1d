"""The ONNX files: what they give, and the runner of the steps."""

import importlib.util
import json
import sys

import numpy as np
import onnx
import pytest

from keras_pixel import export
from keras_pixel.export import checks
from keras_pixel.export import to_onnx
from keras_pixel.export.conversion import session
from tests.support import catalogue
from tests.support.imports import ROOT
from tests.support.tiny import tiny_model


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "onnx"
    assert export.onnx(model, path, step_batch_size=2) == path
    return path


@pytest.fixture(scope="module")
def gated_files(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "gated"
    return export.onnx(tiny_model("gated"), path, step_batch_size=2)


@pytest.fixture(scope="module")
def runner():
    path = ROOT / "export" / "onnx" / "runner.py"
    spec = importlib.util.spec_from_file_location("runner", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_files_are_standard_onnx_and_say_what_they_are(files, model):
    names = ["log_prob.onnx", "sample.onnx", "step.onnx"]
    assert sorted(path.name for path in files.iterdir()) == names
    for name in names:
        loaded = onnx.load(files / name)
        onnx.checker.check_model(loaded, full_check=True)
        assert [x.domain for x in loaded.opset_import] == [""]
        metadata = {x.key: json.loads(x.value) for x in loaded.metadata_props}
        assert metadata["opset"] == loaded.opset_import[0].version == 17
        assert metadata["image_shape"] == list(model.image_shape)
        assert metadata["num_levels"] == model.num_levels


def test_log_prob_comes_first_and_the_free_axis_is_the_batch(files, model):
    height, width, channels = model.image_shape
    whole = ["batch", height, width, channels]
    loaded = session(files / "log_prob.onnx").loaded
    assert [(x.name, x.shape) for x in loaded.get_outputs()] == [
        ("log_prob", ["batch"]),
        ("bits_per_dim", ["batch"]),
    ]
    assert [x.shape for x in loaded.get_inputs()] == [whole]
    loaded = session(files / "sample.onnx").loaded
    assert {x.name: x.shape for x in loaded.get_inputs()} == {
        "noise": whole,
        "temperature": ["batch"],
    }
    assert [x.shape for x in loaded.get_outputs()] == [whole]


def test_step_and_row_have_fixed_shapes_and_no_control_flow(files, gated_files):
    for path in (
        files / "step.onnx",
        gated_files / "step.onnx",
        gated_files / "row.onnx",
    ):
        graph = onnx.load(path).graph
        assert not {"If", "Loop", "Scan"} & {x.op_type for x in graph.node}
        for value in [*graph.input, *graph.output]:
            sizes = value.type.tensor_type.shape.dim
            assert all(size.dim_value > 0 for size in sizes)


@pytest.mark.parametrize("count", [1, 3])
def test_scores_are_those_of_keras(files, model, count):
    images = catalogue.levels(model, count)
    scores = session(files / "log_prob.onnx")(images=images)
    np.testing.assert_allclose(
        scores["log_prob"], model.log_prob(images), rtol=1e-5
    )
    np.testing.assert_allclose(
        scores["bits_per_dim"], model.bits_per_dim(images), rtol=1e-5
    )


@pytest.mark.parametrize("count", [1, 3])
def test_same_noise_gives_the_images_of_keras(files, model, runner, count):
    random = np.random.default_rng(count)
    noise = random.random((count, *model.noise_shape), "float32")
    temperature = np.linspace(0.5, 1.5, count, dtype="float32")
    expected = model.sample(noise=noise, temperature=temperature)
    run = session(files / "sample.onnx")
    drawn = run(noise=noise, temperature=temperature)["images"]
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, expected)
    # The steps have a fixed batch of two: filled up, or in several turns.
    stepped = runner.StepSampler(files, "cpu").sample(noise, temperature)
    np.testing.assert_array_equal(stepped, expected)


def test_rows_and_steps_of_a_model_in_raster_order(gated_files, runner):
    model = tiny_model("gated")
    random = np.random.default_rng(0)
    noise = random.random((3, *model.noise_shape), "float32")
    sampler = runner.StepSampler(gated_files, "cpu")
    for _ in range(2):  # a second time too, from wherever the first ended
        drawn = sampler.sample(noise)
        np.testing.assert_array_equal(drawn, model.sample(noise=noise))


def test_a_wavefront_takes_a_call_for_some_steps(files, model):
    step = session(files / "step.onnx").loaded
    metadata = step.get_modelmeta().custom_metadata_map
    height, width, _ = model.image_shape
    lag = json.loads(metadata["lag"])
    assert lag == model.lag
    assert json.loads(metadata["num_calls"]) == width + lag * (height - 1)


def test_steps_complete_images(files, model, runner):
    images = catalogue.levels(model, 2)
    known = np.zeros(images.shape[:3], bool)
    known[:, :2] = known[0, 3] = True
    random = np.random.default_rng(0)
    noise = random.random(images.shape, "float32")
    sampler = runner.StepSampler(files, "cpu")
    drawn = sampler.sample(noise, images=images, known=known)
    expected = model.complete(images, known, noise=noise)
    np.testing.assert_array_equal(drawn, expected)


@pytest.fixture(scope="module")
def sampler(files, runner):
    return runner.StepSampler(files, "cpu")


def test_noise_and_temperature_out_of_range_are_clipped(files, model, sampler):
    noise = np.ones((2, *model.noise_shape), "float32")
    below = np.full_like(noise, np.nextafter(np.float32(1), np.float32(0)))
    run = session(files / "sample.onnx")
    for temperature in (1.0, 0.0):
        hot = np.full(2, temperature, "float32")
        expected = model.sample(
            noise=below, temperature=max(temperature, 1e-4), method="naive"
        )
        drawn = run(noise=noise, temperature=hot)["images"]
        np.testing.assert_array_equal(drawn, expected)
        np.testing.assert_array_equal(sampler.sample(noise, hot), expected)


def test_what_is_not_a_number_counts_as_the_middle(files, model):
    run = session(files / "sample.onnx")
    nan = np.full((1, *model.noise_shape), np.nan, "float32")
    half = np.full_like(nan, 0.5)
    one = np.ones(1, "float32")
    expected = run(noise=half, temperature=one)["images"]
    drawn = run(noise=nan, temperature=one * np.nan)["images"]
    np.testing.assert_array_equal(drawn, expected)


def test_known_level_out_of_range_is_clipped_in_the_step(files, model):
    step = session(files / "step.onnx")
    fills = json.loads(
        step.loaded.get_modelmeta().custom_metadata_map["first_states"]
    )
    dtypes = {"tensor(float)": "float32", "tensor(int32)": "int32"}
    inputs = {
        x.name: np.full(x.shape, fills.get(x.name, 0), dtypes[x.type])
        for x in step.loaded.get_inputs()
    }
    inputs["temperature"][:] = 1
    inputs["given"][:] = model.num_levels
    assert (step(**inputs)["levels"] == model.num_levels - 1).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"noise": np.full((1, 4, 5, 1), np.nan)}, r"`noise` must be floats"),
        ({"noise": np.full((1, 4, 5, 1), -0.1)}, r"values from -0.1 to -0.1"),
        ({"noise": np.zeros((1, 4, 5, 3))}, "noise.shape=.1, 4, 5, 3."),
        ({"temperature": float("nan")}, "`temperature` must be .*nan"),
        ({"temperature": -1}, "temperature=-1"),
        ({"temperature": [1, 1]}, "one for each image"),
        ({"images": np.zeros((1, 4, 5, 1), int)}, "known=None. Give both"),
        ({"known": np.ones((1, 4, 5))}, "images=None. Give both"),
        (
            {
                "images": np.full((1, 4, 5, 1), 256),
                "known": np.ones((1, 4, 5)),
            },
            "integer levels from 0 to .*values from 256 to 256. Quantise",
        ),
        (
            {"images": np.zeros((4, 5, 1), int), "known": np.ones((1, 4, 5))},
            "images.shape=.4, 5, 1.",
        ),
    ],
)
def test_runner_refuses_what_cannot_be_meant(sampler, arguments, words):
    arguments = {"noise": np.zeros((1, 4, 5, 1)), **arguments}
    with pytest.raises(ValueError, match=words):
        sampler.sample(**arguments)


def test_runner_runs_from_the_command_line(
    files, runner, tmp_path, monkeypatch
):
    output = tmp_path / "samples.npy"
    monkeypatch.setattr(
        sys, "argv", ["runner.py", str(files), "3", str(output)]
    )
    runner.main()
    assert np.load(output).shape == (3, 4, 5, 1)


def test_mismatch_leaves_nothing(model, tmp_path, monkeypatch):
    def wrong(*args):
        raise checks.ExportError("wrong")

    monkeypatch.setattr(to_onnx, "check_onnx", wrong)
    monkeypatch.setattr(to_onnx, "write_steps", lambda *args: None)
    with pytest.raises(RuntimeError, match="wrong"):
        export.onnx(model, tmp_path / "onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"keras-pixel\[onnxruntime\]"):
        export.onnx(model, tmp_path / "onnx")


def test_step_batch_size_is_checked(model, tmp_path):
    with pytest.raises(ValueError, match="step_batch_size=0"):
        export.onnx(model, tmp_path / "onnx", step_batch_size=0)
