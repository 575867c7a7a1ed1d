"""TensorFlow function -> ONNX model."""

import contextlib
import json
import logging
import os

import numpy as np

OPSET = 17


def check_packages():
    """Refuse to begin without the packages that an export to ONNX needs.

    Raises:
        ImportError: naming what to install.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Export to ONNX needs onnx, tf2onnx and onnxruntime (it runs what "
            f"it wrote). Received: no module {error.name!r}. "
            'Install them: pip install "keras-pixel[onnxruntime]".'
        ) from error


def convert(function, specs, path, metadata, optimize=True, first=()):
    """Write a function as an ONNX file.

    Args:
        function: Python function of tensors that returns a dict of tensors.
        specs: list of `tf.TensorSpec` with the names of the arguments.
        path: file to write.
        metadata: dict that is stored with the model, values as JSON.
        optimize: bool. Whether tf2onnx simplifies the graph. It takes hours
            for a sampler's loops, which the runtime simplifies in a moment.
            Defaults to `True`.
        first: names of the outputs to come first, for programs that take the
            first one. The others follow by name.
    """
    import onnx
    import tensorflow as tf
    from tf2onnx import optimizer
    from tf2onnx import tf_loader
    from tf2onnx import tfonnx

    concrete = tf.function(function, autograph=False).get_concrete_function(
        **{spec.name: spec for spec in specs}
    )
    captured = {id(tensor) for tensor in concrete.captured_inputs}
    placeholders = [
        x
        for x in concrete.inputs
        if x.dtype != tf.resource and id(x) not in captured
    ]
    inputs = [x.name for x in placeholders]
    outputs = [x.name for x in concrete.outputs]
    # Outputs come in the order of their sorted names.
    names = dict(zip(outputs, sorted(concrete.structured_outputs), strict=True))
    names.update({name: name.removesuffix(":0") for name in inputs})
    # A rewriter of tf2onnx warns by the root logger that it leaves float16 be.
    with quiet("tf2onnx"), quiet("root"), tf.device("/cpu:0"):
        frozen = tf_loader.from_function(concrete, inputs, outputs)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            converted = tfonnx.process_tf_graph(
                graph,
                opset=OPSET,
                input_names=inputs,
                output_names=outputs,
                tensors_to_rename=names,
                custom_op_handlers={"Erfc": (_convert_erfc, [])},
            )
        converted = optimizer.optimize_graph(
            converted, optimizers=None if optimize else {}
        )
        proto = converted.make_model("keras_pixel")
    _check_operations(proto)
    _fold_casts(proto.graph)
    _order_outputs(proto.graph, first)
    _name_batch_axes(proto.graph)
    # tf2onnx names a second set of operations, used or not.
    del proto.opset_import[:]
    proto.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    metadata = {"opset": OPSET, **metadata}
    onnx.helper.set_model_props(
        proto, {key: json.dumps(value) for key, value in metadata.items()}
    )
    onnx.checker.check_model(proto)
    onnx.save_model(proto, str(path))


def _fold_casts(graph):
    """Store weights in the dtype to which all that read them cast them."""
    from onnx import TensorProto
    from onnx import helper
    from onnx import numpy_helper

    weights = {x.name: x for x in graph.initializer}
    kept = []
    for node in graph.node:
        if (
            node.op_type != "Cast"
            or node.input[0] not in weights
            or helper.get_node_attr_value(node, "to") != TensorProto.FLOAT16
        ):
            kept.append(node)
            continue
        array = numpy_helper.to_array(weights[node.input[0]]).astype("float16")
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    if len(kept) == len(graph.node):
        return
    del graph.node[:]
    graph.node.extend(kept)
    read = _names_read(graph)
    used = [x for x in graph.initializer if x.name in read]
    del graph.initializer[:]
    graph.initializer.extend(used)


def _names_read(graph):
    """Names that a graph reads, those of the graphs inside it too."""
    names = {output.name for output in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names |= _names_read(attribute.g)
    return names


def _order_outputs(graph, first):
    outputs = {output.name: output for output in graph.output}
    order = [*first, *sorted(set(outputs) - set(first))]
    ordered = [outputs[name] for name in order]
    del graph.output[:]
    graph.output.extend(ordered)


def _name_batch_axes(graph):
    """Call every free axis what it is: the converter numbers them."""
    for value in (*graph.input, *graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if not axis.HasField("dim_value"):
                axis.dim_param = "batch"


class OnnxFunction:
    """A function from arrays by name to a dict of arrays.

    Args:
        loaded: the `onnxruntime.InferenceSession` that computes it.
    """

    def __init__(self, loaded):
        self.loaded = loaded
        self._names = [output.name for output in loaded.get_outputs()]

    def __call__(self, **inputs) -> dict[str, np.ndarray]:
        arrays = {key: np.asarray(x) for key, x in inputs.items()}
        outputs = self.loaded.run(self._names, arrays)
        return dict(zip(self._names, outputs, strict=True))


def session(path: str | os.PathLike) -> OnnxFunction:
    """An ONNX file as a function of arrays by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # The operations of one pixel are too small to be shared by threads.
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    loaded = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    return OnnxFunction(loaded)


def _check_operations(proto):
    """Refuse operations that are not ONNX's own."""
    from onnx import defs

    foreign = set()

    def visit(graph):
        for node in graph.node:
            if node.domain not in ("", "ai.onnx") or not defs.has(node.op_type):
                foreign.add(node.op_type)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    visit(attribute.g)

    visit(proto.graph)
    if foreign:
        raise NotImplementedError(
            "The model must be made of operations that convert to ONNX. "
            f"Received: {sorted(foreign)}."
        )


def _convert_erfc(graph, node, name, arguments):
    """1 - erf (part of `gelu`), for which tf2onnx has no rule."""
    import onnx

    shapes, dtypes = node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    erf = graph.make_node(
        "Erf", node.input, name=f"{name}_erf", shapes=shapes, dtypes=dtypes
    )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(dtypes[0])
    one = graph.make_const(f"{name}_one", np.array(1, dtype))
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        outputs=node.output,
        shapes=shapes,
        dtypes=dtypes,
    )


@contextlib.contextmanager
def quiet(name):
    """Without the progress that a package logs."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
