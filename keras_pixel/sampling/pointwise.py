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
    "Abs Absolute Add Celu Clip Cos Divide Elu Erf Exp Gelu HardShrink "
    "HardSigmoid HardSwish HardTanh LeakyRelu Log Log1p LogSigmoid Maximum "
    "Minimum Multiply Negative Power ReLU Relu Relu6 Selu Sigmoid Silu Sin "
    "SoftShrink Softplus Softsign SparsePlus Sqrt Square Squareplus Subtract "
    "Tanh TanhShrink TrueDivide".split()
)


def pointwise_kind(layer, args=()):
    """How `layer` works on a pixel.

    Args:
        layer: a layer or an operation of a graph.
        args: the arguments of its symbolic call.

    Returns:
        `"element"` if feature by feature, `"pixel"` if it may mix all
        features of a pixel, `None` if it is neither.
    """
    if getattr(layer, "elementwise", False) or hasattr(layer, "call_group"):
        return "element"
    if isinstance(layer, layers.Activation):
        mixes = layer.activation in (
            keras.activations.softmax,
            keras.activations.log_softmax,
            keras.activations.glu,
            keras.activations.sparsemax,
        )
        return "pixel" if mixes else "element"
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
        if type(layer).__name__ in _OPERATIONS:
            # `x * array` works on all features of a pixel at once.
            scalar = all(
                isinstance(x, keras.KerasTensor) or np.ndim(x) == 0
                for x in keras.tree.flatten(args)
            )
            return "element" if scalar else "pixel"
    return None


def run_pointwise(layer, args, tensors, group=None):
    """Run a pointwise layer on a row or on a pixel.

    Layers that treat channels differently have a method `call_group(inputs,
    group)` for one channel group of a pixel.

    Args:
        layer: the layer or operation.
        args: the arguments of its symbolic call; symbolic tensors in them
            are replaced, in order, by `tensors`.
        tensors: list of tensors `(width, batch, features)` or `(batch,
            features)`.
        group: int, the channel group that `tensors` are of. Defaults to
            `None`: all features of a row.
    """
    if isinstance(layer, _DROPOUT):
        return tensors[0]
    if group is not None and hasattr(layer, "call_group"):
        return layer.call_group(*tensors, group)
    outer = tensors[0].shape[:-2]  # () on a pixel
    is_plain = _works_on_last_axis(layer)
    if not is_plain:
        # Layers see the images' four axes: (batch or row, 1, 1, features).
        tensors = [ops.reshape(x, (-1, 1, 1, x.shape[-1])) for x in tensors]
    given = iter(tensors)
    filled = keras.tree.map_structure(
        lambda x: next(given) if isinstance(x, keras.KerasTensor) else x, args
    )
    outputs = layer(*filled)
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
    return all(isinstance(x, (int, float)) for x in (layer.scale, layer.offset))
