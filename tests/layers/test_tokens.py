import numpy as np

from keras_pixel.layers import tokens


def test_tokens_are_sub_pixels_in_raster_order():
    # Features named by their place: (row, column, channel, feature).
    features = np.zeros((1, 2, 2, 6), "float32")
    for row, column, f in np.ndindex(2, 2, 6):
        channel, feature = f % 3, f // 3
        place = 6 * row + 3 * column + channel
        features[0, row, column, f] = 10 * place + feature
    found = np.asarray(tokens.to_tokens(features, 3)).reshape(12, 2)
    place = np.arange(12)[:, None]
    np.testing.assert_array_equal(found, 10 * place + np.arange(2))


def test_one_undoes_the_other():
    features = np.random.rand(2, 3, 4, 6).astype("float32")
    for channels in (1, 2, 3):
        row = tokens.to_tokens(features, channels)
        assert row.shape == (2, 3, 4 * channels, 6 // channels)
        back = tokens.from_tokens(row, channels)
        np.testing.assert_array_equal(back, features)
