"""Noise that images are made of."""

import numpy as np

from keras_pixel.checks import check_seed
from keras_pixel.checks import check_size


def make_noise(num_images, image_shape, seed):
    """Uniform noise in [0, 1); image i depends on `seed` and i only.

    `seed` may also be a NumPy generator, which goes on from noise to noise.
    """
    if num_images is None:
        raise ValueError(
            "`num_images` or `noise` must be given. Received: neither. Say "
            "how many images to draw."
        )
    num_images = check_size("num_images", num_images, 0)
    random = np.random.default_rng(check_seed(seed))
    noise = np.empty((num_images, *image_shape), "float32")
    for image in noise:
        random.random(out=image, dtype="float32")
    return noise


def check_noise_alone(noise, seed):
    """Refuse noise together with a seed, which would do nothing.

    Raises:
        ValueError: if both are given.
    """
    if noise is not None and seed is not None:
        raise ValueError(
            "`noise` takes the place of a seed. "
            f"Received: seed={seed} and noise. Leave out one of them."
        )
