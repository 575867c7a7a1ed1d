"""Which Keras layers work on each pixel by itself."""

import keras
import numpy as np
from keras import layers
from keras import ops

# Work feature by feature: they may be run on one channel group of a pixel.
_ELEMENTWISE = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Identity,
    layers.Add,
    layers.Subtract,
    layers.Multiply,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
)
# Do nothing when they don't train.
_DROPOUT = (
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.AlphaDropout,
    layers.ActivityRegularization,
)
# Operations of `keras.ops` that work feature by feature, by class name: `x +
# y` of symbolic tensors makes such an operation, and Keras names no public
# class for them.
_OPERATIONS = frozenset(
    "Abs Absolute Add Cast Celu Clip Cos Divide Elu Equal Erf Exp Gelu Greater "
    "GreaterEqual HardShrink HardSigmoid HardSwish HardTanh LeakyRelu Less "
    "LessEqual Log Log1p LogSigmoid Logaddexp LogicalAnd LogicalNot LogicalOr "
    "Maximum Minimum Multiply Negative NotEqual Power ReLU Relu Relu6 Selu "
    "Sigmoid Silu Sin SoftShrink Softplus Softsign SparsePlus Sqrt Square "
    "Squareplus Subtract Tanh TanhShrink TrueDivide Where".split()
)
# Those that work along an axis, which must be the last one.
_ON_AN_AXIS = frozenset("LogSoftmax Softmax Concatenate".split())


def pointwise_kind(layer, args=(), kwargs=None):
    """How `layer` works on a pixel.

    Args:
        layer: a layer or an operation of a graph.
        args: the arguments of its symbolic call.
        kwargs: those by keyword. Defaults to `None`.

    Returns:
        `"element"` if feature by feature, `"pixel"` if it may mix all
        features of a pixel, `None` if it is neither.
    """
    if getattr(layer, "elementwise", False) or hasattr(layer, "call_group"):
        return "element"
    if isinstance(layer, layers.Activation):
        is_elementwise = _is_elementwise(layer.activation)
        return "element" if is_elementwise else "pixel"
    if isinstance(layer, layers.Softmax):
        return "pixel" if layer.axis in (-1, 3) else None
    if isinstance(layer, _ELEMENTWISE + _DROPOUT):
        return "element"
    if isinstance(layer, layers.Rescaling):
        return "element" if _is_scalar(layer) else "pixel"
    if isinstance(layer, layers.Concatenate):
        return "element" if layer.axis in (-1, 3) else None
    if isinstance(layer, (layers.Dense, layers.BatchNormalization)):
        axis = getattr(layer, "axis", -1)
        return "pixel" if axis in (-1, 3) else None
    if isinstance(layer, (layers.LayerNormalization, layers.RMSNormalization)):
        axis = layer.axis if isinstance(layer.axis, int) else None
        axis = layer.axis[0] if axis is None and len(layer.axis) == 1 else axis
        return "pixel" if axis in (-1, 3) else None
    if isinstance(layer, layers.Conv2D) and type(layer) is layers.Conv2D:
        one_by_one = layer.kernel_size == (1, 1) and layer.strides == (1, 1)
        last = layer.data_format == "channels_last"
        return "pixel" if one_by_one and last else None
    if not isinstance(layer, keras.layers.Layer):
        name = type(layer).__name__
        if name in _ON_AN_AXIS:
            is_last = layer.axis == -1
            joins = name == "Concatenate"
            return ("element" if joins else "pixel") if is_last else None
        if name in _OPERATIONS:
            arrays = [
                np.shape(x)
                for x in keras.tree.flatten((args, kwargs or {}))
                if not isinstance(x, keras.KerasTensor)
            ]
            if any(max(shape[:-1], default=1) > 1 for shape in arrays):
                return None  # another number for each row or column
            # `x * array` works on all features of a pixel at once.
            return "pixel" if any(arrays) else "element"
    return None


def _is_elementwise(function):
    """Whether a function works feature by feature: tried, not guessed."""
    random = np.random.default_rng(0)
    features = random.normal(size=(4, 6)).astype("float32")
    try:
        whole = ops.convert_to_numpy(function(features))
        parts = [
            ops.convert_to_numpy(function(features[:, i : i + 1]))
            for i in range(features.shape[1])
        ]
        joined = np.concatenate(parts, axis=-1)
    except Exception:  # whatever a user's function raises
        return False
    return whole.shape == joined.shape and bool(
        np.allclose(whole, joined, rtol=1e-4, atol=1e-5, equal_nan=True)
    )


def run_pointwise(layer, args, kwargs, tensors, group=None, rank=4):
    """Run a pointwise layer on a row or on a pixel.

    Layers that treat channels differently have a method `call_group(inputs,
    group)` for one channel group of a pixel.

    Args:
        layer: the layer or operation.
        args, kwargs: the arguments of its symbolic call; symbolic tensors in
            them are replaced, in order, by `tensors`.
        tensors: list of tensors `(width, batch, features)` or `(batch,
            features)`.
        group: int, the channel group that `tensors` are of. Defaults to
            `None`: all features of a row.
        rank: int. Axes of the symbolic tensors. Defaults to `4`.
    """
    if isinstance(layer, _DROPOUT):
        return tensors[0]
    if group is not None and hasattr(layer, "call_group"):
        return layer.call_group(*tensors, group)
    outer = tensors[0].shape[:-2]  # () on a pixel
    is_plain = _works_on_last_axis(layer)
    if not is_plain:
        # Layers see the images' axes: (batch or row, 1, 1, features).
        inner = (1,) * (rank - 2)
        tensors = [ops.reshape(x, (-1, *inner, x.shape[-1])) for x in tensors]
    given = iter(tensors)
    filled, named = keras.tree.map_structure(
        lambda x: next(given) if isinstance(x, keras.KerasTensor) else x,
        (args, kwargs),
    )
    outputs = layer(*filled, **named)
    if is_plain:
        return outputs
    return ops.reshape(outputs, (*outer, -1, outputs.shape[-1]))


def _works_on_last_axis(layer):
    """Whether a layer takes tensors of any number of axes."""
    return (
        isinstance(layer, (*_ELEMENTWISE, layers.Dense))
        or getattr(layer, "elementwise", False)
        or type(layer).__name__ in _OPERATIONS
    )


def _is_scalar(layer):
    return all(np.ndim(x) == 0 for x in (layer.scale, layer.offset))
