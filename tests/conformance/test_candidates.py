"""May candidates change places in the batch while an image is filled?"""

import numpy as np
import pytest
from keras import ops

from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.loop import Program
from tests.support import catalogue
from tests.support.stepping import Replay
from tests.support.stepping import by_channel

CYCLE = np.array([2, 0, 1], "int32")


class Cycle(Replay):
    """After each channel every image takes the place of its neighbour."""

    moves = True
    fills_lanes = False

    def arrange(self, schedule, inputs):
        self.places = np.arange(3)  # which image is in which place
        self.seen = []
        return super().arrange(schedule, inputs)

    def choose(self, step, given, channel, parameters, state):
        levels, _, state = super().choose(
            step, given, channel, parameters, state
        )
        self.seen.append(self.places)
        self.places = self.places[CYCLE]
        levels = ops.take(ops.reshape(levels, (-1, 3)), self.places, axis=1)
        moves = ops.convert_to_tensor(CYCLE), ops.convert_to_tensor(True)
        return ops.reshape(levels, (-1,)), moves, state

    def result(self, images, state):
        # Back to the places in which the images began.
        lanes = self.schedule.grid.lanes
        for i, places in enumerate(self.seen):
            parted = self.parameters[i]
            parted = parted.reshape(lanes, 3, *parted.shape[1:])
            back = parted[:, np.argsort(places)]
            self.parameters[i] = back.reshape(self.parameters[i].shape)
        _, parameters = super().result(images, state)
        return images, self.places, parameters


LAYERS = catalogue.decodable(catalogue.LAYERS)
MODELS = catalogue.decodable(catalogue.MODELS)
ONE_OF_EACH = {case.layer_class: case for case in LAYERS}.values()


@pytest.mark.parametrize(
    "case",
    **catalogue.named(
        [*LAYERS, *MODELS], often=[*ONE_OF_EACH, *catalogue.one_of_each(MODELS)]
    ),
)
def test_states_move_along_the_batch(case):
    if isinstance(case, catalogue.ModelCase):
        model = case.make()
    else:
        model = catalogue.randomize(case.on_levels(2, 3))
    shape = model.inputs[0].shape[1:]
    images = np.random.default_rng(0).integers(2, size=(3, *shape))
    expected = by_channel(model(images, training=False), shape[-1])
    program = Program(DecodingGraph(model), Cycle())
    inputs = {"images": ops.convert_to_tensor(images, dtype="int32")}
    found, places, parameters = program(inputs)
    # Followed back, each image is whole.
    np.testing.assert_array_equal(found, images[places])
    np.testing.assert_allclose(parameters, expected, rtol=1e-4, atol=1e-4)
