import keras
from keras import ops

from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size


@keras.saving.register_keras_serializable(package="keras_pixel")
class LabelEmbedding(keras.layers.Layer):
    """Embeds class ids: a trainable vector for each class.

    With `dropout` there is one more id, `num_classes`, for "no label". In
    training it takes the place of a label at that rate, so that a model
    learns to do without, as guidance needs it.

    Source: for the dropout Ho and Salimans, 2021, "Classifier-Free Diffusion
    Guidance", algorithm 1, https://arxiv.org/abs/2207.12598.

    Args:
        num_classes: int, at least 1.
        features: int. Features of a vector.
        dropout: float. How often a label is left out in training. Defaults to
            `0.0`: never, and there is no id for it.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        labels: integer tensor, ids of classes.
        training: bool. Whether labels are left out.

    Input shape:
        `(batch,)`

    Output shape:
        `(batch, 1, 1, features)`: the same for all pixels.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import numpy as np
    >>> tuple(LabelEmbedding(10, 16)(np.array([3, 7])).shape)
    (2, 1, 1, 16)
    """

    def __init__(self, num_classes, features, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = check_size("num_classes", num_classes)
        self.features = check_size("features", features)
        self.dropout = check_probability("dropout", dropout)
        if self.dropout:
            self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        self.vectors = self.add_weight(
            name="vectors",
            shape=(self.num_classes + bool(self.dropout), self.features),
            initializer="random_normal",
        )

    def call(self, labels, training=False):
        if training and self.dropout:
            noise = keras.random.uniform(
                ops.shape(labels), dtype="float32", seed=self.seed_generator
            )
            labels = ops.where(noise < self.dropout, self.num_classes, labels)
        vectors = ops.convert_to_tensor(self.vectors)
        found = ops.take(vectors, labels, axis=0)  # (batch, features)
        return found[:, None, None, :]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1, 1, self.features)

    def compute_output_spec(self, labels, training=False):
        return keras.KerasTensor(
            self.compute_output_shape(labels.shape), self.compute_dtype
        )

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "features": self.features,
            "dropout": self.dropout,
        }
