"""The noise that images are made of."""

import numpy as np
import pytest

from keras_pixel.sampling.noise import LazyNoise
from keras_pixel.sampling.noise import make_noise

SHAPE = (2, 3, 1)


def test_noise_of_an_image_depends_on_seed_and_place_only():
    many = make_noise(5, SHAPE, seed=7)
    np.testing.assert_array_equal(make_noise(2, SHAPE, seed=7), many[:2])
    assert (make_noise(5, SHAPE, seed=8) != many).all()
    assert many.dtype == "float32"
    assert ((many >= 0) & (many < 1)).all()


@pytest.mark.parametrize("shape", [SHAPE, (3, 3, 1)], ids=["even", "odd"])
def test_noise_starts_anywhere(shape):
    many = make_noise(6, shape, seed=7)
    for start in range(6):
        some = make_noise(6 - start, shape, seed=7, start=start)
        np.testing.assert_array_equal(some, many[start:])


def test_lazy_noise_is_the_same_in_any_parts():
    many, noise = make_noise(6, SHAPE, seed=7), LazyNoise(6, SHAPE, seed=7)
    assert len(noise) == 6
    assert noise.shape == many.shape
    for rows in (np.s_[:], np.s_[:2], np.s_[3:9], np.s_[6:], np.s_[-2:]):
        np.testing.assert_array_equal(noise[rows], many[rows])
    noise = LazyNoise(2, SHAPE, None)
    np.testing.assert_array_equal(noise[:], noise[:])
    assert (noise[:1] != noise[1:]).any()
    assert (LazyNoise(2, SHAPE, None)[:] != noise[:]).any()


def test_fresh_noise_differs():
    assert (make_noise(1, SHAPE, None) != make_noise(1, SHAPE, None)).any()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "`num_images` or `noise` must be given"),
        (-1, "at least 0. Received: num_images=-1"),
        (2.5, "num_images=2.5"),
        (True, "num_images=True"),
    ],
)
def test_wrong_number_of_images_is_refused(number, words):
    for make in (make_noise, LazyNoise):
        with pytest.raises(ValueError, match=words):
            make(number, SHAPE, 0)


@pytest.mark.parametrize("seed", [-1, 2.0, True, "1"])
def test_wrong_seed_is_refused(seed):
    for make in (make_noise, LazyNoise):
        with pytest.raises(ValueError, match="`seed` must be an integer"):
            make(1, SHAPE, seed)
