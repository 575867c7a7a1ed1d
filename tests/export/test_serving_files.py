"""The files that TF-Serving is started with, by its own definitions."""

import pathlib
import shlex

import pytest

from keras_pixel.export import serving_files

pytest.importorskip("tensorflow_serving", reason="needs the extra serve")

from google.protobuf import descriptor_pb2  # noqa: E402
from google.protobuf import descriptor_pool  # noqa: E402
from google.protobuf import message_factory  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from google.protobuf import wrappers_pb2  # noqa: E402
from tensorflow_serving.config import model_server_config_pb2  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]


FIELD = descriptor_pb2.FieldDescriptorProto
# Of BatchingParameters and MonitoringConfig, which tensorflow-serving-api does
# not have: name, number, type, and whether it is repeated.
MESSAGES = {
    "BatchingParameters": [
        ("max_batch_size", 1, ".google.protobuf.Int64Value", False),
        ("batch_timeout_micros", 2, ".google.protobuf.Int64Value", False),
        ("max_enqueued_batches", 3, ".google.protobuf.Int64Value", False),
        ("num_batch_threads", 4, ".google.protobuf.Int64Value", False),
        ("allowed_batch_sizes", 6, FIELD.TYPE_INT64, True),
    ],
    "PrometheusConfig": [
        ("enable", 1, FIELD.TYPE_BOOL, False),
        ("path", 2, FIELD.TYPE_STRING, False),
    ],
    "MonitoringConfig": [
        ("prometheus_config", 1, ".test.PrometheusConfig", False),
    ],
}


def parse(text, name):
    """`text` as a message of `MESSAGES`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="test.proto",
        package="test",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    for message_name, fields in MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for field_name, number, kind, is_repeated in fields:
            field = message.field.add(name=field_name, number=number)
            field.label = (
                FIELD.LABEL_REPEATED if is_repeated else FIELD.LABEL_OPTIONAL
            )
            if isinstance(kind, str):
                field.type, field.type_name = FIELD.TYPE_MESSAGE, kind
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    described = pool.FindMessageTypeByName(f"test.{name}")
    return text_format.Parse(text, message_factory.GetMessageClass(described)())


def test_models_config_is_a_model_server_config(models_folder):
    config = text_format.Parse(
        (models_folder / "models.config").read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    (model,) = config.model_config_list.config
    assert model.name == "tiny"
    assert model.base_path == "/models/tiny"
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 1


def test_paths_are_quoted():
    text = serving_files.models_config({"a": '/tm"p\\/a'})
    config = text_format.Parse(
        text, model_server_config_pb2.ModelServerConfig()
    )
    assert config.model_config_list.config[0].base_path == '/tm"p\\/a'


def test_batching_config_allows_the_warm_sizes(models_folder):
    text = (models_folder / "batching.config").read_text()
    config = parse(text, "BatchingParameters")
    sizes = list(config.allowed_batch_sizes)
    # TF-Serving's own rules: increasing, and the last is the largest batch.
    assert sizes == [1, 2, 4]
    assert config.max_batch_size.value == sizes[-1]
    assert config.batch_timeout_micros.value > 0


def test_largest_batch_is_read_from_the_folder(models_folder, tmp_path):
    assert serving_files.read_max_batch_size(models_folder) == 4
    assert serving_files.read_max_batch_size(tmp_path) is None
    path = tmp_path / "batching.config"
    path.write_text("num_batch_threads { value: 2 }")
    assert serving_files.read_max_batch_size(tmp_path) == 1000
    path.write_text("max_batch_size: {")
    with pytest.raises(ValueError, match="must be BatchingParameters.*Mend"):
        serving_files.read_max_batch_size(tmp_path)


def test_monitoring_config_is_one(models_folder):
    text = (models_folder / "monitoring.config").read_text()
    config = parse(text, "MonitoringConfig")
    assert config.prometheus_config.enable
    assert config.prometheus_config.path.startswith("/monitoring/")


def test_compose_file_starts_two_servers_bound_to_this_machine(models_folder):
    yaml = pytest.importorskip("yaml", reason="needs pyyaml")
    services = yaml.safe_load((models_folder / "compose.yaml").read_text())
    ports = set()
    for service in services["services"].values():
        assert "tensorflow/serving" in service["image"]
        assert service["volumes"] == [".:/models:ro"]
        check_flags(service["command"], models_folder)
        ports |= set(service["ports"])
    assert ports == {
        "127.0.0.1:8500:8500",
        "127.0.0.1:8501:8501",
        "127.0.0.1:8510:8500",
        "127.0.0.1:8511:8501",
    }


def check_flags(flags, folder):
    """Every file that is named is there, as the container sees it."""
    for flag in flags:
        key, _, value = flag.partition("=")
        assert key in KNOWN_FLAGS
        if key.endswith("_file"):
            assert (
                folder / pathlib.Path(value).relative_to("/models")
            ).exists()


# Of tensorflow_serving/model_servers/main.cc.
KNOWN_FLAGS = {
    "--batching_parameters_file",
    "--enable_batching",
    "--model_config_file",
    "--model_config_file_poll_wait_seconds",
    "--monitoring_config_file",
    "--port",
    "--rest_api_port",
    "--rest_api_timeout_in_ms",
    "--xla_cpu_compilation_enabled",
    "--xla_gpu_compilation_enabled",
}


def test_readme_has_the_lines(models_folder):
    text = (models_folder / "README.md").read_text()
    _, docker, local, *_ = text.split("```\n")[1::2]
    words = shlex.split(docker.replace("\\\n", ""))
    assert words[:3] == ["docker", "run", "--rm"]
    assert "$PWD:/models:ro" in words
    after = words.index(serving_files.IMAGE) + 1
    check_flags(words[after:], models_folder)
    edit, command = local.replace("\\\n", "").split("\n", 1)
    program, *flags = shlex.split(command)
    assert edit.startswith("sed ")
    assert program == "tensorflow_model_server"
    assert {flag.split("=")[0] for flag in flags} <= KNOWN_FLAGS


def test_readme_asks_a_model_that_needs_no_context():
    context = {"condition_shape": [4, 5, 1], "condition_dtype": "float32"}
    labels = {"num_classes": 3, "no_label": None}
    text = serving_files.readme({"colours": context, "digits": labels})
    assert "digits:predict" in text
    assert '"temperature": [1.0, 1.0], "labels": [0, 1]}' in text
    assert "CONTEXT" not in text
    assert "condition` float32 (batch, 4, 5, 1)" in text
    assert "names of the classes" in text

    text = serving_files.readme({"colours": context})
    assert '"condition": [CONTEXT, CONTEXT]' in text
    assert "CONTEXT above stands for" in text
    assert "label" not in text


def test_readme_has_the_signatures_of_pictures_where_there_are_any():
    assert "image_bytes" not in serving_files.readme({"tiny": {}}, False, ())
    names = {"sample", "score_encoded", "sample_encoded", "complete_encoded"}
    text = serving_files.readme({"tiny": {}}, False, names)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows[-3:]] == [
        *("score_encoded", "sample_encoded", "complete_encoded"),
    ]
    assert '{"b64": "…"}' in text


def test_xla_is_switched_on_where_it_is_needed():
    assert not any("xla" in flag for flag in serving_files.server_flags())
    flags = serving_files.server_flags(xla=True)
    for device in ("cpu", "gpu"):
        assert f"--xla_{device}_compilation_enabled=true" in flags


def test_failed_writing_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "models.config").write_text("old")

    def fail(*paths):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space"):
        serving_files.write_serving_files(tmp_path, {"a": {}}, [1])
    assert [path.name for path in tmp_path.iterdir()] == ["models.config"]
    assert (tmp_path / "models.config").read_text() == "old"


def test_files_in_the_repository_are_those_that_are_written(tmp_path):
    from keras_pixel.export import to_tf_serving

    serving_files.write_serving_files(
        tmp_path, {"pixelcnn_cifar10": {}}, to_tf_serving.BATCH_SIZES
    )
    kept = ROOT / "export" / "serving"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in kept.iterdir()
    }
