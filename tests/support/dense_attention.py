"""Attention as one dense matrix with an explicit mask, in float64."""

import numpy as np


def dense_attention(layer, inputs, seen):
    """What an attention layer must give.

    Args:
        layer: built layer.
        inputs: array `(batch, height, width, channels * hidden_dim)`.
        seen: reach of the layer, see `tests.support.reach`.
    """
    batch, height, width, features = inputs.shape
    channels = layer.channels
    size = features // channels
    heads, places = layer.num_heads, height * width * channels
    tokens = inputs.astype("float64").reshape(-1, height, width, size, channels)
    tokens = np.moveaxis(tokens, -1, -2).reshape(batch, places, size)
    projected = tokens @ np.asarray(layer.kernel, "float64")
    # (3, batch, heads, places, key_dim)
    queries, keys, values = np.transpose(
        projected.reshape(batch, places, 3, heads, size // heads),
        (2, 0, 3, 1, 4),
    )
    scores = queries @ np.swapaxes(keys, -1, -2) / np.sqrt(size // heads)
    visible = np.broadcast_to(
        seen((height, width, channels)), (height, width, channels) * 2
    )
    visible = visible.reshape(places, places).T
    weights = np.where(visible, np.exp(scores), 0.0)
    weights /= weights.sum(axis=-1, keepdims=True)
    outputs = np.moveaxis(weights @ values, 1, 2).reshape(batch, places, size)
    outputs = outputs @ np.asarray(layer.output_kernel, "float64")
    outputs = outputs.reshape(batch, height, width, channels, size)
    return np.moveaxis(outputs, -1, -2).reshape(inputs.shape)


def assert_dense(layer, image_shape, seen, hidden_dim=6):
    """The layer gives what dense attention gives."""
    height, width, channels = image_shape
    random = np.random.default_rng(0)
    shape = (2, height, width, channels * hidden_dim)
    inputs = random.normal(size=shape).astype("float32")
    layer.build(shape)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape) / np.sqrt(hidden_dim))
    np.testing.assert_allclose(
        np.asarray(layer(inputs)),
        dense_attention(layer, inputs, seen),
        atol=1e-5,
    )


def largest_array(layer, image_shape, hidden_dim=4):
    """Elements of the largest array when the layer is trained on one image."""
    import tensorflow as tf

    height, width, channels = image_shape
    shape = (1, height, width, channels * hidden_dim)
    layer.build(shape)

    @tf.function
    def train(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        return tape.gradient(outputs, [inputs, *layer.trainable_variables])

    graph = train.get_concrete_function(tf.TensorSpec(shape)).graph
    return max(
        output.shape.num_elements() or 0
        for operation in graph.get_operations()
        for output in operation.outputs
        if output.shape.is_fully_defined()
    )
