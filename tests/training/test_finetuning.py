"""Fine-tuning: what is kept, what is made anew, and the whole way."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import keras_pixel
from keras_pixel import models
from keras_pixel.cli.main import app
from keras_pixel.compiled import call_model
from keras_pixel.training import Recipe
from keras_pixel.training import evaluate
from keras_pixel.training import finetune
from keras_pixel.training.warm_start import freeze
from keras_pixel.training.warm_start import warm_start
from tests.support.cases import randomize
from tests.support.smallest import SMALLEST

RANDOM = np.random.default_rng(0)


def make(family=models.PixelCNN, image_shape=(4, 4, 1), num_levels=4, **more):
    model = family(image_shape, num_levels, **{**SMALLEST[family], **more})
    return randomize(model)


def levels(image_shape, num_levels, count=2):
    return RANDOM.integers(num_levels, size=(count, *image_shape))


def parameters(model, images):
    return np.asarray(call_model(model, images.astype("int32")))


# === Warm start ===


def test_same_model_is_copied():
    source = make()
    model = models.PixelCNN.from_config(source.get_config())
    assert warm_start(model, source) == []
    images = levels((4, 4, 1), 4)
    np.testing.assert_array_equal(
        model.log_prob(images), source.log_prob(images)
    )


def test_another_size_is_copied():
    source = make(models.WavefrontPixelCNN)
    model = make(models.WavefrontPixelCNN, (8, 6, 1))
    assert warm_start(model, source) == []


@pytest.mark.parametrize("rank", [None, 3])
def test_levels_are_interpolated(rank):
    """At the levels of the source the logits are the source's."""
    source = make(num_levels=3, head_rank=rank)
    model = make(num_levels=5, head_rank=rank)
    assert warm_start(model, source) == ["head"]
    images = levels((4, 4, 1), 3)
    found = parameters(model, 2 * images)[..., ::2]  # levels 0, 2, 4
    np.testing.assert_allclose(
        found, parameters(source, images), rtol=1e-4, atol=1e-5
    )


def test_embeddings_of_levels_are_interpolated():
    source = make(models.PixelLSTM, num_levels=3)
    model = make(models.PixelLSTM, num_levels=5)
    remade = warm_start(model, source)
    assert len(remade) == 2 and "head" in remade
    images = levels((4, 4, 1), 3)
    found = parameters(model, 2 * images)[..., ::2]
    np.testing.assert_allclose(
        found, parameters(source, images), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("family", "more"),
    [
        (models.WavefrontPixelCNN, {}),
        (models.PixelCNN, {"whole_pixel": True, "num_frequencies": 1}),
        (
            models.PixelCNN,
            {"whole_pixel": True, "distribution": "logistic_mixture"},
        ),
    ],
)
def test_first_channel_sees_a_grey_image_as_before(family, more):
    grey = make(family, (4, 4, 1), **more)
    colour = make(family, (4, 4, 3), **more)
    images = levels((4, 4, 1), 4)
    three = np.repeat(images, 3, axis=-1)
    for source, model in ((grey, colour), (colour, grey)):
        if source is colour:
            randomize(colour)
        remade = warm_start(model, source)
        assert remade == ["first", "head"]
        of_grey = parameters(grey, images)[..., 0, :]
        of_colour = parameters(colour, three)[..., 0, :]
        np.testing.assert_allclose(of_grey, of_colour, rtol=1e-3, atol=1e-4)


def test_classes_are_new():
    source = make()
    model = make(num_classes=3)
    remade = warm_start(model, source)
    assert "label_embedding" in remade and "head" not in remade
    again = make(num_classes=4)
    assert warm_start(again, model) == ["label_embedding"]


def test_nothing_in_common_is_refused():
    with pytest.raises(ValueError, match="layers in common"):
        source = make(models.IndependentPixels)
        warm_start(make(models.GaussianPixels), source)


def test_freeze():
    model = make()
    freeze(model, ["first", "block_*"])
    trained = {weight.path.split("/")[0] for weight in model.trainable_weights}
    assert trained == {"head", "head_convolution"}
    with pytest.raises(ValueError, match="names or patterns.*'blok_"):
        freeze(model, ["blok_*"])
    with pytest.raises(ValueError, match="leave something to train"):
        freeze(model, ["*"])


# === Recipes ===


def test_training_from_before_is_the_same(tmp_path):
    fields = {
        "name": "x",
        "model": {
            "class_name": "PixelCNN",
            "config": {"image_shape": [4, 4, 1], "num_levels": 2},
        },
        "data": {"source": "cifar10"},
        "optimizer": {"name": "adam", "learning_rate": 0.001},
        "batch_size": 1,
        "steps": 100,
    }
    assert not {"freeze", "warm_start", "patience"} & set(
        Recipe(**fields).fixed()
    )
    assert Recipe(**fields, freeze=["x"]).fixed()["freeze"] == ["x"]
    with pytest.raises(ValueError, match='`patience` needs `publish` "best"'):
        Recipe(**fields, patience=1)
    with pytest.raises(ValueError, match="`warm_start` needs"):
        Recipe(**fields, warm_start=True)


# === The whole way ===


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "source"
    return make(num_levels=2).save_preset(folder)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two folders of PNGs: bright ones, and dark ones."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, low, high in (("bright", 128, 256), ("dark", 0, 128)):
        (folder / name).mkdir()
        for i in range(20):
            values = RANDOM.integers(low, high, size=(4, 4)).astype("uint8")
            Image.fromarray(values).save(folder / name / f"{i:02}.png")
    return folder


def test_finetune(preset, pictures, tmp_path):
    run = tmp_path / "run"
    arguments = {
        "num_levels": 4,
        "labels": True,
        "epochs": 4,
        "batch_size": 4,
        "learning_rate": 0.02,
        "freeze": ["first"],
        "values": "pixels",
        "progress": False,
    }
    result = finetune(preset, pictures, run, **arguments)
    assert "head" in result.remade and "first" not in result.remade
    assert result.after < result.before
    model = keras_pixel.load(result.preset_dir)
    assert model.class_names == ("bright", "dark")
    source = keras_pixel.load(preset)
    first, former = (x.get_layer("first") for x in (model, source))
    np.testing.assert_array_equal(first.kernel, former.kernel)
    assert (
        model.get_layer("block_1_convolution").kernel.numpy()
        != source.get_layer("block_1_convolution").kernel.numpy()
    ).any()
    recipe = Recipe.from_json(result.preset_dir / "recipe.json")
    held_out = recipe.load_data("test", values="pixels")
    assert len(held_out) == result.num_images == 4
    value = evaluate(model, held_out)["bits_per_dim"]
    assert value == pytest.approx(result.after, rel=1e-5)
    parts = [recipe.load_data(x).ids for x in ("train", "validation", "test")]
    assert len(set(sum(map(list, parts), []))) == 40
    # The same call finds it done.
    again = finetune(preset, pictures, run, **arguments)
    assert (again.step, again.after) == (result.step, result.after)
    text = str(result)
    assert "before" in text and "4 held-out images" in text


def test_arrays_and_models_in_memory(tmp_path):
    images = (np.random.default_rng(0).random((40, 4, 4, 1)) < 0.1).astype(int)
    source = make(num_levels=2)
    result = finetune(
        source,
        images,
        tmp_path / "run",
        epochs=1,
        learning_rate=0.02,
        progress=False,
    )
    assert result.remade == ()
    assert result.after < result.before
    kept = (tmp_path / "run" / "data.npz").read_bytes()
    with pytest.raises(ValueError, match="images or labels that differ"):
        finetune(source, 1 - images, tmp_path / "run", epochs=1)
    assert (tmp_path / "run" / "data.npz").read_bytes() == kept
    other = make(num_levels=2)
    other.set_weights([x + 1 for x in source.get_weights()])
    with pytest.raises(ValueError, match="whose weights differ from"):
        finetune(other, images, tmp_path / "run", epochs=1)
    for name, model in (("a", source), ("b", other)):
        model.save_preset(tmp_path / name / "preset")
    arguments = {"epochs": 1, "learning_rate": 0.02, "progress": False}
    run = tmp_path / "from_folder"
    finetune(tmp_path / "a" / "preset", images, run, **arguments)
    with pytest.raises(ValueError, match="weights differ from those of the c"):
        finetune(tmp_path / "b" / "preset", images, run, **arguments)


def test_splits_of_the_source_are_used(tmp_path):
    random = np.random.default_rng(0)
    parts = {
        f"x_{split}": random.integers(2, size=(count, 4, 4, 1))
        for split, count in (("train", 8), ("validation", 3), ("test", 5))
    }
    np.savez(tmp_path / "images.npz", **parts)
    result = finetune(
        make(num_levels=2),
        tmp_path / "images.npz",
        tmp_path / "run",
        epochs=1,
        progress=False,
    )
    assert result.num_images == 5


def test_it_ends_when_nothing_improves(tmp_path):
    images = np.random.default_rng(0).integers(2, size=(30, 4, 4, 1))
    result = finetune(
        make(num_levels=2),
        images,
        tmp_path / "run",
        epochs=50,
        patience=1,
        learning_rate=1.0,
        values="levels",
        progress=False,
    )
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]
    assert result.step < len(lines) * 2 < 100
    best = json.loads((result.preset_dir / "metadata.json").read_text())
    assert best["training"]["step"] == result.step


def test_what_only_gets_worse_stays_as_it_was(preset, tmp_path):
    """Noise in two levels: nothing is to be learnt, and much to be lost."""
    source = keras_pixel.load(preset)
    head = source.get_layer("head")
    head.set_weights([0 * x for x in head.get_weights()])  # as good as it gets
    shape, num_levels = source.image_shape, source.num_levels
    images = np.random.default_rng(0).integers(num_levels, size=(40, *shape))
    result = finetune(
        source,
        images,
        tmp_path / "run",
        epochs=2,
        learning_rate=0.5,
        values="levels",
        progress=False,
    )
    assert result.step == 0
    assert result.after == result.before
    found = keras_pixel.load(result.preset_dir)
    for ours, theirs in zip(
        found.get_weights(), source.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_command(preset, pictures, tmp_path):
    words = ["finetune", preset, pictures, "-o", tmp_path / "run"]
    words += ["--epochs", 1, "--values", "pixels", "--quiet"]
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    assert "held-out images" in found.output
    keras_pixel.load(tmp_path / "run" / "preset").sample(1, seed=0)


def test_what_cannot_be_finetuned_is_refused(tmp_path):
    import keras

    from keras_pixel import layers

    images = keras.Input((4, 4, 1), dtype="int32")
    x = layers.MaskedConv2D(4, 3, mask_type="A")(
        layers.ScaleLevels(num_levels=2)(images)
    )
    graph = keras_pixel.PixelModel(
        images, layers.CategoricalHead(2)(x), num_levels=2
    )
    data = np.zeros((10, 4, 4, 1), "uint8")
    with pytest.raises(ValueError, match="class with arguments"):
        finetune(graph, data, tmp_path / "a")
    context = keras.Input((3,))
    told = make(condition=keras.Model(context, keras.layers.Dense(2)(context)))
    with pytest.raises(NotImplementedError, match="encoder of another"):
        finetune(told, data, tmp_path / "b")
    with pytest.raises(ValueError, match="Received: labels=True"):
        finetune(make(), data, tmp_path / "c", labels=True, values="levels")
