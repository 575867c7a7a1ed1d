"""What users hand to the samplers."""

import numpy as np
import pytest

from keras_pixel.sampling.arguments import check_mask
from keras_pixel.sampling.arguments import check_noise
from keras_pixel.sampling.arguments import make_noise
from keras_pixel.sampling.arguments import per_image

SHAPE = (2, 3, 1)


def test_noise_of_an_image_depends_on_seed_and_place_only():
    many = make_noise(5, SHAPE, seed=7)
    np.testing.assert_array_equal(make_noise(2, SHAPE, seed=7), many[:2])
    assert (make_noise(5, SHAPE, seed=8) != many).all()
    assert many.dtype == "float32"
    assert ((many >= 0) & (many < 1)).all()


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
    with pytest.raises(ValueError, match=words):
        make_noise(number, SHAPE, 0)


def test_noise_just_below_1_in_float64_stays_below_1():
    noise = check_noise(np.full((1, *SHAPE), 1 - 1e-12), SHAPE)
    assert noise.max() == np.float32(1 - 2**-24)


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (np.zeros(SHAPE), r"Received: noise.shape=\(2, 3, 1\)"),
        (np.zeros((1, 3, 2, 1)), r"image_shape=\(2, 3, 1\)"),
        (np.ones((1, *SHAPE)), "from 1.0 to 1.0"),
        (np.full((1, *SHAPE), -0.1), "from -0.1 to -0.1"),
        (np.full((1, *SHAPE), np.nan), "from nan"),
        (np.zeros((1, *SHAPE), int), "noise.dtype=int64"),
    ],
    ids=["one", "shape", "one_exactly", "negative", "nan", "integers"],
)
def test_wrong_noise_is_refused(noise, words):
    with pytest.raises(ValueError, match=words):
        check_noise(noise, SHAPE)


def test_one_mask_serves_all_images():
    images = np.zeros((2, *SHAPE), int)
    mask = np.eye(2, 3)
    checked = check_mask(mask, images, SHAPE)
    assert checked.shape == (2, 2, 3)
    assert checked.dtype == bool
    np.testing.assert_array_equal(checked[1], mask)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((3, 2)), r"\(2, 3\) or \(2, 2, 3\).*mask.shape=\(3, 2\)"),
        (np.ones((2, 3, 1)), r"mask.shape=\(2, 3, 1\)"),
        (np.full((2, 3), 0.5), "must hold booleans.*from 0.5 to 0.5"),
    ],
    ids=["shape", "channels", "floats"],
)
def test_wrong_mask_is_refused(mask, words):
    with pytest.raises(ValueError, match=words):
        check_mask(mask, np.zeros((2, *SHAPE), int), SHAPE)


def test_mask_of_images_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"images.shape=\(2, 3, 1\)"):
        check_mask(np.ones((2, 3)), np.zeros(SHAPE, int), SHAPE)


def options(**given):
    defaults = {"temperature": 1.0, "top_k": None, "top_p": None}
    return per_image(2, 8, **{**defaults, **given})


def test_one_value_serves_all_images():
    values = options(temperature=0.5, top_k=3)
    assert values["temperature"].tolist() == [0.5, 0.5]
    assert values["top_k"].tolist() == [3, 3]
    assert values["top_k"].dtype == "int32"
    assert "top_p" not in values


def test_top_k_of_more_than_there_are_is_all():
    assert options(top_k=[1, 100])["top_k"].tolist() == [1, 8]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temperature": 0}, "above 0.*temperature=0.*use top_k=1"),
        ({"temperature": np.inf}, "finite. Received: temperature=inf"),
        ({"temperature": [1, 1, 1]}, r"each of the 2 images.*shape \(3,\)"),
        ({"top_k": 0}, "`top_k` must be a positive.*top_k=0"),
        ({"top_k": 1.5}, "top_k=1.5"),
        ({"top_p": 0}, "`top_p` must be above 0.*top_p=0"),
        ({"top_p": 1.1}, "at most 1. Received: top_p=1.1"),
    ],
    ids=str,
)
def test_wrong_option_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        options(**given)
