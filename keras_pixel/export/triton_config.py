"""The files beside an ONNX model that Triton serves it by."""

import json
import struct
from typing import Any

from keras_pixel import files

# Each request waits at most as long for others to be computed with.
MAX_QUEUE_DELAY_MICROSECONDS = 5000

_HEADER = """\
# Written by keras_pixel.export.triton, and written anew with each export.
"""
_DTYPES = {
    "BOOL": "TYPE_BOOL",
    "UINT8": "TYPE_UINT8",
    "INT8": "TYPE_INT8",
    "INT16": "TYPE_INT16",
    "INT32": "TYPE_INT32",
    "INT64": "TYPE_INT64",
    "FLOAT16": "TYPE_FP16",
    "BFLOAT16": "TYPE_BF16",
    "FLOAT": "TYPE_FP32",
    "DOUBLE": "TYPE_FP64",
}
# Files of one row that a model is warmed up with; other inputs are zeros. A
# mixture is drawn from in another way at another temperature than 1.
WARM_UP_FILES = {"temperature": struct.pack("<f", 1.0)}


class Enum(str):
    """A value that is written without quotes."""


def write_config(folder, path, max_batch_size, threads=0):
    """Write what is beside the versions of a model.

    Args:
        folder: `pathlib.Path` of the model, whose name it has.
        path: its ONNX file.
        max_batch_size, threads: see `model_config`.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    for value in graph.input:
        if value.name in WARM_UP_FILES:
            with files.atomic_file(folder / "warmup" / value.name) as file:
                file.write(WARM_UP_FILES[value.name])
    text = model_config(folder.name, graph, max_batch_size, threads)
    files.write_text(folder / "config.pbtxt", text)


def model_config(name, graph, max_batch_size, threads=0):
    """config.pbtxt: a ModelConfig, read off the ONNX graph.

    A tensor `(batch,)` is one number for each image. Triton wants a dimension
    beside the batch, so clients send and get `(batch, 1)`.

    Args:
        name: the model's name, which is that of its folder.
        graph: ONNX graph; the first dimension of all inputs and outputs is
            the batch.
        max_batch_size: int. Rows that are computed together at most.
        threads: int. Threads that share one operation; 0 leaves it to ONNX
            Runtime.

    Returns:
        Its text.
    """
    inputs = [_tensor(value) for value in graph.input]
    config: dict[str, Any] = {
        "name": name,
        "backend": "onnxruntime",
        "max_batch_size": max_batch_size,
        "input": inputs,
        "output": [_tensor(value) for value in graph.output],
        "dynamic_batching": {
            "max_queue_delay_microseconds": MAX_QUEUE_DELAY_MICROSECONDS
        },
        # On every GPU that the server sees, and without any on the CPU.
        "instance_group": [{"count": 1, "kind": Enum("KIND_AUTO")}],
        "version_policy": {"latest": {"num_versions": 1}},
        "model_warmup": [
            _warm_up(inputs, size) for size in sorted({1, max_batch_size})
        ],
    }
    if threads:
        config["parameters"] = [
            {
                "key": "intra_op_thread_count",
                "value": {"string_value": str(threads)},
            }
        ]
    return _HEADER + _text(config)


def _tensor(value):
    import onnx

    tensor = value.type.tensor_type
    _, *sizes = (axis.dim_value for axis in tensor.shape.dim)
    found = {
        "name": value.name,
        "data_type": Enum(
            _DTYPES[onnx.TensorProto.DataType.Name(tensor.elem_type)]
        ),
        "dims": sizes or [1],
    }
    return found if sizes else {**found, "reshape": {"shape": []}}


def _warm_up(inputs, size):
    """A batch that the server computes before it takes requests."""
    return {
        "name": f"batch_of_{size}",
        "batch_size": size,
        "inputs": [
            {
                "key": tensor["name"],
                "value": {
                    "data_type": tensor["data_type"],
                    "dims": tensor["dims"],
                    **(
                        {"input_data_file": tensor["name"]}
                        if tensor["name"] in WARM_UP_FILES
                        else {"zero_data": True}
                    ),
                },
            }
            for tensor in inputs
        ],
    }


def _text(message, indent=""):
    """A message in protobuf's text format, of a dict by its fields' names."""
    lines = []
    for name, value in message.items():
        if isinstance(value, dict):
            inner = _text(value, indent + "  ")
            lines.append(f"{indent}{name} {{\n{inner}{indent}}}\n")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [_text({name: part}, indent) for part in value]
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}\n")
    return "".join(lines)


def _scalar(value):
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    # Numbers, truth values and strings are written as in JSON.
    return value if isinstance(value, Enum) else json.dumps(value)


def readme(models, max_batch_size):
    """README.md: how to start the server, and what to ask it.

    Args:
        models: names of the models that were written.
        max_batch_size: int.
    """
    name = models[0]
    return f"""\
# Models for Triton

Written by `keras_pixel.export.triton`, and written anew with each export.

Run in this folder, with a release of Triton for YY.MM:

```
docker run --rm --gpus all \\
  -p 127.0.0.1:8000:8000 -p 127.0.0.1:8001:8001 -p 127.0.0.1:8002:8002 \\
  -v "$PWD:/models:ro" nvcr.io/nvidia/tritonserver:YY.MM-py3 \\
  tritonserver --model-repository=/models \\
  --model-control-mode=poll --repository-poll-secs=60
```

Leave out `--gpus all` on a machine without a GPU. REST is at port 8000, gRPC at
8001, metrics are at 8002. Triton takes up a new version by itself.

```
curl http://127.0.0.1:8000/v2/models/{name}/config
```

| model | inputs | outputs |
| --- | --- | --- |
| `…_log_prob` | `images` uint8 | `log_prob` (nats), `bits_per_dim` |
| `…_sample` | `noise` float32 in [0, 1), `temperature` | `images` uint8 |

Every input has one row for each image, {max_batch_size} rows at most, and a row
does not depend on the other rows of its batch. Images are integer levels,
channels last. Models that are told `labels`, a `condition` or an `order` take
them in both. One number for each image has the shape `(batch, 1)`: so have
`log_prob`, `bits_per_dim`, `temperature`, `labels` and `order`.

`…_sample` is the whole sampler, one request for whole images. It is a loop that
ONNX Runtime controls from the CPU, step by step; `step.onnx`, which can stay on
a GPU, is not for Triton: it keeps states between calls, and takes a scalar,
which Triton does not allow in a model of a fixed batch.
"""
