"""Gaussian pixels: all that means and covariances say about images.

A multivariate normal over all sub-pixels, discretised exactly, one value after
the other: value `k` given those before it in raster order is a normal whose
mean is a linear function of them and whose variance is its own. Its mass in
each level's interval is a difference of the normal's cumulative function, and
the ends take the tails, so the probabilities of all images sum to 1. A model
beats it by what it knows beyond correlations.

The conditionals are those of the training images' covariance `S`, with a ridge
on its diagonal: with the Cholesky factor `S = L L'` and `A = L^-1`, value `k`
has the coefficients `-A[k, j] / A[k, k]` and the standard deviation `L[k, k]`.

Discretising the joint normal itself would give other conditionals, which have
no closed form: here each one is given the levels, not what lies between them.
"""

import keras
import numpy as np

from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_number
from keras_pixel.distributions import DiscretizedNormal
from keras_pixel.layers import LinearNormalHead
from keras_pixel.models.closed_form import ClosedFormModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class GaussianPixels(ClosedFormModel):
    """A multivariate normal over all sub-pixels, level by level.

    `fit_closed_form` adds up first and second moments in one pass: memory and
    weights grow with the square of the number of sub-pixels, 32×32×3 values
    need 75 MB while fitting and have 4.7 million weights. The weights are not
    trainable. Drawn in raster order.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        ridge: float above 0, added to every variance, on the scale where
            levels lie in [-1, 1]. Defaults to `0.0001`.
        floor: float in [0, 1). Weight of the uniform distribution that is
            mixed into every sub-pixel's, see `DiscretizedNormal`. Defaults to
            `0.001`.
        **kwargs: `dtype`, and `keras.Model` arguments, such as `name`.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(4, size=(50, 2, 2, 1))
    >>> model = GaussianPixels((2, 2, 1), num_levels=4)
    >>> model.fit_closed_form(images).sample(3, seed=0).shape
    (3, 2, 2, 1)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        ridge=1e-4,
        floor=1e-3,
        **kwargs,
    ):
        image_shape = check_image_shape(image_shape)
        num_levels = check_num_levels(num_levels)
        check_number("ridge", ridge, above=0)
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        head = LinearNormalHead(num_levels, image_shape[-1], name="head")
        distribution = DiscretizedNormal(num_levels, floor)
        super().__init__(inputs, head(inputs), distribution, **kwargs)

    def _sums(self, images):
        # Of levels: whole numbers, which float64 adds without rounding.
        flat = images.reshape(len(images), -1).astype("float64")
        return {
            "number": len(images),
            "total": flat.sum(axis=0),
            "products": flat.T @ flat,
        }

    def _set_weights(self, sums):
        scale = 2.0 / (self.num_levels - 1)
        mean = sums["total"] / sums["number"]
        products = sums["products"] / sums["number"]
        covariance = (products - np.outer(mean, mean)) * scale**2
        covariance[np.diag_indices_from(covariance)] += self.ridge
        mean = mean * scale - 1.0
        factor = np.linalg.cholesky(covariance)
        inverse = np.linalg.solve(factor, np.eye(len(factor)))
        kernel = -np.tril(inverse, -1) / np.diag(inverse)[:, None]
        self.get_layer("head").assign(
            kernel, mean - kernel @ mean, np.log(np.diag(factor))
        )
