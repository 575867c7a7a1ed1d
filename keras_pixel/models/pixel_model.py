"""What all models share: likelihood, sampling, training, presets."""

import math

import keras
import numpy as np
from keras import ops

from keras_pixel import presets
from keras_pixel.checks import check_images
from keras_pixel.checks import check_size
from keras_pixel.compiled import default_jit_compile
from keras_pixel.distributions import Categorical
from keras_pixel.distributions import PixelDistribution
from keras_pixel.models.arguments import constructor_arguments
from keras_pixel.models.features import feature_model
from keras_pixel.sampling import Sampler
from keras_pixel.sampling import beam_search
from keras_pixel.sampling import conditional_bits_per_dim
from keras_pixel.sampling import draw_particles


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelModel(keras.Model):
    """A Functional model of integer images, one sub-pixel after the other.

    Subclasses build a graph from an integer input `"images"` of shape
    `(batch, height, width, channels)` to the parameters of a distribution
    over the levels of every sub-pixel, where the parameters of a sub-pixel
    depend only on those before it (`keras_pixel.order`). Users' own graphs
    work too: `PixelModel(inputs, outputs, num_levels=256)`. The config of a
    subclass is the arguments of its constructor, which are its attributes too.

    Args:
        inputs: `keras.Input` of integer levels, `(height, width, channels)`.
        outputs: symbolic tensor `(batch, height, width, channels,
            distribution.num_parameters)`.
        distribution: `PixelDistribution` of a sub-pixel that `outputs` are
            the parameters of. Defaults to `None`: `Categorical(num_levels)`,
            whose parameters are logits.
        num_levels: int. Levels of a sub-pixel. Defaults to `256`, or to those
            of `distribution`.
        **kwargs: `keras.Model` arguments, such as `name`.

    Attributes:
        image_shape: `(height, width, channels)`.
        num_levels: int.
        noise_shape: shape of the noise that makes one image.
        pixel_distribution: the `PixelDistribution` of the output.

    Raises:
        ValueError: if inputs and outputs don't fit each other.
    """

    def __new__(cls, *args, **kwargs):
        arguments = constructor_arguments(cls, args, kwargs)
        model = super().__new__(cls, *args, **kwargs)
        # Not through Keras' own attributes, which would track what is inside.
        object.__setattr__(model, "_arguments", arguments)
        return model

    def __init__(
        self, inputs, outputs, distribution=None, num_levels=None, **kwargs
    ):
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        if distribution is None:
            distribution = Categorical(num_levels or 256)
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
        expected = (*inputs.shape, distribution.num_parameters)
        if tuple(outputs.shape) != expected:
            raise ValueError(
                "`outputs` must have the shape (batch, height, width, "
                f"channels, parameters) = {expected}. "
                f"Received: outputs.shape={tuple(outputs.shape)}. End the "
                "model with `CategoricalHead(num_levels, channels)`, or with "
                "`LogisticMixtureHead` and its distribution."
            )
        self.image_shape = tuple(inputs.shape[1:])
        self.num_levels = distribution.num_levels
        self.pixel_distribution = distribution
        for name, value in self._arguments.items():
            if not hasattr(self, name):
                setattr(self, name, value)
        self._untracked = _Untracked()

    @property
    def noise_shape(self):
        """Shape of the uniform noise that makes one image."""
        return self.image_shape

    # === Likelihood ===

    def log_prob(self, images, batch_size=32):
        """Exact log-probability of each image.

        Args:
            images: array or tensor `(batch, height, width, channels)` of
                integer levels.
            batch_size: int. Images that go through the network at once.

        Returns:
            NumPy float32 array `(batch,)`, nats per image.

        Raises:
            TypeError: if the values are not integers.
            ValueError: if shape or range are wrong.
        """
        images = check_images(images, self.image_shape, self.num_levels)
        batch_size = check_size("batch_size", batch_size)
        scores = self.sampler.programs.run(
            "log_prob",
            lambda: self._score,
            images,
            batch_size,
            any_size=True,
        )
        return np.concatenate([np.zeros(0, "float32"), *scores])

    def _score(self, images):
        parameters = self(images, training=False)
        log_prob = self.pixel_distribution.log_prob(parameters, images)
        return ops.sum(log_prob, axis=(1, 2, 3))  # (batch,)

    def bits_per_dim(self, images, batch_size=32):
        """Bits that each sub-pixel of each image costs, on average.

        See `log_prob` for arguments and errors.

        Returns:
            NumPy float32 array `(batch,)`: `-log_prob / (height * width *
            channels * ln 2)`.
        """
        nats = self.log_prob(images, batch_size=batch_size)
        return -nats / (math.prod(self.image_shape) * math.log(2))

    def distribution(self, images):
        """TensorFlow Probability distribution, teacher-forced on `images`.

        Every sub-pixel's distribution is conditioned on the true sub-pixels
        before it, so `.log_prob(images)` is the images' log-probability, and
        `.sample()` draws each sub-pixel independently (not new images: for
        those see `sample`).

        Args:
            images: as in `log_prob`.

        Returns:
            `tfp.distributions.Independent`, batch shape `(batch,)`, event
            shape `(height, width, channels)`.
        """
        images = check_images(images, self.image_shape, self.num_levels)
        return self.pixel_distribution.tfp(self(images, training=False))

    # === Training ===

    def compile(self, optimizer="adam", jit_compile="auto", **kwargs):
        """Configure training; the loss is built in.

        The loss is the negative log-probability in nats per dimension
        (sub-pixel), the metric `bits_per_dim` the same in bits.

        Args:
            optimizer: as in `keras.Model.compile`.
            jit_compile: as there, except that `"auto"` is False on
                TensorFlow without a GPU, where XLA trains slower.
            **kwargs: other arguments of `keras.Model.compile`.

        Raises:
            ValueError: if a `loss` is given.
        """
        if kwargs.pop("loss", None) is not None:
            raise ValueError(
                "`loss` is built in (negative log-probability, nats per "
                "dimension) and must not be given. Leave it out."
            )
        if jit_compile == "auto":
            jit_compile = default_jit_compile() and "auto"
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self._untracked.bits_per_dim = keras.metrics.Mean("bits_per_dim")
        self.sampler.programs.clear()

    def compile_from_config(self, config):
        # Keras leaves this to models with a `compile` of their own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        bits_per_dim = self._untracked.bits_per_dim
        return super().metrics + ([bits_per_dim] if bits_per_dim else [])

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        if y is not None:
            raise ValueError(
                "A data set must yield `images` or {'images': …, 'labels': "
                "…}: the images are their own targets. "
                "Received: a second element `y`."
            )
        images = _images_of(x)
        log_prob = self.pixel_distribution.log_prob(y_pred, images)
        nats = -ops.mean(log_prob, axis=(1, 2, 3))  # (batch,)
        self._untracked.bits_per_dim.update_state(
            nats / math.log(2), sample_weight=sample_weight
        )
        if sample_weight is not None:
            weight = ops.cast(sample_weight, nats.dtype)
            loss = ops.sum(nats * weight) / ops.sum(weight)
        else:
            loss = ops.mean(nats)
        for extra in self.losses:  # users' regularisers
            loss = loss + ops.cast(extra, loss.dtype)
        return loss

    def __call__(self, inputs, *args, **kwargs):
        return super().__call__(_images_of(inputs), *args, **kwargs)

    def call(self, inputs, *args, **kwargs):
        return super().call(_images_of(inputs), *args, **kwargs)

    # === Sampling ===

    @property
    def sampler(self):
        """The `Sampler` derived from this model's graph."""
        if self._untracked.sampler is None:
            self._untracked.sampler = Sampler(
                self, self.pixel_distribution, self.image_shape
            )
        return self._untracked.sampler

    def sample(self, num_images=None, **kwargs):
        """New images, drawn sub-pixel by sub-pixel.

        See `Sampler.sample` for the arguments.
        """
        return self.sampler.sample(num_images, **kwargs)

    def complete(self, images, mask, **kwargs):
        """Images with their unknown pixels drawn.

        See `Sampler.complete` for the arguments.
        """
        return self.sampler.complete(images, mask, **kwargs)

    def particles(self, images, mask, **kwargs):
        """Weighted completions: see `keras_pixel.sampling.draw_particles`."""
        return draw_particles(self.sampler, images, mask, **kwargs)

    def beam_search(self, images, mask, **kwargs):
        """Most probable completions: see `keras_pixel.sampling.beam_search`."""
        return beam_search(self.sampler, images, mask, **kwargs)

    def conditional_bits_per_dim(self, images, mask, **kwargs):
        """See `keras_pixel.sampling.conditional_bits_per_dim`."""
        kwargs.setdefault("jit_compile", default_jit_compile())
        return conditional_bits_per_dim(self.sampler, images, mask, **kwargs)

    # === Features and exports ===

    def features(self, images, layer=None, pooling=None, batch_size=32):
        """Hidden states of images, for downstream tasks.

        The features of a pixel have seen the pixels before it, and of the
        pixel itself at most the channels before the last one.

        Args:
            images: array or tensor `(batch, height, width, channels)` of
                integer levels.
            layer: name of the layer whose output is wanted; outputs of a
                layer with several are joined. Defaults to `None`: the last
                hidden features, which the model's last layer (the head)
                turns into its output.
            pooling: `None` for the features of every pixel, "mean" or "max"
                over all pixels. Defaults to `None`.
            batch_size: int. Images that go through the network at once.

        Returns:
            NumPy array `(batch, height, width, features)`, or `(batch,
            features)` if pooled.

        Raises:
            TypeError: if the values are not integers.
            ValueError: if shape, range, layer or pooling are wrong.
        """
        images = check_images(images, self.image_shape, self.num_levels)
        batch_size = check_size("batch_size", batch_size)
        model = self.feature_model(layer, pooling)
        features = self.sampler.programs.run(
            ("features", layer, pooling),
            lambda: lambda images: model(images, training=False),
            images,
            batch_size,
            any_size=True,
        )
        empty = np.zeros((0, *model.outputs[0].shape[1:]), "float32")
        return np.concatenate(list(features) or [empty])

    def feature_model(self, layer=None, pooling=None):
        """The `keras.Model` behind `features`, to be trained further.

        See `features` for the arguments.

        Returns:
            `keras.Model` from images to features; it shares the weights.
        """
        made = vars(self._untracked).setdefault("feature_models", {})
        if (layer, pooling) not in made:
            made[layer, pooling] = feature_model(self, layer, pooling)
        return made[layer, pooling]

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Write the model for use without this package, sampler included.

        Args:
            filepath: folder to write.
            format: "tf_saved_model" or "onnx".
            **kwargs: arguments of `keras_pixel.export.saved_model` or
                `keras_pixel.export.onnx`.

        Raises:
            ValueError: if there is no such format.
        """
        from keras_pixel import export

        formats = {"tf_saved_model": export.saved_model, "onnx": export.onnx}
        if format not in formats:
            raise ValueError(
                f"`format` must be one of {list(formats)}. "
                f"Received: format={format!r}"
            )
        return formats[format](self, filepath, **kwargs)

    # === Presets ===

    def save_preset(self, path, **kwargs):
        """Write a preset folder; `keras_pixel.load(path)` gives it back.

        See `keras_pixel.presets.save_preset` for the arguments.
        """
        return presets.save_preset(self, path, **kwargs)

    def get_config(self):
        if "outputs" not in self._arguments:
            config = {
                name: keras.activations.serialize(value)
                if callable(value)
                else value
                for name, value in self._arguments.items()
            }
            return {"name": self.name, **config}
        # A user's own graph.
        graph = keras.Model(self.inputs, self.outputs, name=self.name)
        return {
            "name": self.name,
            "distribution": keras.saving.serialize_keras_object(
                self.pixel_distribution
            ),
            "graph": keras.saving.serialize_keras_object(graph),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        if "graph" not in config:
            return super().from_config(config, custom_objects)
        config = dict(config)
        graph = keras.saving.deserialize_keras_object(
            config.pop("graph"), custom_objects
        )
        if "distribution" in config:
            config["distribution"] = keras.saving.deserialize_keras_object(
                config["distribution"], custom_objects
            )
        return cls(graph.inputs[0], graph.outputs[0], **config)


class _Untracked:
    """Helpers of a model that are neither its layers nor its weights."""

    sampler = None
    bits_per_dim = None


def _images_of(batch):
    if isinstance(batch, dict):
        if "images" not in batch:
            raise ValueError(
                'A data set\'s dictionaries must have the key "images". '
                f"Received: keys={sorted(batch)}"
            )
        return batch["images"]
    return batch
