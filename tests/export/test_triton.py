"""Folders for Triton: what its config says is what the ONNX files take."""

import os
import struct
import subprocess
import sys

import numpy as np
import onnx
import pytest

from keras_pixel import export
from keras_pixel.export import to_triton
from keras_pixel.export import triton_config
from keras_pixel.export.conversion import session
from keras_pixel.models import PixelCNN
from tests.support import catalogue
from tests.support.imports import ROOT
from tests.support.text_format import parse

GRAPHS = ("tiny_log_prob", "tiny_sample")
DTYPES = {
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.UINT8: "TYPE_UINT8",
    onnx.TensorProto.INT32: "TYPE_INT32",
}


@pytest.fixture(scope="module")
def repository(told_model, tmp_path_factory):
    """Of a model with labels and a map: all that can be an input."""
    path = tmp_path_factory.mktemp("triton") / "models"
    found = export.triton({"tiny": told_model}, path, max_batch_size=8)
    assert found == {name: path / name / "1" for name in GRAPHS}
    return path


@pytest.fixture
def quick(repository, monkeypatch):
    """Copies the ONNX files: their conversion takes seconds."""

    def copy(model, folder, precision):
        for graph in to_triton.GRAPHS:
            source = repository / f"tiny_{graph}" / "1" / "model.onnx"
            (folder / f"{graph}.onnx").write_bytes(source.read_bytes())

    monkeypatch.setattr(to_triton, "write_graphs", copy)
    monkeypatch.setattr(to_triton, "check_graphs", lambda *arguments: 0)


def listed(folder):
    return {path.name for path in folder.iterdir()}


def test_folder_has_what_triton_wants(repository):
    assert listed(repository) == {"README.md", *GRAPHS}
    files = {"config.pbtxt", "1"}
    assert listed(repository / "tiny_log_prob") == files
    assert listed(repository / "tiny_sample") == files | {"warmup"}
    for name in GRAPHS:
        version = repository / name / "1"
        assert listed(version) == {"model.onnx", "assets.extra"}
        # A server that runs as somebody else must read it.
        assert version.stat().st_mode & 0o055 == 0o055


@pytest.mark.parametrize("name", GRAPHS)
def test_config_says_what_the_file_takes(repository, name):
    config = parse((repository / name / "config.pbtxt").read_text())
    graph = onnx.load(repository / name / "1" / "model.onnx").graph
    for key, values in (("input", graph.input), ("output", graph.output)):
        assert [x["name"][0] for x in config[key]] == [
            f'"{x.name}"' for x in values
        ]
        for said, value in zip(config[key], values, strict=True):
            tensor = value.type.tensor_type
            assert said["data_type"] == [DTYPES[tensor.elem_type]]
            batch, *sizes = tensor.shape.dim
            assert batch.dim_param == "batch"
            sizes = [str(size.dim_value) for size in sizes]
            # What Triton gives the model: the batch, and the shape.
            shape = said["reshape"][0]["shape"] if "reshape" in said else None
            assert said["dims"] == (sizes or ["1"])
            assert shape == (None if sizes else [])
    assert config["name"] == [f'"{name}"']
    assert config["backend"] == ['"onnxruntime"']
    assert config["max_batch_size"] == ["8"]
    assert config["instance_group"] == [{"count": ["1"], "kind": ["KIND_AUTO"]}]
    assert list(config["dynamic_batching"][0]) == [
        "max_queue_delay_microseconds"
    ]


@pytest.mark.parametrize("name", GRAPHS)
def test_warm_up_can_be_computed(repository, name):
    """As Triton does: a batch is so many requests of one row."""
    config = parse((repository / name / "config.pbtxt").read_text())
    run = session(repository / name / "1" / "model.onnx")
    dtypes = {"TYPE_FP32": "f4", "TYPE_UINT8": "u1", "TYPE_INT32": "i4"}
    described = {x["name"][0]: x for x in config["input"]}
    sizes = []
    for sample in config["model_warmup"]:
        rows = int(sample["batch_size"][0])
        sizes.append(rows)
        inputs = {}
        for entry in sample["inputs"]:
            (key,), (value,) = entry["key"], entry["value"]
            said = described[key]
            assert value["data_type"] == said["data_type"]
            assert value["dims"] == said["dims"]
            dtype = np.dtype(dtypes[value["data_type"][0]])
            count = np.prod([int(x) for x in value["dims"]])
            if "zero_data" in value:
                assert value["zero_data"] == ["true"]
                row = bytes(dtype.itemsize * count)
            else:
                file = value["input_data_file"][0].strip('"')
                row = (repository / name / "warmup" / file).read_bytes()
            shape = [] if "reshape" in said else value["dims"]
            array = np.frombuffer(row * rows, dtype)
            shape = (rows, *(int(x) for x in shape))
            inputs[key.strip('"')] = array.reshape(shape)
        assert set(inputs) == {x.strip('"') for x in described}
        outputs = run(**inputs)
        assert all(len(x) == rows for x in outputs.values())
    assert sizes == [1, 8]


def test_warm_up_is_at_a_temperature_of_1(repository):
    data = (repository / "tiny_sample" / "warmup" / "temperature").read_bytes()
    assert struct.unpack("<f", data) == (1.0,)


def test_sampler_has_one_thread_for_an_operation(repository):
    said = [
        parse((repository / name / "config.pbtxt").read_text()).get(
            "parameters"
        )
        for name in GRAPHS
    ]
    assert said == [
        None,
        [
            {
                "key": ['"intra_op_thread_count"'],
                "value": [{"string_value": ['"1"']}],
            }
        ],
    ]


def test_scores_are_those_of_keras(repository, told_model):
    images = catalogue.levels(told_model, 3)
    labels = np.array([0, 1, 0], "int32")
    random = np.random.default_rng(0)
    (told,) = [x for x in told_model.inputs if x.name == "condition"]
    condition = random.random((3, *told.shape[1:]), "float32")
    run = session(repository / "tiny_log_prob" / "1" / "model.onnx")
    found = run(images=images, labels=labels, condition=condition)
    expected = told_model.log_prob(images, labels=labels, condition=condition)
    np.testing.assert_allclose(found["log_prob"], expected, rtol=1e-5)


def client_python():
    """A Python with `tritonclient[grpc]`: this one, or $TRITON_PYTHON."""
    python = os.environ.get("TRITON_PYTHON", sys.executable)
    program = ROOT / "tests" / "programs" / "read_triton_configs.py"
    found = subprocess.run([python, program], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(
            "needs tritonclient[grpc], here or in the Python that "
            "TRITON_PYTHON names"
        )
    return [python, program]


def test_config_is_one_for_triton_itself(repository):
    paths = [repository / name / "config.pbtxt" for name in GRAPHS]
    done = subprocess.run(
        [*client_python(), *paths], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        *("tiny_log_prob", "onnxruntime", "8", "3", "2", "2"),
        *("tiny_sample", "onnxruntime", "8", "4", "1", "2"),
    ]


def test_next_version_is_beside_the_old_one(quick, told_model, tmp_path):
    export.triton({"tiny": told_model}, tmp_path)
    second = export.triton({"tiny": told_model}, tmp_path, max_batch_size=4)
    assert second == {name: tmp_path / name / "2" for name in GRAPHS}
    for name in GRAPHS:
        assert {"1", "2"} < listed(tmp_path / name)
        config = parse((tmp_path / name / "config.pbtxt").read_text())
        assert config["max_batch_size"] == ["4"]
    with pytest.raises(FileExistsError, match="never overwritten.*version=2"):
        export.triton({"tiny": told_model}, tmp_path, version=2)


def test_next_version_of_another_model_is_refused(quick, tmp_path):
    def make(filters):
        return PixelCNN(
            (4, 5, 1), num_levels=2, filters=filters, num_blocks=1, name="tiny"
        )

    export.triton({"a": make(4)}, tmp_path)
    with pytest.raises(ValueError, match="same preset.*filters"):
        export.triton({"a": make(8)}, tmp_path)
    assert listed(tmp_path) == {"README.md", "a_log_prob", "a_sample"}
    assert "2" not in listed(tmp_path / "a_sample")


def test_failure_leaves_nothing_behind(
    quick, told_model, tmp_path, monkeypatch
):
    def fail(model, folder, tolerances):
        raise RuntimeError("differs")

    monkeypatch.setattr(to_triton, "check_graphs", fail)
    with pytest.raises(RuntimeError, match="differs"):
        export.triton({"tiny": told_model}, tmp_path / "new")
    assert listed(tmp_path) == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": 0}, "`version` must be an integer of at least 1"),
        ({"max_batch_size": 0}, "`max_batch_size` must be an integer of"),
        ({"max_batch_size": 2000}, "at most 1024.*max_batch_size=2000"),
    ],
)
def test_bad_argument_is_refused(model, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        export.triton(model, tmp_path, **options)
    assert listed(tmp_path) == set()


def test_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`models` must have a model"):
        export.triton({}, tmp_path)
    with pytest.raises(TypeError, match="PixelModel"):
        export.triton(3, tmp_path)


def test_strings_are_quoted():
    text = triton_config._text({"a": 'say "x"\n', "b": True, "c": [], "d": [1]})
    assert text == 'a: "say \\"x\\"\\n"\nb: true\nc: []\nd: [1]\n'
