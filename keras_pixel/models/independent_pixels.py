"""Independent pixels: the simplest baseline there is.

Each sub-pixel has a categorical distribution of its own, whatever the others
show: the share of each level among the training images at that place. What a
model is better than this by is what it knows of how pixels hang together.
"""

import keras
import numpy as np

from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_number
from keras_pixel.distributions import Categorical
from keras_pixel.layers import PixelLogits
from keras_pixel.models.closed_form import ClosedFormModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class IndependentPixels(ClosedFormModel):
    """A categorical distribution of its own for each sub-pixel.

    `fit_closed_form` counts levels, in one pass. Before it all levels are
    equally probable. The weights are not trainable.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        smoothing: float above 0, added to each count (Laplace), so that no
            level has probability 0. Defaults to `1.0`.
        **kwargs: `dtype`, and `keras.Model` arguments, such as `name`.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import numpy as np
    >>> model = IndependentPixels((1, 1, 1), num_levels=2)
    >>> images = np.array([0, 0, 1], "uint8").reshape(3, 1, 1, 1)
    >>> model = model.fit_closed_form(images)
    >>> print(np.exp(model.log_prob(images)).round(3))  # (2 + 1) / (3 + 2), …
    [0.6 0.6 0.4]
    """

    def __init__(
        self, image_shape=(32, 32, 3), num_levels=256, smoothing=1.0, **kwargs
    ):
        image_shape = check_image_shape(image_shape)
        num_levels = check_num_levels(num_levels)
        check_number("smoothing", smoothing, above=0)
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        outputs = PixelLogits(num_levels, image_shape[-1], name="head")(inputs)
        super().__init__(inputs, outputs, Categorical(num_levels), **kwargs)

    def _sums(self, images):
        flat = images.reshape(len(images), -1)
        size = flat.shape[1] * self.num_levels
        cells = flat + np.arange(flat.shape[1]) * self.num_levels
        return {"counts": np.bincount(cells.reshape(-1), minlength=size)}

    def _set_weights(self, sums):
        counts = sums["counts"].reshape(*self.image_shape, self.num_levels)
        counts = counts + float(self.smoothing)
        shares = counts / counts.sum(axis=-1, keepdims=True)
        self.get_layer("head").logits.assign(np.log(shares))
