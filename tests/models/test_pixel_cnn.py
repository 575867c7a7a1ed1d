"""Facts of the paper: the blind spot, the layers, the numbers of weights."""

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel.models import PixelCNN
from tests.support.catalogue import randomize
from tests.support.reach import as_grid

TINY = {"filters": 2, "num_blocks": 1, "first_kernel_size": 3}


def grid(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


def seen_at(model, place, num_images=5):
    """Grid of the pixels that change the parameters at `place`."""
    height, width, channels = model.image_shape
    pixels = height * width
    seen = np.zeros(pixels, bool)
    for _ in range(num_images):
        image = np.random.randint(model.num_levels, size=(1, pixels, channels))
        changed = np.repeat(image, pixels, axis=0)
        same = changed.copy()
        changed[range(pixels), range(pixels)] ^= 1
        first, second = (
            np.asarray(model(x.reshape(-1, *model.image_shape)))
            for x in (same, changed)
        )
        row, column = place
        moved = first[:, row, column] != second[:, row, column]
        seen |= moved.reshape(pixels, -1).any(axis=-1)
    return as_grid(seen.reshape(height, width))


def test_blind_spot_of_three_3x3_kernels():
    # To the right the view widens by one pixel a row, to the left it is as
    # wide as three kernels are.
    model = PixelCNN(
        (5, 9, 1),
        2,
        filters=16,
        num_blocks=2,
        first_kernel_size=3,
        head_filters=0,
        activation="gelu",
    )
    assert seen_at(randomize(model), (4, 4)) == grid("""
        .........
        .#######.
        .######..
        .#####...
        .###.....
    """)


def test_blind_spot_stays_however_deep_the_network_is():
    model = PixelCNN(
        (3, 6, 1),
        2,
        filters=16,
        num_blocks=5,
        first_kernel_size=3,
        head_filters=0,
        activation="gelu",
    )
    assert seen_at(randomize(model), (2, 2)) == grid("""
        #####.
        ####..
        ##....
    """)


def test_number_of_weights_by_hand():
    model = PixelCNN((4, 4, 1), 4, head_filters=2, **TINY)
    first = 2 * 3 * 1 * 4 + 4
    block = (4 * 2 + 2) + (2 * 3 * 2 * 2 + 2) + (2 * 4 + 4)
    head = (4 * 2 + 2) + (2 * 4 + 4)
    assert model.count_params() == first + block + head == 98


def test_defaults_are_those_of_the_paper_for_cifar10():
    # Not built: this model has 10 million weights.
    import inspect

    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(PixelCNN).parameters.items()
    }
    assert defaults["image_shape"] == (32, 32, 3)
    assert defaults["num_levels"] == 256
    assert defaults["num_blocks"] == 15
    assert defaults["first_kernel_size"] == 7
    # 128 and 1024 of the paper, made divisible by three channels.
    assert defaults["filters"] == 126
    assert defaults["head_filters"] == 1023


def test_layers_in_the_order_of_table_1():
    model = PixelCNN((4, 4, 1), 4, head_filters=2, **TINY)
    masked = [x for x in model.layers if hasattr(x, "mask_type")]
    assert [(x.mask_type, x.kernel_size) for x in masked] == [
        ("A", (3, 3)),
        ("B", (1, 1)),
        ("B", (3, 3)),
        ("B", (1, 1)),
        ("B", (1, 1)),
    ]


def test_head_and_dropout_can_be_left_out():
    names = {
        x.name for x in PixelCNN((4, 4, 1), 4, head_filters=0, **TINY).layers
    }
    assert "head_convolution" not in names
    assert "block_1_dropout" not in names
    with_dropout = PixelCNN((4, 4, 1), 4, head_filters=0, dropout=0.1, **TINY)
    assert "block_1_dropout" in {x.name for x in with_dropout.layers}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"image_shape": (4, 4)},
            r"`image_shape` must be three .*image_shape=\(4, 4\). For grey",
        ),
        ({"image_shape": (4, 0, 1)}, r"image_shape=\(4, 0, 1\)"),
        ({"image_shape": (4, None, 1)}, "three positive integers"),
        ({"num_levels": 1}, "`num_levels` must be .* 2 to 256.*num_levels=1"),
        ({"num_levels": 257}, "num_levels=257"),
        ({"filters": 4, "image_shape": (4, 4, 3)}, "filters=4, channels=3"),
        (
            {"head_filters": 4, "image_shape": (4, 4, 3), "filters": 3},
            "head_filters=4, channels=3",
        ),
        ({"kernel_size": 2}, "`kernel_size` must be an odd"),
        ({"head_rank": 5, "num_levels": 4}, "rank=5. Use 4 or less"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_argument_is_refused(arguments, words):
    arguments = {"image_shape": (4, 4, 1), "num_levels": 4, **TINY, **arguments}
    with pytest.raises(ValueError, match=words):
        PixelCNN(**{"head_filters": 0, **arguments})


def test_activation_may_be_a_function(tmp_path):
    model = PixelCNN(
        (4, 4, 1), num_levels=4, activation=keras.activations.silu, **TINY
    )
    model.save_preset(tmp_path / "preset")
    again = keras_pixel.load(tmp_path / "preset")
    images = np.random.default_rng(0).integers(4, size=(2, 4, 4, 1))
    np.testing.assert_array_equal(again(images), model(images))


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("filters", -1, 1),
        ("filters", 0, 1),
        ("head_filters", -2, 0),
        ("num_blocks", -1, 0),
        ("filters", 2.5, 1),
    ],
)
def test_sizes_that_make_no_model_are_refused(name, value, least):
    with pytest.raises(
        ValueError, match=f"`{name}` must be an integer of at least {least}"
    ):
        PixelCNN(image_shape=(4, 4, 1), num_levels=4, **{name: value})
