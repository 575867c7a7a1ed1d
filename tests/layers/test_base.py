"""What all causal layers share."""

import numpy as np
import pytest

from keras_pixel import order
from keras_pixel.layers import CausalLayer
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.buffers import known_groups


@pytest.mark.parametrize("method", ["init_cache", "decode_step"])
def test_layer_without_a_cached_side_says_so(method):
    class Half(CausalLayer):
        pass

    arguments = [None] * {"init_cache": 1, "decode_step": 5}[method]
    with pytest.raises(NotImplementedError, match=f"Half has no .*`{method}`"):
        getattr(Half(), method)(*arguments)


def test_channels_are_in_the_config():
    assert CausalLayer(channels=3).get_config()["channels"] == 3


def test_known_groups_are_joined_in_order():
    groups = [np.full((1, 2), i, "float32") for i in range(3)]
    joined = known_groups(CausalLayer(), groups, 2)
    assert np.asarray(joined).tolist() == [[0, 0, 1, 1]]


def test_asking_for_an_unknown_group_names_the_layer():
    layer = CausalLayer(name="culprit")
    with pytest.raises(ValueError, match='not causal.*"culprit".*mask type'):
        known_groups(layer, [np.zeros((1, 2))], 2)


def test_channel_major_permutes_as_the_order_says():
    weights = np.arange(12, dtype="float32").reshape(2, 6)
    permuted = np.asarray(channel_major(weights, 3, axes=(1,)))
    np.testing.assert_array_equal(
        permuted, weights[:, order.channel_major(6, 3)]
    )
