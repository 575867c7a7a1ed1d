"""Hidden states of a model, for downstream tasks."""

import keras
from keras import ops

from keras_pixel.checks import check_choice

_POOLINGS = {
    None: lambda features: features,
    "mean": lambda features: ops.mean(features, axis=(1, 2)),
    "max": lambda features: ops.max(features, axis=(1, 2)),
}


def feature_model(model, layer=None, pooling=None):
    """A model from images to hidden states of `model`.

    Args:
        model: Functional model of images.
        layer: name of the layer whose output is wanted; outputs of a layer
            with several are joined. Defaults to `None`: the last hidden
            features, which the model's last layer turns into its output.
        pooling: `None` for the features of every pixel, "mean" or "max" over
            all pixels. Defaults to `None`.

    Returns:
        `keras.Model` from images to features `(batch, height, width,
        features)`, or `(batch, features)` if pooled.

    Raises:
        ValueError: if there is no such layer or pooling, or the layer's
            output is no features of pixels.
    """
    check_choice("pooling", pooling, _POOLINGS)
    outputs = _outputs_of(model, layer)
    size = tuple(model.inputs[0].shape[1:3])
    if any(len(x.shape) != 4 or tuple(x.shape[1:3]) != size for x in outputs):
        raise ValueError(
            "`layer` must give features of pixels, (batch, height, width, "
            f"features). Received: layer={layer!r} of output "
            f"{[tuple(x.shape) for x in outputs]}. Use a layer before it."
        )
    joined = outputs[0]
    if len(outputs) > 1:
        joined = ops.concatenate(outputs, axis=-1)
    return keras.Model(model.inputs, _POOLINGS[pooling](joined))


def _outputs_of(model, layer):
    if layer is None:
        # A head may read the image too: that is no hidden state.
        return [x for x in _head_inputs(model) if x is not model.inputs[0]]
    names = [found.name for found in model.layers]
    if layer not in names:
        raise ValueError(
            "`layer` must be the name of a layer of the model. "
            f"Received: layer={layer!r}. There are {names}."
        )
    return keras.tree.flatten(model.get_layer(layer).output)


def _head_inputs(model):
    """What the operation reads that gives the model's output."""
    for operation in model.operations:
        outputs = keras.tree.flatten(operation.output)
        if any(x is model.outputs[0] for x in outputs):
            return keras.tree.flatten(operation.input)
    raise ValueError(
        "`layer` must be given where the last layer is shared or lies in a "
        f"model inside the model. Received: layer=None. There are "
        f"{[found.name for found in model.layers]}."
    )
