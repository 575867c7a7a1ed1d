"""The plainest use from Python: a model, and one score."""

import numpy as np

import keras_pixel

model = keras_pixel.PixelCNN(
    image_shape=(1, 1, 1), num_levels=2, filters=2, num_blocks=0, head_filters=0
)
model.log_prob(np.ones((1, 1, 1, 1), int))
