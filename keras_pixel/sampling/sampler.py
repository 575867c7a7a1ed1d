"""Sampling and completion of images with any causal Functional model."""

import functools
import os

import keras
import numpy as np
from keras import ops

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_completion
from keras_pixel.checks import check_noise
from keras_pixel.checks import check_options
from keras_pixel.checks import check_size
from keras_pixel.compiled import Programs
from keras_pixel.compiled import num_threads
from keras_pixel.distributions import Categorical
from keras_pixel.layers.buffers import as_portable
from keras_pixel.sampling.conditions import Conditions
from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.graph import is_decodable
from keras_pixel.sampling.guidance import GuidedDrawing
from keras_pixel.sampling.loop import Drawing
from keras_pixel.sampling.loop import Program
from keras_pixel.sampling.noise import LazyNoise
from keras_pixel.sampling.noise import check_noise_alone
from keras_pixel.sampling.noise import make_noise
from keras_pixel.sampling.particles import complete_by_particles
from keras_pixel.sampling.progress import draw_progressively
from keras_pixel.sampling.reference import NaiveProgram

METHODS = ("cached", "naive")
# Batches are padded up to these sizes: few programs are compiled.
BATCH_SIZES = (1, 4, 16, 64, 256)
# Samplers of TensorFlow are compiled by XLA unless this variable is "0".
XLA_VARIABLE = "KERAS_PIXEL_XLA"


class Sampler:
    """Draws images from a model, deterministic given uniform noise.

    Each sub-pixel takes one number of the noise and becomes the smallest
    level whose cumulative probability, from level 0 up, exceeds it. So the
    same noise gives the same images, whatever the batch they are drawn in.

    Args:
        model: Functional model from integer images `(batch, height, width,
            channels)` to the parameters of `distribution`.
        distribution: a `PixelDistribution`.
        image_shape: `(height, width, channels)`.
        conditions: `Conditions` of the model. Defaults to `None`: none.

    Attributes:
        programs: the compiled functions of the model, all of them.
    """

    def __init__(self, model, distribution, image_shape, conditions=None):
        self.model = model
        self.distribution = distribution
        self.image_shape = tuple(image_shape)
        # One without conditions is false, and may have an order of its own.
        self.conditions = Conditions([]) if conditions is None else conditions
        self.programs = Programs(model)

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
        """Draw new images.

        Args:
            num_images: int. Needed without `noise`, or labels or contexts
                that say how many.
            labels: class id or class name for all images, or a list or array
                of one for each, where the model has classes.
            condition: array, context for all images or one for each, where
                the model has an encoder for it.
            order: name of one of the orders that the model knows, for all
                images or a list of one for each. Defaults to `None`, the
                first.
            noise: array `(num_images, height, width, channels)` in [0, 1), in
                place of `num_images` and `seed`.
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
            batch_size: int. Images drawn at once.
            method: "cached" (at the cost of a few forward passes) or "naive"
                (one for each sub-pixel: the reference). Defaults to `None`:
                "cached" where the model's layers allow it.

        Returns:
            NumPy uint8 array of levels `(num_images, height, width,
            channels)`.

        Raises:
            ValueError: if an argument is missing or out of range.
        """
        batches = self.stream(
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
        empty = np.zeros((0, *self.image_shape), "uint8")
        return np.concatenate([empty, *batches])

    def stream(
        self,
        num_images=None,
        *,
        labels=None,
        condition=None,
        order=None,
        noise=None,
        seed=None,
        guidance_scale=None,
        **kwargs,
    ):
        """Draw new images batch by batch, as they are finished.

        For long runs: what was yielded is kept when the rest is interrupted.
        See `sample` for the arguments, which are checked at once.

        Returns:
            Iterator of NumPy uint8 arrays `(n, height, width, channels)`.
        """
        inputs = self._inputs_of_new(
            num_images, labels, condition, order, noise, seed, guidance_scale
        )
        return self._stream(inputs, **kwargs)

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
        num_updates = check_size("num_updates", num_updates)
        inputs = self._inputs_of_new(
            num_images, labels, condition, order, noise, seed, guidance_scale
        )
        # All of it is one batch.
        inputs["noise"] = inputs["noise"][:]
        inputs = self._with_options(inputs, temperature, top_k, top_p)
        self.check_weights()
        return draw_progressively(
            self.programs,
            self._program_maker("cached", "guidance_scale" in inputs),
            inputs,
            num_updates,
            BATCH_SIZES,
        )

    def _inputs_of_new(
        self,
        num_images,
        labels,
        condition,
        order,
        noise,
        seed,
        guidance_scale,
    ):
        """What a program is given for images of which nothing is known."""
        if noise is not None:
            if num_images is not None or seed is not None:
                raise ValueError(
                    "`noise` says how many images there are and takes the "
                    "place of a seed. "
                    f"Received: num_images={num_images}, seed={seed} and "
                    "noise. Leave out `num_images` and `seed`."
                )
            noise = check_noise(noise, self.image_shape)
        else:
            num_images = self.conditions.count(num_images, labels, condition)
            # So that a stream may be longer than memory. A generator gives what
            # it gives in its turn.
            at_once = isinstance(seed, np.random.Generator)
            make = make_noise if at_once else LazyNoise
            noise = make(num_images, self.image_shape, seed)
        told = self.conditions.program_inputs(
            len(noise), labels, condition, guidance_scale, order
        )
        images = np.broadcast_to(np.int32(0), noise.shape)
        known = np.broadcast_to(False, noise.shape[:-1])
        return {"noise": noise, "images": images, "known": known, **told}

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
        seed=None,
        guidance_scale=None,
        **kwargs,
    ):
        """Draw the unknown pixels of images; known pixels stay untouched.

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
            labels, condition: as in `sample`, for all images or one for each.
            order: as in `sample`. Defaults to `None`: of each image that in
                which its known pixels come first.
            num_variants: int, completions of each image, or `None` for one.
            num_particles: int, or `None` for none. Completions of each
                image that are drawn at once and weighed by how well the known
                pixels fit them (`draw_particles`), so that the result, drawn
                from them by weight, fits known pixels to the right and below
                too. More is better and takes longer; variants of an image
                share its particles.
            noise: array in [0, 1) of the shape of the result, in place of
                `seed`; with `num_particles` see `draw_particles`.
            seed: int that makes the noise, or `None` for fresh noise.
            guidance_scale: as in `sample`; not with `num_particles`.
            **kwargs: `temperature`, `top_k`, `top_p` (for all or per image),
                `batch_size`, `method` as in `sample`; with `num_particles`
                no `method`, and `batch_size` as in `draw_particles`.

        Returns:
            NumPy uint8 array of levels `(batch, height, width, channels)`,
            with `num_variants` `(batch, num_variants, height, width,
            channels)`.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if an argument is missing or out of range.
        """
        if num_particles is not None:
            if guidance_scale is not None:
                raise ValueError(
                    "`guidance_scale` must be left out with `num_particles`: "
                    "particles are weighed by the model as it is. "
                    f"Received: guidance_scale={guidance_scale!r}"
                )
            return complete_by_particles(
                self,
                images,
                mask,
                labels=labels,
                condition=condition,
                order=order,
                num_variants=num_variants,
                num_particles=num_particles,
                noise=noise,
                seed=seed,
                **kwargs,
            )
        check_noise_alone(noise, seed)
        images, mask = check_completion(
            images, mask, self.image_shape, self.distribution.num_levels
        )
        shape = images.shape
        told = self.conditions.program_inputs(
            len(images),
            labels,
            condition,
            guidance_scale,
            self.conditions.choose_order(order, mask),
        )
        if num_variants is not None:
            num_variants = check_size("num_variants", num_variants)
            images, mask, told = keras.tree.map_structure(
                lambda x: np.repeat(x, num_variants, axis=0),
                (images, mask, told),
            )
            shape = (shape[0], num_variants, *shape[1:])
            for name in ("temperature", "top_k", "top_p"):
                option = kwargs.get(name)
                if option is not None and np.ndim(option) == 1:
                    kwargs[name] = np.repeat(option, num_variants)
        if noise is None:
            noise = make_noise(len(images), self.image_shape, seed)
        else:
            if np.shape(noise) != shape:
                raise ValueError(
                    "`noise` must have the shape of the result, (batch, "
                    "height, width, channels), or (batch, num_variants, "
                    f"height, width, channels) with `num_variants`: {shape}. "
                    f"Received: noise.shape={np.shape(noise)}. Draw it of "
                    "that shape, or give a `seed`."
                )
            noise = np.asarray(noise).reshape(images.shape)
            noise = check_noise(noise, self.image_shape)
        inputs = {"noise": noise, "images": images, "known": mask, **told}
        drawn = list(self._stream(inputs, **kwargs))
        empty = np.zeros((0, *self.image_shape), "uint8")
        return np.concatenate([empty, *drawn]).reshape(shape)

    def _stream(
        self,
        inputs,
        temperature=1.0,
        top_k=None,
        top_p=None,
        batch_size=64,
        method=None,
    ):
        inputs = self._with_options(inputs, temperature, top_k, top_p)
        if method is None:
            method = "cached" if self.is_decodable else "naive"
        check_choice("method", method, METHODS)
        batch_size = check_size("batch_size", batch_size)
        drawn = self.run(
            method,
            self._program_maker(method, "guidance_scale" in inputs),
            inputs,
            batch_size,
            # The other is forward passes in a loop: quick to build without
            # XLA.
            jit_compile=method == "cached",
            threads=num_threads() if method == "cached" else 1,
        )
        return (images.astype("uint8") for images in drawn)

    def _with_options(self, inputs, temperature, top_k, top_p):
        """What a program is given, with how levels are drawn."""
        options = check_options(
            len(inputs["noise"]),
            self.distribution.num_levels,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        is_searched = not isinstance(self.distribution, Categorical)
        if is_searched and (options["temperature"] == 1.0).all():
            # Without it, levels are found faster; others need one program.
            del options["temperature"]
        return {**inputs, **options}

    def _program_maker(self, method, is_guided):
        model, distribution = self.model, self.distribution
        if method == "naive":
            return lambda: NaiveProgram(model, distribution)

        strategy = GuidedDrawing if is_guided else Drawing
        return lambda **settings: Program(
            DecodingGraph(model), strategy(distribution), **settings
        )

    @functools.cached_property
    def is_decodable(self):
        """Whether the model can be drawn step by step, from caches."""
        return is_decodable(self.model)

    @functools.cached_property
    def lag(self):
        """Least lag of a wavefront that the model can be drawn along.

        `None` for raster order only, or where there is no cached side.
        """
        return DecodingGraph(self.model).lag if self.is_decodable else None

    @functools.cached_property
    def num_steps(self):
        """Steps in which an image is drawn, one after the other.

        Pixels of one time of the wavefront are one step. Without a cached
        side it is a forward pass for each sub-pixel.
        """
        height, width, channels = self.image_shape
        if not self.is_decodable:
            return height * width * channels
        lag = DecodingGraph(self.model).schedule(1).lag
        return width + lag * (height - 1)

    def decode(self, strategy, inputs, batch_size, **settings):
        """Run a strategy over arrays in batches of a few sizes.

        Args:
            strategy: class of strategies, see `loop.py`.
            inputs: dict of arrays, the batch as first axis.
            batch_size: int. The largest batch.
            **settings: further arguments of the class.

        Returns:
            Iterator of the strategy's results, batch after batch: nests of
            NumPy arrays.
        """
        return self.run(
            (strategy, *sorted(settings.items())),
            lambda: Program(
                DecodingGraph(self.model),
                strategy(self.distribution, **settings),
            ),
            inputs,
            batch_size,
        )

    def run(
        self,
        key,
        make_program,
        inputs,
        batch_size,
        jit_compile=True,
        threads=1,
    ):
        """Run a program over arrays in batches of a few sizes.

        Args:
            key: hashable, of the program.
            make_program: function without arguments that makes it.
            inputs: dict of arrays, the batch as first axis.
            batch_size: int. The largest batch.
            jit_compile: as in `keras.Model.compile`; see `XLA_VARIABLE`.
                Defaults to `True`.
            threads: see `Programs.run`. Defaults to `1`.

        Returns:
            Iterator of the program's outputs, batch after batch: nests of
            NumPy arrays.
        """
        self.check_weights()
        make_function = make_program
        if (
            jit_compile
            and keras.backend.backend() == "tensorflow"
            and os.environ.get(XLA_VARIABLE) == "0"
        ):
            jit_compile = False

            # What XLA would do in place is better done otherwise.
            def make_function():
                return as_portable(make_program())

        return self.programs.run(
            (key, *sorted(inputs)),
            make_function,
            inputs,
            batch_size,
            jit_compile,
            sizes=BATCH_SIZES,
            threads=threads,
        )

    def check_weights(self):
        """Refuse weights that are not numbers.

        Every level would have the probability NaN, and black images come out.

        Raises:
            ValueError: if a weight is NaN or infinite.
        """
        weights = [
            weight
            for weight in self.model.weights
            if keras.backend.is_float_dtype(weight.dtype)
        ]
        if not weights:
            return

        def are_finite(inputs):
            # All in one function: it runs before every drawing.
            found = [ops.all(ops.isfinite(weight)) for weight in weights]
            return ops.stack(found)[None]  # (1, weights)

        nothing = np.zeros((1, 1), "float32")
        (finite,) = self.programs.run("weights", lambda: are_finite, nothing, 1)
        if not finite.all():
            weight = weights[np.argmin(finite[0])]
            raise ValueError(
                "The weights of the model must be finite, or its output is "
                f"not. Received: NaN or infinity in {weight.path!r}. Load the "
                "last good weights; a training whose loss is NaN leaves such."
            )


def drawing_program(model, distribution):
    """The whole sampler as one function, to be traced into other formats.

    Args:
        model: Functional model from images to parameters.
        distribution: its `PixelDistribution`.

    Returns:
        Function from a dict of tensors (see `loop.Drawing`) to int32 images
        `(batch, height, width, channels)`. It takes any batch size.
    """
    if is_decodable(model):
        return Program(DecodingGraph(model), Drawing(distribution))
    return NaiveProgram(model, distribution)
