"""Is cached decoding the same function as `call`?

Driven by the true values of an image, step by step, in plain Python.
"""

import numpy as np
import pytest

from tests.conformance.test_normalisation import SMALLEST
from tests.support import catalogue
from tests.support.catalogue import cached
from tests.support.catalogue import named
from tests.support.stepping import by_channel
from tests.support.stepping import step_by_step

SIZES = {"odd": (3, 5), "row": (1, 4), "column": (4, 1), "pixel": (1, 1)}
CLASSES = {case.model_class for case in cached(catalogue.MODELS)}


def assert_step_is_call(model, images):
    images = np.asarray(images, "int32")
    expected = by_channel(model(images, training=False), images.shape[-1])
    found = step_by_step(model, images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", **named(cached(catalogue.LAYERS)))
@pytest.mark.parametrize("size", SIZES)
def test_step_of_layer_is_its_call(case, size):
    model = catalogue.randomize(case.on_levels(*SIZES[size]))
    shape = (2, *SIZES[size], case.channels)
    assert_step_is_call(model, np.random.randint(4, size=shape))


@pytest.mark.parametrize("case", **named(cached(catalogue.MODELS)))
def test_step_of_model_is_its_call(case):
    model = case.make()
    assert_step_is_call(model, catalogue.levels(model))


@pytest.mark.parametrize("model_class", [c for c in SMALLEST if c in CLASSES])
@pytest.mark.parametrize(
    "image_shape", [(1, 5, 1), (3, 1, 2)], ids=["sequence", "column"]
)
def test_step_of_thin_model_is_its_call(model_class, image_shape):
    model = model_class(image_shape, 3, **SMALLEST[model_class])
    catalogue.randomize(model)
    assert_step_is_call(model, catalogue.levels(model))
