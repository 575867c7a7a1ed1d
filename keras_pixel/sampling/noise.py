"""Noise that images are made of."""

import math

import numpy as np

from keras_pixel.checks import check_seed
from keras_pixel.checks import check_size


def make_noise(num_images, image_shape, seed, start=0):
    """Uniform noise in [0, 1); image i depends on `seed` and i only.

    `seed` may also be a NumPy generator, which goes on from noise to noise.

    Args:
        num_images: int.
        image_shape: `(height, width, channels)`.
        seed: int, `None` or a generator.
        start: int. Number of the first image: those before it are skipped,
            which takes no time. Only with an int as seed. Defaults to `0`.

    Returns:
        float32 array `(num_images, height, width, channels)`.
    """
    num_images = _check_number(num_images)
    random = np.random.default_rng(check_seed(seed))
    if start:
        skipped = start * math.prod(image_shape)
        # A step of the generator has 64 bits: two numbers of 32.
        generator = np.random.PCG64(seed)
        generator.advance(skipped // 2)
        random = np.random.Generator(generator)
        if skipped % 2:
            random.random(dtype="float32")
    noise = np.empty((num_images, *image_shape), "float32")
    for image in noise:
        random.random(out=image, dtype="float32")
    return noise


class LazyNoise:
    """What `make_noise` gives, made where it is sliced.

    So the number of images has no limit.

    Args:
        num_images, image_shape: as in `make_noise`.
        seed: int, or `None` for one that is drawn here.

    Attributes:
        shape: `(num_images, height, width, channels)`.
    """

    def __init__(self, num_images, image_shape, seed):
        seed = check_seed(seed)
        if seed is None:
            seed = int(np.random.default_rng().integers(2**63))
        self.shape = (_check_number(num_images), *image_shape)
        self._seed = seed

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(len(self))
        return make_noise(stop - start, self.shape[1:], self._seed, start)


def _check_number(num_images):
    if num_images is None:
        raise ValueError(
            "`num_images` or `noise` must be given. Received: neither. Say "
            "how many images to draw."
        )
    return check_size("num_images", num_images, 0)


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
