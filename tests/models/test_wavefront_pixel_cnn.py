"""WavefrontPixelCNN: what it sees, how many weights, what it refuses."""

import keras
import numpy as np
import pytest

from keras_pixel.models import WavefrontPixelCNN
from tests.support import catalogue
from tests.support.reach import measured_reach


def small(image_shape=(6, 7, 1), num_levels=4, **arguments):
    arguments = {"filters": 4, "num_mixtures": 2, **arguments}
    return catalogue.randomize(
        WavefrontPixelCNN(image_shape, num_levels, **arguments)
    )


def times(image_shape, lag):
    rows, columns = np.indices(image_shape[:2])
    return (columns + lag * rows).reshape(-1)


def pixels_seen(model):
    """Which pixel sees which: bool `(seen pixel, seeing pixel)`."""
    found = measured_reach(model, model.image_shape[-1], model.num_levels)
    count = int(np.prod(model.image_shape[:2]))
    by_pixel = found.any(axis=(2, 5)).reshape(count, count)
    return by_pixel & ~np.eye(count, dtype=bool)


@pytest.mark.parametrize(
    ("lag", "kernel_size"), [(1, 3), (2, 3), (2, (3, 5)), (3, (5, 5))]
)
def test_sees_earlier_wavefronts_only(lag, kernel_size):
    model = small(lag=lag, kernel_size=kernel_size)
    seen = pixels_seen(model)
    time = times(model.image_shape, lag)
    assert not (seen & ~(time[:, None] < time)).any()
    # And most of them: a lag that crops too much would pass, too.
    assert seen.sum() > 0.6 * (time[:, None] < time).sum()


def test_without_a_lag_it_sees_more_than_a_wavefront_does():
    seen = pixels_seen(small(lag=None))
    time = times((6, 7), 2)
    assert (seen & ~(time[:, None] < time)).any()


def test_default_size():
    # What the paragraph in the class docstring describes, counted by hand.
    f, taps, channels = 64, 6, 3
    first = 4 * 7 * (channels + 1) * f + f
    convolutions = taps * 2 * f * f + f + taps * 2 * f * 2 * f + 2 * f
    short_cut = 2 * f * f + f
    down = 4 * f * f + f
    up = 4 * f * f + f
    head = f * 100 + 100
    blocks = 3 * convolutions + 5 * (convolutions + short_cut)
    expected = first + blocks + 2 * (down + up) + head
    assert WavefrontPixelCNN().count_params() == expected


def test_features_may_differ_by_resolution():
    model = small(filters=(4, 6, 8))
    assert model.get_layer("down_2_block_1_gate").output.shape[-1] == 8
    assert model.get_layer("up_0_block_1_gate").output.shape[-1] == 4
    assert model.features(catalogue.levels(model)).shape == (2, 6, 7, 4)


def test_categorical_distribution_of_few_levels():
    model = small((3, 2, 3), 2, distribution="categorical")
    assert model.outputs[0].shape == (None, 3, 2, 3, 2)


@pytest.mark.parametrize("image_shape", [(1, 9, 1), (9, 1, 2), (1, 1, 3)])
def test_thin_images(image_shape):
    model = small(image_shape)
    images = catalogue.levels(model)
    assert np.isfinite(model.log_prob(images)).all()


def test_first_block_changes_little():
    keras.utils.set_random_seed(0)
    model = WavefrontPixelCNN((8, 8, 3), filters=32)
    images = catalogue.levels(model)
    before = model.get_layer("first").output
    after = model.get_layer("down_0_block_1_gate").output
    x, y = keras.Model(model.inputs[0], [before, after])(images)
    assert np.std(np.asarray(y) - np.asarray(x)) < 0.4 * np.std(np.asarray(x))


@pytest.mark.graphs
def test_loss_falls_in_a_short_training():
    model = WavefrontPixelCNN((8, 8, 3), 256, filters=8, num_mixtures=3)
    random = np.random.default_rng(0)
    flat = random.integers(60, 190, size=(64, 1, 1, 3))
    images = flat + random.integers(-5, 6, size=(64, 8, 8, 3))
    model.compile(keras.optimizers.Adam(0.01))
    before = model.bits_per_dim(images).mean()
    model.fit(images, batch_size=16, epochs=10, verbose=0)
    assert model.bits_per_dim(images).mean() < before - 1.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filters": 0}, "`filters` must be"),
        ({"filters": (4, 4)}, "one for each of the 3 resolutions"),
        ({"num_blocks": 0}, "`num_blocks` must be"),
        ({"num_resolutions": 0}, "`num_resolutions` must be"),
        ({"lag": 0}, "`lag` must be"),
        ({"kernel_size": 2}, "`kernel_size` must be an odd"),
        ({"distribution": "normal"}, "`distribution` must be one of"),
        ({"num_mixtures": 0}, "`num_mixtures` must be"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        small(**arguments)


def test_unknown_argument_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match="Did you mean .?filters"):
        WavefrontPixelCNN(fitlers=8)
