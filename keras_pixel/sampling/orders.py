"""The border between images and the order in which a model draws them."""

import numpy as np

from keras_pixel.checks import did_you_mean
from keras_pixel.checks import is_integer
from keras_pixel.layers.reorder import Reorder
from keras_pixel.layers.reorder import check_orders
from keras_pixel.layers.reorder import reorder
from keras_pixel.order import from_order
from keras_pixel.order import into_order

# What programs are given by pixel.
_BY_PIXEL = ("images", "known", "noise", "resamples", "resampling_noise")


def orders_of(model):
    """The raster orders of a Functional model, by its `Reorder` layers."""
    for layer in model.layers:
        if isinstance(layer, Reorder) and layer.inverse:
            return layer.orders
    return check_orders(None)


class Border:
    """Turns what programs are given into a model's orders, and back.

    Args:
        model: Functional model from images, and conditions, to parameters.

    Attributes:
        orders: tuple of names.
        is_crossed: bool. Whether anything is turned.
    """

    def __init__(self, model):
        self.orders = orders_of(model)
        self.is_crossed = self.orders != check_orders(None)
        self._place = None
        if len(self.orders) > 1:
            self._place = [x.name for x in model.inputs[1:]].index("order")

    def turn(self, values, inputs, inverse=False, axis=1):
        """What is by pixel turned into the orders of a program's images.

        Args:
            values: tensor `(batch, …)`.
            inputs: of the program, a dict.
            inverse: bool. Whether to turn back. Defaults to `False`.
            axis: int, of the rows. Defaults to `1`.
        """
        if not self.is_crossed:
            return values
        index = None
        if self._place is not None:
            index = inputs["conditions"][self._place]
        return reorder(values, self.orders, index, inverse, axis)

    def enter(self, inputs):
        """A program's inputs with all that is by pixel turned."""
        turned = {
            name: self.turn(value, inputs, axis=_rows(value))
            for name, value in inputs.items()
            if name in _BY_PIXEL
        }
        return {**inputs, **turned}

    def leave(self, result, inputs):
        """A program's images, alone or in a dict, turned back.

        Args:
            result: tensor `(batch, …, height, width, channels)`, or a dict
                with such as "images".
            inputs: of the program.
        """
        if not self.is_crossed:
            return result
        if isinstance(result, dict):
            return {**result, "images": self.leave(result["images"], inputs)}
        return self.turn(result, inputs, inverse=True, axis=_rows(result))


def _rows(values):
    """The axis of the rows: several candidates have an axis before it."""
    return 2 if len(values.shape) == 5 else 1


def order_index(order, count, orders):
    """Check orders, and give the index of each image's.

    Args:
        order: name of an order, or a list of one for each image; or indices.
        count: int. Images.
        orders: tuple of the model's orders.

    Returns:
        int32 array `(count,)`.

    Raises:
        ValueError: if the model has no such order, or there are too many or
            too few.
    """
    one = np.ndim(order) == 0
    given = [order] if one else list(order)
    found = []
    for value in given:
        known = isinstance(value, str) and value in orders
        if not known and not (is_integer(value) and 0 <= value < len(orders)):
            raise ValueError(
                f"`order` must be one of the model's: {list(orders)}. "
                f"Received: order={value!r}.{did_you_mean(str(value), orders)}"
            )
        found.append(orders.index(value) if known else value)
    if not one and len(found) != count:
        raise ValueError(
            "`order` must be one for all images or one for each of the "
            f"{count}. Received: {len(found)}. Give as many as there are "
            "images."
        )
    return np.broadcast_to(np.array(found, "int32"), (count,))


def turn_each(values, order, inverse=False):
    """Arrays `(height, width, …)` of images turned, each into its order.

    Args:
        values: array `(batch, height, width, …)`.
        order: sequence of names, one for each image.
        inverse: bool. Whether to turn back. Defaults to `False`.
    """
    turn = from_order if inverse else into_order
    pairs = zip(values, order, strict=True)
    turned = [turn(np, x, name, axis=0) for x, name in pairs]
    return np.stack(turned) if turned else values
