"""What models share whose weights are computed, not trained."""

import abc
import sys

import keras
import numpy as np

from keras_pixel.checks import check_images
from keras_pixel.checks import check_size
from keras_pixel.models.pixel_model import PixelModel
from keras_pixel.models.training_data import images_of


class ClosedFormModel(PixelModel):
    """Base of the baselines: one pass over the data gives the weights.

    A subclass says what is added up over the images, and what weights follow
    from the sums. Nothing is trainable.
    """

    def fit_closed_form(self, data, batch_size=1000):
        """Compute the weights from images, in one pass.

        Memory does not grow with the number of images: sums over them are
        kept, in float64.

        Args:
            data: array of integer levels `(images, height, width, channels)`,
                or `{"images": …}`, or what `keras_pixel.data.load_data` gives
                (streamed, too), or an iterable of batches of these or of
                `(images, class ids)`: a `tf.data.Dataset`, a
                `keras.utils.PyDataset`, a generator.
            batch_size: int. Images of an array added at once. Defaults to
                `1000`.

        Returns:
            The model itself.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if shape or range are wrong, or there are no images.
        """
        batch_size = check_size("batch_size", batch_size)
        totals: dict = {}
        for images in _batches(data, batch_size):
            images = check_images(images, self.image_shape, self.num_levels)
            if not len(images):
                continue
            for name, value in self._sums(images).items():
                if name in totals:
                    totals[name] += value
                else:
                    totals[name] = value
        if not totals:
            raise ValueError(
                "`data` must hold at least one image. Received: no images. "
                "A generator can be read only once: make it anew."
            )
        self._set_weights(totals)
        return self

    @abc.abstractmethod
    def _sums(self, images):
        """Dict of arrays that add up over batches of images."""

    @abc.abstractmethod
    def _set_weights(self, sums):
        """Compute the weights from the sums over all images."""

    def fit(self, *args, **kwargs):
        """Refuse: there is nothing to train. See `fit_closed_form`.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"`fit` is for models with trainable weights. Received: "
            f"{type(self).__name__}, which has none. Use "
            "`model.fit_closed_form(data)`, one pass over the data."
        )


def _batches(data, batch_size):
    """Batches of images, whatever holds them."""
    is_set = isinstance(data, keras.utils.PyDataset)
    if hasattr(data, "images") and not is_set:  # what `load_data` gives
        data = data.images
    data = images_of(data)
    if hasattr(data, "shape"):
        for start in range(0, len(data), batch_size):
            yield data[start : start + batch_size]
        return
    tensorflow = sys.modules.get("tensorflow")
    endless = is_set and data.num_batches is None
    if tensorflow and isinstance(data, tensorflow.data.Dataset):
        endless = data.cardinality() == tensorflow.data.INFINITE_CARDINALITY
    if endless:
        raise ValueError(
            "`data` must end: it is read once. Received: a data set that "
            "repeats. Leave out `repeat`."
        )
    if is_set:
        data = map(data.__getitem__, range(data.num_batches))
    for batch in data:
        images, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        yield np.asarray(images_of(images))
