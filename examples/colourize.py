"""Colours for grey images: the condition is an image, encoded to a map.

    python -m examples.colourize --output out/colourize \
        --data-dir ~/tensorflow_datasets

A small convolutional encoder turns the grey image into features of every pixel,
which enter all blocks of the network. What is drawn is a sample: another seed
gives other colours.

It prints bits/dim on test images with and without the grey image, and how far
the drawn images, turned grey, are from it. The picture has a row for each test
image: grey, four outputs, and the original.
"""

import keras
import numpy as np

from examples import conditional


def main(arguments=None):
    parser = conditional.arguments_of(__doc__.splitlines()[0], "cifar10")
    options = parser.parse_args(arguments)
    data, test = conditional.read_data(options)
    encoder = grey_encoder(data.image_shape[:2], options.filters)
    return conditional.restore(luma, encoder, data, test, options)


def luma(images):
    """Grey images `(batch, height, width, 1)`, in levels (ITU-R 601)."""
    return images @ np.array([[0.299], [0.587], [0.114]])


def grey_encoder(size, filters):
    """An encoder of grey images to maps of their size."""
    context = keras.Input((*size, 1))
    x = context
    for _ in range(3):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="elu")(x)
    return keras.Model(context, x, name="grey_encoder")


if __name__ == "__main__":
    main()
