import json

import pytest

from keras_pixel.training import Recipe
from keras_pixel.training.building import build_model


def config(**changes):
    return {
        "name": "tiny",
        "model": {
            "class_name": "PixelCNN",
            "config": {"image_shape": [4, 4, 1], "num_levels": 4},
        },
        "data": {"source": "images.npy", "validation": 20},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "batch_size": 8,
        "steps": 1000,
        **changes,
    }


def adam(**arguments):
    optimizer = {"name": "adam", "learning_rate": 0.1, **arguments}
    return {"optimizer": optimizer}


def test_defaults_and_json_round_trip(tmp_path):
    recipe = Recipe.from_dict(config())
    assert (recipe.accumulation_steps, recipe.ema_momentum) == (1, 0.0)
    recipe.to_json(tmp_path / "recipe.json")
    assert Recipe.from_json(tmp_path / "recipe.json") == recipe


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"batchsize": 8},
            ValueError,
            "'batchsize'. Did you mean 'batch_size'",
        ),
        ({"batch_size": "8"}, ValueError, "an integer .*batch_size='8'"),
        ({"batch_size": True}, ValueError, "an integer .*batch_size=True"),
        ({"batch_size": 0}, ValueError, "at least 1. .*batch_size=0"),
        ({"name": ""}, ValueError, "`name` must not be empty"),
        ({"steps": 150}, ValueError, "multiple of `log_every`.*Use steps=200"),
        ({"evaluate_every": 10}, ValueError, "`evaluate_every` must be a mul"),
        ({"sample_every": 10}, ValueError, "`sample_every` must be a multiple"),
        ({"ema_momentum": 1.0}, ValueError, "`ema_momentum` .* below 1"),
        ({"ema_momentum": -0.1}, ValueError, "ema_momentum=-0.1"),
        ({"clip_norm": 0}, ValueError, "Use null for no clipping"),
        ({"clip_norm": float("nan")}, ValueError, "finite.*clip_norm=nan"),
        ({"precision": "bfloat16"}, ValueError, "mean 'mixed_bfloat16'"),
        ({"publish": "first"}, ValueError, "`publish` must be one of"),
        (
            {"publish": "best", "evaluate_every": 0},
            ValueError,
            "only with evaluations",
        ),
        ({"initial_weights": 3}, TypeError, "`initial_weights` must be a str"),
        ({"model": {"class_name": "A"}}, ValueError, r"Add \['config'\]"),
        (
            {"model": {"class_name": "A", "config": {"num_levels": 2}}},
            ValueError,
            r"`model.config` must have.*Add \['image_shape'\]",
        ),
        (
            {"data": {"flip": True}},
            ValueError,
            r"`data` must have.*Add \['source'\]",
        ),
        ({"data": {"source": "a", "flip": 1}}, TypeError, "data.flip=1"),
        (
            {"data": {"source": "a", "num_levels": 2}},
            ValueError,
            "no other keys .*key='num_levels'",
        ),
        (
            {"data": {"source": "a", "validatoin": 2}},
            ValueError,
            "Did you mean 'validation'",
        ),
        (
            {"optimizer": {"name": "adan", "learning_rate": 0.1}},
            ValueError,
            "Did you mean .*'adam'",
        ),
        (
            {"optimizer": {"name": "adam", "learning_rate": 0.1, "beta1": 0}},
            ValueError,
            "'beta1'. Did you mean 'beta_1'",
        ),
        ({"optimizer": {"name": "adam"}}, ValueError, r"\['learning_rate'\]"),
        (adam(beta_1=2.0), ValueError, "`optimizer.beta_1` .* below 1"),
        (adam(beta_1="x"), ValueError, "optimizer.beta_1='x'"),
        (adam(weight_decay=-3), ValueError, "weight_decay=-3. Use null for"),
        (adam(epsilon=0), ValueError, "`optimizer.epsilon` .* above 0"),
        (adam(amsgrad=1), TypeError, "`optimizer.amsgrad` must be true or"),
        (
            {"schedule": {"final_fraction": 5}},
            ValueError,
            "at least 0 and at most 1. Received: schedule.final_fraction=5",
        ),
        (
            {"schedule": {"warmup_steps": 1001}},
            ValueError,
            "must not be more than `steps`.*warmup_steps=1001, steps=1000",
        ),
        ({"schedule": {"warmup": 5}}, ValueError, "mean 'warmup_steps'"),
        ({"schedule": {"decay": "step"}}, ValueError, "`schedule.decay` must"),
        (
            {"schedule": {"decay": "exponential"}},
            ValueError,
            "`final_fraction` must be positive",
        ),
    ],
)
def test_bad_values_are_refused(changes, error, words):
    with pytest.raises(error, match=words):
        Recipe.from_dict(config(**changes))


def test_missing_key_is_named():
    incomplete = config()
    del incomplete["optimizer"]
    with pytest.raises(ValueError, match=r"Add \['optimizer'\]"):
        Recipe.from_dict(incomplete)


def test_a_file_that_is_no_json_is_named(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text("{'name': 1}")
    with pytest.raises(ValueError, match="must be a JSON file.*recipe.json"):
        Recipe.from_json(path)


def test_missing_file():
    with pytest.raises(
        FileNotFoundError, match="A recipe must be a file.*no_such.json"
    ):
        Recipe.from_json("no_such.json")


def test_fingerprint_sees_what_may_not_change():
    recipe = Recipe.from_dict(config())
    longer = Recipe.from_dict(config(steps=2000, notes={"hours": 3}))
    other = Recipe.from_dict(config(seed=1))
    assert recipe.fingerprint() == longer.fingerprint()
    assert recipe.fingerprint() != other.fingerprint()


def test_fingerprint_does_not_tell_tuples_from_lists():
    changed = json.loads(json.dumps(config()))
    changed["model"]["config"]["image_shape"] = (4, 4, 1)
    assert (
        Recipe.from_dict(changed).fingerprint()
        == Recipe.from_dict(config()).fingerprint()
    )


def test_a_graph_of_ones_own_is_no_architecture():
    model = {"class_name": "PixelModel", "config": config()["model"]["config"]}
    for name in ("PixelModel", "keras_pixel>PixelModel"):
        with pytest.raises(ValueError, match=f"class_name='{name}'"):
            build_model(
                Recipe.from_dict(config(model=model | {"class_name": name}))
            )


def test_a_baseline_is_not_trained():
    model = {"class_name": "GaussianPixels", "config": {}}
    recipe = Recipe.from_dict(
        config(model={**model, "config": config()["model"]["config"]})
    )
    with pytest.raises(ValueError, match="weights to train.*fit_closed_form"):
        build_model(recipe)


def test_json_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(OSError, match="A recipe must be a file.*directory"):
        Recipe.from_json(tmp_path)
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        Recipe.from_json(path)
