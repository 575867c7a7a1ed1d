"""Is cached decoding the same function as `call`, in every schedule?

Driven by the true values of an image, step by step, in plain Python.
"""

import contextlib

import numpy as np
import pytest

from keras_pixel import models
from keras_pixel.layers.buffers import portable
from keras_pixel.sampling import schedule
from tests.conformance.test_normalisation import SMALLEST
from tests.support import catalogue
from tests.support.catalogue import decodable
from tests.support.catalogue import named
from tests.support.stepping import assert_steps_are_the_call
from tests.support.stepping import lags_of

SIZES = {"odd": (3, 5), "row": (1, 4), "column": (4, 1), "pixel": (1, 1)}
CLASSES = {case.model_class for case in decodable(catalogue.MODELS)}


@pytest.fixture
def full_lanes(monkeypatch):
    """Images follow one another in the lanes, however few they are."""
    monkeypatch.setattr(schedule, "_POSITIONS", 2)


def ways_to_draw(model):
    """Lags, and by turns how the past is kept: as XLA likes it, and as others.

    The two least lags, and raster order.
    """
    lags = sorted({*lags_of(model)[:2], *lags_of(model)[-1:]})
    ways = [contextlib.nullcontext, portable, contextlib.nullcontext]
    return zip(lags, ways, strict=False)


@pytest.mark.parametrize("case", **named(decodable(catalogue.LAYERS)))
@pytest.mark.parametrize("size", SIZES)
def test_steps_of_layer_are_its_call(case, size, full_lanes):
    model = catalogue.randomize(case.on_levels(*SIZES[size]))
    images = np.random.randint(4, size=(2, *SIZES[size], case.channels))
    for lag, way in ways_to_draw(model):
        with way():
            assert_steps_are_the_call(model, images, lag)


@pytest.mark.parametrize("case", **named(decodable(catalogue.MODELS)))
def test_steps_of_model_are_its_call(case):
    model = case.make()
    with portable():
        assert_steps_are_the_call(model, catalogue.levels(model))


@pytest.mark.parametrize("case", **named(decodable(catalogue.MODELS)))
def test_stacked_images_are_drawn_as_if_alone(case, full_lanes):
    model = case.make()
    # An odd number: the last place is filled with a copy.
    images = catalogue.levels(model, 3)
    for lag, way in ways_to_draw(model):
        with way():
            assert_steps_are_the_call(model, images, lag)


@pytest.mark.parametrize("model_class", [c for c in SMALLEST if c in CLASSES])
@pytest.mark.parametrize(
    "image_shape", [(1, 5, 1), (3, 1, 2)], ids=["sequence", "column"]
)
def test_steps_of_thin_model_are_its_call(model_class, image_shape, full_lanes):
    arguments = SMALLEST[model_class]
    if model_class is models.PixelCNNPlusPlus:
        arguments = {**arguments, "lag": 1}
    model = model_class(image_shape, 3, **arguments)
    catalogue.randomize(model)
    assert_steps_are_the_call(model, catalogue.levels(model))
