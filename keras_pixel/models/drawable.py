"""Drawing of images with a model: samples, completions, beams."""

from keras_pixel.sampling import Sampler
from keras_pixel.sampling import beam_search
from keras_pixel.sampling import draw_particles


class DrawableModel:
    """Mixin: a model that images are drawn from.

    A subclass provides what follows; nothing else of it is used here.

    Attributes:
        sampler: the `Sampler` of its graph.
    """

    @property
    def sampler(self) -> Sampler:
        """The `Sampler` derived from this model's graph."""
        raise NotImplementedError

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
            method: "cached" (at the cost of a few forward passes) or "naive"
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
