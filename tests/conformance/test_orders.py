"""Does every family keep its promises in every order of the pixels?"""

import itertools
import json

import numpy as np
import pytest

from keras_pixel import check_causality
from keras_pixel import load
from keras_pixel.order import ORDERS
from keras_pixel.order import from_order
from keras_pixel.order import into_order
from tests.support import catalogue
from tests.support.catalogue_orders import CASES

all_cases = pytest.mark.parametrize("case", **catalogue.named(CASES))
some_cases = pytest.mark.parametrize(
    "case", **catalogue.named(CASES, CASES[::3])
)
ALL_ORDERS = CASES[0]


def test_every_family_and_order_is_asked():
    from tests.support.catalogue_conditional import CASES as CONDITIONAL

    assert {case.model_class for case in CASES} == {
        case.model_class for case in CONDITIONAL
    }
    asked = [set(case.orders) for case in CASES[2:]]
    assert set.union(*asked) == set(ORDERS)


@all_cases
def test_causality(case):
    check_causality(case.make(), num_images=1)


@all_cases
def test_probabilities_sum_to_one(case):
    model = case.make((2, 2, 1), 2)
    values = itertools.product(range(2), repeat=4)
    images = np.array(list(values), "uint8").reshape(-1, 2, 2, 1)
    for order in (*model.orders, "mean"):
        log_prob = model.log_prob(images, order=order, batch_size=16)
        total = np.exp(log_prob.astype("float64")).sum()
        assert total == pytest.approx(1.0, abs=1e-5)


@some_cases
def test_an_order_is_the_usual_one_in_turned_images(case):
    model = case.make()
    plain = case.make(orders="right_down")
    ours = {layer.name: layer for layer in model.layers}
    for layer in plain.layers:
        ours[layer.name].set_weights(layer.get_weights())
    for name, layer in ours.items():
        if name.endswith("_vector"):  # of the order alone
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    images = catalogue.levels(model, 2)
    for order in model.orders:
        turned = plain.log_prob(
            into_order(np, images, order), reduce="sub_pixels"
        )
        np.testing.assert_allclose(
            model.log_prob(images, order=order, reduce="sub_pixels"),
            from_order(np, turned, order),
            rtol=1e-4,
            atol=1e-5,
        )
        np.testing.assert_allclose(
            model.features(images, order=order),
            from_order(
                np, plain.features(into_order(np, images, order)), order
            ),
            rtol=1e-4,
            atol=1e-5,
        )


@some_cases
def test_cached_is_naive(case):
    model = case.make()
    random = np.random.default_rng(1)
    count = len(model.orders)
    shape = (count, *model.image_shape)
    noise = random.random(shape, dtype="float32")
    order = list(model.orders)
    images = model.sample(noise=noise, order=order)
    np.testing.assert_array_equal(
        images, model.sample(noise=noise, order=order, method="naive")
    )
    mask = random.random(shape[:3]) < 0.5
    completed = model.complete(images, mask, noise=noise, order=order)
    np.testing.assert_array_equal(completed, images)


@some_cases
def test_preset_keeps_the_orders(case, tmp_path):
    model = case.make()
    folder = model.save_preset(tmp_path / "saved")
    again = load(folder)
    assert again.orders == model.orders
    said = json.loads((folder / "metadata.json").read_text())
    assert said["orders"] == list(model.orders)
    images = catalogue.levels(model, 2)
    np.testing.assert_array_equal(
        again.log_prob(images, order="mean"),
        model.log_prob(images, order="mean"),
    )


# === All eight orders in one model ===


@pytest.fixture(scope="module")
def model():
    return ALL_ORDERS.make((3, 3, 1))


@pytest.fixture(scope="module")
def halves():
    """Upper, lower, left, right part, and a middle row."""
    mask = np.zeros((5, 3, 3), bool)
    mask[0, :2] = mask[1, 1:] = mask[2, :, :1] = mask[3, :, 1:] = True
    mask[4, 1] = True
    return mask


def test_every_half_has_an_order(model, halves):
    images = catalogue.levels(model, 5)
    index = model.conditions.choose_order(None, halves)
    order = [model.orders[i] for i in index]
    assert order[:4] == ["right_down", "right_up", "down_right", "down_left"]
    own = halves[:4]
    bits = model.conditional_bits_per_dim(images[:4], own)
    log_prob = model.log_prob(images[:4], order=order[:4], reduce="sub_pixels")
    unknown = np.where(own[..., None], 0.0, log_prob).sum(axis=(1, 2, 3))
    count = (~own).sum(axis=(1, 2))
    np.testing.assert_allclose(bits, -unknown / count / np.log(2), rtol=1e-4)
    with pytest.raises(ValueError, match="prefix.*in the order 'right_down'"):
        model.conditional_bits_per_dim(images[4:], halves[4:])
    with pytest.raises(ValueError, match="prefix.*in the order 'left_up'"):
        model.conditional_bits_per_dim(images[:1], own[:1], order="left_up")


def test_completions_know_of_all_that_is_known(model, halves):
    """Particles find the same: nothing is known after what is drawn."""
    images = catalogue.levels(model, 5)
    order = model.conditions.choose_order(None, halves)
    log_prob = model.log_prob(images, order=order, reduce="sub_pixels")
    known = np.where(halves[..., None], log_prob, 0.0).sum(axis=(1, 2, 3))
    found = model.particles(images, halves, num_particles=4, seed=0)
    np.testing.assert_allclose(found.log_prob_known[:4], known[:4], rtol=1e-4)
    noise = np.random.default_rng(0).random(images.shape, "float32")
    np.testing.assert_array_equal(
        model.complete(images, halves, noise=noise),
        model.complete(images, halves, noise=noise, order=order),
    )
    best = model.beam_search(images, halves, beam_width=2)
    np.testing.assert_allclose(
        best.log_prob, model.log_prob(best.images, order=order), rtol=1e-4
    )
    for result in (best.images, model.complete(images, halves, seed=0)):
        np.testing.assert_array_equal(result[halves], images[halves])
    variants = model.complete(
        images, halves, num_particles=4, num_variants=2, seed=0
    )
    np.testing.assert_array_equal(
        variants.swapaxes(0, 1)[:, halves],
        np.stack([images[halves]] * 2),
    )


def test_mean_over_orders(model):
    images = catalogue.levels(model, 3)
    each = [model.log_prob(images, order=order) for order in model.orders]
    mean = np.log(np.exp(np.float64(each)).mean(axis=0))
    np.testing.assert_allclose(
        model.log_prob(images, order="mean"), mean, rtol=1e-5
    )
    np.testing.assert_array_equal(model.log_prob(images), each[0])
    assert len({float(x[0]) for x in each}) == 8
    with pytest.raises(ValueError, match='`order="mean"`.*sub_pixels'):
        model.log_prob(images, order="mean", reduce="sub_pixels")


def test_an_order_tells_its_pixels_apart(model):
    """The distribution of the first pixel depends on the order alone."""
    images = catalogue.levels(model, 2)
    for order, corner in [("right_down", (0, 0)), ("up_left", (2, 2))]:
        found = model.log_prob(images, order=order, reduce="sub_pixels")
        images[1][corner] = images[0][corner]
        found = model.log_prob(images, order=order, reduce="sub_pixels")
        first = found[(slice(None), *corner)]
        np.testing.assert_allclose(first[0], first[1], rtol=1e-5)


def test_every_weight_gets_a_gradient():
    model = ALL_ORDERS.make((3, 3, 1))
    model.compile("sgd")
    before = [w.numpy() for w in model.trainable_weights]
    images = catalogue.levels(model, 32)
    model.fit(images, batch_size=32, epochs=2, verbose=0)
    for old, new in zip(before, model.trainable_weights, strict=True):
        assert (old != new.numpy()).any(), new.path
    told = {"images": images, "order": np.zeros(32, "int32")}
    before = model.get_layer("order_embedding").vectors.numpy()
    model.fit(told, batch_size=32, verbose=0)
    changed = before != model.get_layer("order_embedding").vectors.numpy()
    assert changed[0].any() and not changed[1:].any()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("left_dwn", "Received: order='left_dwn'. Did you mean 'left_down'"),
        (8, "`order` must be one of the model's.*Received: order=8"),
        (["left_up"], "one for each of the 2. Received: 1"),
        (0.5, "Received: order=0.5"),
    ],
    ids=str,
)
def test_wrong_orders_are_refused(model, order, words):
    images = catalogue.levels(model, 2)
    with pytest.raises(ValueError, match=words):
        model.log_prob(images, order=order)


def test_orders_that_do_not_fit_are_refused():
    family = ALL_ORDERS.model_class
    with pytest.raises(ValueError, match="square images.*'down_left'"):
        family((3, 4, 1), 2, orders=["left_up", "down_left"])
    with pytest.raises(ValueError, match="Did you mean 'right_up'"):
        family((3, 3, 1), 2, orders="right_upp")
    with pytest.raises(ValueError, match="each one once"):
        family((3, 3, 1), 2, orders=["left_up", "left_up"])
    with pytest.raises(ValueError, match="at least one"):
        family((3, 3, 1), 2, orders=[])
    plain = ALL_ORDERS.make(orders="right_down")
    with pytest.raises(ValueError, match=r"model's: \['right_down'\]"):
        plain.sample(1, order="left_up")
