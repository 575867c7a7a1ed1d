"""What a conditional model takes, gives and refuses."""

import keras
import numpy as np
import pytest

from keras_pixel import layers
from keras_pixel.models import PixelCNN
from keras_pixel.models import PixelModel
from tests.support import catalogue
from tests.support.cases import randomize

SIZES = {"filters": 4, "num_blocks": 1, "head_filters": 0}
SHAPE = (3, 3, 1)


def make(**arguments):
    return randomize(PixelCNN(SHAPE, 2, **SIZES, **arguments))


@pytest.fixture(scope="module")
def labelled():
    model = make(num_classes=3)
    model.class_names = ["cat", "dog", "owl"]
    return model


@pytest.fixture(scope="module")
def images(labelled):
    return catalogue.levels(labelled, 4)


def test_classify_is_bayes_rule(labelled, images):
    found = labelled.classify(images)
    joint = np.exp(
        [labelled.log_prob(images, labels=label) for label in range(3)]
    ).T
    np.testing.assert_allclose(
        found, joint / joint.sum(axis=1, keepdims=True), rtol=1e-4
    )
    prior = [1.0, 0.0, 3.0]
    np.testing.assert_allclose(
        labelled.classify(images, prior=prior),
        joint * prior / (joint * prior).sum(axis=1, keepdims=True),
        rtol=1e-4,
    )


def test_labels_by_number_name_and_for_all(labelled, images):
    expected = labelled.log_prob(images, labels=[1, 1, 1, 1])
    for labels in (1, "dog", np.int64(1), ["dog"] * 4, np.ones((4, 1), int)):
        np.testing.assert_array_equal(
            labelled.log_prob(images, labels=labels), expected
        )


@pytest.mark.parametrize(
    "labels, error, message",
    [
        (None, ValueError, "`labels` must be given.*'cat', 'dog'"),
        (3, ValueError, "from 0 to 2.*Received: ids from 3 to 3"),
        (-1, ValueError, "Received: ids from -1"),
        ("dgo", ValueError, "Received: 'dgo'. Did you mean 'dog'"),
        ([0, 1], ValueError, "one for each of the 4.*shape \\(2,\\)"),
        (0.5, TypeError, "class ids.*dtype float64.*argmax"),
        (np.eye(4, 3), TypeError, "argmax"),
    ],
    ids=str,
)
def test_wrong_labels_are_refused(labelled, images, labels, error, message):
    with pytest.raises(error, match=message):
        labelled.log_prob(images, labels=labels)


def test_surplus_is_refused(labelled, images):
    with pytest.raises(ValueError, match="`condition` must be left out"):
        labelled.log_prob(images, labels=0, condition=np.ones(3))
    plain = make()
    with pytest.raises(ValueError, match="`labels` must be left out.*only"):
        plain.sample(1, labels=0)
    with pytest.raises(ValueError, match="`guidance_scale` needs `labels`"):
        labelled.sample(1, labels=0, guidance_scale=2.0)
    with pytest.raises(ValueError, match="`classify` needs"):
        plain.classify(images)
    with pytest.raises(ValueError, match="`guidance_scale` must be left out"):
        make(num_classes=2, label_dropout=0.5).complete(
            images,
            np.zeros((3, 3), bool),
            labels=0,
            guidance_scale=2.0,
            num_particles=2,
        )


def test_labels_say_how_many_images(labelled):
    drawn = labelled.sample(labels=range(3), seed=0)
    assert drawn.shape == (3, *SHAPE)
    with pytest.raises(ValueError, match="one for each of the 2"):
        labelled.sample(2, labels=range(3))
    with pytest.raises(ValueError, match="`num_images` or `noise`"):
        labelled.sample(labels=1)


def test_every_method_is_told(labelled, images):
    mask = np.zeros((3, 3), bool)
    mask[:1] = True
    other = {"labels": 2}
    scores = [
        (
            labelled.conditional_bits_per_dim(images, mask, **told),
            labelled.bits_per_dim(images, **told),
            labelled.features(images, pooling="mean", **told),
            labelled.beam_search(images, mask, beam_width=2, **told).log_prob,
            labelled.particles(
                images, mask, num_particles=2, seed=0, **told
            ).log_prob_known,
        )
        for told in ({"labels": 0}, other)
    ]
    for first, second in zip(*scores, strict=True):
        assert (first != second).any()
    if keras.backend.backend() == "tensorflow":
        found = labelled.distribution(images, labels=[0, 2, 0, 2])
        np.testing.assert_allclose(
            found.log_prob(images),
            labelled.log_prob(images, labels=[0, 2, 0, 2]),
            rtol=1e-5,
        )
    best = labelled.beam_search(images, mask, beam_width=2, labels=[0, 0, 2, 2])
    np.testing.assert_allclose(best.log_prob[:2], scores[0][3][:2], rtol=1e-4)
    np.testing.assert_allclose(best.log_prob[2:], scores[1][3][2:], rtol=1e-4)


def test_variants_of_an_image_have_its_label(labelled, images):
    mask = np.zeros((3, 3), bool)
    noise = np.random.default_rng(0).random((4, 2, *SHAPE), "float32")
    both = labelled.complete(
        images, mask, labels=[0, 1, 2, 0], num_variants=2, noise=noise
    )
    one = labelled.complete(
        images, mask, labels=[0, 1, 2, 0], noise=noise[:, 1]
    )
    np.testing.assert_array_equal(both[:, 1], one)


@pytest.mark.slow
@pytest.mark.graphs
def test_fit_learns_what_labels_say():
    images = np.zeros((8, *SHAPE), "uint8")
    images[4:] = 1
    labels = np.repeat([0, 1], 4)
    model = make(num_classes=2)
    model.compile(keras.optimizers.Adam(0.05))
    model.fit({"images": images, "labels": labels}, epochs=60, verbose=0)
    # The first pixel is told by the label alone.
    first = model.log_prob(images, labels=labels, reduce="sub_pixels")[:, 0, 0]
    assert np.exp(first).min() > 0.8
    assert model.evaluate(
        {"images": images, "labels": labels}, verbose=0, return_dict=True
    )["bits_per_dim"] == pytest.approx(
        model.bits_per_dim(images, labels=labels).mean(), rel=1e-4
    )


def test_fit_takes_labels_in_every_form(images):
    tf = pytest.importorskip("tensorflow")
    labels = np.array([0, 1, 1, 0])
    words = np.array(["low", "high"])[labels]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return images, labels

    def trained(*data):
        model = make(num_classes=2)
        model.class_names = ["low", "high"]
        model.compile(keras.optimizers.SGD(1.0))
        model.fit(*data, verbose=0)
        return np.concatenate([np.ravel(w) for w in model.weights])

    expected = trained({"images": images, "labels": labels})
    for data in (
        (images, labels),
        (Batches(),),
        ({"images": images, "labels": words},),
        (tf.data.Dataset.from_tensors((images, labels)),),
    ):
        np.testing.assert_allclose(trained(*data), expected, atol=1e-6)
    others = trained({"images": images, "labels": 1 - labels})
    assert np.abs(others - expected).max() > 1e-3


def test_fit_without_labels_is_refused():
    model = make(num_classes=2)
    model.compile()
    images = catalogue.levels(model, 2)
    with pytest.raises(ValueError, match="`labels` must be given"):
        model.fit(images, verbose=0)
    with pytest.raises(ValueError, match="Received: ids from 0 to 5"):
        model.fit(images, np.array([0, 5]), verbose=0)


def test_user_graph_is_told_too():
    images = keras.Input(SHAPE, dtype="int32", name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    context = keras.Input((2,), name="condition")
    x = layers.MaskedConv2D(4, 3, "A")(layers.ScaleLevels(2)(images))
    x = x + layers.LabelEmbedding(3, 4)(labels)
    x = x + keras.layers.Reshape((1, 1, 4))(keras.layers.Dense(4)(context))
    x = layers.CategoricalHead(2)(keras.layers.Activation("relu")(x))
    model = randomize(
        PixelModel([images, labels, context], x, num_levels=2, num_classes=3)
    )
    levels = catalogue.levels(model, 2)
    told = {"labels": [0, 2], "condition": np.ones((2, 2))}
    again = PixelModel.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        again.log_prob(levels, **told), model.log_prob(levels, **told)
    )
    noise = np.random.default_rng(0).random((2, *SHAPE), "float32")
    np.testing.assert_array_equal(
        model.sample(noise=noise, **told),
        model.sample(noise=noise, method="naive", **told),
    )


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("context", {}, "named \"labels\".*names=\\['context'\\]"),
        ("labels", {}, "`num_classes` must be given"),
        ("condition", {"num_classes": 2}, "and only then"),
        ("labels", {"num_classes": 1}, "at least 2"),
        ("condition", {"label_dropout": 0.1}, "`label_dropout` needs"),
    ],
)
def test_wrong_inputs_are_refused(name, arguments, message):
    images = keras.Input(SHAPE, dtype="int32", name="images")
    other = keras.Input((), dtype="int32", name=name)
    x = layers.MaskedConv2D(4, 3, "A")(layers.ScaleLevels(2)(images))
    x = layers.CategoricalHead(2)(x + layers.LabelEmbedding(3, 4)(other))
    with pytest.raises(ValueError, match=message):
        PixelModel([images, other], x, num_levels=2, **arguments)


def encoder(shape, output):
    context = keras.Input(shape)
    return keras.Model(context, output(context))


@pytest.mark.parametrize(
    "condition, message",
    [
        (keras.layers.Dense(3), "`condition` must be a `keras.Model`"),
        (
            encoder((None, 3), keras.layers.GlobalAveragePooling1D()),
            "an input of a known shape",
        ),
        (
            encoder((2, 2, 1), lambda x: x * 2.0),
            "must give vectors.*\\(3, 3\\).*\\(None, 2, 2, 1\\)",
        ),
    ],
    ids=["layer", "shape", "map"],
)
def test_wrong_encoders_are_refused(condition, message):
    with pytest.raises(ValueError, match=message):
        make(condition=condition)


@pytest.mark.parametrize(
    "condition, message",
    [
        (None, "`condition` must be given.*\\(2,\\)"),
        (np.ones(3), "must have the shape \\(2,\\).*\\(4, 2\\)"),
        (np.array([1.0, np.nan]), "`condition` must be finite"),
        (np.array(["a", "b"]), "must hold values of float32"),
    ],
    ids=["missing", "shape", "nan", "words"],
)
def test_wrong_contexts_are_refused(images, condition, message):
    model = make(condition=encoder((2,), keras.layers.Dense(3)))
    with pytest.raises(ValueError, match=message):
        model.log_prob(images, condition=condition)


def test_integers_that_the_encoder_has_not_are_refused(images):
    context = keras.Input((), dtype="uint8")
    model = make(
        condition=keras.Model(context, keras.layers.Embedding(9, 3)(context))
    )
    model.log_prob(images, condition=np.array(8))
    for value in (-1, 300):
        with pytest.raises(ValueError, match=f"0 to 255.*from {value} to"):
            model.log_prob(images, condition=np.array(value))


@pytest.mark.parametrize("names", [["a", "b"], ["a", "a", "b"], "abc", 3])
def test_wrong_class_names_are_refused(names):
    model = make(num_classes=3)
    if names == "abc":
        names = [1, 2, 3]
    with pytest.raises(ValueError, match="`class_names` must be 3 strings"):
        model.class_names = names


def test_only_ratios_of_the_prior_count(labelled, images):
    np.testing.assert_allclose(
        labelled.classify(images, prior=[1e308] * 3),
        labelled.classify(images),
        rtol=1e-6,
    )


@pytest.mark.parametrize("prior", [[1, 2], [0, 0, 0], [1, -1, 1], [np.inf] * 3])
def test_wrong_prior_is_refused(labelled, images, prior):
    with pytest.raises(ValueError, match="`prior` must be 3 numbers"):
        labelled.classify(images, prior=prior)
