"""The JSON schema of recipes is up to date, and knows what recipes say."""

import inspect
import json

import keras
import pytest

from keras_pixel.data import load_data
from keras_pixel.training import Recipe
from keras_pixel.training import recipe_fields
from keras_pixel.training.building import OPTIMIZERS
from keras_pixel.training.schedule import DECAYS
from tools import cards
from tools import recipe_schema

SCHEMA = recipe_schema.schema()
# What other fields of a recipe, or the command, decide.
_TAKEN = {
    *("self", "name", "learning_rate", "kwargs", "loss_scale_factor"),
    *("clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum"),
    *("ema_overwrite_frequency", "gradient_accumulation_steps"),
}


def test_file_is_up_to_date():
    words = "run `python -m tools.recipe_schema`"
    assert recipe_schema.PATH.read_text() == recipe_schema.text(), words


def test_every_field_is_described():
    found = SCHEMA["properties"]
    assert list(found) == [*Recipe.model_fields, "$schema"]
    for name in Recipe.model_fields:
        assert found[name]["description"], name
    for name in ("Data", "Model", "ModelConfig", "Schedule"):
        for key, node in SCHEMA["$defs"][name]["properties"].items():
            assert node["description"], f"{name}.{key}"


def test_ranges_are_those_that_are_checked():
    fields = SCHEMA["properties"]
    assert fields["ema_momentum"]["exclusiveMaximum"] == 1
    assert fields["batch_size"]["minimum"] == 1
    assert fields["clip_norm"]["anyOf"][0]["exclusiveMinimum"] == 0
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize(
    "name", [path.parent.name for path in cards.ZOO.glob("*/recipe.json")]
)
def test_recipes_of_the_zoo_have_its_keys(name):
    recipe = json.loads((cards.ZOO / name / "recipe.json").read_text())
    assert set(recipe) <= set(SCHEMA["properties"])
    assert set(recipe["data"]) <= set(SCHEMA["$defs"]["Data"]["properties"])


def test_a_recipe_may_say_where_its_schema_is():
    config = json.loads(
        (cards.ZOO / "pixelcnn_mnist" / "recipe.json").read_text()
    )
    recipe = Recipe.from_dict({"$schema": "recipe.schema.json", **config})
    assert recipe == Recipe.from_dict(config)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_have_the_arguments_of_keras(name):
    found = OPTIMIZERS[name]
    declared = getattr(recipe_fields, found.__name__)
    arguments = inspect.signature(found.__init__).parameters
    assert set(declared.__annotations__) == {
        "name",
        "learning_rate",
        *(set(arguments) - _TAKEN),
    }
    Recipe.from_dict(
        {
            "name": "tiny",
            "model": {
                "class_name": "PixelCNN",
                "config": {"image_shape": [4, 4, 1], "num_levels": 4},
            },
            "data": {"source": "images.npy"},
            "optimizer": {"name": name, "learning_rate": 0.1},
            "batch_size": 8,
            "steps": 1000,
        }
    )


def test_there_are_no_other_optimizers():
    mapping = SCHEMA["properties"]["optimizer"]["discriminator"]["mapping"]
    assert set(mapping) == set(OPTIMIZERS)
    for found in OPTIMIZERS.values():
        assert issubclass(found, keras.optimizers.Optimizer)


def test_data_has_the_arguments_of_load_data():
    taken = {"split", "data_dir", "download", "image_shape", "num_levels"}
    arguments = set(inspect.signature(load_data).parameters) - taken
    assert set(recipe_fields.Data.__annotations__) == arguments | {"flip"}


def test_schedule_has_the_decays():
    decay = SCHEMA["$defs"]["Schedule"]["properties"]["decay"]
    assert decay["enum"] == list(DECAYS)
