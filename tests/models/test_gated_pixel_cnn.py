"""Facts of the paper: no blind spot, two stacks, the numbers of weights."""

import numpy as np
import pytest

from keras_pixel.models import GatedPixelCNN
from tests.models.test_pixel_cnn import grid
from tests.models.test_pixel_cnn import seen_at
from tests.support.catalogue import randomize


def test_there_is_no_blind_spot():
    model = GatedPixelCNN(
        (3, 6, 1),
        2,
        filters=8,
        num_layers=2,
        first_kernel_size=3,
        head_filters=0,
    )
    # PixelCNN of the same width of view does not see the right upper corner.
    assert seen_at(randomize(model), (2, 2)) == grid("""
        ######
        ######
        ##....
    """)


def test_view_of_one_layer_is_its_kernel():
    model = GatedPixelCNN(
        (4, 5, 1),
        2,
        filters=8,
        num_layers=0,
        first_kernel_size=3,
        head_filters=0,
    )
    assert seen_at(randomize(model), (2, 2)) == grid("""
        .....
        .###.
        .#...
        .....
    """)


def test_number_of_weights_by_hand():
    model = GatedPixelCNN(
        (4, 4, 1),
        4,
        filters=2,
        num_layers=1,
        first_kernel_size=3,
        head_filters=2,
    )
    link, output = 4 * 4 + 4, 2 * 2 + 2
    first = (1 * 3 * 1 * 4 + 4) + link + 1 * 3 * 1 * 4 + output
    gated = (2 * 3 * 2 * 4 + 4) + link + 1 * 3 * 2 * 4 + output
    head = (2 * 2 + 2) + (2 * 4 + 4)
    assert model.count_params() == first + gated + head == 174


def test_first_pixel_is_the_same_for_every_image():
    model = randomize(
        GatedPixelCNN((3, 3, 1), 4, filters=4, num_layers=1, head_filters=4)
    )
    images = np.random.randint(4, size=(5, 3, 3, 1))
    first = np.asarray(model(images))[:, 0, 0]
    np.testing.assert_allclose(first, first[:1].repeat(5, axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image_shape": (4,)}, "`image_shape` must be three"),
        ({"num_levels": 0}, "`num_levels` must be .*num_levels=0"),
        ({"filters": 5, "image_shape": (4, 4, 2)}, "filters=5, channels=2"),
        ({"first_kernel_size": 1}, "must be at least 3 high"),
        ({"kernel_size": 4}, "`kernel_size` must be an odd"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_argument_is_refused(arguments, words):
    arguments = {"image_shape": (4, 4, 1), "num_levels": 4, **arguments}
    with pytest.raises(ValueError, match=words):
        GatedPixelCNN(
            **{"filters": 4, "num_layers": 1, "head_filters": 0, **arguments}
        )
