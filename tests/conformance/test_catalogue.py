"""Is every public class in the catalogue, and registered?"""

import inspect

import keras
import pytest

from keras_pixel import distributions
from keras_pixel import layers
from keras_pixel import models
from tests.support import catalogue

BASES = {"CausalLayer", "PixelDistribution", "PixelModel"}
# Not causal by themselves: `test_label_embedding.py` and `test_reorder.py`
# have their questions.
OTHERS = {"ChooseOrder", "LabelEmbedding", "Reorder"}


@pytest.mark.parametrize(
    ("room", "listed"),
    [
        (layers, {case.layer_class for case in catalogue.LAYERS}),
        (distributions, set(catalogue.DISTRIBUTIONS)),
        (models, {case.model_class for case in catalogue.MODELS}),
    ],
    ids=["layers", "distributions", "models"],
)
def test_every_public_class_is_listed(room, listed):
    public = {
        getattr(room, name)
        for name in room.__all__
        if inspect.isclass(getattr(room, name)) and name not in BASES | OTHERS
    }
    assert listed == public


def test_names_are_unique():
    names = [case.name for case in catalogue.LAYERS + catalogue.MODELS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "serializable",
    sorted(
        {case.layer_class for case in catalogue.LAYERS}
        | {case.model_class for case in catalogue.MODELS},
        key=lambda cls: cls.__name__,
    ),
)
def test_class_is_registered_under_the_package(serializable):
    name = keras.saving.get_registered_name(serializable)
    assert name == f"keras_pixel>{serializable.__name__}"


@pytest.mark.parametrize("cls", [layers.MaskedConv2D, models.PixelCNN])
def test_catalogue_holds_one_and_several_channels(cls):
    cases = [
        case
        for case in catalogue.LAYERS + catalogue.MODELS
        if cls
        in (getattr(case, "layer_class", 0), getattr(case, "model_class", 0))
    ]
    assert {1, 3} <= {case.channels for case in cases}
