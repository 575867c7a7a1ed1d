"""What a model says of given images: likelihoods, and what follows."""

import math

import numpy as np
from keras import ops

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_images
from keras_pixel.checks import check_size
from keras_pixel.compiled import call_model
from keras_pixel.distributions import PixelDistribution
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.models import bayes
from keras_pixel.sampling import Conditions
from keras_pixel.sampling import Sampler
from keras_pixel.sampling import conditional_bits_per_dim

# What `log_prob` sums over.
REDUCTIONS = ("images", "sub_pixels")


class ScorableModel:
    """Mixin: a model that gives images a probability.

    A subclass is a `keras.Model` from images to the parameters of a
    distribution, and provides what follows.

    Attributes:
        image_shape: `(height, width, channels)`.
        num_levels: int. Levels of a sub-pixel.
        pixel_distribution: the `PixelDistribution` of the output.
        conditions: `Conditions`, what the model is told beside the images.
        sampler: the `Sampler` of its graph, which keeps compiled programs.
    """

    image_shape: tuple[int, int, int]
    num_levels: int
    pixel_distribution: PixelDistribution

    @property
    def conditions(self) -> Conditions:
        """What the model is told beside the images."""
        raise NotImplementedError

    @property
    def sampler(self) -> Sampler:
        """The `Sampler` derived from this model's graph."""
        raise NotImplementedError

    def log_prob(
        self,
        images,
        *,
        labels=None,
        condition=None,
        order=None,
        batch_size=32,
        reduce="images",
    ):
        """Exact log-probability of each image.

        Args:
            images: array or tensor `(batch, height, width, channels)` of
                integer levels.
            labels: class id or class name for all images, or a list or array
                of one for each, where the model has classes. Defaults to
                `None`.
            condition: array, context for all images or one for each, where
                the model has an encoder for it. Defaults to `None`.
            order: name of one of the model's `orders`, for all images or a
                list of one for each; or "mean" for the mean of the
                probabilities in all of them, with `reduce="images"`. Defaults
                to `None`, the first.
            batch_size: int. Images that go through the network at once.
                Defaults to `32`.
            reduce: "images" for the sum over each image, "sub_pixels" for the
                log-probability of each sub-pixel given those before it.
                Defaults to `"images"`.

        Returns:
            NumPy float32 array, nats: `(batch,)`, or `(batch, height, width,
            channels)` for `reduce="sub_pixels"`.

        Raises:
            TypeError: if the values are not integers.
            ValueError: if shape or range, or another argument, are wrong, or
                the weights are NaN.
        """
        images = check_images(images, self.image_shape, self.num_levels)
        batch_size = check_size("batch_size", batch_size)
        whole = check_choice("reduce", reduce, REDUCTIONS) == "images"
        if isinstance(order, str) and order == "mean":
            if not whole:
                raise ValueError(
                    '`order="mean"` is of whole images: each order goes '
                    "through the sub-pixels in a way of its own. "
                    f'Received: reduce={reduce!r}. Use `reduce="images"`.'
                )
            return bayes.mean_over_orders(
                self,
                images,
                labels=labels,
                condition=condition,
                batch_size=batch_size,
            )

        def score(inputs):
            images = inputs["images"]
            parameters = call_model(self, images, inputs.get("conditions", ()))
            log_prob = self.pixel_distribution.log_prob(parameters, images)
            # (batch,) or (batch, height, width, channels)
            return ops.sum(log_prob, axis=(1, 2, 3)) if whole else log_prob

        scores = self.sampler.programs.run(
            ("log_prob", reduce),
            lambda: score,
            self._program_inputs(images, labels, condition, order),
            batch_size,
            any_size=True,
        )
        shape = (0,) if whole else (0, *self.image_shape)
        found = np.concatenate([np.zeros(shape, "float32"), *scores])
        if np.isnan(found).any():
            self.sampler.check_weights()
        return found

    def bits_per_dim(
        self,
        images,
        *,
        labels=None,
        condition=None,
        order=None,
        batch_size=32,
    ):
        """Bits that each sub-pixel of each image costs, on average.

        See `log_prob` for arguments and errors.

        Returns:
            NumPy float32 array `(batch,)`: `-log_prob / (height * width *
            channels * ln 2)`.
        """
        nats = -self.log_prob(
            images,
            labels=labels,
            condition=condition,
            order=order,
            batch_size=batch_size,
        )
        return nats_to_bits_per_dim(nats, math.prod(self.image_shape))

    def classify(
        self, images, *, condition=None, order=None, prior=None, batch_size=32
    ):
        """Probabilities of the classes of images, by Bayes' rule.

        `p(label | image)` is proportional to `p(image | label) * prior`: one
        forward pass for each class.

        Args:
            images: as in `log_prob`.
            condition, order: as in `log_prob`.
            prior: array `(num_classes,)` of weights of at least 0, how
                frequent the classes are. Defaults to `None`: all alike.
            batch_size: as in `log_prob`.

        Returns:
            NumPy float32 array `(batch, num_classes)`; the probabilities of
            an image sum to 1.

        Raises:
            TypeError: if the values are not integers.
            ValueError: if the model has no classes, or an argument is wrong.
        """
        return bayes.classify(
            self,
            images,
            condition=condition,
            order=order,
            prior=prior,
            batch_size=batch_size,
        )

    def _program_inputs(self, images, labels, condition, order):
        told = self.conditions.program_inputs(
            len(images), labels, condition, order=order
        )
        return {"images": images, **told}

    def distribution(self, images, *, labels=None, condition=None, order=None):
        """TensorFlow Probability distribution, teacher-forced on `images`.

        Every sub-pixel's distribution is conditioned on the true sub-pixels
        before it, so `.log_prob(images)` is the images' log-probability, and
        `.sample()` draws each sub-pixel independently (not new images: for
        those see `sample`).

        Args:
            images, labels, condition, order: as in `log_prob`.

        Returns:
            `tfp.distributions.Independent`, batch shape `(batch,)`, event
            shape `(height, width, channels)`.
        """
        images = check_images(images, self.image_shape, self.num_levels)
        told = self._program_inputs(images, labels, condition, order)
        parameters = call_model(self, images, told.get("conditions", ()))
        return self.pixel_distribution.tfp(parameters)

    def conditional_bits_per_dim(
        self,
        images,
        mask,
        *,
        labels=None,
        condition=None,
        order=None,
        batch_size=32,
    ):
        """Bits that each unknown sub-pixel costs, given the known ones.

        Exact, and therefore only for known pixels that come first in the
        order: in raster order full rows, then the left part of a row.

        Args:
            images: array `(batch, height, width, channels)` of levels, those
                of the unknown pixels too: they are what is scored.
            mask: bool array `(height, width)` or `(batch, height, width)`,
                True where a pixel is known.
            labels, condition, order: as in `complete`.
            batch_size: int. Images that go through the network at once.
                Defaults to `32`.

        Returns:
            NumPy float32 array `(batch,)`: `-log p(unknown | known)` over
            the number of unknown sub-pixels and `ln 2`.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if a mask is no prefix in raster order or leaves no
                pixel unknown, or an argument is out of range.
        """
        return conditional_bits_per_dim(
            self.sampler,
            images,
            mask,
            labels=labels,
            condition=condition,
            order=order,
            batch_size=batch_size,
        )
