"""Numbers that look like integers and are none, or are of NumPy."""

import numpy as np
import pytest

from keras_pixel.models.arguments import check_image_arguments
from keras_pixel.models.arguments import check_positive
from keras_pixel.models.arguments import check_sizes


@pytest.mark.parametrize("value", [False, True, 2.0, None, np.int64(2)])
def test_what_is_no_int_is_no_size(value):
    sizes = {"filters": 2, "head_filters": 2}
    for name in sizes:
        with pytest.raises(ValueError, match=f"`{name}` must be an integer"):
            check_sizes(1, **{**sizes, name: value}, depth={"num_layers": 1})
    with pytest.raises(ValueError, match="`num_layers` must be an integer"):
        check_sizes(1, **sizes, depth={"num_layers": value})
    with pytest.raises(ValueError, match="`hidden_dim` must be a positive"):
        check_positive(hidden_dim=value)


def test_image_shape_may_be_an_array():
    shape = check_image_arguments(np.array([4, 5, 1]), 2)
    assert shape == (4, 5, 1)
    assert {type(n) for n in shape} == {int}
