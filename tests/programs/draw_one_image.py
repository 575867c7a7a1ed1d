"""Draws an image and prints it."""

import keras_pixel
from keras_pixel.start import import_keras

import_keras()
model = keras_pixel.PixelCNN(
    (2, 3, 1), 4, filters=2, num_blocks=0, head_filters=0
)
for weight in model.weights:
    weight.assign(weight * 0 + 1)
print(model.sample(1, seed=0).tolist())
