import keras
import numpy as np
import pytest

from keras_pixel.layers import EmbedLevels


def test_each_channel_has_vectors_of_its_own():
    layer = EmbedLevels(num_levels=4, hidden_dim=2, channels=3)
    images = np.array([[[[1, 1, 3]]]])
    outputs = np.asarray(layer(images))
    table = np.asarray(layer.embeddings).reshape(3, 4, 2)
    # Feature f belongs to channel f % 3: both features of red come apart.
    expected = [table[0, 1], table[1, 1], table[2, 3]]
    np.testing.assert_array_equal(
        outputs[0, 0, 0], np.stack(expected, axis=-1).reshape(-1)
    )


def test_levels_are_not_rounded_in_low_precision():
    layer = EmbedLevels(num_levels=256, hidden_dim=1, dtype="mixed_bfloat16")
    layer.build((None, 1, 256, 1))
    layer.embeddings.assign(np.arange(256.0)[:, None] % 7)
    outputs = layer(np.arange(256, dtype="uint8").reshape(1, 1, 256, 1))
    found = np.asarray(keras.ops.cast(outputs, "float32")).reshape(-1)
    np.testing.assert_array_equal(found, np.arange(256) % 7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_levels": 1, "hidden_dim": 2}, "`num_levels` must be an integer"),
        ({"num_levels": 4, "hidden_dim": 0}, "`hidden_dim` must be an integer"),
        (
            {"num_levels": 4, "hidden_dim": 2, "channels": True},
            "`channels` must be an integer of at least 1",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        EmbedLevels(**arguments)


def test_images_of_other_channels_are_refused():
    layer = EmbedLevels(num_levels=4, hidden_dim=2, channels=3)
    with pytest.raises(ValueError, match="images with `channels` channels"):
        layer.build((None, 4, 4, 1))
