"""Reads a folder and an array on JAX, and asks for what needs TensorFlow.

Arguments: folder of ten pictures.
"""

import sys

sys.modules["tensorflow"] = None
sys.modules["tensorflow_datasets"] = None
import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_pixel.data import load_data  # noqa: E402

folder = load_data(sys.argv[1], "all")
array = load_data((folder.images, np.arange(10)), "all", labels=True)
assert keras.backend.backend() == "jax"
inputs = keras.Input((2, 2, 1))
outputs = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
model = keras.Model(inputs, outputs)
assert model.predict(folder.batches(4), verbose=0).shape == (10, 1)
batch = array.batches(4, shuffle=True, repeat=True, flip=True)[7]
assert batch["images"].shape == (4, 2, 2, 1)
for work in (lambda: load_data("mnist"), lambda: array.tf_dataset(2)):
    try:
        work()
    except ImportError as error:
        print(error)
