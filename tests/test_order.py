"""The order, by hand."""

import numpy as np
import pytest

from keras_pixel import order
from tests.support.reach import as_grid


def grid(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


def test_rows_then_columns_then_channels():
    # 2 rows, 2 columns, 2 channels.
    index = order.sequence_index((2, 2, 2))
    assert index[0].tolist() == [[0, 1], [2, 3]]
    assert index[1].tolist() == [[4, 5], [6, 7]]


def test_what_is_before_the_centre_of_3x3():
    before = order.is_before((3, 3, 1))[:, :, 0, 1, 1, 0]
    assert as_grid(before) == grid("""
        ###
        #..
        ...
    """)


def test_red_comes_before_green_before_blue():
    within = order.is_before((1, 1, 3))[0, 0, :, 0, 0, :]
    assert as_grid(within) == grid("""
        .##
        ..#
        ...
    """)


def test_nothing_is_before_itself_and_one_of_two_is_first():
    before = order.is_before((2, 3, 2)).reshape(12, 12)
    assert not before.diagonal().any()
    assert (before ^ before.T | np.eye(12, dtype=bool)).all()


def test_features_are_interleaved():
    assert order.channel_of_feature(7, 3).tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_group_major_puts_red_first():
    assert order.group_major(6, 3).tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    ("mask_type", "expected"),
    [
        # Rows: input R, G, B. Columns: output R, G, B.
        ("A", ".##\n..#\n..."),
        ("B", "###\n.##\n..#"),
    ],
)
def test_channel_mask(mask_type, expected):
    mask = order.channel_mask([0, 1, 2], [0, 1, 2], mask_type)
    assert as_grid(mask) == expected


def test_masks_a_and_b_differ_only_on_the_diagonal():
    a, b = (order.channel_mask(range(4), range(4), kind) for kind in "AB")
    np.testing.assert_array_equal(b & ~a, np.eye(4, dtype=bool))


@pytest.mark.parametrize(
    ("mask_type", "expected"),
    # The third row of the kernel would be zero and is not stored.
    [("A", "###\n#.."), ("B", "###\n##.")],
)
def test_convolution_mask_3x3(mask_type, expected):
    mask = order.convolution_mask((3, 3), 1, 1, 1, mask_type)
    assert mask.shape == (2, 3, 1, 1)
    assert as_grid(mask[:, :, 0, 0]) == expected


def test_convolution_mask_5x3_and_1x5():
    tall = order.convolution_mask((5, 3), 1, 1, 1, "A")[:, :, 0, 0]
    assert as_grid(tall) == "###\n###\n#.."
    wide = order.convolution_mask((1, 5), 1, 1, 1, "B")[:, :, 0, 0]
    assert as_grid(wide) == "###.."


@pytest.mark.parametrize("mask_type", "AB")
def test_green_output_of_rgb_convolution(mask_type):
    mask = order.convolution_mask((3, 3), 3, 6, 3, mask_type)
    # Features 1 and 4 of the output are green.
    for green in (1, 4):
        np.testing.assert_array_equal(
            mask[-1, 1, :, green], [True, mask_type == "B", False]
        )
        # Beside the centre all channels or none.
        assert mask[-1, 0, :, green].all()
        assert not mask[-1, 2, :, green].any()
        assert mask[0, :, :, green].all()
