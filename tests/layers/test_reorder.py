"""Reorder and ChooseOrder: numbers by hand, and each refusal."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import ChooseOrder
from keras_pixel.layers import Reorder
from keras_pixel.order import ORDERS

IMAGE = np.arange(4, dtype="int32").reshape(1, 2, 2, 1)
# 0 1
# 2 3
TURNED = {
    "right_down": [0, 1, 2, 3],
    "left_down": [1, 0, 3, 2],
    "right_up": [2, 3, 0, 1],
    "left_up": [3, 2, 1, 0],
    "down_right": [0, 2, 1, 3],
    "down_left": [1, 3, 0, 2],
    "up_right": [2, 0, 3, 1],
    "up_left": [3, 1, 2, 0],
}


@pytest.mark.parametrize("order", ORDERS)
def test_one_order(order):
    turned = np.asarray(Reorder(order)(IMAGE))
    assert turned.dtype == np.int32
    assert turned.reshape(-1).tolist() == TURNED[order]
    back = np.asarray(Reorder(order, inverse=True)(turned))
    np.testing.assert_array_equal(back, IMAGE)


def test_each_image_has_its_order():
    images = np.repeat(IMAGE, 8, axis=0).astype("float32")
    index = np.arange(8)[::-1]
    turned = np.asarray(Reorder(ORDERS)([images, index]))
    expected = [TURNED[ORDERS[i]] for i in index]
    assert turned.reshape(8, -1).tolist() == expected
    back = Reorder(ORDERS, inverse=True)([turned, index])
    np.testing.assert_array_equal(np.asarray(back), images)


def test_columns_need_squares():
    images = np.zeros((1, 2, 3, 1))
    assert Reorder("left_up")(images).shape == images.shape
    with pytest.raises(ValueError, match="square images.*'up_left'"):
        Reorder("up_left")(images)
    with pytest.raises(ValueError, match="one or several of.*orders=3"):
        Reorder(3)


def test_levels_are_not_rounded():
    layer = Reorder("left_up", dtype="mixed_bfloat16")
    images = np.array([[[[257.0]]]], "float32")
    assert float(np.asarray(layer(images)).item()) == 257.0


@pytest.mark.parametrize(
    "layer", [Reorder(["left_up", "up_left"], True, name="x"), ChooseOrder(3)]
)
def test_config_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    name = keras.saving.get_registered_name(type(layer))
    assert name == f"keras_pixel>{type(layer).__name__}"


def test_orders_are_drawn_in_training():
    layer = ChooseOrder(3)
    index = np.array([0, 1, 2] + [3] * 300, "int32")
    drawn = np.asarray(layer(index, training=True))
    assert drawn[:3].tolist() == [0, 1, 2]
    counts = np.bincount(drawn[3:])
    assert counts.sum() == 300 and (counts > 60).all()
    again = np.asarray(layer(index, training=True))
    assert (drawn != again).any()
    in_turn = np.asarray(layer(index))
    np.testing.assert_array_equal(in_turn[3:], np.arange(3, 303) % 3)
    with pytest.raises(ValueError, match="`num_orders` must be an integer"):
        ChooseOrder(0)
