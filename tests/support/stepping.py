"""Runs a model's cached side on given images, in plain Python."""

import numpy as np
from keras import ops

from keras_pixel.sampling.plan import Plan


def step_by_step(model, images):
    """What `model(images)` gives, computed sub-pixel by sub-pixel.

    Returns:
        Array `(batch, height, width, channels, features of one channel)`.
    """
    images = ops.cast(images, "int32")
    batch_size, height, width, channels = images.shape
    plan = Plan(model)
    weights, states = plan.init_cache(batch_size, width)
    outputs = np.empty((height, width, channels), object)
    for row in range(height):
        rows, states = plan.start_row(weights, states)
        for column in range(width):
            values = plan.start_pixel(rows, column)
            for channel in range(channels):
                parameters, states = plan.decode_step(
                    weights, states, values, column, channel
                )
                outputs[row, column, channel] = ops.convert_to_numpy(parameters)
                level = images[:, row, column, channel : channel + 1]
                values[0].append(level)
            states = plan.finish_pixel(weights, states, values, column)
    stacked = np.stack([x for x in outputs.reshape(-1)], axis=1)
    return stacked.reshape(batch_size, height, width, channels, -1)


def by_channel(outputs, channels):
    """A layer's or a model's output with an axis for the channels.

    Returns:
        Array `(batch, height, width, channels, features of one channel)`.
    """
    outputs = ops.convert_to_numpy(outputs)
    if outputs.ndim == 5:
        return outputs
    parted = outputs.reshape(*outputs.shape[:3], -1, channels)
    return np.moveaxis(parted, -1, -2)
