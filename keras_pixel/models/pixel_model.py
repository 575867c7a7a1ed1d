"""What all models share: likelihood, sampling, features, presets."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pixel import presets
from keras_pixel.checks import check_choice
from keras_pixel.checks import check_images
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_size
from keras_pixel.compiled import call_model
from keras_pixel.distributions import Categorical
from keras_pixel.distributions import PixelDistribution
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.models import bayes
from keras_pixel.models.arguments import constructor_arguments
from keras_pixel.models.arguments import under_dtype_policy
from keras_pixel.models.conditioning import check_conditioning
from keras_pixel.models.features import feature_layers
from keras_pixel.models.features import feature_model
from keras_pixel.models.trainable import TrainableModel
from keras_pixel.sampling import Conditions
from keras_pixel.sampling import Sampler
from keras_pixel.sampling import beam_search
from keras_pixel.sampling import conditional_bits_per_dim
from keras_pixel.sampling import draw_particles
from keras_pixel.sampling import orders_of
from keras_pixel.sampling.condition_checks import check_class_names

# What `log_prob` sums over.
REDUCTIONS = ("images", "sub_pixels")


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelModel(TrainableModel):
    """A Functional model of integer images, one sub-pixel after the other.

    Subclasses build a graph from an integer input `"images"` of shape
    `(batch, height, width, channels)` to the parameters of a distribution
    over the levels of every sub-pixel, where the parameters of a sub-pixel
    depend only on those before it (`keras_pixel.order`). Users' own graphs
    work too: `PixelModel(inputs, outputs, num_levels=256)`. The config of a
    subclass is the arguments of its constructor, which are its attributes too.

    Args:
        inputs: `keras.Input` of integer levels, `(height, width, channels)`;
            or a list of it and of what else the model is told: an input of
            class ids `()` named "labels", one of any other context named
            "condition", one of indices `()` named "order" for `Reorder`
            layers of several orders.
        outputs: symbolic tensor `(batch, height, width, channels,
            distribution.num_parameters)`.
        distribution: `PixelDistribution` of a sub-pixel that `outputs` are
            the parameters of. Defaults to `None`: `Categorical(num_levels)`,
            whose parameters are logits.
        num_levels: int. Levels of a sub-pixel. Defaults to `256`, or to those
            of `distribution`.
        num_classes: int. Classes of the labels, or `None` for a model without
            labels. Defaults to `None`.
        label_dropout: float. With more than 0 the label `num_classes` stands
            for "no label", and the model has learned to do without (see
            `LabelEmbedding`). Defaults to `0.0`.
        **kwargs: `keras.Model` arguments, such as `name`. Subclasses, which
            build their layers, take `dtype` too, as Keras' layers do.

    Attributes:
        image_shape: `(height, width, channels)`.
        num_levels: int.
        orders: tuple of the raster orders in which the model predicts the
            pixels (`keras_pixel.order.ORDERS`), by its `Reorder` layers.
        noise_shape: shape of the noise that makes one image.
        pixel_distribution: the `PixelDistribution` of the output.
        class_names: names of the classes, a tuple, or `None`.
        discretizer: the `keras_pixel.data.Discretizer` that makes the levels
            of continuous values, or `None`. To be set; saved in presets.

    Raises:
        TypeError: if there is no such argument.
        ValueError: if inputs and outputs don't fit each other.
    """

    discretizer = None

    def __new__(cls, *args, **kwargs):
        arguments = constructor_arguments(cls, args, kwargs)
        model = super().__new__(cls, *args, **kwargs)
        # Not through Keras' own attributes, which would track what is inside.
        object.__setattr__(model, "_arguments", arguments)
        return model

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            subclass: Any = cls  # whose method is replaced
            subclass.__init__ = under_dtype_policy(cls.__init__)

    def __init__(
        self,
        inputs,
        outputs,
        distribution=None,
        num_levels=None,
        num_classes=None,
        label_dropout=0.0,
        **kwargs,
    ):
        check_conditioning(num_classes, label_dropout)
        images, *others = inputs if isinstance(inputs, list) else [inputs]
        image_shape = _check_inputs(images)
        if distribution is None:
            number = 256 if num_levels is None else num_levels
            distribution = Categorical(check_num_levels(number))
        if not isinstance(distribution, PixelDistribution):
            raise ValueError(
                "`distribution` must be a `PixelDistribution`, such as "
                "`Categorical(num_levels)`, or None. "
                f"Received: distribution={distribution!r}"
            )
        if num_levels not in (None, distribution.num_levels):
            raise ValueError(
                "`num_levels` must be that of `distribution`. "
                f"Received: num_levels={num_levels}, a distribution over "
                f"{distribution.num_levels} levels. Leave out `num_levels`."
            )
        check_num_levels(distribution.num_levels)
        expected = (*images.shape, distribution.num_parameters)
        shape = getattr(outputs, "shape", None)
        if shape is None or tuple(shape) != expected:
            raise ValueError(
                "`outputs` must have the shape (batch, height, width, "
                f"channels, parameters) = {expected}. "
                f"Received: outputs.shape={shape}. End the "
                "model with `CategoricalHead(num_levels, channels)`, or with "
                "`LogisticMixtureHead` and its distribution."
            )
        inputs = [images, *others] if others else images
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.image_shape = image_shape
        self.orders = orders_of(self)
        conditions = Conditions(others, num_classes, label_dropout, self.orders)
        self.num_levels = distribution.num_levels
        self.num_classes = num_classes
        self.label_dropout = label_dropout
        self.pixel_distribution = distribution
        for name, value in self._arguments.items():
            if not hasattr(type(self), name) and not hasattr(self, name):
                # Not tracked: an encoder is in the graph already.
                object.__setattr__(self, name, value)
        self._untracked = _Untracked(
            Sampler(self, distribution, self.image_shape, conditions)
        )

    @property
    def noise_shape(self):
        """Shape of the uniform noise that makes one image."""
        return self.image_shape

    @property
    def conditions(self):
        """What the model is told beside the images: `Conditions`."""
        return self._untracked.sampler.conditions

    @property
    def class_names(self):
        """Names of the classes, by which labels may be given."""
        return self.conditions.class_names

    @class_names.setter
    def class_names(self, names):
        if names is not None:
            names = check_class_names(names, self.conditions.num_classes)
        self.conditions.class_names = names

    @property
    def lag(self):
        """Least lag of a wavefront that images can be drawn along.

        Pixels of one time `column + lag * row` are drawn together: `width +
        lag * (height - 1)` steps. `None` for pixel by pixel in raster order.
        """
        return self.sampler.lag

    # === Likelihood ===

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
            ValueError: if shape or range, or another argument, are wrong.
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
        return np.concatenate([np.zeros(shape, "float32"), *scores])

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

    # === Training: see `TrainableModel` ===

    def clear_programs(self):
        self.sampler.programs.clear()

    # === Sampling ===

    @property
    def sampler(self):
        """The `Sampler` derived from this model's graph."""
        return self._untracked.sampler

    def sample(
        self,
        num_images=None,
        *,
        labels=None,
        condition=None,
        order=None,
        noise=None,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        guidance_scale=None,
        batch_size=64,
        method=None,
    ):
        """Draw new images, sub-pixel by sub-pixel.

        Each sub-pixel takes one number of the noise and becomes the smallest
        level whose cumulative probability, from level 0 up, exceeds it: the
        same noise gives the same images, whatever the batch size. The first
        call for a batch size compiles the sampler, which can take many
        seconds.

        Args:
            num_images: int. Needed without `noise`, or labels or contexts
                that say how many.
            labels: class id or class name for all images, or a list or array
                of one for each, where the model has classes. Defaults to
                `None`.
            condition: array, context for all images or one for each, where
                the model has an encoder for it. Defaults to `None`.
            order: name of one of the model's `orders`, for all images or a
                list of one for each. Defaults to `None`, the first.
            noise: array `(num_images, *noise_shape)` in [0, 1), in place of
                `num_images` and `seed`.
            temperature: float above 0, or one per image. Below 1 the images
                are more probable and less varied. Defaults to `1.0`.
            top_k: int, or one per image: draw from the `top_k` most probable
                levels only (and those that tie with the last). Defaults to
                `None`, all.
            top_p: float in (0, 1], or one per image: draw from the most
                probable levels that together reach this probability.
                Defaults to `None`, all.
            seed: int that makes the noise, or `None` for fresh noise.
            guidance_scale: float, or one per image, for a model trained with
                `label_dropout`: 1 draws as the label says, more exaggerates
                what it changes, 0 draws without it. Defaults to `None`: 1, at
                half the cost.
            batch_size: int. Images drawn at once. Defaults to `64`.
            method: "cached" (about the cost of one forward pass) or "naive"
                (one for each sub-pixel: the reference). Defaults to `None`:
                "cached" where the model's layers allow it.

        Returns:
            NumPy uint8 array of levels `(num_images, height, width,
            channels)`.

        Raises:
            ValueError: if an argument is missing or out of range.
        """
        return self.sampler.sample(
            num_images,
            labels=labels,
            condition=condition,
            order=order,
            noise=noise,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            guidance_scale=guidance_scale,
            batch_size=batch_size,
            method=method,
        )

    def sample_progressively(
        self,
        num_images=None,
        *,
        labels=None,
        condition=None,
        order=None,
        noise=None,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        guidance_scale=None,
        num_updates=16,
    ):
        """Draw new images and watch: they are given again and again.

        See `sample` for the other arguments, which are checked at once. All
        images are one batch.

        Args:
            num_updates: int. How often they are given, at most; steps between
                are as even as the schedule allows. Defaults to `16`.

        Returns:
            Iterator of pairs: NumPy uint8 array of levels `(num_images,
            height, width, channels)`, 0 where nothing is drawn yet, and bool
            array `(num_images, height, width)`, whether a pixel is drawn. The
            last images are those of `sample`.

        Raises:
            NotImplementedError: if a layer of the model has no cached side.
            ValueError: if an argument is missing or out of range.
        """
        return self.sampler.sample_progressively(
            num_images,
            labels=labels,
            condition=condition,
            order=order,
            noise=noise,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            guidance_scale=guidance_scale,
            num_updates=num_updates,
        )

    def complete(
        self,
        images,
        mask,
        *,
        labels=None,
        condition=None,
        order=None,
        num_variants=None,
        num_particles=None,
        noise=None,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        guidance_scale=None,
        batch_size=None,
        method=None,
    ):
        """Draw the unknown pixels of images; known pixels stay untouched.

        The mask is True where a pixel is *kept*; elsewhere, inpainting masks
        often mean the opposite.

        Each unknown sub-pixel is drawn given all sub-pixels before it, known
        or drawn. Where the known pixels come first in the order (an upper
        part in raster order), this is exact. Elsewhere an unknown pixel does
        not know of known pixels that come after it, unless `num_particles` is
        given.

        Args:
            images: array `(batch, height, width, channels)` of levels; those
                of unknown pixels are not looked at.
            mask: bool array `(height, width)` or `(batch, height, width)`,
                True where a pixel is known.
            labels, condition: as in `sample`, one for all images or one for
                each.
            order: as in `sample`. Defaults to `None`: of each image that of
                the model's `orders` in which its known pixels come first.
            num_variants: int, completions of each image, or `None` for one.
            num_particles: int, or `None` for none. Completions of each image
                that are drawn at once and weighed by how well the known
                pixels fit them (see `particles`): the result, drawn from them
                by weight, fits known pixels to the right and below too. More
                is better and takes longer.
            noise: array in [0, 1) of the shape of the result, in place of
                `seed`; with `num_particles` see `particles`.
            temperature, top_k, top_p: as in `sample`, for all or per image.
            seed: int that makes the noise, or `None` for fresh noise.
            guidance_scale: as in `sample`; not with `num_particles`.
            batch_size: int. Completions drawn at once. Defaults to `None`:
                64, or 256 particles.
            method: as in `sample`; not with `num_particles`. Defaults to
                `None`, that of `sample`.

        Returns:
            NumPy uint8 array of levels `(batch, height, width, channels)`,
            with `num_variants` `(batch, num_variants, height, width,
            channels)`.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if an argument is missing or out of range.
        """
        chosen = {"batch_size": batch_size, "method": method}
        return self.sampler.complete(
            images,
            mask,
            labels=labels,
            condition=condition,
            order=order,
            num_variants=num_variants,
            num_particles=num_particles,
            noise=noise,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            guidance_scale=guidance_scale,
            **{k: v for k, v in chosen.items() if v is not None},
        )

    def particles(
        self,
        images,
        mask,
        *,
        labels=None,
        condition=None,
        order=None,
        num_particles=64,
        noise=None,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        batch_size=256,
    ):
        """Draw completions that know of known pixels to come, with weights.

        Sequential Monte Carlo in the order of drawing, see
        `keras_pixel.sampling.draw_particles`.

        Args:
            images: array `(batch, height, width, channels)` of levels; those
                of unknown pixels are not looked at.
            mask: bool array `(height, width)` or `(batch, height, width)`,
                True where a pixel is known.
            labels, condition, order: as in `complete`.
            num_particles: int. Particles of each image. Defaults to `64`.
            noise: array `(batch, num_particles + 1, height, width,
                channels)` in [0, 1), in place of `seed`: what draws the
                sub-pixels of each particle, and at last what resamples them.
            temperature, top_k, top_p: as in `sample`, for all or per image.
                With them `log_prob_known` is no estimate of the model's own
                probability.
            seed: int that makes the noise, or `None` for fresh noise.
            batch_size: int. Particles, of all images, worked on at once.
                Defaults to `256`.

        Returns:
            `keras_pixel.sampling.Particles`: `images` `(batch,
            num_particles, height, width, channels)`, `weights` `(batch,
            num_particles)`, and `log_prob_known` `(batch,)`, nats.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if an argument is out of range.
        """
        return draw_particles(
            self.sampler,
            images,
            mask,
            labels=labels,
            condition=condition,
            order=order,
            num_particles=num_particles,
            noise=noise,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            batch_size=batch_size,
        )

    def beam_search(
        self,
        images,
        mask,
        *,
        labels=None,
        condition=None,
        order=None,
        beam_width=8,
        num_variants=None,
        batch_size=256,
    ):
        """Search the most probable completion of each image.

        The most probable image is not a typical one: it tends to be flat. For
        the most probable whole image let `mask` be False everywhere. See
        `keras_pixel.sampling.beam_search`.

        Args:
            images: array `(batch, height, width, channels)` of levels; those
                of unknown pixels are not looked at.
            mask: bool array `(height, width)` or `(batch, height, width)`,
                True where a pixel is known.
            labels, condition, order: as in `complete`.
            beam_width: int. Prefixes kept for each image. Defaults to `8`.
            num_variants: int up to `beam_width`, the best completions of
                each image that are returned, or `None` for the best alone.
            batch_size: int. Prefixes, of all images, worked on at once.
                Defaults to `256`.

        Returns:
            `keras_pixel.sampling.BeamResult`: `images` and their `log_prob`,
            nats.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if an argument is out of range.
        """
        return beam_search(
            self.sampler,
            images,
            mask,
            labels=labels,
            condition=condition,
            order=order,
            beam_width=beam_width,
            num_variants=num_variants,
            batch_size=batch_size,
        )

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

    # === Features and exports ===

    def features(
        self,
        images,
        layer=None,
        pooling=None,
        *,
        labels=None,
        condition=None,
        order=None,
        batch_size=32,
    ):
        """Hidden states of images, for downstream tasks.

        The features of a pixel have seen the pixels before it, and of the
        pixel itself at most the channels before the last one.

        Args:
            images: array or tensor `(batch, height, width, channels)` of
                integer levels.
            layer: name of the layer whose output is wanted, or its index in
                `feature_layers`; outputs of a layer with several are joined.
                A list of names and indices for several layers in one pass.
                Defaults to `None`: the last hidden features, which the
                model's last layer (the head) turns into its output.
            pooling: `None` for the features of every pixel, "mean" or "max"
                over all pixels, or `(rows, columns)`: means over the parts of
                such a grid, part by part. Defaults to `None`.
            labels, condition, order: as in `log_prob`.
            batch_size: int. Images that go through the network at once.
                Defaults to `32`.

        Returns:
            NumPy array `(batch, height, width, features)`, or `(batch,
            features)` if pooled; for a list of layers a list of arrays.

        Raises:
            TypeError: if the values are not integers.
            ValueError: if shape, range, layer or pooling are wrong.
        """
        images = check_images(images, self.image_shape, self.num_levels)
        batch_size = check_size("batch_size", batch_size)
        layer, pooling = map(_as_key, (layer, pooling))
        model = self.feature_model(layer, pooling)
        features = self.sampler.programs.run(
            ("features", layer, pooling),
            lambda: (
                lambda inputs: call_model(
                    model, inputs["images"], inputs.get("conditions", ())
                )
            ),
            self._program_inputs(images, labels, condition, order),
            batch_size,
            any_size=True,
        )
        empty = [np.zeros((0, *x.shape[1:]), "float32") for x in model.outputs]
        if not isinstance(layer, tuple):
            return np.concatenate(list(features) or empty)
        parts = [keras.tree.flatten(part) for part in features] or [empty]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    @property
    def feature_layers(self):
        """Names of the layers that `features` can give, first to last."""
        return feature_layers(self)

    def feature_model(self, layer=None, pooling=None):
        """The `keras.Model` behind `features`, to be trained further.

        See `features` for the arguments.

        Returns:
            `keras.Model` from images (and conditions) to features; it shares
            the weights.
        """
        layer, pooling = map(_as_key, (layer, pooling))
        made = vars(self._untracked).setdefault("feature_models", {})
        if (layer, pooling) not in made:
            made[layer, pooling] = feature_model(self, layer, pooling)
        return made[layer, pooling]

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Write the model for use without this package, sampler included.

        Args:
            filepath: folder to write.
            format: "tf_saved_model", "onnx" or "triton".
            **kwargs: arguments of `keras_pixel.export.saved_model`,
                `keras_pixel.export.onnx` or `keras_pixel.export.triton`.

        Raises:
            ValueError: if there is no such format.
        """
        from keras_pixel import export

        formats: dict[str, Callable] = {
            "tf_saved_model": export.saved_model,
            "onnx": export.onnx,
            "triton": export.triton,
        }
        if format not in formats:
            raise ValueError(
                f"`format` must be one of {list(formats)}. "
                f"Received: format={format!r}"
            )
        return formats[format](self, filepath, **kwargs)

    # === Presets ===

    def save_preset(
        self, path, metadata=None, dtype="float32", overwrite=False, files=None
    ):
        """Write a preset folder; `keras_pixel.load(path)` gives it back.

        Args:
            path: the folder to make.
            metadata: dict of what is worth knowing about the model (JSON
                values), or `None`.
            dtype: "float32" keeps the weights exactly; "float16" halves the
                file and rounds them.
            overwrite: bool. Whether a preset that is at `path` already is
                replaced. Defaults to `False`.
            files: dict of other files for the folder, name to bytes, or
                `None`.

        Returns:
            The folder's absolute path, a `pathlib.Path`.

        Raises:
            FileExistsError: if `path` exists, unless it is a preset and
                `overwrite=True`.
            ValueError: if the class is not registered, or weights are too
                large for float16.
        """
        return presets.save_preset(
            self,
            path,
            metadata=metadata,
            dtype=dtype,
            overwrite=overwrite,
            files=files,
        )

    # KerasHub's names for the same.
    save_to_preset = save_preset

    def push_to_hub(
        self,
        repo_id,
        *,
        metadata=None,
        dtype="float32",
        private=None,
        revision=None,
        commit_message=None,
        token=None,
    ):
        """Upload the model to the Hugging Face Hub, as a preset with a card.

        See `keras_pixel.presets.push_to_hub` for arguments and errors.

        Returns:
            Its address with the commit, which `keras_pixel.load` takes.
        """
        return presets.push_to_hub(
            self,
            repo_id,
            metadata=metadata,
            dtype=dtype,
            private=private,
            revision=revision,
            commit_message=commit_message,
            token=token,
        )

    @classmethod
    def from_preset(cls, name_or_path, **kwargs):
        """Load a trained model of this class; see `keras_pixel.load`.

        Args:
            name_or_path: as in `keras_pixel.load`.
            **kwargs: other arguments of `keras_pixel.load`.

        Raises:
            ValueError: if the preset's model is of another class.
        """
        model = presets.load(name_or_path, **kwargs)
        if not isinstance(model, cls):
            raise ValueError(
                f"`{cls.__name__}.from_preset` needs a preset of a "
                f"{cls.__name__}. Received: name_or_path={name_or_path!r}, a "
                f"{type(model).__name__}. Use `keras_pixel.load`, which takes "
                "any."
            )
        return model

    def get_config(self):
        named = {}
        if self.class_names is not None:
            named["class_names"] = list(self.class_names)
        if "outputs" not in self._arguments:
            config = {n: _serialized(v) for n, v in self._arguments.items()}
            return {"name": self.name, **config, **named}
        # A user's own graph.
        graph = keras.Model(self.inputs, self.outputs, name=self.name)
        return {
            "name": self.name,
            "distribution": keras.saving.serialize_keras_object(
                self.pixel_distribution
            ),
            "graph": keras.saving.serialize_keras_object(graph),
            **{
                name: self._arguments[name]
                for name in ("num_classes", "label_dropout")
                if self._arguments.get(name)
            },
            **named,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        if "class_names" in config:
            names = config.pop("class_names")
            model = cls.from_config(config, custom_objects)
            model.class_names = names
            return model
        if isinstance(config.get("condition"), dict):
            config["condition"] = keras.saving.deserialize_keras_object(
                config["condition"], custom_objects
            )
        if "graph" not in config:
            return super().from_config(config, custom_objects)
        graph = keras.saving.deserialize_keras_object(
            config.pop("graph"), custom_objects
        )
        if "distribution" in config:
            config["distribution"] = keras.saving.deserialize_keras_object(
                config["distribution"], custom_objects
            )
        return cls(graph.inputs, graph.outputs[0], **config)


class _Untracked:
    """Helpers of a model that are neither its layers nor its weights."""

    def __init__(self, sampler):
        self.sampler = sampler


def _serialized(value):
    """An argument as JSON takes it: encoders and functions by their config."""
    if isinstance(value, keras.Model):
        return keras.saving.serialize_keras_object(value)
    return keras.activations.serialize(value) if callable(value) else value


def _as_key(value):
    return tuple(value) if isinstance(value, list) else value


def _check_inputs(inputs):
    """Image shape of a model's input, which must be known."""
    shape = tuple(getattr(inputs, "shape", ()))
    if isinstance(inputs, keras.KerasTensor) and len(shape) == 4:
        if None not in shape[1:]:
            return shape[1:]
    raise ValueError(
        "`inputs` must be one `keras.Input((height, width, channels), "
        'dtype="int32")` of known sizes, the images. '
        f"Received: inputs={inputs!r}. For a sequence of T values write (1, "
        "T, 1)."
    )
