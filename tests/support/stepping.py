"""Runs a model's cached side on given images, step by step."""

import numpy as np
from keras import ops

from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.loop import Program
from keras_pixel.sampling.loop import Strategy
from keras_pixel.sampling.schedule import Schedule


class Replay(Strategy):
    """Takes the levels of given images, and notes the parameters.

    For programs that are not compiled: each step runs in Python.
    """

    def __init__(self):
        super().__init__(distribution=None)
        self.parameters = []

    def size(self, inputs):
        batch_size, *image_shape = inputs["images"].shape
        return batch_size, tuple(image_shape)

    def arrange(self, schedule, inputs):
        self.schedule = schedule
        return {"images": schedule.by_step(inputs["images"])}

    def choose(self, step, given, channel, parameters, state):
        self.parameters.append(ops.convert_to_numpy(parameters))
        return ops.reshape(given["images"][..., channel], (-1,)), None, state

    def result(self, images, state):
        schedule, channels = self.schedule, images.shape[-1]
        lanes = schedule.grid.lanes
        found = np.stack(self.parameters)  # (steps * channels, positions, …)
        found = found.reshape(
            -1, channels, lanes, schedule.grid.batch_size, *found.shape[2:]
        )
        found = np.moveaxis(found, 1, 3)
        return images, ops.convert_to_numpy(schedule.images(found))


def step_by_step(model, images, lag=None, conditions=()):
    """What `model(images)` gives, computed step by step.

    Args:
        model: Functional model.
        images: integer array `(batch, height, width, channels)`.
        lag: int, of the wavefront. Defaults to `None`, the model's own.
        conditions: list of arrays, the model's inputs after the image.

    Returns:
        Array `(batch, height, width, channels, features of one channel)`.
    """
    program = Program(DecodingGraph(model), Replay(), lag)
    images = ops.convert_to_tensor(np.asarray(images, "int32"))
    inputs = {"images": images, "conditions": list(conditions)}
    replayed, parameters = program(inputs)
    np.testing.assert_array_equal(replayed, images)
    return parameters


def raster_grid(height, width, batch_size):
    """The `Grid` of images that are drawn in raster order."""
    return Schedule((height, width, 1), batch_size).grid


def lags_of(model):
    """All lags that a model can be drawn along, raster order last."""
    graph = DecodingGraph(model)
    width = graph.image_shape[1]
    least = width if graph.lag is None else min(graph.lag, width)
    return range(least, width + 1)


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


def assert_steps_are_the_call(model, images, lag=None, conditions=()):
    """The cached side gives what the parallel side gives."""
    images = np.asarray(images, "int32")
    inputs = [images, *conditions] if len(conditions) else images
    expected = by_channel(model(inputs, training=False), images.shape[-1])
    found = step_by_step(model, images, lag, conditions)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
