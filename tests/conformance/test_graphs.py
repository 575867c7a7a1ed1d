"""Do compiled graphs give what the same operations give one by one?

Many other tests run eagerly, see `tests/conftest.py`; this is what lets them.
"""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tests.support import catalogue
from tests.support.catalogue_conditional import CASES
from tests.support.catalogue_conditional import told
from tests.support.catalogue_orders import CASES as WITH_ORDERS


@contextlib.contextmanager
def eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def arguments_of(model, count):
    """What a model is told, and an order that is not its first."""
    arguments = told(model, count)
    if len(model.orders) > 1:
        arguments["order"] = model.orders[-1]
    return arguments


@pytest.mark.parametrize(
    "case",
    **catalogue.named(
        [*catalogue.MODELS, *CASES, *WITH_ORDERS],
        often=[
            *catalogue.one_of_each(catalogue.MODELS),
            *CASES[::3],
            *WITH_ORDERS[::6],
        ],
    ),
)
def test_log_prob(case):
    model = case.make()
    images = catalogue.levels(model, 2)
    arguments = {**arguments_of(model, 2), "reduce": "sub_pixels"}
    found = model.log_prob(images, **arguments)
    with eagerly():
        expected = model.log_prob(images, **arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "case",
    **catalogue.named(
        [*(case for case in CASES if case.kind == "label"), *WITH_ORDERS[::3]],
        often=[CASES[0], *WITH_ORDERS[:4:3]],
    ),
)
def test_samples(case):
    model = case.make()
    noise = np.random.default_rng(1).random((3, *model.image_shape), "float32")
    arguments = arguments_of(model, 3)
    found = model.sample(noise=noise, **arguments)
    with eagerly():
        expected = model.sample(noise=noise, **arguments)
    np.testing.assert_array_equal(found, expected)
