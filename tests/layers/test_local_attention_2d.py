import keras
import pytest

from keras_pixel.layers import LocalAttention2D
from tests.support.catalogue_attention import blocks_2d
from tests.support.dense_attention import assert_dense
from tests.support.dense_attention import largest_array
from tests.support.reach import as_grid
from tests.support.reach import measured_reach
from tests.support.reach import past_and_self
from tests.support.stepping import raster_grid

SHAPES = [(4, 6, 1), (5, 7, 1), (3, 4, 3), (1, 7, 2), (5, 1, 1)]
# Query shape and flange: memory of parts of blocks, of several, of none.
BLOCKS = [
    ((1, 1), (0, 0)),
    ((2, 3), (1, 1)),
    ((2, 2), (3, 3)),
    ((1, 2), (2, 1)),
    ((3, 1), (0, 2)),
    ((9, 9), (9, 9)),
]


@pytest.mark.parametrize("blocks", BLOCKS, ids=str)
@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
def test_equal_to_dense_attention(image_shape, blocks):
    layer = LocalAttention2D(2, *blocks, channels=image_shape[-1])
    assert_dense(layer, image_shape, blocks_2d(*blocks))


def test_one_block_is_full_attention():
    layer = LocalAttention2D(2, (3, 4), (0, 0), channels=2)
    assert_dense(layer, (3, 4, 2), past_and_self)


def test_what_is_seen_at_one_place():
    inputs = keras.Input((4, 7, 2))
    layer = LocalAttention2D(1, (2, 2), (1, 1))
    seen = measured_reach(keras.Model(inputs, layer(inputs)), 1)
    # The block of (3, 3) has the rows 2 and 3 and the columns 2 and 3.
    assert as_grid(seen[..., 3, 3, 0].any(axis=-1)) == (
        ".......\n.####..\n.####..\n.###..."
    )


def test_largest_array_grows_linearly():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("looks at TensorFlow's graph")
    sizes = [
        largest_array(
            LocalAttention2D(1, (2, 4), (2, 2), channels=3), (side, side, 3)
        )
        for side in (8, 16, 32)
    ]
    assert sizes[1] <= 4 * sizes[0]
    assert sizes[2] <= 4 * sizes[1]
    assert sizes[2] < (32 * 32 * 3) ** 2 / 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"query_shape": (0, 2)}, r"query_shape=\(0, 2\)"),
        ({"query_shape": (True, 2)}, r"query_shape=\(True, 2\)"),
        ({"query_shape": 4}, "`query_shape` must be a pair"),
        ({"query_shape": "22"}, "query_shape='22'"),
        ({"memory_flange": (1, -1)}, r"memory_flange=\(1, -1\)"),
        ({"memory_flange": (1, 1, 1)}, "`memory_flange` must be a pair"),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    arguments = {"query_shape": (2, 2), "memory_flange": (1, 1), **arguments}
    with pytest.raises(ValueError, match=words):
        LocalAttention2D(2, **arguments)


def test_sampling_keeps_the_rows_in_reach_only():
    layer = LocalAttention2D(2, (2, 4), (3, 4), channels=3)
    layer.build((None, 16, 16, 12))
    _, state = layer.init_cache(raster_grid(16, 16, 5))
    # (num_heads, batch, slots * key_dim)
    assert tuple(state["keys"].shape) == (2, 5, (2 + 3) * 16 * 3 * 2)


def test_step_reads_a_part_of_the_columns_of_wide_images():
    narrow = LocalAttention2D(1, (2, 2), (1, 1))
    narrow.build((None, 4, 20, 2))
    _, state = narrow.init_cache(raster_grid(4, 20, 3))
    read = narrow.read_slots(state["keys"], 7)
    # Three rows, four columns, key_dim 2.
    assert tuple(read.shape) == (1, 3, 3 * 4 * 2)
