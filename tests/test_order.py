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


def test_channel_major_puts_red_first():
    assert order.channel_major(6, 3).tolist() == [0, 3, 1, 4, 2, 5]


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


def test_what_a_wavefront_of_lag_2_has_drawn_before_the_centre():
    rows_above, columns_right = np.ogrid[2:-2:-1, -4:5]
    assert as_grid(order.is_past(rows_above, columns_right, 2)) == grid("""
        ########.
        ######...
        ####.....
        .........
    """)


def test_taps_of_the_two_stacks():
    up, right = order.shifted_taps((2, 3), "vertical", (1, 0))
    assert (up.ravel().tolist(), right.ravel().tolist()) == (
        [2, 1],
        [-1, 0, 1],
    )
    up, right = order.shifted_taps((2, 2), "horizontal", (0, 1))
    assert (up.ravel().tolist(), right.ravel().tolist()) == ([1, 0], [-2, -1])


@pytest.mark.parametrize(
    ("lag", "expected"),
    [
        (None, "#####\n#####"),
        (1, "###..\n###.."),
        (2, "####.\n###.."),
        (3, "#####\n###.."),
    ],
)
def test_crop_of_a_vertical_kernel(lag, expected):
    taps = order.shifted_taps((2, 5), "vertical")
    assert as_grid(order.crop_taps(*taps, lag)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # Rows: tokens that see. Columns: tokens that are seen.
        ({}, "#...\n##..\n###.\n####"),
        ({"strict": True}, "....\n#...\n##..\n###."),
        # Lag 1: the last of the first row and the first of the second row
        # are drawn together.
        ({"lag": 1}, "#...\n##..\n#.#.\n####"),
        ({"lag": 1, "strict": True}, "....\n#...\n#...\n###."),
    ],
)
def test_attention_mask_of_2x2(options, expected):
    assert as_grid(order.attention_mask((2, 2, 1), **options)) == expected


def test_attention_mask_orders_the_channels_of_a_pixel():
    mask = order.attention_mask((1, 2, 2))
    assert as_grid(mask) == "#...\n##..\n###.\n####"
    mask = order.attention_mask((1, 2, 2), strict=True)
    assert as_grid(mask) == "....\n....\n##..\n##.."


def test_a_wavefront_as_long_as_the_rows_is_raster_order():
    np.testing.assert_array_equal(
        order.attention_mask((3, 4, 2), lag=4), order.attention_mask((3, 4, 2))
    )


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


@pytest.mark.parametrize("name", order.ORDERS)
def test_orders_are_turned_back(name):
    images = np.arange(32).reshape(2, 4, 4, 1)
    turned = order.into_order(np, images, name)
    np.testing.assert_array_equal(order.from_order(np, turned, name), images)
    first = {"right": 0, "left": 3, "down": 0, "up": 3}
    one, other = (first[direction] for direction in name.split("_"))
    row, column = (one, other) if order.is_transposed(name) else (other, one)
    np.testing.assert_array_equal(turned[:, 0, 0], images[:, row, column])


def test_orders_are_all_different():
    images = np.arange(4).reshape(1, 2, 2)
    turned = {
        tuple(order.into_order(np, images, name).reshape(-1))
        for name in order.ORDERS
    }
    assert len(turned) == 8


def test_fitting_order():
    known = np.zeros((4, 3, 3), bool)
    known[0, 2] = known[1, :, 0] = True  # a last row, a first column
    known[3] = True
    orders = ("left_down", "left_up", "down_right")
    assert order.fitting_order(known, orders).tolist() == [1, 2, 0, 0]
    # Nothing fits: the fewest known pixels after the first unknown one.
    known = np.array([[[0, 1, 1], [1, 1, 1], [1, 1, 0]]], bool)
    assert order.fitting_order(known, ("right_down",)).tolist() == [0]
