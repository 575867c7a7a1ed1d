"""What all models share: a graph, its config, its features."""

from typing import Any

import keras
import numpy as np

from keras_pixel.checks import check_images
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_size
from keras_pixel.compiled import call_model
from keras_pixel.distributions import Categorical
from keras_pixel.distributions import PixelDistribution
from keras_pixel.models.arguments import constructor_arguments
from keras_pixel.models.arguments import under_dtype_policy
from keras_pixel.models.conditioning import check_conditioning
from keras_pixel.models.drawable import DrawableModel
from keras_pixel.models.features import feature_layers
from keras_pixel.models.features import feature_model
from keras_pixel.models.publishable import PublishableModel
from keras_pixel.models.scorable import ScorableModel
from keras_pixel.models.trainable import TrainableModel
from keras_pixel.sampling import Conditions
from keras_pixel.sampling import Sampler
from keras_pixel.sampling import orders_of
from keras_pixel.sampling.condition_checks import check_class_names


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelModel(
    ScorableModel, DrawableModel, PublishableModel, TrainableModel
):
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
    def sampler(self):
        """The `Sampler` derived from this model's graph."""
        return self._untracked.sampler

    def clear_programs(self):
        self.sampler.programs.clear()

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

    # === Features ===

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

    # === Config ===

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
