"""Training of models of integer images: the loss is built in."""

import keras
from keras import ops

from keras_pixel.compiled import default_jit_compile
from keras_pixel.distributions import PixelDistribution
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.models.training_data import TrainingData
from keras_pixel.models.training_data import check_targets
from keras_pixel.models.training_data import images_of
from keras_pixel.models.training_data import takes_shuffle
from keras_pixel.sampling import Conditions


class TrainableModel(keras.Model):
    """Base class: a Keras model that is trained on images alone.

    The images are their own targets, and the loss is their negative
    log-probability. A subclass calls `keras.Model.__init__` with a graph from
    images to the parameters of a distribution, and provides what follows;
    nothing else of it is used here.

    Attributes:
        image_shape: `(height, width, channels)`.
        num_levels: int. Levels of a sub-pixel.
        pixel_distribution: the `PixelDistribution` of the output.
        conditions: `Conditions`, what the model is told beside the images.
    """

    image_shape: tuple[int, int, int]
    num_levels: int
    pixel_distribution: PixelDistribution
    # The metric of `compile`.
    _bits_per_dim: keras.metrics.Mean | None = None

    @property
    def conditions(self) -> Conditions:
        """What the model is told beside the images."""
        raise NotImplementedError

    def clear_programs(self):
        """Drop the functions compiled for this model; `compile` calls it."""
        raise NotImplementedError

    def compile(self, optimizer="adam", jit_compile="auto", **kwargs):
        """Configure training; the loss is built in.

        The loss is the negative log-probability in nats per dimension
        (sub-pixel), the metric `bits_per_dim` the same in bits.

        Args:
            optimizer: as in `keras.Model.compile`.
            jit_compile: as there, except that `"auto"` is False on
                TensorFlow without a GPU, where XLA trains slower.
            **kwargs: other arguments of `keras.Model.compile`, but no loss
                and no metrics.

        Raises:
            ValueError: if a loss or metrics are given.
        """
        if kwargs.pop("loss", None) is not None:
            raise ValueError(
                "`loss` is built in (negative log-probability, nats per "
                "dimension) and must not be given. Leave it out."
            )
        for name in ("metrics", "weighted_metrics", "loss_weights"):
            given = kwargs.pop(name, None)
            if given:
                raise ValueError(
                    f"`{name}` must not be given: the images are their own "
                    "targets, and `bits_per_dim` is reported. "
                    f"Received: {name}={given!r}. Leave it out; measure "
                    "more in a callback."
                )
        if jit_compile == "auto":
            jit_compile = default_jit_compile() and "auto"
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        # Past Keras, which would report it twice.
        object.__setattr__(
            self, "_bits_per_dim", keras.metrics.Mean("bits_per_dim")
        )
        self.clear_programs()

    def compile_from_config(self, config):
        # Keras leaves this to models with a `compile` of their own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        own = [] if self._bits_per_dim is None else [self._bits_per_dim]
        return super().metrics + own

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        **kwargs,
    ):
        """Train the model, as `keras.Model.fit` does.

        Args:
            x: array of integer levels `(images, height, width, channels)`,
                or `{"images": …, "labels": …, "condition": …}` with what the
                model is told, or what `keras_pixel.data.load_data` gives, or
                a set of batches of these: a `tf.data.Dataset`, a
                `keras.utils.PyDataset`, a generator. Sets may also yield
                `(images, class ids)` and `(images, class ids, sample
                weights)`.
            y: class ids `(images,)`: the labels, unless `x` has them. A model
                without labels ignores them.
            sample_weight: array `(images,)`. What each image counts.
            batch_size, epochs, verbose, callbacks, validation_split,
            validation_data, shuffle, class_weight, **kwargs: as in
                `keras.Model.fit`; `validation_data` may be anything that `x`
                may be.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if their shape or range is wrong, or `y` holds no
                class ids.
        """
        data = TrainingData(self.image_shape, self.num_levels, self.conditions)
        x, y, sample_weight = data.prepare(x, y, sample_weight, class_weight)
        if validation_data is not None:
            validation_data = data.prepare_validation(validation_data)
        with data.own_errors():
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle and takes_shuffle(x),
                class_weight=class_weight,
                sample_weight=sample_weight,
                **kwargs,
            )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """Mean loss and bits/dim, as `keras.Model.evaluate` gives them.

        See `fit` for the data and `keras.Model.evaluate` for the rest.
        """
        data = TrainingData(self.image_shape, self.num_levels, self.conditions)
        if not kwargs.get("_use_cached_eval_dataset"):  # checked by `fit`
            x, y, sample_weight = data.prepare(x, y, sample_weight)
        with data.own_errors():
            return super().evaluate(
                x,
                y,
                batch_size=batch_size,
                verbose=verbose,
                sample_weight=sample_weight,
                steps=steps,
                callbacks=callbacks,
                return_dict=return_dict,
                **kwargs,
            )

    def train_on_batch(
        self,
        x,
        y=None,
        sample_weight=None,
        class_weight=None,
        return_dict=False,
    ):
        """One step of training, as `keras.Model.train_on_batch` makes it.

        See `fit` for the data.
        """
        data = TrainingData(self.image_shape, self.num_levels, self.conditions)
        x, y, sample_weight = data.prepare(x, y, sample_weight, class_weight)
        return super().train_on_batch(
            x,
            y,
            sample_weight=sample_weight,
            class_weight=class_weight,
            return_dict=return_dict,
        )

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Loss and bits/dim of one batch, as in `keras.Model`.

        See `fit` for the data.
        """
        data = TrainingData(self.image_shape, self.num_levels, self.conditions)
        x, y, sample_weight = data.prepare(x, y, sample_weight)
        return super().test_on_batch(
            x, y, sample_weight=sample_weight, return_dict=return_dict
        )

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss of a batch: mean nats per dimension.

        Args:
            x: integer levels, or a dict with them as `"images"`.
            y: ignored, see `fit`.
            y_pred: parameters that the network gave for `x`.
            sample_weight: tensor `(batch,)`, or `None`.
            training: not used.

        Returns:
            float32 tensor `()`.

        Raises:
            RuntimeError: before `compile`.
        """
        if self._bits_per_dim is None:
            raise RuntimeError(
                "`compile` must be called before the loss is computed. "
                "Received: a model that was not compiled. Call "
                "`model.compile()`, or use `log_prob`."
            )
        check_targets(y)
        images = images_of(x)
        log_prob = self.pixel_distribution.log_prob(y_pred, images)
        nats = -ops.mean(log_prob, axis=(1, 2, 3))  # (batch,)
        self._bits_per_dim.update_state(
            nats_to_bits_per_dim(nats, 1), sample_weight=sample_weight
        )
        if sample_weight is not None:
            weight = ops.cast(sample_weight, nats.dtype)
            # A batch of weights 0 has nothing to teach.
            loss = ops.divide_no_nan(ops.sum(nats * weight), ops.sum(weight))
        else:
            loss = ops.mean(nats)
        for extra in self.losses:  # users' regularisers
            loss = loss + ops.cast(extra, loss.dtype)
        return loss

    def __call__(self, inputs, *args, **kwargs):
        return super().__call__(self._told(inputs), *args, **kwargs)

    def call(self, inputs, training=None, mask=None):
        # `training` is named here because Keras hands it on only where it is:
        # without it dropout never acts.
        return super().call(self._told(inputs), training=training, mask=mask)

    def _told(self, inputs):
        """A batch of a data set as the network takes it."""
        if isinstance(inputs, (list, tuple)):
            return inputs
        return self.conditions.network_inputs(inputs, images_of(inputs))
