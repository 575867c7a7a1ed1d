"""Linear probes: right where the answer is known, honest about the test."""

import json
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from keras_pixel import cli
from keras_pixel import data
from keras_pixel import models
from keras_pixel import tasks
from tests.support import catalogue

pytest.importorskip("sklearn")


def pictures(count, seed):
    """Bright rows above for class 1, below for class 0, with noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = random.integers(2, size=(count, 4, 4, 1))
    images[labels == 1, :2] += 2
    images[labels == 0, 2:] += 2
    return images.astype("uint8"), labels


@pytest.fixture(scope="module")
def model():
    model = models.PixelCNN(
        (4, 4, 1), 4, filters=4, num_blocks=1, head_filters=4, name="tiny"
    )
    return catalogue.randomize(model)


@pytest.fixture(scope="module")
def result(model):
    return tasks.probe(
        model,
        pictures(60, 0),
        pictures(40, 1),
        layers=["first", -1],
        pooling=(2, 1),
    )


def test_what_is_easy_is_found(result, model):
    assert result.num_classes == 2
    assert (result.num_train, result.num_test) == (60, 40)
    last = model.feature_layers[-1]
    assert [(p.layer, p.weights) for p in result.probes] == [
        ("pixels", "none"),
        ("first", "trained"),
        ("first", "random"),
        (last, "trained"),
        (last, "random"),
    ]
    assert result.probes[0].num_features == 16
    # Two parts of the image, eight features each.
    assert result.probes[1].num_features == 16
    assert result.probes[0].accuracy == 1.0
    assert result.best.accuracy > 0.9


def test_labels_that_say_nothing_are_not_learned(model):
    images, _ = pictures(60, 0)
    labels = np.random.default_rng(0).integers(2, size=60)
    others = np.random.default_rng(1).integers(2, size=200)
    result = tasks.probe(
        model,
        (images, labels),
        (pictures(200, 2)[0], others),
        layers=["first"],
        random_weights=False,
    )
    assert [p.weights for p in result.probes] == ["none", "trained"]
    # Four standard deviations around a half.
    assert all(abs(p.accuracy - 0.5) < 0.15 for p in result.probes)


def test_test_images_choose_nothing(model, result):
    images, labels = pictures(40, 1)
    turned = tasks.probe(
        model,
        pictures(60, 0),
        (images, 1 - labels),
        layers=["first", -1],
        pooling=(2, 1),
    )
    assert turned.best.layer == result.best.layer
    for one, other in zip(turned.probes, result.probes, strict=True):
        assert one.strength == other.strength
        assert one.accuracy == pytest.approx(1 - other.accuracy)


def test_random_weights_are_those_of_the_seed(model):
    import random

    state = random.getstate()
    arguments = (model, pictures(30, 0), pictures(20, 1), [0, "first"])
    first, again = (tasks.probe(*arguments, seed=3) for _ in range(2))
    assert first == again
    assert random.getstate() == state


def test_subsets_are_drawn_and_layers_chosen(model):
    images, labels = pictures(60, 0)
    loaded = data.ImageData(images, labels, num_levels=4, source="stripes")
    seen = []
    result = tasks.probe(
        model,
        loaded,
        pictures(40, 1),
        num_train=20,
        num_test=10,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (result.num_train, result.num_test) == (20, 10)
    assert result.train == "60 images, stripes, all"
    layers = list(dict.fromkeys(p.layer for p in result.probes))
    assert len(layers) == 1 + 6
    assert layers[-1] == model.feature_layers[-1]
    assert seen[-1] == (60, 60)


def test_table_and_files(result, tmp_path):
    table = result.table()
    assert table.count("\n") == 2 + 3
    assert "| pixels (no network) | 16 | 100.0 | – |" in table
    assert f"**{100 * result.best.accuracy:.1f}**" in table
    folder = result.save(tmp_path / "found")
    written = json.loads((folder / "probe.json").read_text())
    assert written["best"]["layer"] == result.best.layer
    assert len(written["probes"]) == 5
    assert written["pooling"] == [2, 1]
    assert written["seed"] == 0
    assert (folder / "table.md").read_text() == table
    with Image.open(folder / "probe.png") as picture:
        assert np.asarray(picture).std() > 5
    with pytest.raises(FileExistsError):
        result.save(folder)
    result.plot(tmp_path / "alone.png")
    with Image.open(tmp_path / "alone.png") as picture:
        assert picture.size == (720, 420)


def test_command(model, tmp_path, capsys):
    model.save_preset(tmp_path / "tiny")
    np.savez(
        tmp_path / "stripes.npz",
        **dict(zip(("x_train", "y_train"), pictures(30, 0), strict=True)),
        **dict(zip(("x_test", "y_test"), pictures(20, 1), strict=True)),
    )
    arguments = [
        *("probe", str(tmp_path / "tiny"), str(tmp_path / "stripes.npz")),
        *("-o", str(tmp_path / "out"), "--layers", "first,-1"),
        *("--pooling", "2x2", "--values", "levels"),
    ]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0
    assert "| first | 32 |" in capsys.readouterr().out
    assert (tmp_path / "out" / "probe.json").is_file()
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layers": "first"}, "`layers` must be a list of names or indices"),
        ({"layers": []}, r"Received: layers=\[\]"),
        ({"layers": ["nowhere"]}, "`layer` must be the name of a layer"),
        ({"layers": [99]}, "`layer` must be an index of the model's"),
        ({"pooling": None}, "`pooling` must be"),
        ({"pooling": (9, 1)}, "`pooling` must have no more rows"),
        ({"num_train": 61}, "`num_train` must be an integer from 1 to 60"),
        ({"seed": -1}, "`seed` must be"),
    ],
)
def test_wrong_arguments_are_refused(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        tasks.probe(model, pictures(60, 0), pictures(40, 1), **arguments)


def test_data_without_labels_or_classes_are_refused(model):
    images, labels = pictures(20, 0)
    unlabelled = data.ImageData(images, num_levels=4)
    with pytest.raises(ValueError, match="`train_data` must have one label"):
        tasks.probe(model, unlabelled, pictures(20, 1))
    with pytest.raises(ValueError, match="at least two classes"):
        tasks.probe(model, (images, 0 * labels), pictures(20, 1))


def small(**arguments):
    return models.PixelCNN(
        *((4, 4, 1), 4), filters=4, num_blocks=1, head_filters=4, **arguments
    )


def test_models_that_must_be_told_something_are_refused():
    seen = keras.Input((2,))
    encoder = keras.Model(seen, keras.layers.Dense(4)(seen))
    for model, told in (
        (small(num_classes=2), r"\['labels'\]"),
        (small(num_classes=2, label_dropout=0.1, condition=encoder), "'cond"),
    ):
        with pytest.raises(ValueError, match=rf"must be told .*{told}"):
            tasks.probe(model, pictures(20, 0), pictures(20, 1))


def test_a_model_that_can_do_without_labels_is_told_none():
    model = catalogue.randomize(small(num_classes=2, label_dropout=0.1))
    images, _ = pictures(60, 0)
    labels = np.random.default_rng(0).integers(2, size=60)
    others = np.random.default_rng(1).integers(2, size=200)
    result = tasks.probe(
        model,
        (images, labels),
        (pictures(200, 2)[0], others),
        layers=[-1],
        random_weights=False,
    )
    # Told the labels, which say nothing of the images, it would know them.
    assert result.best.accuracy < 0.65
    assert "labels" in model.conditions.names


def test_baselines_have_no_hidden_layers():
    with pytest.raises(ValueError, match="must have hidden layers"):
        tasks.probe(
            models.IndependentPixels((4, 4, 1), 4),
            pictures(20, 0),
            pictures(20, 1),
        )


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (
            pictures(20, 0)[0],
            TypeError,
            "`train_data` must be `ImageData`.*Received: ndarray",
        ),
        (
            (pictures(20, 0)[0], np.eye(2)[pictures(20, 0)[1]]),
            ValueError,
            r"labels of shape \(20, 2\), float64",
        ),
        ((pictures(20, 0)[0] + 4, pictures(20, 0)[1]), ValueError, "from 4 to"),
        (
            (pictures(20, 0)[0][:, 1:], pictures(20, 0)[1]),
            ValueError,
            r"images.shape=\(20, 3, 4, 1\)",
        ),
    ],
    ids=["no_labels", "one_hot", "levels", "shape"],
)
def test_wrong_data_are_refused_before_anything_is_fitted(
    model, monkeypatch, data, error, words
):
    module = sys.modules[tasks.probe.__module__]
    monkeypatch.setattr(module, "_accuracy", None)
    with pytest.raises(error, match=words):
        tasks.probe(model, data, pictures(20, 1))
