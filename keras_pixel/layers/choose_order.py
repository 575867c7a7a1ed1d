import keras
from keras import ops

from keras_pixel.checks import check_size


@keras.saving.register_keras_serializable(package="keras_pixel")
class ChooseOrder(keras.layers.Layer):
    """Chooses an order for images that come without one.

    The index `num_orders` stands for "any": in training such an image gets a
    random order, otherwise the images of a batch take all orders in turn.

    Args:
        num_orders: int, at least 1.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        index: integer tensor, of orders, or `num_orders`.
        training: bool. Whether orders are drawn.

    Input shape:
        `(batch,)`

    Output shape:
        `(batch,)`

    Raises:
        ValueError: if `num_orders` is out of range.

    Example:

    >>> import numpy as np
    >>> np.asarray(ChooseOrder(2)(np.array([1, 2, 2, 2]))).tolist()
    [1, 1, 0, 1]
    """

    def __init__(self, num_orders, **kwargs):
        super().__init__(**kwargs)
        self.num_orders = check_size("num_orders", num_orders)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, index, training=False):
        if training:
            chosen = keras.random.randint(
                ops.shape(index), 0, self.num_orders, seed=self.seed_generator
            )
        else:
            chosen = ops.arange(ops.shape(index)[0], dtype="int32")
            chosen = chosen % self.num_orders
        chosen = ops.cast(chosen, index.dtype)
        return ops.where(index == self.num_orders, chosen, index)

    def compute_output_spec(self, index, training=False):
        return keras.KerasTensor(index.shape, index.dtype)

    def get_config(self):
        return {**super().get_config(), "num_orders": self.num_orders}
