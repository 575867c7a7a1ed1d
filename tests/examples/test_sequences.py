"""The network of the examples: what it sees, and what it keeps."""

import keras
import numpy as np
import pytest

import keras_pixel
from examples import sequences
from keras_pixel.sampling.graph import DecodingGraph
from tests.support import catalogue
from tests.support.reach import measured_reach
from tests.support.stepping import assert_steps_are_the_call

DILATIONS = [1, 2, 4]


def test_network_sees_its_receptive_field():
    model = sequences.dilated_network(12, 4, DILATIONS)
    catalogue.randomize(model)
    keras_pixel.check_causality(model)
    seen = measured_reach(model, 1, 256)[0, :, 0, 0, :, 0]
    before = np.arange(12)[None] - np.arange(12)[:, None]
    field = sequences.receptive_field(DILATIONS)
    assert field == 9
    assert (seen == ((before > 0) & (before <= field))).all()


def test_steps_are_the_call():
    model = sequences.dilated_network(12, 4, DILATIONS, embed=False)
    catalogue.randomize(model)
    assert_steps_are_the_call(model, catalogue.levels(model))


def test_what_is_kept_does_not_grow_with_the_sequence():
    kept = []
    for length in (16, 64):
        graph = DecodingGraph(sequences.dilated_network(length, 4, DILATIONS))
        _, states = graph.init_cache(graph.schedule(1), ())
        kept.append([tuple(x.shape) for x in keras.tree.flatten(states)])
    assert kept[0] == kept[1]
    # Four features of two levels for the first layer, and of `dilation` steps
    # for each block.
    number = sum(np.prod(shape) for shape in kept[0])
    assert number == 4 * (2 + sum(DILATIONS))


def test_longer_sequence_has_the_same_weights():
    model = sequences.dilated_network(8, 4, DILATIONS)
    catalogue.randomize(model)
    longer = sequences.longer(model, 16, 4, DILATIONS)
    noise = np.random.default_rng(0).random((2, 1, 16, 1)).astype("float32")
    drawn = longer.sample(noise=noise)
    assert (drawn[:, :, :8] == model.sample(noise=noise[:, :, :8])).all()


def test_bits_of_the_frequencies():
    # Seven of level 0 beside 256 of all: 8 of 263.
    bits = sequences.unigram_bits(np.zeros(7, "uint8"), np.zeros(3, "uint8"))
    np.testing.assert_allclose(bits, -np.log2(8 / 263))


def test_too_little_data_is_refused():
    with pytest.raises(ValueError, match="at least one window"):
        sequences.windows(np.zeros(7), 8)
