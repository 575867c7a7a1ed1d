"""What arguments must be, and what is said where they are not."""

import keras
import numpy as np
import pytest

from keras_pixel import checks
from keras_pixel.checks import check_images
from keras_pixel.checks import check_mask
from keras_pixel.checks import check_noise
from keras_pixel.checks import check_options

SHAPE = (2, 3, 1)


@pytest.mark.parametrize("value", [0, False, True, 2.0, None, "2"])
def test_what_is_no_integer_is_no_size(value):
    with pytest.raises(ValueError, match="`n` must be an integer of at least"):
        checks.check_size("n", value)


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_integers_of_numpy_are_integers(value):
    checked = [
        checks.check_size("n", value),
        *checks.pair("n", (value, value), 1),
        *checks.odd_pair("n", value + 1),
        *checks.check_image_shape([value] * 3),
        checks.check_num_levels(value),
        checks.check_seed(value),
    ]
    assert {type(n) for n in checked} == {int}


def test_size_in_a_range_says_the_nearest():
    with pytest.raises(ValueError, match="from 2 to 256.*Use 256 or less"):
        checks.check_num_levels(257)
    with pytest.raises(ValueError, match="from 2 to 256.*Use 2 or more"):
        checks.check_num_levels(1)


def test_image_shape_may_be_an_array():
    assert checks.check_image_shape(np.array([4, 5, 1])) == (4, 5, 1)


@pytest.mark.parametrize("value", [4, (3, 2), (3, 3, 3), True, 3.0, "33"])
def test_what_is_not_odd_is_no_kernel(value):
    with pytest.raises(ValueError, match="odd positive.*Use for example"):
        checks.odd_pair("kernel_size", value)
    assert checks.odd_pair("kernel_size", (3, 1)) == (3, 1)


@pytest.mark.parametrize("value", [7, (0, 1), (1, 1, 1), (True, 1), None])
def test_what_is_no_pair(value):
    with pytest.raises(ValueError, match="must be a pair .*Use for example"):
        checks.pair("query_shape", value, 1)


@pytest.mark.parametrize("value", [-1, 0, np.nan, np.inf, True, "1", None])
def test_what_is_no_positive_number(value):
    with pytest.raises(ValueError, match="finite number above 0.*Use one abo"):
        checks.check_number("x", value, above=0)
    assert checks.check_number("x", np.float32(0.5), above=0) == 0.5


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, np.nan, False, "0"])
def test_what_is_no_probability(value):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        checks.check_probability("x", value)
    assert checks.check_probability("x", 0) == 0


def test_choice_names_the_near_ones():
    with pytest.raises(ValueError, match=r"one of \['a', None\].*Choose one"):
        checks.check_choice("x", 3, ("a", None))
    with pytest.raises(ValueError, match="x='lineer'. Did you mean 'linear'"):
        checks.check_choice("x", "lineer", ("linear", "cosine"))
    assert checks.check_choice("x", None, ("a", None)) is None


def test_keys_are_all_there_and_known():
    checks.check_keys("x", {"a": 1}, ("a",), ("b",))
    with pytest.raises(TypeError, match="an object"):
        checks.check_keys("x", [], (), ())
    with pytest.raises(ValueError, match="Add .'a'."):
        checks.check_keys("x", {}, ("a",), ())
    with pytest.raises(ValueError, match="key='z'. Leave it out"):
        checks.check_keys("x", {"z": 1}, (), ("alpha",))


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
        (np.full((2, 3), "x"), "must hold booleans.*mask.dtype=<U1. Use"),
    ],
    ids=["shape", "channels", "floats", "words"],
)
def test_wrong_mask_is_refused(mask, words):
    with pytest.raises(ValueError, match=words):
        check_mask(mask, np.zeros((2, *SHAPE), int), SHAPE)


def test_mask_of_uneven_rows_is_refused():
    with pytest.raises(TypeError, match="`mask` must be an array.*booleans"):
        check_mask([[1, 1, 1], [1]], np.zeros((2, *SHAPE), int), SHAPE)


def test_mask_of_images_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"images.shape=\(2, 3, 1\)"):
        check_mask(np.ones((2, 3)), np.zeros(SHAPE, int), SHAPE)


def options(**given):
    defaults = {"temperature": 1.0, "top_k": None, "top_p": None}
    return check_options(2, 8, **{**defaults, **given})


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
        ({"top_k": 0}, "`top_k` must be an integer of at least 1.*top_k=0"),
        ({"top_k": 1.5}, "top_k=1.5"),
        ({"top_k": True}, "`top_k` must be one number.*top_k=True"),
        ({"temperature": "1"}, "`temperature` must be one number.*='1'"),
        ({"top_p": 0}, "`top_p` must be above 0.*top_p=0"),
        ({"top_p": 1.1}, "at most 1. Received: top_p=1.1"),
    ],
    ids=str,
)
def test_wrong_option_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        options(**given)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "uint16"])
def test_any_integers_are_images(dtype):
    checked = check_images(np.ones((2, 3, 4, 1), dtype), (3, 4, 1), 2)
    assert checked.dtype == "int32"
    assert checked.shape == (2, 3, 4, 1)


def test_tensors_and_booleans_are_images():
    tensor = keras.ops.ones((1, 2, 2, 1), "int32")
    assert check_images(tensor, (2, 2, 1), 2).sum() == 4
    flags = np.ones((1, 2, 2, 1), bool)
    assert check_images(flags, (2, 2, 1), 2).sum() == 4


def test_empty_batch_is_fine():
    assert check_images(np.zeros((0, 2, 2, 1), int), (2, 2, 1), 2).size == 0


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (
            np.zeros((1, 2, 2, 1)),
            TypeError,
            "must hold integer levels .* Received: images.dtype=float64.*"
            "floats_to_levels",
        ),
        (
            np.zeros((1, 2, 2, 1), bool),
            TypeError,
            r'dtype=bool.*two levels use `images.astype\("uint8"\)',
        ),
        ("image.png", TypeError, "`images` must .* Received: "),
        (
            np.zeros((2, 2, 1), int),
            ValueError,
            r"Received: images.shape=\(2, 2, 1\). For a single image",
        ),
        (
            np.zeros((5, 2, 2), int),
            ValueError,
            "For grey images use `images",
        ),
        (
            np.zeros((1, 2, 2, 3), int),
            ValueError,
            r"image_shape=\(2, 2, 1\). Received: images.shape=\(1, 2, 2, 3\)",
        ),
        (
            np.full((1, 2, 2, 1), 16),
            ValueError,
            "levels from 0 to 15 .* Received: levels from 16 to 16.*"
            r"astype\(int\) \* 16 // 256",
        ),
        (
            np.full((1, 2, 2, 1), -1),
            ValueError,
            "Received: levels from -1 to -1.*leave out what is no level",
        ),
        (
            np.full((1, 2, 2, 1), 256),
            ValueError,
            r"Quantise 16-bit images.*\* 16 // 65536",
        ),
    ],
    ids=[
        *("floats", "booleans", "text", "single", "no_axis"),
        *("channels", "high", "low", "16_bits"),
    ],
)
def test_what_is_no_image_is_refused(images, error, words):
    with pytest.raises(error, match=words):
        check_images(images, (2, 2, 1), 16)


def test_a_member_of_an_enumeration_is_the_string_that_it_is():
    import enum

    class Side(enum.StrEnum):
        left = "left"

    found = checks.check_choice("side", Side.left, ["left", "right"])
    assert type(found) is str and found == "left"


def test_way_out_of_too_high_levels_changes_them():
    """With 256 levels, `images * 256 // 256` would be the same again."""
    images = np.full((1, 2, 2, 1), -1)
    with pytest.raises(ValueError, match=r"`images.clip\(0, 255\)`"):
        check_images(images, (2, 2, 1), 256)
    images = np.full((1, 2, 2, 1), 300)
    with pytest.raises(ValueError, match=r"\* 256 // 65536`"):
        check_images(images, (2, 2, 1), 256)


def test_an_integer_of_any_size_is_finite():
    assert checks.check_number("n", 10**400) == 10**400
    with pytest.raises(ValueError, match="`n` must be a finite number.*most 1"):
        checks.check_number("n", 10**400, most=1)


@pytest.mark.parametrize("dtype", ["bool", "float32", "U1"])
def test_what_is_no_level_is_not_completed(dtype):
    images = np.ones((1, *SHAPE), dtype)
    known = np.ones((1, *SHAPE[:2]), bool)
    with pytest.raises(TypeError, match="must hold integer levels"):
        checks.check_completion(images, known, SHAPE, 4)
