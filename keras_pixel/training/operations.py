"""How many floating-point operations a pass through a model takes.

Matrix products and convolutions of the traced graph are counted, with two
operations for each multiply-add. Everything else, element by element, is left
out: it is small, but not free. Weights that a causal mask sets to zero count,
because they are multiplied all the same.
"""

import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import keras

# Each product of the forward pass has two in the backward pass: one for the
# gradient of the features, one for that of the weights.
PRODUCTS_IN_TRAINING = 3

# Shape and dtype of an input.
_Spec = tuple[tuple[int, ...], str]
# What TensorFlow and JAX describe a graph with. They are imported only when
# one is counted.
_NodeDef = Any
_Jaxpr = Any
# Shapes of a graph's tensors, by the name of a node and the number of its
# output; `None` where a size is unknown.
_ShapesByOutput = Mapping[tuple[str, int], tuple[int, ...] | None]


def count_operations(model: keras.Model, training: bool = False) -> int:
    """Count the floating-point operations that one image takes.

    Args:
        model: built `PixelModel`, or any Keras model whose inputs have
            known shapes.
        training: bool. Whether to count the backward pass too, as twice the
            forward pass; recomputation and the optimizer are not counted.
            Defaults to `False`.

    Returns:
        int.

    Raises:
        ValueError: if the backend is neither TensorFlow nor JAX, a shape is
            unknown, or the number of iterations of a loop is.

    Example:

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    >>> count_operations(model)
    24
    """
    counters = {"tensorflow": _of_tensorflow, "jax": _of_jax}
    backend = keras.backend.backend()
    if backend not in counters:
        raise ValueError(
            "Operations can be counted on TensorFlow and JAX only. "
            f"Received: backend={backend!r}. Choose one of these with the "
            "environment variable KERAS_BACKEND."
        )
    specs = [
        ((1, *x.shape[1:]), keras.backend.standardize_dtype(x.dtype))
        for x in model.inputs
    ]
    forward = counters[backend](model, specs)
    return forward * (PRODUCTS_IN_TRAINING if training else 1)


def _one_or_all(inputs: tuple[Any, ...]) -> Any:
    return inputs[0] if len(inputs) == 1 else list(inputs)


# === TensorFlow ===


def _of_tensorflow(model: keras.Model, specs: list[_Spec]) -> int:
    import tensorflow as tf

    function = tf.function(
        lambda *inputs: model(_one_or_all(inputs), training=False)
    )
    traced = function.get_concrete_function(
        *(tf.TensorSpec(*spec) for spec in specs)
    )
    return _Graph(traced.graph.as_graph_def(add_shapes=True)).count()


class _Graph:
    """A `GraphDef` with shapes, whose operations are counted."""

    def __init__(self, graph: Any) -> None:
        self.nodes = graph.node
        self.functions = {f.signature.name: f for f in graph.library.function}

    def count(self) -> int:
        return self._count(self.nodes, _shapes_of(self.nodes))

    def _count(self, nodes: Iterable[_NodeDef], shapes: _ShapesByOutput) -> int:
        by_name = {node.name: node for node in nodes}
        return sum(self._count_node(node, shapes, by_name) for node in nodes)

    def _count_node(
        self,
        node: _NodeDef,
        shapes: _ShapesByOutput,
        by_name: dict[str, _NodeDef],
    ) -> int:
        if node.op in _PRODUCTS:
            return _PRODUCTS[node.op](node, _Shapes(node, shapes))
        if node.op in ("While", "StatelessWhile"):
            return self._trips(node, by_name) * (
                self._count_function(node.attr["body"].func.name)
                + self._count_function(node.attr["cond"].func.name)
            )
        # A call, or a branch, of which the longest one counts.
        names: list[str] = []
        for attribute in node.attr.values():
            names += [attribute.func.name, *(f.name for f in _list(attribute))]
        names = [name for name in names if name in self.functions]
        return max(map(self._count_function, names), default=0)

    def _count_function(self, name: str) -> int:
        function = self.functions[name]
        return self._count(function.node_def, _shapes_of_function(function))

    def _trips(self, node: _NodeDef, by_name: dict[str, _NodeDef]) -> int:
        """Iterations of a loop that counts up to a constant by ones."""
        condition = self.functions[node.attr["cond"].func.name]
        arguments = [a.name for a in condition.signature.input_arg]
        inside = {n.name: n for n in condition.node_def}
        bounds = []
        for comparison in condition.node_def:
            if comparison.op != "Less":
                continue
            # Both sides are constants, or values that the loop starts from.
            sides = []
            for name in comparison.input:
                name, scope = name.split(":")[0], inside
                if name in arguments:
                    name = node.input[arguments.index(name)].split(":")[0]
                    scope = by_name
                sides.append(_constant(name, scope))
            first, last = sides
            if first is not None and last is not None:
                bounds.append(last - first)
        if not bounds:
            raise ValueError(
                "The number of iterations of a loop must be known. "
                f'Received: {node.op} "{node.name}". Use `keras.ops.scan`, or '
                "`maximum_iterations`."
            )
        return max(0, min(bounds))


def _list(attribute: Any) -> Iterable[Any]:
    return attribute.list.func


def _constant(name: str, nodes: dict[str, _NodeDef]) -> int | None:
    """The integer that a node holds, or `None`."""
    value = _constants(name, nodes)
    return int(value) if value is not None and value.ndim == 0 else None


def _constants(name: str, nodes: dict[str, _NodeDef]) -> Any:
    """The array that a node holds, or `None`."""
    import tensorflow as tf

    node = nodes.get(name.split(":")[0])
    if node is None:
        return None
    if node.op == "Const":
        return tf.make_ndarray(node.attr["value"].tensor)
    if node.op == "Identity":
        return _constants(node.input[0], nodes)
    # One size of a shape, such as the length of a sequence.
    if node.op == "StridedSlice" and node.attr["shrink_axis_mask"].i == 1:
        shape, begin = (_constants(name, nodes) for name in node.input[:2])
        if shape is not None and begin is not None and shape.ndim == 1:
            return shape[begin[0]]
    return None


def _shapes_of(
    nodes: Iterable[_NodeDef],
) -> dict[tuple[str, int], tuple[int, ...] | None]:
    """`{(name, number of the output): shape or None}`."""
    return {
        (node.name, number): _sizes(shape)
        for node in nodes
        for number, shape in enumerate(node.attr["_output_shapes"].list.shape)
    }


def _shapes_of_function(function: Any) -> _ShapesByOutput:
    shapes = _shapes_of(function.node_def)
    for index, argument in enumerate(function.signature.input_arg):
        found = function.arg_attr[index].attr["_output_shapes"].list.shape
        for shape in found:
            shapes[argument.name, 0] = _sizes(shape)
    return shapes


def _sizes(shape: Any) -> tuple[int, ...] | None:
    sizes = tuple(dimension.size for dimension in shape.dim)
    return None if shape.unknown_rank or -1 in sizes else sizes


class _Shapes:
    """Shapes of the inputs and outputs of a node."""

    def __init__(self, node: _NodeDef, shapes: _ShapesByOutput) -> None:
        self.node = node
        self.shapes = shapes

    def of_input(self, number: int) -> tuple[int, ...]:
        # "name", "name:1", or inside a function "name:output:1".
        name, *rest = self.node.input[number].split(":")
        return self._known((name, int(rest[-1]) if rest else 0))

    def of_output(self) -> tuple[int, ...]:
        return self._known((self.node.name, 0))

    def _known(self, key: tuple[str, int]) -> tuple[int, ...]:
        shape = self.shapes.get(key)
        if shape is None:
            raise ValueError(
                "All sizes but the batch size must be known. Received: an "
                f'unknown shape at {self.node.op} "{self.node.name}". Give '
                "the model an input of known shape."
            )
        return shape


def _matmul(node: _NodeDef, shapes: _Shapes) -> int:
    inputs = shapes.of_input(0)
    transposed = node.attr["transpose_a"].b or node.attr["adj_x"].b
    return 2 * math.prod(shapes.of_output()) * inputs[-2 if transposed else -1]


def _convolution(node: _NodeDef, shapes: _Shapes) -> int:
    # (rows, columns, features / groups, filters)
    return (
        2 * math.prod(shapes.of_output()) * math.prod(shapes.of_input(1)[:-1])
    )


def _transposed_convolution(node: _NodeDef, shapes: _Shapes) -> int:
    # Each input value is multiplied by a kernel (rows, columns, filters).
    return (
        2 * math.prod(shapes.of_input(2)) * math.prod(shapes.of_input(1)[:-1])
    )


def _depthwise_convolution(node: _NodeDef, shapes: _Shapes) -> int:
    return 2 * math.prod(shapes.of_output()) * math.prod(shapes.of_input(1)[:2])


def _einsum(node: _NodeDef, shapes: _Shapes) -> int:
    if len(node.input) < 2:
        return 0
    equation = node.attr["equation"].s.decode()
    terms = equation.split("->")[0].split(",")
    sizes: dict[str | int, int] = {}  # by letter; broadcast: by axis
    for number, term in enumerate(terms):
        shape = shapes.of_input(number)
        before, dots, after = term.partition("...")
        end = len(shape) - len(after)
        sizes.update(zip(before, shape, strict=False))
        sizes.update(zip(after, shape[end:], strict=True))
        if dots:
            # Broadcast: from the last axis backwards.
            free = shape[len(before) : end][::-1]
            for axis, size in enumerate(free):
                sizes[axis] = max(size, sizes.get(axis, 1))
    return 2 * math.prod(sizes.values())


_PRODUCTS: dict[str, Callable[[_NodeDef, _Shapes], int]] = {
    "MatMul": _matmul,
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BatchMatMulV3": _matmul,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "Conv2DBackpropInput": _transposed_convolution,
    "DepthwiseConv2dNative": _depthwise_convolution,
    "Einsum": _einsum,
}


# === JAX ===


def _of_jax(model: keras.Model, specs: list[_Spec]) -> int:
    import jax

    def forward(weights: list[Any], others: list[Any], *inputs: Any) -> Any:
        return model.stateless_call(
            weights, others, _one_or_all(inputs), training=False
        )[0]

    traced = jax.make_jaxpr(forward)(
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        *(jax.ShapeDtypeStruct(*spec) for spec in specs),
    )
    return _count_jaxpr(traced.jaxpr)


def _count_jaxpr(jaxpr: _Jaxpr) -> int:
    return sum(_count_equation(equation) for equation in jaxpr.eqns)


def _count_equation(equation: Any) -> int:
    name, parameters = equation.primitive.name, equation.params
    shapes = [getattr(x.aval, "shape", ()) for x in equation.invars]
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        each = math.prod(shapes[0][axis] for axis in contracted)
        return 2 * math.prod(equation.outvars[0].aval.shape) * each
    if name == "conv_general_dilated":
        numbers = parameters["dimension_numbers"]
        filters_axis, features_axis, *_ = numbers.rhs_spec
        if math.prod(parameters["lhs_dilation"]) > 1:  # transposed
            taps = math.prod(shapes[1]) // shapes[1][features_axis]
            groups = parameters["feature_group_count"]
            return 2 * math.prod(shapes[0]) * taps // groups
        taps = math.prod(shapes[1]) // shapes[1][filters_axis]
        return 2 * math.prod(equation.outvars[0].aval.shape) * taps
    inner = [x for value in parameters.values() for x in _inner_jaxprs(value)]
    counts = [_count_jaxpr(jaxpr) for jaxpr in inner]
    if name == "while" and any(counts):
        raise ValueError(
            "The number of iterations of a loop must be known. Received: "
            "`jax.lax.while_loop`. Use `keras.ops.scan`."
        )
    # Of several branches the longest one counts.
    count = max(counts, default=0)
    return count * parameters["length"] if name == "scan" else count


def _inner_jaxprs(value: Any) -> list[_Jaxpr]:
    if isinstance(value, tuple | list):
        return [x for part in value for x in _inner_jaxprs(part)]
    value = getattr(value, "jaxpr", value)  # of a closed one
    return [value] if hasattr(value, "eqns") else []
