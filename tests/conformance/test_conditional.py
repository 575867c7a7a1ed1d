"""Do conditional models keep every promise, told whatever they are told?"""

import itertools
import json

import keras
import numpy as np
import pytest

from keras_pixel import check_causality
from keras_pixel import load
from keras_pixel.models.closed_form import ClosedFormModel
from keras_pixel.sampling.graph import DecodingGraph
from tests.support import catalogue
from tests.support.catalogue_conditional import CASES
from tests.support.catalogue_conditional import IMAGE_SHAPE
from tests.support.catalogue_conditional import NUM_CLASSES
from tests.support.catalogue_conditional import told
from tests.support.stepping import assert_steps_are_the_call
from tests.support.stepping import lags_of

all_cases = pytest.mark.parametrize("case", **catalogue.named(CASES))
# Each family, by turns with one kind and with the other, for what takes long.
SOME = [x for i, x in enumerate(CASES) if i % 2 == i // 2 % 2]
some_cases = pytest.mark.parametrize("case", **catalogue.named(CASES, SOME))
LABELS = [x for x in CASES if x.kind == "label"]


def test_every_family_is_asked():
    families = {
        case.model_class
        for case in catalogue.MODELS
        if not issubclass(case.model_class, ClosedFormModel)
    }
    assert {case.model_class for case in CASES} == families


@all_cases
def test_causality(case):
    check_causality(case.make(), num_images=1)


@all_cases
def test_steps_are_the_call(case):
    model = case.make()
    images = catalogue.levels(model, 2)
    conditions = model.conditions.random_inputs(np.random.default_rng(0), 2)
    lags = lags_of(model)
    for lag in {lags[0], lags[-1]}:
        # In raster order and along the narrowest wavefront.
        along = lag if DecodingGraph(model).lag is not None else None
        assert_steps_are_the_call(model, images, along, conditions)


@some_cases
def test_probabilities_sum_to_one_whatever_is_told(case):
    model = case.make((2, 2, 1), 2)
    values = itertools.product(range(2), repeat=4)
    images = np.array(list(values), "uint8").reshape(-1, 2, 2, 1)
    for seed in range(2):
        one = {name: x[0] for name, x in told(model, 1, seed).items()}
        log_prob = model.log_prob(images, batch_size=16, **one)
        total = np.exp(log_prob.astype("float64")).sum()
        assert total == pytest.approx(1.0, abs=1e-5)


@all_cases
def test_what_is_told_changes_every_pixel(case):
    model = case.make()
    image = catalogue.levels(model, 1)
    given = {name: np.array(x) for name, x in told(model, 1).items()}
    before = model.log_prob(image, reduce="sub_pixels", **given)
    for name, value in given.items():
        if name == "labels":
            other = (value + 1) % NUM_CLASSES
        else:
            other = value + 1.0
        after = model.log_prob(
            image, reduce="sub_pixels", **{**given, name: other}
        )
        # The first pixel has nothing else to know.
        assert (before != after).all()


@some_cases
def test_at_first_it_changes_nothing(case):
    keras.utils.set_random_seed(0)
    smallest = dict(case.make(told=False).get_config())
    del smallest["name"]
    plain = case.model_class(**smallest)
    smallest.pop("condition")
    for name in ("num_classes", "label_dropout"):
        smallest.pop(name)
    model = case.model_class(**smallest, **case.arguments())
    names = {layer.name: layer for layer in model.layers}
    for layer in plain.layers:
        names[layer.name].set_weights(layer.get_weights())
    images = catalogue.levels(plain, 2)
    np.testing.assert_allclose(
        model.log_prob(images, **told(model, 2)),
        plain.log_prob(images),
        rtol=1e-5,
    )


@some_cases
def test_cached_is_naive(case):
    model = case.make()
    random = np.random.default_rng(1)
    noise = random.random((3, *IMAGE_SHAPE), dtype="float32")
    given = told(model, 3)
    images = model.sample(noise=noise, method="cached", **given)
    np.testing.assert_array_equal(
        images, model.sample(noise=noise, method="naive", **given)
    )
    mask = random.random((3, *IMAGE_SHAPE[:2])) < 0.5
    completed = model.complete(images, mask, noise=noise, **given)
    np.testing.assert_array_equal(completed, images)


@pytest.mark.graphs
@pytest.mark.parametrize("case", **catalogue.named(LABELS, LABELS[:1]))
def test_guidance(case):
    """0 is the model without labels, 1 the model; naive draws the same."""
    model = case.make()
    random = np.random.default_rng(1)
    noise = random.random((4, *IMAGE_SHAPE), dtype="float32")
    labels = [0, 1, 2, 1]

    def draw(**arguments):
        return model.sample(noise=noise, method="naive", **arguments)

    with_labels, without = draw(labels=labels), draw()
    images = catalogue.levels(model, 4)
    assert (
        model.log_prob(images, labels=labels) != model.log_prob(images)
    ).all()
    scale = [0.0, 0.0, 1.0, 1.0]
    guided = draw(labels=labels, guidance_scale=scale)
    np.testing.assert_array_equal(guided[:2], without[:2])
    np.testing.assert_array_equal(guided[2:], with_labels[2:])
    np.testing.assert_array_equal(
        model.sample(noise=noise, labels=labels, guidance_scale=4.0),
        draw(labels=labels, guidance_scale=4.0),
    )


@some_cases
def test_preset_keeps_what_is_told(case, tmp_path):
    model = case.make()
    if model.num_classes:
        model.class_names = ("cat", "dog", "owl")
    folder = model.save_preset(tmp_path / "saved")
    again = load(folder)
    assert again.class_names == model.class_names
    images, given = catalogue.levels(model, 2), told(model, 2)
    np.testing.assert_array_equal(
        again.log_prob(images, **given), model.log_prob(images, **given)
    )
    said = json.loads((folder / "metadata.json").read_text())
    if model.num_classes:
        assert said["class_names"] == ["cat", "dog", "owl"]
        assert said["num_classes"] == 3
        np.testing.assert_array_equal(
            again.log_prob(images, **{**given, "labels": ["dog", "owl"]}),
            model.log_prob(images, **{**given, "labels": [1, 2]}),
        )
    else:
        assert "class_names" not in said


@some_cases
def test_every_weight_gets_a_gradient(case):
    model = case.make()
    model.compile("sgd")
    before = [w.numpy() for w in model.trainable_weights]
    batch = {"images": catalogue.levels(model, 12), **told(model, 12)}
    model.fit(batch, batch_size=12, epochs=2, verbose=0)
    for old, new in zip(before, model.trainable_weights, strict=True):
        assert (old != new.numpy()).any(), new.path
