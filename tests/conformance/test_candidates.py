"""May hypotheses change places in the batch while an image is filled?"""

import numpy as np
import pytest
from keras import ops

from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.loop import move
from tests.support import catalogue
from tests.support.stepping import by_channel

CYCLE = np.array([2, 0, 1], "int32")


@pytest.mark.parametrize(
    "case",
    **catalogue.named(catalogue.decodable(catalogue.LAYERS + catalogue.MODELS)),
)
def test_states_move_along_the_batch(case):
    if isinstance(case, catalogue.ModelCase):
        model = case.make()
    else:
        model = catalogue.randomize(case.on_levels(2, 3))
    height, width, channels = model.inputs[0].shape[1:]
    images = np.random.default_rng(0).integers(
        2, size=(3, height, width, channels)
    )
    expected = by_channel(model(images, training=False), channels)
    plan = DecodingGraph(model)
    weights, states = plan.init_cache(3, width)
    places = np.arange(3)  # which image is in which place
    for row in range(height):
        rows, states = plan.start_row(weights, states)
        for column in range(width):
            values = plan.start_pixel(rows, column)
            for channel in range(channels):
                found, states = plan.decode_step(
                    weights, states, values, column, channel
                )
                np.testing.assert_allclose(
                    np.reshape(found, (3, -1)),
                    expected[places, row, column, channel],
                    atol=1e-4,
                )
                rows, states, values = move(
                    (rows, states, values), ops.convert_to_tensor(CYCLE), True
                )
                places = places[CYCLE]
                level = images[places, row, column, channel, None]
                values[0].append(ops.convert_to_tensor(level, dtype="int32"))
            states = plan.finish_pixel(weights, states, values, column)
