import keras
from keras import ops

from keras_pixel import order as raster
from keras_pixel.checks import did_you_mean


@keras.saving.register_keras_serializable(package="keras_pixel")
class Reorder(keras.layers.Layer):
    """Turns images so that another raster order becomes the usual one.

    A network that predicts each value from those before it, row after row
    from the top left, so predicts in any of the eight orders of
    `keras_pixel.order.ORDERS`: between `Reorder(orders)` of the images and
    `Reorder(orders, inverse=True)` of its parameters. Maps that the network
    is told are to be turned likewise.

    Source: for several orders in one network Jain, Abbeel and Pathak, 2020,
    "Locally Masked Convolution for Autoregressive Models",
    https://arxiv.org/abs/2006.12486, section 4. Differs from it: there the
    masks change, here the images.

    Args:
        orders: name of an order, such as "left_up", or a list of several,
            among which the second input chooses.
        inverse: bool. Whether to turn back. Defaults to `False`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: tensor; with several orders a list of it and of an integer
            tensor `(batch,)`, the index in `orders` of each image.

    Input shape:
        `(batch, height, width, …)`; square if an order goes by columns.

    Output shape:
        That of the (first) input.

    Raises:
        ValueError: if an order does not exist or does not fit the shape.

    Example:

    >>> import numpy as np
    >>> images = np.arange(4).reshape(1, 2, 2, 1)
    >>> turned = Reorder("left_down")(images)
    >>> np.asarray(turned)[0, :, :, 0].tolist()
    [[1, 0], [3, 2]]
    """

    def __init__(self, orders, inverse=False, **kwargs):
        kwargs.setdefault("autocast", False)  # levels stay what they are
        super().__init__(**kwargs)
        self.orders = check_orders(orders)
        self.inverse = bool(inverse)

    def build(self, input_shape):
        shape = input_shape[0] if len(self.orders) > 1 else input_shape
        check_orders(self.orders, shape[1:])

    def call(self, inputs):
        if len(self.orders) > 1:
            images, index = inputs
        else:
            images, index = inputs, None
        return reorder(images, self.orders, index, self.inverse)

    def compute_output_spec(self, inputs):
        images = inputs[0] if len(self.orders) > 1 else inputs
        return keras.KerasTensor(images.shape, images.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "orders": list(self.orders),
            "inverse": self.inverse,
        }


def check_orders(orders, image_shape=None):
    """Return the names of orders as a tuple.

    Args:
        orders: name, or a sequence of some; `None` for "right_down".
        image_shape: `(height, width, …)`. Defaults to `None`: not checked.

    Raises:
        ValueError: if there is no such order, or one is named twice, or goes
            by columns in images that are not square.
    """
    if orders is None:
        return raster.ORDERS[:1]
    names = (orders,)
    if isinstance(orders, (list, tuple)):
        names = tuple(orders)
    known = list(raster.ORDERS)
    for name in names:
        if name not in known:
            raise ValueError(
                f"`orders` must be one or several of {known}. Received: "
                f"orders={orders!r}.{did_you_mean(str(name), known)}"
            )
    if not names or len({*names}) < len(names):
        raise ValueError(
            "`orders` must name at least one order, and each one once. "
            f"Received: orders={orders!r}"
        )
    if image_shape is not None and image_shape[0] != image_shape[1]:
        columns = [name for name in names if raster.is_transposed(name)]
        if columns:
            raise ValueError(
                "`orders` that go by columns need square images. "
                f"Received: orders={columns}, image_shape="
                f"{tuple(image_shape)}. Use "
                f"{[x for x in known if not raster.is_transposed(x)]}."
            )
    return names


def reorder(images, orders, index=None, inverse=False, axis=1):
    """Images turned into their orders, or back.

    Args:
        images: tensor `(batch, …)`.
        orders: tuple of names.
        index: integer tensor `(batch,)`, of `orders`; not used with one.
        inverse: bool. Defaults to `False`.
        axis: int, of the rows. Defaults to `1`.
    """
    turn = raster.from_order if inverse else raster.into_order
    found = turn(ops, images, orders[0], axis)
    for i, order in enumerate(orders[1:], 1):
        chosen = ops.reshape(index == i, (-1, *[1] * (len(images.shape) - 1)))
        found = ops.where(chosen, turn(ops, images, order, axis), found)
    return found
