import math

import numpy as np
import pytest

from keras_pixel.training import evaluate


class Biased:
    """Says probability 1/4 for each sub-pixel of level 0, 1/2 for others."""

    def __init__(self):
        self.batches = []

    def log_prob(self, images, batch_size):
        self.batches.append((len(images), batch_size))
        bits = np.where(images == 0, 2, 1).sum(axis=(1, 2, 3))
        return (-bits * math.log(2)).astype("float32")


def images():
    # 2 x 1 x 3 sub-pixels, of which 6, 0, 0, 3 and 0 are of level 0: 12, 6,
    # 6, 9 and 6 bits; 39 bits over 5 images.
    levels = np.ones((5, 2, 1, 3), "uint8")
    levels[0] = 0
    levels[3, 0] = 0
    return levels


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 100])
def test_hand_worked_mean_whatever_the_batches(batch_size):
    result = evaluate(Biased(), images(), batch_size=batch_size)
    assert result == {
        "bits_per_dim": pytest.approx(39 / 5 / 6),
        "nats": pytest.approx(39 / 5 * math.log(2)),
        "num_images": 5,
    }


def test_the_last_batch_is_counted_once_and_has_the_same_size():
    model, seen = Biased(), []
    evaluate(model, images(), 3, progress=lambda *counts: seen.append(counts))
    assert model.batches == [(6, 3)]
    assert seen == [(5, 5)]


def test_only_the_first_images():
    result = evaluate(Biased(), images(), num_images=1)
    assert result["bits_per_dim"] == pytest.approx(2.0)
    assert result["num_images"] == 1


def test_sums_are_kept_in_float64():
    class Constant:
        def log_prob(self, images, batch_size):
            return np.full(len(images), -100.1, "float32")

    result = evaluate(Constant(), np.zeros((200_000, 1, 1, 1), "uint8"), 1000)
    assert result["nats"] == pytest.approx(float(np.float32(100.1)), rel=1e-12)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="at least one image"):
        evaluate(Biased(), images()[:0])


def test_batch_size_is_checked():
    with pytest.raises(
        ValueError, match="`batch_size` must be an integer of at least 1"
    ):
        evaluate(Biased(), images(), batch_size=0)
    with pytest.raises(
        ValueError, match="`num_images` must be an integer of at least 1"
    ):
        evaluate(Biased(), images(), num_images=-2)


class Told:
    """Says as many nats as it is told, whatever the image is."""

    num_classes = 10

    def log_prob(self, images, batch_size, labels=0.0, condition=None):
        told = 0 if condition is None else condition.sum(axis=1)
        return (-labels - told + np.zeros(len(images))).astype("float32")


def test_a_dict_tells_labels_and_conditions():
    labels = np.arange(5)
    condition = np.array([[0, 0], [1, 1], [0, 1], [0, 0], [10, 0]])
    data = {"images": images(), "labels": labels, "condition": condition}
    assert evaluate(Told(), data, 2)["nats"] == pytest.approx(23 / 5)
    assert evaluate(Told(), data, 2, 2)["nats"] == pytest.approx(3 / 2)
    del data["labels"]
    assert evaluate(Told(), data, 3)["nats"] == pytest.approx(13 / 5)
    assert evaluate(Told(), {"images": images()})["nats"] == 0
