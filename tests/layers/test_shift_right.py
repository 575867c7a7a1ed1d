import numpy as np
import pytest

from keras_pixel.layers import ShiftRight


def test_sub_pixels_move_one_place_on_in_raster_order():
    layer = ShiftRight(channels=3)
    image = np.arange(1.0, 13.0, dtype="float32").reshape(1, 2, 2, 3)
    layer.build(image.shape)
    layer.start.assign([-1.0])
    outputs = np.asarray(layer(image)).reshape(-1)
    np.testing.assert_array_equal(outputs, [-1.0, *range(1, 12)])


def test_features_of_a_sub_pixel_stay_together():
    layer = ShiftRight(channels=2)
    # Interleaved: features 0 and 2 are of channel 0, 1 and 3 of channel 1.
    image = np.array([1.0, 5.0, 2.0, 6.0], "float32").reshape(1, 1, 1, 4)
    layer.build(image.shape)
    layer.start.assign([8.0, 9.0])
    outputs = np.asarray(layer(image)).reshape(-1)
    np.testing.assert_array_equal(outputs, [8.0, 1.0, 9.0, 2.0])


def test_features_that_do_not_split_are_refused():
    with pytest.raises(ValueError, match="`in_features` must be divisible"):
        ShiftRight(channels=3).build((None, 4, 4, 4))


def test_what_is_no_image_is_refused():
    with pytest.raises(ValueError, match="expected ndim=4"):
        ShiftRight()(np.zeros((2, 4, 1), "float32"))
