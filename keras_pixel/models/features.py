"""Hidden states of a model, for downstream tasks."""

import keras
import numpy as np
from keras import ops

from keras_pixel.checks import check_choice
from keras_pixel.checks import is_integer
from keras_pixel.checks import pair
from keras_pixel.layers import Reorder

_POOLINGS = {
    None: lambda features: features,
    "mean": lambda features: ops.mean(features, axis=(1, 2)),
    "max": lambda features: ops.max(features, axis=(1, 2)),
}


def feature_layers(model):
    """Names of the layers that give features of pixels, first to last.

    Args:
        model: Functional model of images.

    Returns:
        List of the names of the layers before the last one whose outputs are
        floats `(batch, height, width, features)` of the image's height and
        width. What works on a coarser grid is not among them.
    """
    return [
        layer.name
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and _are_of_pixels(model, keras.tree.flatten(layer.output))
        and not any(
            x is model.outputs[0] for x in keras.tree.flatten(layer.output)
        )
    ]


def feature_model(model, layer=None, pooling=None):
    """A model from images to hidden states of `model`.

    Args:
        model: Functional model of images.
        layer: name of the layer whose output is wanted, or its index in
            `feature_layers`; outputs of a layer with several are joined. A
            list of names and indices for several at once. Defaults to `None`:
            the last hidden features, which the model's last layer turns into
            its output.
        pooling: `None` for the features of every pixel, "mean" or "max" over
            all pixels, or `(rows, columns)`: means over the parts of such a
            grid, part by part. Defaults to `None`.

    Returns:
        `keras.Model` from images to features `(batch, height, width,
        features)`, or `(batch, features)` if pooled; for a list of layers to a
        list of them.

    Raises:
        ValueError: if there is no such layer or pooling, or the layer's
            output is no features of pixels.
    """
    size = tuple(model.inputs[0].shape[1:3])
    if isinstance(pooling, (tuple, list)):
        pool = _grid_pooling(pooling, size)
    else:
        pool = _POOLINGS[check_choice("pooling", pooling, _POOLINGS)]
    if isinstance(layer, (tuple, list)):
        outputs = [pool(_of_images(model, one)) for one in layer]
    else:
        outputs = pool(_of_images(model, layer))
    return keras.Model(model.inputs, outputs)


def _of_images(model, layer):
    """Features in the places of the images' pixels."""
    features = _joined(model, layer)
    last = _operation_before(model, model.outputs[0])
    if not isinstance(last, Reorder):
        return features
    back = Reorder(last.orders, inverse=True)
    inputs = keras.tree.flatten(last.input)
    return back([features, *inputs[1:]] if inputs[1:] else features)


def _joined(model, layer):
    outputs = _outputs_of(model, layer)
    if not outputs:
        raise ValueError(
            "`features` are those of the layers between the image and the "
            f"last layer. Received: a {type(model).__name__}, which has none. "
            "Use the images themselves."
        )
    if not _are_of_pixels(model, outputs):
        raise ValueError(
            "`layer` must give features of pixels, (batch, height, width, "
            f"features). Received: layer={layer!r} of output "
            f"{[tuple(x.shape) for x in outputs]}. Use a layer before it."
        )
    return outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, -1)


def _are_of_pixels(model, outputs):
    size = tuple(model.inputs[0].shape[1:3])
    return all(
        len(x.shape) == 4
        and tuple(x.shape[1:3]) == size
        and keras.backend.is_float_dtype(x.dtype)
        for x in outputs
    )


def _grid_pooling(pooling, size):
    """Means over the parts of a grid, as a product with two matrices."""
    rows, columns = pair("pooling", pooling, 1)
    if rows > size[0] or columns > size[1]:
        raise ValueError(
            "`pooling` must have no more rows and columns than the images. "
            f"Received: pooling={pooling!r}, images of {size[0]}×{size[1]}. "
            "Use fewer."
        )

    def means(parts, length):
        part = np.arange(length) * parts // length
        inside = np.arange(parts)[:, None] == part
        return (inside / inside.sum(axis=1, keepdims=True)).astype("float32")

    by_row, by_column = means(rows, size[0]), means(columns, size[1])

    def pool(features):
        # (batch, rows, columns, features)
        parts = ops.einsum(
            "ai,bijf,cj->bacf",
            ops.cast(by_row, features.dtype),
            features,
            ops.cast(by_column, features.dtype),
        )
        return ops.reshape(parts, (-1, rows * columns * features.shape[-1]))

    return pool


def _outputs_of(model, layer):
    if layer is None:
        # A head may read the image too: that is no hidden state.
        return [
            x
            for x in _head_inputs(model)
            if keras.backend.is_float_dtype(x.dtype)
        ]
    if is_integer(layer):
        names = feature_layers(model)
        if not -len(names) <= layer < len(names):
            raise ValueError(
                f"`layer` must be an index of the model's {len(names)} layers "
                f"of features. Received: layer={layer}. There are {names}."
            )
        layer = names[layer]
    names = [found.name for found in model.layers]
    if layer not in names:
        raise ValueError(
            "`layer` must be the name of a layer of the model. "
            f"Received: layer={layer!r}. There are {names}."
        )
    return keras.tree.flatten(model.get_layer(layer).output)


def _head_inputs(model):
    """What the operation reads that gives the model's output."""
    head = _operation_before(model, model.outputs[0])
    if isinstance(head, Reorder):
        turned = keras.tree.flatten(head.input)[0]
        head = _operation_before(model, turned)
    if head is not None:
        return keras.tree.flatten(head.input)
    raise ValueError(
        "`layer` must be given where the last layer is shared or lies in a "
        f"model inside the model. Received: layer=None. There are "
        f"{[found.name for found in model.layers]}."
    )


def _operation_before(model, tensor):
    """What gives a tensor; `None` if it lies in a model inside the model."""
    for operation in model.operations:
        if any(x is tensor for x in keras.tree.flatten(operation.output)):
            return operation
    return None
