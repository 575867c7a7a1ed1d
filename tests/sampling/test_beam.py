import numpy as np
import pytest
from keras import ops

import keras_pixel
from keras_pixel.sampling.candidates import Candidates
from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.loop import Program
from keras_pixel.sampling.loop import move
from tests.support.tiny import all_completions
from tests.support.tiny import tiny_model

NOTHING = np.zeros((2, 3), bool)
EMPTY = np.zeros((1, 2, 3, 1), int)


@pytest.fixture(scope="module")
def model():
    return tiny_model("pixelcnn")


@pytest.fixture(scope="module")
def gated():
    return tiny_model("gated")


@pytest.mark.graphs
def test_wide_beam_lists_all_images_by_probability(model):
    found = model.beam_search(EMPTY, NOTHING, beam_width=64, num_variants=64)
    images = all_completions(EMPTY[0], NOTHING)
    log_prob = model.log_prob(images)
    order = np.argsort(-log_prob)
    np.testing.assert_array_equal(found.images[0], images[order])
    np.testing.assert_allclose(found.log_prob[0], log_prob[order], atol=1e-4)


def test_wide_beam_equals_exhaustive_completion(gated):
    # Two images with masks of their own; the unknown pixels of one are the
    # known ones of the other.
    masks = np.array([[[0, 1], [0, 1]], [[1, 0], [1, 0]]], bool)
    images = np.random.default_rng(1).integers(2, size=(2, 2, 2, 3))
    found = gated.beam_search(images, masks, beam_width=64, num_variants=5)
    for i in range(2):
        every = all_completions(images[i], masks[i])
        log_prob = gated.log_prob(every)
        best = np.argsort(-log_prob)[:5]
        np.testing.assert_array_equal(found.images[i], every[best])
        np.testing.assert_allclose(found.log_prob[i], log_prob[best], atol=1e-4)


def test_log_prob_of_a_narrow_beam_is_exact(model):
    mask = np.array([[False, True, False], [False, False, True]])
    images = np.random.default_rng(2).integers(2, size=(5, 2, 3, 1))
    found = model.beam_search(images, mask, beam_width=3)
    assert found.images.shape == images.shape
    assert found.images.dtype == np.uint8
    assert found.log_prob.shape == (5,)
    np.testing.assert_array_equal(found.images[:, mask], images[:, mask])
    np.testing.assert_allclose(
        found.log_prob, model.log_prob(found.images), atol=1e-4
    )
    # The batch that an image is searched in does not matter.
    alone = model.beam_search(images, mask, beam_width=3, batch_size=1)
    np.testing.assert_array_equal(found.images, alone.images)


@pytest.mark.graphs
def test_beam_of_one_is_greedy(model):
    found = model.beam_search(EMPTY, NOTHING, beam_width=1)
    greedy = model.sample(1, top_k=1, seed=0)
    np.testing.assert_array_equal(found.images, greedy)


def test_ties_go_to_the_lower_level():
    uniform = tiny_model("pixelcnn", scale=0.0)
    found = uniform.beam_search(EMPTY, NOTHING, beam_width=8, num_variants=8)
    # Which prefixes survive is decided by the levels alone: of the last
    # three sub-pixels all values, in order, after zeros.
    expected = all_completions(EMPTY[0], np.array([[1, 1, 1], [0, 0, 0]]) > 0)
    np.testing.assert_array_equal(found.images[0], expected)


def test_known_images_have_no_other_completion(model):
    image = np.ones((1, 2, 3, 1), int)
    found = model.beam_search(image, ~NOTHING, beam_width=8, num_variants=2)
    np.testing.assert_array_equal(found.images[:, 0], image)
    np.testing.assert_allclose(
        found.log_prob[:, 0], model.log_prob(image), atol=1e-4
    )
    assert found.log_prob[0, 1] == -np.inf


def test_no_images_give_no_images(model):
    found = model.beam_search(EMPTY[:0], NOTHING)
    assert found.images.shape == (0, 2, 3, 1)
    assert found.log_prob.shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beam_width": 0}, "`beam_width` must be an integer of at least 1"),
        ({"beam_width": 2.0}, "Received: beam_width=2.0"),
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1"),
        (
            {"num_variants": 0},
            "`num_variants` must be an integer of at least 1",
        ),
        ({"num_variants": 9}, "Received: num_variants=9, beam_width=8"),
        ({"mask": np.zeros((3, 2), bool)}, "`mask` must have the shape"),
        ({"images": EMPTY + 2, "mask": ~NOTHING}, "levels from 0 to 1"),
    ],
)
def test_bad_arguments(model, arguments, message):
    arguments = {"images": EMPTY, "mask": NOTHING, **arguments}
    with pytest.raises(ValueError, match=message):
        model.beam_search(**arguments)


def test_states_of_another_layout_are_refused():
    states = {"a": np.zeros((7, 4, 2)), "b": np.zeros((4, 7, 2))}
    with pytest.raises(ValueError, match=r"last axis but one.*\(4, 7, 2\)"):
        move(states, np.zeros(4, "int32"), True)


class Counting(Candidates):
    """Gives each pixel the number of pixels before it."""

    def first_scores(self, batch_size):
        return {"count": np.zeros((), "int32")}

    def select(self, inputs, pixel, channel, parameters, scores):
        count = scores["count"]
        levels = ops.broadcast_to(count, (1, self.num_candidates))
        places = np.arange(self.num_candidates, dtype="int32")[None]
        return (
            levels,
            ops.convert_to_tensor(places),
            False,
            {"count": count + 1},
        )


def test_pixels_of_a_step_are_taken_from_the_top_row_down():
    # Row 3 shares steps with rows 1 and 2, and the lane of row 0.
    model = keras_pixel.PixelCNN(
        (5, 3, 1), num_levels=16, filters=4, num_blocks=1, lag=1
    )
    program = Program(DecodingGraph(model), Counting(None, 2))
    inputs = {
        "images": np.zeros((1, 5, 3, 1), "int32"),
        "known": np.zeros((1, 5, 3), bool),
    }
    found = np.asarray(program(inputs)["images"])[0, 0, ..., 0]
    pixels = [(i, j) for i in range(5) for j in range(3)]
    expected = sorted(pixels, key=lambda pixel: (sum(pixel), pixel[0]))
    assert sorted(pixels, key=lambda pixel: found[pixel]) == expected
