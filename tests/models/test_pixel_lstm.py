"""The language model over sub-pixels: its steps, numbers of weights, errors."""

import numpy as np
import pytest

from keras_pixel.models import PixelLSTM
from tests.support.catalogue import levels
from tests.support.catalogue import randomize


def test_first_sub_pixel_is_that_of_the_start_token():
    model = randomize(PixelLSTM((2, 2, 1), 4, hidden_dim=6))
    logits = np.asarray(model(levels(model, 3), training=False))
    np.testing.assert_allclose(logits[1:, 0, 0], logits[:-1, 0, 0], rtol=1e-5)
    assert np.ptp(logits[:, -1, -1], axis=0).min() > 1e-3


def test_image_is_the_sequence_of_its_rows():
    # On a (1, T, 1) grid it is the same model.
    image = randomize(PixelLSTM((2, 3, 1), 4, hidden_dim=6))
    sequence = PixelLSTM((1, 6, 1), 4, hidden_dim=6)
    sequence.set_weights(image.get_weights())
    images = levels(image)
    np.testing.assert_allclose(
        sequence.log_prob(images.reshape(-1, 1, 6, 1)),
        image.log_prob(images),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("inputs", "first"), [("embedding", 3 * 4 * 5 + 5), ("scaled", 1)]
)
def test_number_of_weights_by_hand(inputs, first):
    model = PixelLSTM((2, 2, 3), 4, hidden_dim=5, num_layers=2, inputs=inputs)
    in_features = 5 if inputs == "embedding" else 1
    lstms = (in_features * 20 + 5 * 20 + 20) + (5 * 20 + 5 * 20 + 20)
    assert model.count_params() == first + lstms + (3 * 5 * 3 * 4 + 3 * 4)


@pytest.mark.graphs
def test_learns_to_copy_the_sub_pixel_before():
    random = np.random.default_rng(0)
    first = random.integers(2, size=(64, 1, 1, 1))
    images = np.broadcast_to(first, (64, 1, 6, 1)).astype("uint8")
    model = PixelLSTM((1, 6, 1), 2, hidden_dim=8, num_layers=1)
    model.compile("adam")
    model.optimizer.learning_rate = 0.05
    model.fit(images, epochs=30, batch_size=64, verbose=0)
    # One bit for the first of six, none for the others.
    assert model.bits_per_dim(images).mean() < 0.2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"inputs": "one_hot"}, "`inputs` must be one of .*'one_hot'"),
        ({"num_frequencies": 2}, "an embedding needs no Fourier features"),
        ({"hidden_dim": 0}, "`hidden_dim` must be an integer of at least 1"),
        ({"num_layers": 0}, "`num_layers` must be an integer of at least 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        PixelLSTM((4, 4, 1), 2, **arguments)
