"""What models are trained on: sets of all kinds, weights, wrong levels."""

import keras
import numpy as np
import pytest

from keras_pixel.data import load_data
from keras_pixel.models import PixelCNN
from tests.support import catalogue


@pytest.fixture(scope="module")
def model():
    model = PixelCNN((2, 3, 1), 4, filters=4, num_blocks=0, head_filters=0)
    catalogue.randomize(model)
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    return model


@pytest.fixture(scope="module")
def images(model):
    return catalogue.levels(model, 6)


LABELS = np.arange(6)
WEIGHTS = np.array([1, 0, 0, 0, 0, 3], "float32")


class Batches(keras.utils.PyDataset):
    """One batch of anything."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


def as_tf_dataset(*parts):
    tf = pytest.importorskip("tensorflow")
    data = parts if len(parts) > 1 else parts[0]
    return tf.data.Dataset.from_tensor_slices(data).batch(6)


def as_generator(*parts):
    return (batch for batch in [parts])


def as_pydataset(*parts):
    return Batches(parts)


SETS = [as_tf_dataset, as_generator, as_pydataset]


@pytest.mark.parametrize("make", SETS)
def test_sets_with_class_ids_and_weights(model, images, make):
    bits = model.bits_per_dim(images)

    def found(*parts):
        data = make(*parts)
        # A generator does not say where it ends.
        result = model.evaluate(data, steps=1, verbose=0, return_dict=True)
        return result["bits_per_dim"]

    assert found(images) == pytest.approx(bits.mean(), rel=1e-4)
    assert found(images, LABELS) == pytest.approx(bits.mean(), rel=1e-4)
    batch = {"images": images, "labels": LABELS}
    assert found(batch) == pytest.approx(bits.mean(), rel=1e-4)
    weighed = (bits[0] + 3 * bits[5]) / 4
    assert found(images, LABELS, WEIGHTS) == pytest.approx(weighed, rel=1e-4)


def test_weights_of_arrays_count(model, images):
    bits = model.bits_per_dim(images)
    weighed = pytest.approx((bits[0] + 3 * bits[5]) / 4, rel=1e-4)
    arguments = {"sample_weight": WEIGHTS, "verbose": 0}
    result = model.evaluate(images, return_dict=True, **arguments)
    assert result["bits_per_dim"] == weighed
    history = model.fit(
        images,
        validation_data=(images, None, WEIGHTS),
        batch_size=6,
        **arguments,
    ).history
    assert history["bits_per_dim"] == [weighed]
    assert history["val_bits_per_dim"] == [weighed]


def test_weights_of_0_teach_nothing(images):
    model = PixelCNN((2, 3, 1), 4, filters=4, num_blocks=0, head_filters=0)
    model.compile(optimizer=keras.optimizers.SGD(1.0))
    before = model.log_prob(images)
    history = model.fit(images, sample_weight=np.zeros(6), verbose=0).history
    assert history["loss"] == [0.0]
    np.testing.assert_array_equal(model.log_prob(images), before)


def test_what_load_data_gives_is_trained_on(model, images):
    data = load_data((images, LABELS), "all", num_levels=4, values="levels")
    bits = model.bits_per_dim(data.images).mean()
    history = model.fit(data, validation_data=data, verbose=0).history
    assert history["bits_per_dim"] == pytest.approx([bits], rel=1e-4)
    assert history["val_bits_per_dim"] == pytest.approx([bits], rel=1e-4)


def test_class_weights_need_classes(model, images):
    weights = dict.fromkeys(range(6), 1.0)
    model.fit(images, LABELS, class_weight=weights, verbose=0)
    with pytest.raises(ValueError, match="`class_weight` needs the class"):
        model.fit(images, class_weight=weights, verbose=0)


WRONG = [
    (lambda x: x / 3.0, TypeError, r"integer levels.*\.astype\(\"uint8\"\)"),
    (lambda x: x + 4, ValueError, "from 0 to 3 .*Received: levels from"),
    (lambda x: x.astype("int32") - 1, ValueError, "Received: levels from -1"),
    (lambda x: x[:, :1], ValueError, r"images.shape=\(6, 1, 3, 1\)"),
]
WAYS = {
    "fit": lambda model, x: model.fit(x, verbose=0),
    "validation": lambda model, x: model.fit(
        np.zeros((1, 2, 3, 1), "uint8"), validation_data=x, verbose=0
    ),
    "evaluate": lambda model, x: model.evaluate(x, verbose=0),
    "train_on_batch": lambda model, x: model.train_on_batch(x),
    "test_on_batch": lambda model, x: model.test_on_batch(x),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("wrong", "error", "words"), WRONG)
def test_wrong_levels_are_refused(model, images, way, wrong, error, words):
    with pytest.raises(error, match=words):
        WAYS[way](model, wrong(images))


@pytest.mark.parametrize("make", SETS)
@pytest.mark.parametrize(("wrong", "error", "words"), WRONG[1:])
def test_wrong_levels_of_sets_are_refused(
    model, images, make, wrong, error, words
):
    with pytest.raises(error, match=words):
        model.fit(make(wrong(images), LABELS), verbose=0)


def test_floats_of_image_dataset_from_directory_show_the_cast(model, images):
    tf = pytest.importorskip("tensorflow")
    data = as_tf_dataset(images.astype("float32") * 64, LABELS)
    with pytest.raises(TypeError, match="a data set of float32.*`dataset.map"):
        model.fit(data, verbose=0)
    # What the message shows works.
    data = data.map(
        lambda images, labels: (
            tf.cast(tf.cast(images, "int32") * 4 // 256, "uint8"),
            labels,
        )
    )
    bits = model.bits_per_dim(images).mean()
    history = model.fit(data, verbose=0).history
    assert history["bits_per_dim"] == pytest.approx([bits], rel=1e-4)


def test_images_are_no_targets(model, images):
    for data in ((images, images), (as_tf_dataset(images, images),)):
        with pytest.raises(ValueError, match="second element `y` of shape"):
            model.fit(*data, verbose=0)


def test_loss_needs_compile(images):
    model = PixelCNN((2, 3, 1), 4, filters=4, num_blocks=0, head_filters=0)
    with pytest.raises(RuntimeError, match=r"Call `model.compile\(\)`"):
        model.compute_loss(images, y_pred=model(images.astype("int32")))


@pytest.mark.parametrize("name", ["metrics", "weighted_metrics"])
def test_metrics_must_not_be_given(model, name):
    with pytest.raises(ValueError, match=f"`{name}` must not be given"):
        model.compile(**{name: ["accuracy"]})
