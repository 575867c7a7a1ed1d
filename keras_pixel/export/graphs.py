"""What is exported, as TensorFlow functions whose batch size is free."""

import functools
import math

import keras
import numpy as np

from keras_pixel.compiled import call_model
from keras_pixel.layers.buffers import as_portable
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.sampling import drawing_program

# The largest float32 below 1: noise of 1 would lie above every level.
_BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
# Below this the most probable level is drawn anyway.
LOWEST_TEMPERATURE = 1e-4
# Above this all levels are as good as equally probable.
HIGHEST_TEMPERATURE = 1e30
# Conditions that are numbers of something.
_IDS = ("labels", "order")


class Graphs:
    """The functions of a model that are exported.

    Every input has the batch as its first dimension. Bad values cannot be
    refused without failing the requests of others in the same batch, so each
    row stands for itself: a row whose levels are out of range scores NaN,
    and what is drawn from, or around, is brought into range: see
    `noise_in_range`, `temperature_in_range` and `levels_in_range`.

    Every function takes what the model is told beside the images by its name
    (see `condition_specs`). A row whose label or order is out of range scores
    NaN too; elsewhere it is brought into range: see `conditions_in_range`.

    Args:
        model: `PixelModel`.
        xla: bool. Compile the sampler by XLA. Defaults to `False`.
    """

    def __init__(self, model, xla=False):
        import tensorflow as tf

        self.model = model
        self.image_shape = tuple(model.image_shape)
        self.noise_shape = tuple(model.noise_shape)
        self.condition_specs = condition_specs(model)
        batch = {
            "noise": tf.TensorSpec((None, *self.noise_shape), "float32"),
            "temperature": tf.TensorSpec((None,), "float32"),
            "images": tf.TensorSpec((None, *self.image_shape), "int32"),
            "known": tf.TensorSpec((None, *self.image_shape[:2]), "bool"),
        }
        if self.condition_specs:
            batch["conditions"] = self.condition_specs
        program = drawing_program(model, model.pixel_distribution)
        # One graph for all signatures that draw.
        self._draw = tf.function(
            program if xla else as_portable(program),
            input_signature=[batch],
            autograph=False,
            jit_compile=xla or None,
        )

    def signatures(self):
        """Function and input specifications of every signature.

        Returns:
            Dict from a signature's name to (function, list of TensorSpec).
        """
        import tensorflow as tf

        images = tf.TensorSpec((None, *self.image_shape), "uint8", "images")
        mask = tf.TensorSpec((None, *self.image_shape[:2]), "uint8", "mask")
        noise = tf.TensorSpec((None, *self.noise_shape), "float32", "noise")
        seed = tf.TensorSpec((None,), "int32", "seed")
        temperature = tf.TensorSpec((None,), "float32", "temperature")
        found = {
            "serving_default": (self.score, [images]),
            "logits": (self.logits, [images]),
            "sample": (self.sample, [seed, temperature]),
            "sample_from_noise": (
                self.sample_from_noise,
                [noise, temperature],
            ),
            "complete": (self.complete, [images, mask, seed, temperature]),
        }
        if self.model.feature_layers:  # a baseline has none
            found["features"] = (self.features, [images])
        return {
            name: (function, [*specs, *self.condition_specs])
            for name, (function, specs) in found.items()
        }

    def score(self, images, **conditions):
        """Nats and bits/dim of each image."""
        return self._scored(call_model, images, conditions)

    def score_portably(self, images, **conditions):
        """The same, whose loops convert to ONNX as well as the sampler's."""
        return self._scored(as_portable(call_model), images, conditions)

    def logits(self, images, **conditions):
        """Logits of every level of every sub-pixel."""
        levels, told, _ = self._in_range(images, conditions)
        parameters = call_model(self.model, levels, told)
        distribution = self.model.pixel_distribution
        return {"logits": distribution.level_logits(parameters)}

    def features(self, images, **conditions):
        """The last hidden features of every pixel."""
        levels, told, _ = self._in_range(images, conditions)
        # Made from a list of inputs, also where there is one only.
        features = self.model.feature_model()([levels, *told], training=False)
        return {"features": features}

    def sample(self, seed, temperature, **conditions):
        """New images; each depends on its own seed alone."""
        noise = self.noise(seed)
        return self.sample_from_noise(noise, temperature, **conditions)

    def sample_from_noise(self, noise, temperature, **conditions):
        """New images, the same for the same noise."""
        import tensorflow as tf

        images = tf.zeros_like(noise, "int32")
        known = images[..., 0] > 0
        return self._drawn(noise, temperature, images, known, conditions)

    def complete(self, images, mask, seed, temperature, **conditions):
        """Images whose pixels of mask 0 are drawn; the others are kept."""
        import tensorflow as tf

        known = mask > 0
        levels = levels_in_range(images, self.model.num_levels)
        images = tf.where(known[..., None], levels, 0)
        noise = self.noise(seed)
        return self._drawn(noise, temperature, images, known, conditions)

    def noise(self, seed):
        """Uniform noise; each row depends on its own seed alone."""
        return noise_of_seeds(seed, self.noise_shape)

    def _drawn(self, noise, temperature, images, known, conditions):
        import tensorflow as tf

        inputs = {
            "noise": noise_in_range(noise),
            "temperature": temperature_in_range(temperature),
            "images": images,
            "known": known,
        }
        if conditions:
            inputs["conditions"] = conditions_in_range(self.model, conditions)
        return {"images": tf.cast(self._draw(inputs), "uint8")}

    def _scored(self, call, images, conditions):
        import tensorflow as tf

        levels, told, is_valid = self._in_range(images, conditions)
        parameters = call(self.model, levels, told)
        # Not by the TFP object: that of a mixture computes every level's mass.
        log_prob = self.model.pixel_distribution.log_prob(parameters, levels)
        return self.with_bits(tf.reduce_sum(log_prob, (1, 2, 3)), is_valid)

    def _in_range(self, images, conditions):
        """Levels and conditions, and which rows were in range before."""
        import tensorflow as tf

        levels = levels_in_range(images, self.model.num_levels)
        is_valid = tf.reduce_all(
            levels == tf.cast(images, "int32"), axis=(1, 2, 3)
        )
        told = conditions_in_range(self.model, conditions)
        names = self.model.conditions.names
        for name, value in zip(names, told, strict=True):
            if name in _IDS:
                is_valid &= conditions[name] == value
        return levels, told, is_valid

    def with_bits(self, log_prob, is_valid):
        """Scores of images; NaN where an image is not valid."""
        import tensorflow as tf

        log_prob = tf.where(is_valid, log_prob, math.nan)
        bits = nats_to_bits_per_dim(-log_prob, math.prod(self.image_shape))
        return {"log_prob": log_prob, "bits_per_dim": bits}


def noise_of_seeds(seed, shape):
    """Uniform noise; each row depends on its own seed alone.

    Args:
        seed: int32 tensor `(batch,)`.
        shape: tuple, of a row.

    Returns:
        float32 tensor `(batch, *shape)`.
    """
    import tensorflow as tf

    uniform = functools.partial(
        tf.random.stateless_uniform, shape, alg="philox"
    )
    return tf.map_fn(
        lambda one: uniform(seed=tf.stack([one, tf.zeros_like(one)])),
        seed,
        fn_output_signature=tf.TensorSpec(shape, "float32"),
    )


def noise_in_range(noise):
    """Noise clipped to [0, 1); 0.5 where it is not a number."""
    import tensorflow as tf

    noise = tf.where(tf.math.is_nan(noise), 0.5, noise)
    # A float64 close to 1 becomes 1 as a float32.
    return tf.clip_by_value(noise, 0.0, _BELOW_ONE)


def temperature_in_range(temperature):
    """Temperature clipped to what divides; 1 where it is not a number."""
    import tensorflow as tf

    temperature = tf.where(tf.math.is_nan(temperature), 1.0, temperature)
    return tf.clip_by_value(
        temperature, LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE
    )


def levels_in_range(images, num_levels):
    """Levels as int32, those above the highest clipped to it."""
    import tensorflow as tf

    return tf.minimum(tf.cast(images, "int32"), num_levels - 1)


def condition_specs(model, batch_size=None):
    """What a model is told beside the images: labels, a context, an order.

    Args:
        model: `PixelModel`.
        batch_size: int. Defaults to `None`, any.

    Returns:
        List of `tf.TensorSpec`, empty for a model of images only.
    """
    import tensorflow as tf

    return [
        tf.TensorSpec(
            (batch_size, *x.shape[1:]),
            # Whatever a graph of one's own casts them to.
            "int32" if x.name in _IDS else x.dtype,
            x.name,
        )
        for x in model.inputs[1:]
    ]


def conditions_in_range(model, given):
    """What a model is told beside the images, as it takes it.

    Args:
        model: `PixelModel`.
        given: dict of tensors, among them the conditions by their names.

    Returns:
        List of tensors; labels and orders that do not exist are replaced by
        the nearest.
    """
    import tensorflow as tf

    conditions = model.conditions
    found = {name: given[name] for name in conditions.names}
    numbers = {"order": len(conditions.orders)}
    if "labels" in found:
        numbers["labels"] = conditions.num_labels
    for name in {*numbers} & {*found}:
        found[name] = tf.clip_by_value(found[name], 0, numbers[name] - 1)
    return list(found.values())


def check_exportable(model):
    """Refuse what cannot be exported.

    Raises:
        TypeError: if `model` is no `PixelModel`.
        RuntimeError: if Keras does not run on TensorFlow.
        ImportError: if TensorFlow is missing.
    """
    if not hasattr(model, "pixel_distribution"):
        raise TypeError(
            "`model` must be a `keras_pixel.PixelModel`. "
            f"Received: {type(model).__name__}. Wrap a Functional graph as "
            "`PixelModel(inputs, outputs, num_levels=num_levels)`."
        )
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Export needs Keras to run on TensorFlow. "
            f"Received: backend={keras.backend.backend()!r}. Save a preset, "
            "and export it in a process with KERAS_BACKEND=tensorflow."
        )
