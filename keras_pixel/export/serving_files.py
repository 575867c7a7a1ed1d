"""The files beside the models that TF-Serving is started with."""

import os
import pathlib
import textwrap

from keras_pixel import files

IMAGE = "tensorflow/serving:latest"
# Where the containers see the folder.
MOUNT = "/models"
# A sampler takes longer than the 30 s after which REST gives up by default.
REST_TIMEOUT_MS = 600_000
GRPC_PORT, REST_PORT = 8500, 8501

_HEADER = """\
# Written by keras_pixel.export.tf_serving, and written anew with each export:
# keep changes in a file of another name.
"""


def models_config(paths):
    """models.config: a ModelServerConfig.

    Args:
        paths: dict from the models' names to their folders, as the server
            sees them. Absolute paths: TF-Serving takes no others.
    """
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    for name, path in paths.items():
        entry = config.model_config_list.config.add(
            name=name, base_path=str(path), model_platform="tensorflow"
        )
        entry.model_version_policy.latest.num_versions = 1
    return _text(config)


def batching_config(batch_sizes):
    """batching.config: BatchingParameters.

    Requests that come within 5 ms are computed together, and padded to the
    next of `batch_sizes`, for which the models are warmed up.
    """
    config = _message("BatchingParameters")
    config.max_batch_size.value = max(batch_sizes)
    config.batch_timeout_micros.value = 5000
    config.max_enqueued_batches.value = 100
    config.allowed_batch_sizes.extend(batch_sizes)
    return _text(config)


def read_max_batch_size(folder):
    """Rows of a request that TF-Serving takes by a folder's batching.config.

    Returns:
        int, or `None` where there is no such file.

    Raises:
        ValueError: if it is not text of BatchingParameters.
    """
    from google.protobuf import text_format

    path = pathlib.Path(folder) / "batching.config"
    if not path.is_file():
        return None
    try:
        config = text_format.Parse(
            path.read_text(),
            _message("BatchingParameters"),
            # TF-Serving has more fields than are written here.
            allow_unknown_field=True,
        )
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(
            "`batching.config` must be BatchingParameters in protobuf's text "
            f"format. Received: {str(path)!r}: {error}. Mend it, or export "
            "again."
        ) from error
    # TF-Serving's own default.
    has_size = config.HasField("max_batch_size")
    return config.max_batch_size.value if has_size else 1000


def monitoring_config():
    """monitoring.config: Prometheus' page beside the REST interface."""
    config = _message("MonitoringConfig")
    config.prometheus_config.enable = True
    config.prometheus_config.path = "/monitoring/prometheus/metrics"
    return _text(config)


def server_flags(base=MOUNT, config="models.config", xla=False):
    """Flags of tensorflow_model_server that go with the folder.

    Args:
        base: the folder as the server sees it.
        config: path of models.config, relative to `base` or absolute.
        xla: bool. Is there a model to compile?
    """
    flags = [
        f"--model_config_file={os.path.join(base, config)}",
        "--model_config_file_poll_wait_seconds=60",
        "--enable_batching=true",
        f"--batching_parameters_file={base}/batching.config",
        f"--monitoring_config_file={base}/monitoring.config",
        f"--rest_api_timeout_in_ms={REST_TIMEOUT_MS}",
    ]
    if xla:
        # Each is for its own device: an image for GPUs computes on both.
        flags += [
            "--xla_cpu_compilation_enabled=true",
            "--xla_gpu_compilation_enabled=true",
        ]
    return flags


def compose_file(xla=False):
    """compose.yaml: one server for scores, another for sampling."""
    flags = "".join(f"      - {flag}\n" for flag in server_flags(xla=xla))
    # Both interfaces of the second server have ports 10 higher.
    services = "".join(
        f"""\
  {service}:
    image: ${{TF_SERVING_IMAGE:-{IMAGE}}}
    command:
{flags}\
    ports:
      - "127.0.0.1:{GRPC_PORT + offset}:{GRPC_PORT}"
      - "127.0.0.1:{REST_PORT + offset}:{REST_PORT}"
    volumes:
      - .:{MOUNT}:ro
    restart: unless-stopped
"""
        for service, offset in (("scoring", 0), ("sampling", 10))
    )
    return f"""\
{_HEADER}
# Two servers of the same models: drawing images takes long, and must not hold
# up scores. Send sample, sample_from_noise and complete to the second one.
services:
{services}"""


# What only models that were exported with `pictures=True` have.
_OF_PICTURES = {
    "score_encoded": "| `image_bytes` | `log_prob`, `bits_per_dim` |",
    "score_examples": "| `examples` | `log_prob`, `bits_per_dim` |",
    "sample_encoded": "| `seed`, `temperature` | `image_bytes` |",
    "complete_encoded": "| `image_bytes`, `mask`, `seed`, `temperature` | "
    "`image_bytes`, `is_valid` |",
}


def readme(models, xla=False, signatures=()):
    """README.md: how to start the server, and what to ask it.

    Args:
        models: dict from the models' names to their identities, or to `{}`.
        xla: bool. Is there a model to compile?
        signatures: names of all that can be called.
    """
    names = list(models)
    about = (
        f"Models: {', '.join(names)}. Each version is a SavedModel of its own, "
        "with requests to warm it up; TF-Serving takes up a new version by "
        "itself."
    )
    minutes = REST_TIMEOUT_MS // 60_000
    docker = " \\\n  ".join(
        [
            "docker run --rm",
            f"-p 127.0.0.1:{GRPC_PORT}:{GRPC_PORT}",
            f"-p 127.0.0.1:{REST_PORT}:{REST_PORT}",
            f'-v "$PWD:{MOUNT}:ro"',
            IMAGE,
            *server_flags(xla=xla),
        ]
    )
    binary = " \\\n  ".join(
        [
            "tensorflow_model_server",
            f"--port={GRPC_PORT} --rest_api_port={REST_PORT}",
            *server_flags('"$PWD"', "models.local.config", xla),
        ]
    )
    # A context is too long to be written here.
    first = min(names, key=lambda name: "condition_shape" in models[name])
    said = models[first]
    told = ', "labels": [0, 1]' if "num_classes" in said else ""
    if len(said.get("orders", ())) > 1:
        told += ', "order": [0, 1]'
    if "condition_shape" in said:
        told += ', "condition": [CONTEXT, CONTEXT]'
    pictures = "".join(
        f"\n| `{name}` {_OF_PICTURES[name]}"
        for name in _OF_PICTURES
        if name in signatures
    )
    return f"""\
# Models for TF-Serving

Written by `keras_pixel.export.tf_serving`, and written anew with each export.

{textwrap.fill(about, 80)}

Run in this folder one of

```
docker compose up
```

```
{docker}
```

```
sed "s|{MOUNT}/|$PWD/|" models.config > models.local.config
{binary}
```

A server older than the TensorFlow that wrote the models may not load them: pin
the image's tag to one you have tried. For a GPU take the image
`tensorflow/serving:latest-gpu` and add `--gpus all`; for two servers on one GPU
set `TF_FORCE_GPU_ALLOW_GROWTH=true`, or the first takes all its memory.
`tensorflow_model_server` listens on all interfaces; the containers' ports are
bound to this machine.

Drawing images takes long, so `compose.yaml` starts a second server for it, with
REST at {REST_PORT + 10} and gRPC at {GRPC_PORT + 10}. REST requests may take
{minutes} minutes.

```
curl http://127.0.0.1:{REST_PORT}/v1/models/{first}
curl http://127.0.0.1:{REST_PORT}/v1/models/{first}/metadata
curl http://127.0.0.1:{REST_PORT}/v1/models/{first}:predict -d \\
  '{{"signature_name": "sample",
    "inputs": {{"seed": [0, 1], "temperature": [1.0, 1.0]{told}}}}}'
```

| signature | inputs | outputs |
| --- | --- | --- |
| `serving_default` | `images` uint8 | `log_prob` (nats), `bits_per_dim` |
| `logits` | `images` | `logits` |
| `features` | `images` | `features`, where the model has any |
| `sample` | `seed` int32, `temperature` float32 | `images` |
| `sample_from_noise` | `noise` float32 in [0, 1), `temperature` | `images` |
| `complete` | `images`, `mask` uint8, `seed`, `temperature` | `images` |\
{pictures}

Every input has one row for each image. Images are integer levels, channels
last; a pixel whose `mask` is 1 is kept. A row does not depend on the other rows
of its batch.
{_about_pictures(pictures)}{_about_conditions(models)}"""


def _about_pictures(rows):
    if not rows:
        return ""
    return """
`image_bytes` and `examples` are strings, one for each image: PNG or JPEG files,
and serialised `tf.train.Example`s with one. REST sends and receives each as
`{"b64": "…"}`.
"""


def _about_conditions(models):
    """What some of the models are told beside the images."""
    lines, hints = [], []
    for name, said in models.items():
        told = []
        if "num_classes" in said:
            choice = f"a class id from 0 to {said['num_classes'] - 1}"
            if said["no_label"] is not None:
                choice += f", or {said['no_label']} for no label"
            told.append(f"`labels` int32 (batch,): {choice}")
        if "condition_shape" in said:
            shape = ", ".join(map(str, ("batch", *said["condition_shape"])))
            told.append(f"`condition` {said['condition_dtype']} ({shape})")
        if len(said.get("orders", ())) > 1:
            ids = ", ".join(f"{i} {x}" for i, x in enumerate(said["orders"]))
            told.append(f"`order` int32 (batch,): {ids}")
        if told:
            lines.append(f"- `{name}`: {'; '.join(told)}")
    if not lines:
        return ""
    listed = "\n".join(lines)
    identities = models.values()
    if any(
        "num_classes" in said or len(said.get("orders", ())) > 1
        for said in identities
    ):
        hints.append(
            "A label or order out of range scores NaN, and draws as the "
            "nearest one."
        )
    if any("num_classes" in said for said in identities):
        hints.append(
            "The names of the classes are in the version's "
            "`assets.extra/keras_pixel.json`."
        )
    if all("condition_shape" in said for said in identities):
        hints.append(
            "CONTEXT above stands for the condition of one image, a list of "
            "its shape."
        )
    hint = f"\n{textwrap.fill(' '.join(hints), 80)}\n" if hints else ""
    return f"""
Every signature of these models takes more inputs:

{listed}
{hint}"""


def write_serving_files(folder, models, batch_sizes, xla=False, signatures=()):
    """Write all of them; each appears whole.

    Args:
        folder: that the models are in.
        models, signatures: see `readme`.
        batch_sizes: ints.
        xla: bool. Is there a model to compile?
    """
    texts = {
        "models.config": models_config(
            {name: f"{MOUNT}/{name}" for name in models}
        ),
        "batching.config": batching_config(batch_sizes),
        "monitoring.config": monitoring_config(),
        "compose.yaml": compose_file(xla),
        "README.md": readme(models, xla, signatures),
    }
    for name, text in texts.items():
        # A server may be reading the old one.
        files.write_text(pathlib.Path(folder) / name, text)


def _text(message):
    from google.protobuf import text_format

    return _HEADER + text_format.MessageToString(message)


def _message(name):
    """An empty message that tensorflow-serving-api does not have.

    Names and numbers are those of TF-Serving's session_bundle_config.proto
    and monitoring_config.proto.
    """
    from google.protobuf import descriptor_pb2
    from google.protobuf import descriptor_pool
    from google.protobuf import message_factory
    from google.protobuf import wrappers_pb2

    field = descriptor_pb2.FieldDescriptorProto
    int64, package = ".google.protobuf.Int64Value", "tensorflow.serving"
    prometheus = f".{package}.PrometheusConfig"
    file = descriptor_pb2.FileDescriptorProto(
        name="keras_pixel/serving_files.proto",
        package=package,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    messages: dict[str, list[tuple[str, int, int, str | None]]] = {
        "BatchingParameters": [
            ("max_batch_size", 1, field.TYPE_MESSAGE, int64),
            ("batch_timeout_micros", 2, field.TYPE_MESSAGE, int64),
            ("max_enqueued_batches", 3, field.TYPE_MESSAGE, int64),
            ("allowed_batch_sizes", 6, field.TYPE_INT64, None),
        ],
        "PrometheusConfig": [
            ("enable", 1, field.TYPE_BOOL, None),
            ("path", 2, field.TYPE_STRING, None),
        ],
        "MonitoringConfig": [
            ("prometheus_config", 1, field.TYPE_MESSAGE, prometheus),
        ],
    }
    for message, fields in messages.items():
        described = file.message_type.add(name=message)
        for key, number, kind, type_name in fields:
            many = key == "allowed_batch_sizes"
            described.field.add(
                name=key,
                number=number,
                type=kind,
                type_name=type_name,
                label=field.LABEL_REPEATED if many else field.LABEL_OPTIONAL,
            )
    # A pool of its own: a package that has them may be imported too.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"{package}.{name}")
    return message_factory.GetMessageClass(found)()
