"""What all models share: likelihood, training, users' own graphs."""

import math

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import layers
from keras_pixel.models import PixelCNN
from keras_pixel.models import PixelModel
from tests.support import catalogue


def smallest(image_shape=(2, 3, 1), num_levels=4):
    return PixelCNN(
        image_shape,
        num_levels,
        filters=6,
        num_blocks=1,
        first_kernel_size=3,
        head_filters=0,
    )


@pytest.fixture(scope="module")
def model():
    return catalogue.randomize(smallest())


@pytest.fixture(scope="module")
def images(model):
    return catalogue.levels(model, 5)


def test_uniform_model_by_hand():
    # All logits are 0: each of 6 sub-pixels has probability 1/4.
    uniform = smallest()
    for weight in uniform.weights:
        weight.assign(np.zeros(weight.shape))
    images = catalogue.levels(uniform, 3)
    nats = uniform.log_prob(images)
    np.testing.assert_allclose(nats, [-6 * math.log(4)] * 3, rtol=1e-6)
    np.testing.assert_allclose(uniform.bits_per_dim(images), [2.0] * 3)


def test_divisor_counts_height_width_and_channels():
    model = catalogue.randomize(smallest((2, 1, 3), 2))
    images = catalogue.levels(model, 2)
    np.testing.assert_allclose(
        model.bits_per_dim(images) * (2 * 1 * 3) * math.log(2),
        -model.log_prob(images),
        rtol=1e-6,
    )


def test_last_partial_batch_is_scored(model, images):
    whole = model.log_prob(images)
    assert whole.shape == (5,)
    assert whole.dtype == "float32"
    np.testing.assert_allclose(
        model.log_prob(images, batch_size=2), whole, rtol=1e-5
    )


def test_tensors_and_no_images_are_scored(model, images):
    tensor = keras.ops.convert_to_tensor(images.astype("int32"))
    np.testing.assert_allclose(
        model.log_prob(tensor), model.log_prob(images), rtol=1e-6
    )
    assert model.log_prob(images[:0]).shape == (0,)


def test_log_prob_follows_new_weights(images):
    model = catalogue.randomize(smallest())
    before = model.log_prob(images)
    catalogue.randomize(model, seed=1)
    assert (model.log_prob(images) != before).all()


@pytest.mark.parametrize("method", ["log_prob", "bits_per_dim", "distribution"])
@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda x: x / 3.0, TypeError, "must hold integer levels"),
        (lambda x: x[0], ValueError, r"use `images\[None\]`"),
        (lambda x: x + 4, ValueError, "must hold levels from 0 to 3"),
    ],
    ids=["floats", "shape", "range"],
)
def test_wrong_images_are_refused(model, images, method, wrong, error, words):
    with pytest.raises(error, match=words):
        getattr(model, method)(wrong(images))


def test_tfp_distribution_has_the_same_log_prob(model, images):
    pytest.importorskip("tensorflow_probability")
    found = model.distribution(images)
    assert found.event_shape == model.image_shape
    assert found.batch_shape == (5,)
    np.testing.assert_allclose(
        found.log_prob(images), model.log_prob(images), rtol=1e-5
    )


def test_noise_shape_is_the_image_shape(model):
    assert model.noise_shape == model.image_shape == (2, 3, 1)


def test_batches_may_carry_labels(images):
    model = catalogue.randomize(smallest())
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    plain = model.evaluate(images, verbose=0)
    batch = {"images": images, "labels": np.arange(5)}
    assert model.evaluate(batch, verbose=0) == pytest.approx(plain, rel=1e-5)


def test_sample_weights_weigh_images(images):
    model = catalogue.randomize(smallest())
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    weights = np.array([1, 0, 0, 0, 3], "float32")
    found = model.test_on_batch(images, sample_weight=weights, return_dict=True)
    bits = model.bits_per_dim(images)
    expected = (bits[0] + 3 * bits[4]) / 4
    assert found["bits_per_dim"] == pytest.approx(expected, rel=1e-4)
    nats = expected * math.log(2)
    assert found["loss"] == pytest.approx(nats, rel=1e-4)


def test_loss_must_not_be_given():
    with pytest.raises(ValueError, match="`loss` is built in"):
        smallest().compile(loss="mse")


def test_targets_must_not_be_given(images):
    model = smallest()
    model.compile(run_eagerly=True)
    with pytest.raises(ValueError, match="second element `y`"):
        model.fit(images, images, verbose=0)


def test_dictionary_without_images_is_refused(model, images):
    with pytest.raises(ValueError, match=r'key "images".*\[\'pictures\'\]'):
        model({"pictures": images})


def own_graph(channels=1, levels_of_head=4):
    images = keras.Input((3, 3, channels), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = layers.MaskedConv2D(4, 3, mask_type="A")(x)
    return images, layers.CategoricalHead(levels_of_head)(x)


def test_users_own_graph_is_a_model():
    model = PixelModel(*own_graph(), num_levels=4)
    model.compile()
    images = catalogue.levels(model, 3)
    history = model.fit(images, verbose=0).history
    assert set(history) == {"loss", "bits_per_dim"}
    assert (model.log_prob(images) < 0).all()


def test_graph_that_does_not_end_in_logits_is_refused():
    with pytest.raises(
        ValueError, match=r"`outputs` must have the shape.*, 5\)"
    ):
        PixelModel(*own_graph(levels_of_head=5), num_levels=4)


@pytest.mark.parametrize("way", ["preset", "keras"])
def test_graph_of_ones_own_is_saved_and_loaded(way, tmp_path):
    inputs = keras.Input((3, 4, 2), dtype="int32")
    x = layers.ScaleLevels(4)(inputs)
    x = layers.MaskedConv2D(8, 3, mask_type="A", channels=2)(x)
    x = keras.layers.Add()([x, layers.RowLSTM(8, channels=2)(x)])
    logits = layers.CategoricalHead(4, channels=2)(x)
    own = catalogue.randomize(
        PixelModel(inputs, logits, num_levels=4, name="own")
    )
    if way == "preset":
        path = own.save_preset(tmp_path / "own")
        metadata = keras_pixel.presets.read_metadata(path)
        assert tuple(metadata["image_shape"]) == (3, 4, 2)
        again = keras_pixel.load(path)
    else:
        own.save(tmp_path / "own.keras")
        again = keras.saving.load_model(tmp_path / "own.keras")
    assert type(again) is PixelModel and again.name == "own"
    images = catalogue.levels(own, 3)
    np.testing.assert_array_equal(again.log_prob(images), own.log_prob(images))
    noise = np.random.default_rng(0).random((2, *own.noise_shape), "float32")
    np.testing.assert_array_equal(
        again.sample(noise=noise), own.sample(noise=noise)
    )
