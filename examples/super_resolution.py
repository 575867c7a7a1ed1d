"""Four times the resolution: a coarse image, encoded to a map of full size.

    python -m examples.super_resolution --output out/digits \
        --data-dir ~/tensorflow_datasets
    python -m examples.super_resolution --output out/cifar10 \
        --dataset cifar10 --data-dir ~/tensorflow_datasets

The condition is the mean of every 4×4 pixels: 7×7 values for a digit, 8×8 for
a CIFAR-10 image. A small convolutional encoder enlarges it, and its features
enter all blocks of the network. Many images have the same means: another seed
gives another one.

It prints bits/dim on test images with and without the coarse image, and how far
the means of the drawn images are from it. The picture has a row for each test
image: the coarse one, four outputs, and the original.
"""

import keras

from examples import conditional

FACTOR = 4


def main(arguments=None):
    parser = conditional.arguments_of(__doc__.splitlines()[0], "mnist")
    options = parser.parse_args(arguments)
    data, test = conditional.read_data(options)
    encoder = coarse_encoder(data.image_shape, options.filters)
    return conditional.restore(coarse, encoder, data, test, options)


def coarse(images):
    """Means of every 4×4 pixels, in levels."""
    batch, height, width, channels = images.shape
    parts = (batch, height // FACTOR, FACTOR, width // FACTOR, FACTOR, channels)
    return images.reshape(parts).mean(axis=(2, 4))


def coarse_encoder(image_shape, filters):
    """An encoder of coarse images to maps of the full size."""
    height, width, channels = image_shape
    context = keras.Input((height // FACTOR, width // FACTOR, channels))
    x = keras.layers.Conv2D(filters, 3, padding="same", activation="elu")(
        context
    )
    for _ in range(2):  # 2 * 2 = FACTOR
        x = keras.layers.UpSampling2D(2)(x)
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="elu")(x)
    return keras.Model(context, x, name="coarse_encoder")


if __name__ == "__main__":
    main()
