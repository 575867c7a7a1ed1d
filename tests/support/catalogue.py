"""Every layer, distribution and model of the package at its smallest.

`tests/conformance/` asks its questions of all of them. A new public class is
added to the list of its family (a test says so if it is not).
"""

import numpy as np
import pytest

from keras_pixel import distributions
from tests.support import catalogue_attention
from tests.support import catalogue_baselines
from tests.support import catalogue_convolutions
from tests.support import catalogue_lag
from tests.support import catalogue_peers
from tests.support import catalogue_recurrent
from tests.support import catalogue_sequences
from tests.support import catalogue_wavefront
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase
from tests.support.cases import randomize

__all__ = [
    "DISTRIBUTIONS",
    "LAYERS",
    "MODELS",
    "LayerCase",
    "ModelCase",
    "decodable",
    "levels",
    "named",
    "one_of_each",
    "randomize",
    "trainable",
]

FAMILIES = [
    catalogue_convolutions,
    catalogue_sequences,
    catalogue_recurrent,
    catalogue_attention,
    catalogue_wavefront,
    catalogue_lag,
    catalogue_peers,
    catalogue_baselines,
]
LAYERS = [case for family in FAMILIES for case in family.LAYERS]
MODELS = [case for family in FAMILIES for case in family.MODELS]
DISTRIBUTIONS = {
    distributions.Categorical: {"num_levels": 4},
    distributions.DiscretizedNormal: {"num_levels": 4},
    distributions.LogisticMixture: {"num_levels": 4, "num_mixtures": 2},
}


def levels(model, count=2, seed=0):
    """Random images for a model."""
    random = np.random.default_rng(seed)
    shape = (count, *model.image_shape)
    return random.integers(model.num_levels, size=shape).astype("uint8")


def decodable(cases):
    """Those of the cases that are drawn step by step."""
    return [case for case in cases if case.decodable]


def trainable(cases):
    """Those of the models whose weights are trained."""
    return [case for case in cases if case.trainable]


def one_of_each(cases):
    """The first of the cases of each class."""
    found = {}
    for case in cases:
        found.setdefault(case.model_class, case)
    return list(found.values())


def named(cases, often=None):
    """Keyword arguments of `pytest.mark.parametrize` for a list of cases.

    Args:
        cases: list of them.
        often: those that are asked in every run; the others are asked with
            `--slow`. Defaults to `None`: all.
    """
    often = cases if often is None else often
    return {
        "argvalues": [
            pytest.param(
                case,
                id=case.name,
                marks=[] if case in often else [pytest.mark.slow],
            )
            for case in cases
        ]
    }
