"""Are images that are watched those of `sample`, and truly in progress?"""

import numpy as np
import pytest

from keras_pixel import models
from tests.support import catalogue
from tests.support.smallest import SMALLEST


def make(model_class, image_shape, **arguments):
    arguments = {**SMALLEST[model_class], **arguments}
    return catalogue.randomize(model_class(image_shape, 4, **arguments))


CASES = {
    "strides": lambda: make(
        models.WavefrontPixelCNN, (3, 4, 1), num_resolutions=2
    ),
    "rows": lambda: make(models.GatedPixelCNN, (4, 3, 1)),
    "wavefront and orders": lambda: make(
        models.PixelCNN, (3, 5, 2), orders=["right_down", "left_up"]
    ),
}


@pytest.fixture(params=CASES)
def model(request):
    return CASES[request.param]()


def test_last_images_are_those_of_sample(model):
    options = {"seed": 3, "temperature": [0.7, 1.0, 1.2]}
    if len(model.orders) > 1:
        options["order"] = ["right_down", "left_up", "right_down"]
    sampled = model.sample(3, **options, method="naive")
    updates = list(model.sample_progressively(3, num_updates=4, **options))
    assert len(updates) == 4
    final, everything = updates[-1]
    assert final.dtype == np.uint8
    assert everything.all()
    np.testing.assert_array_equal(final, sampled)
    before = np.zeros_like(everything)
    for images, is_drawn in updates:
        assert (is_drawn >= before).all()
        # Every update brings something new to every image.
        assert (is_drawn.sum((1, 2)) > before.sum((1, 2))).all()
        np.testing.assert_array_equal(images, final * is_drawn[..., None])
        before = is_drawn


def test_pixels_are_drawn_in_the_order_of_each_image():
    model = CASES["wavefront and orders"]()
    order = ["right_down", "left_up"]
    updates = model.sample_progressively(2, order=order, seed=0)
    _, is_drawn = next(updates)
    assert is_drawn[0, 0, 0]
    assert not is_drawn[0, -1, -1]
    assert is_drawn[1, -1, -1]
    assert not is_drawn[1, 0, 0]


def test_guided_images_are_watched_too():
    model = make(models.PixelCNN, (3, 4, 1), num_classes=2, label_dropout=0.5)
    options = {"labels": [0, 1], "guidance_scale": 2.0, "seed": 1}
    sampled = model.sample(**options)
    *_, (final, _) = model.sample_progressively(**options, num_updates=2)
    np.testing.assert_array_equal(final, sampled)


def test_more_updates_than_turns_are_as_many_as_there_are():
    model = make(models.GatedPixelCNN, (3, 2, 1))
    drawn = [d for _, d in model.sample_progressively(1, num_updates=99)]
    assert [d[0].all(axis=1).tolist() for d in drawn] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_arguments_are_checked_before_the_first_image():
    model = make(models.PixelCNN, (3, 4, 1))
    with pytest.raises(ValueError, match="num_updates"):
        model.sample_progressively(1, num_updates=0)
    with pytest.raises(ValueError, match="temperature"):
        model.sample_progressively(1, temperature=-1.0)
    assert list(model.sample_progressively(0)) == []
