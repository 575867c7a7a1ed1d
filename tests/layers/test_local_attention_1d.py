import keras
import pytest

from keras_pixel.layers import LocalAttention1D
from tests.support.catalogue_attention import blocks_1d
from tests.support.dense_attention import assert_dense
from tests.support.dense_attention import largest_array
from tests.support.reach import as_grid
from tests.support.reach import measured_reach
from tests.support.reach import past_and_self
from tests.support.stepping import raster_grid

SHAPES = [(4, 5, 1), (3, 4, 3), (1, 7, 2), (5, 1, 1)]
# Blocks: one pixel, part of a row, over rows, all of the image and more.
LENGTHS = [(1, 0), (1, 2), (2, 5), (3, 3), (7, 2), (40, 40)]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
def test_equal_to_dense_attention(image_shape, lengths):
    layer = LocalAttention1D(2, *lengths, channels=image_shape[-1])
    assert_dense(layer, image_shape, blocks_1d(*lengths))


def test_one_block_is_full_attention():
    layer = LocalAttention1D(2, 12, 0, channels=2)
    assert_dense(layer, (3, 4, 2), past_and_self)


def test_what_is_seen_at_one_place():
    inputs = keras.Input((3, 5, 2))
    model = keras.Model(inputs, LocalAttention1D(1, 4, 2)(inputs))
    # Pixel 10 is the third of the block 8 … 11; the memory is 6 and 7.
    seen = measured_reach(model, 1)[..., 2, 0, 0].any(axis=-1)
    assert as_grid(seen) == ".....\n.####\n#...."


def test_largest_array_grows_linearly():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("looks at TensorFlow's graph")
    sizes = [
        largest_array(LocalAttention1D(1, 8, 8, channels=3), (side, side, 3))
        for side in (8, 16, 32)
    ]
    assert sizes[1] <= 4 * sizes[0]
    assert sizes[2] <= 4 * sizes[1]
    assert sizes[2] < (32 * 32 * 3) ** 2 / 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"query_length": 0}, "`query_length` must be .* query_length=0"),
        ({"memory_length": -1}, "`memory_length` must be .* memory_length=-1"),
        ({"query_length": 2.5}, "query_length=2.5"),
        ({"query_length": "4"}, "query_length='4'"),
        ({"memory_length": False}, "memory_length=False"),
        ({"num_heads": 0}, "num_heads=0"),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    arguments = {"query_length": 4, "memory_length": 4, **arguments}
    with pytest.raises(ValueError, match=words):
        LocalAttention1D(**{"num_heads": 2, **arguments})


def test_sampling_keeps_a_block_and_its_memory_only():
    layer = LocalAttention1D(2, 4, 2, channels=3)
    layer.build((None, 16, 16, 12))
    _, state = layer.init_cache(raster_grid(16, 16, 5))
    # (num_heads, batch, slots * key_dim)
    assert tuple(state["keys"].shape) == (2, 5, (4 + 2) * 3 * 2)
