"""How labels and other conditions enter a family's network.

Class ids become a vector; any other context goes through an encoder, a
`keras.Model`, to a vector or to a map. Vectors scale and shift the features of
every block (see `ScaleShift`), maps are added to them. All this starts at
zero: at first the condition changes nothing, so a trained model without
conditions can be given some.

The order in which a network goes through the pixels is such a vector too,
where it knows several.
"""

import keras

from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.layers import ChooseOrder
from keras_pixel.layers import LabelEmbedding
from keras_pixel.layers import Reorder
from keras_pixel.layers import ScaleShift
from keras_pixel.layers.reorder import check_orders

# Features of the vector that a class id becomes.
_LABEL_FEATURES = 64


class Conditioning:
    """The inputs of a model beside its images, and their way into features.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: int. Classes that a model may be told, or `None`.
        label_dropout: float, see `LabelEmbedding`.
        condition: `keras.Model`, the encoder of any other context: from one
            input to a vector `(batch, features)` or a map `(batch, height,
            width, features)`, or several of them. `None` for none.
        orders: name of a raster order (`keras_pixel.order.ORDERS`), or a
            sequence of several. `None` for the usual one.

    Attributes:
        inputs: list of `keras.Input`, named "labels", "condition" and
            "order".
    """

    def __init__(
        self, image_shape, num_classes, label_dropout, condition, orders
    ):
        check_conditioning(num_classes, label_dropout)
        self._orders = check_orders(orders, image_shape)
        self._order = None
        self.inputs = []
        vectors, maps = [], []
        if num_classes is not None:
            labels = keras.Input((), dtype="int32", name="labels")
            self.inputs.append(labels)
            vectors.append(
                LabelEmbedding(
                    num_classes,
                    _LABEL_FEATURES,
                    label_dropout,
                    name="label_embedding",
                )(labels)
            )
        if condition is not None:
            given = _check_encoder(condition)
            context = keras.Input(
                given.shape[1:], dtype=given.dtype, name="condition"
            )
            self.inputs.append(context)
            for i, x in enumerate(keras.tree.flatten(condition(context))):
                if len(x.shape) == 2:
                    shape = (1, 1, x.shape[-1])
                    name = f"condition_vector_{i + 1}"
                    vectors.append(keras.layers.Reshape(shape, name=name)(x))
                elif tuple(x.shape[1:3]) == tuple(image_shape[:2]):
                    maps.append(x)
                else:
                    raise ValueError(
                        "`condition` must give vectors (batch, features) or "
                        "maps (batch, height, width, features) of the image's "
                        f"size {tuple(image_shape[:2])}. "
                        f"Received: an output of shape {tuple(x.shape)}. Let "
                        "the encoder resize it, or end in a global pooling."
                    )
        if len(self._orders) > 1:
            order = keras.Input((), dtype="int32", name="order")
            self.inputs.append(order)
            choose = ChooseOrder(len(self._orders), name="choose_order")
            self._order = choose(order)
            embed = LabelEmbedding(
                len(self._orders), _LABEL_FEATURES, name="order_embedding"
            )
            vectors.append(embed(self._order))
        maps = [
            self._reordered(x, f"reorder_map_{i + 1}")
            for i, x in enumerate(maps)
        ]
        self._vector = _joined(vectors, "condition_vectors")
        self._maps = [_joined(maps, "condition_maps")]

    def into_order(self, images):
        """The images as the network goes through them."""
        return self._reordered(images, "into_order")

    def from_order(self, parameters):
        """The network's parameters in the places of the images."""
        return self._reordered(parameters, "from_order", inverse=True)

    def _reordered(self, x, name, inverse=False):
        if self._orders == check_orders(None):
            return x
        reorder = Reorder(self._orders, inverse, name=name)
        return reorder(x if self._order is None else [x, self._order])

    def __call__(self, x, name, level=0):
        """Features that know of the condition.

        Args:
            x: symbolic tensor `(batch, rows, columns, features)`.
            name: what the names of the layers start with.
            level: int. How many times rows and columns were halved. Defaults
                to `0`.

        Returns:
            Symbolic tensor of the shape of `x`.
        """
        features = x.shape[-1]
        if self._vector is not None:
            change = _projected(self._vector, 2 * features, f"{name}_vector")
            x = ScaleShift(name=f"{name}_scale_shift")([x, change])
        if self._maps[0] is not None:
            change = _projected(self._map(level), features, f"{name}_map")
            x = keras.layers.Add(name=f"{name}_add_map")([x, change])
        return x

    def gates(self, features, name):
        """What is added to the inputs of gates.

        Args:
            features: int.
            name: what the names of the layers start with.

        Returns:
            List of one symbolic tensor `(batch, rows, columns, features)`,
            where rows and columns may be 1; empty without a condition.
        """
        parts = []
        if self._vector is not None:
            parts.append(_projected(self._vector, features, f"{name}_vector"))
        if self._maps[0] is not None:
            parts.append(_projected(self._maps[0], features, f"{name}_map"))
        if len(parts) > 1:
            parts = [keras.layers.Add(name=f"{name}_add")(parts)]
        return parts

    def _map(self, level):
        while len(self._maps) <= level:
            pool = keras.layers.AveragePooling2D(
                2, padding="same", name=f"condition_maps_{len(self._maps)}"
            )
            self._maps.append(pool(self._maps[-1]))
        return self._maps[level]


def check_conditioning(num_classes, label_dropout):
    """Check what is said of labels.

    Raises:
        ValueError: unless both fit each other.
    """
    if num_classes is not None:
        check_size("num_classes", num_classes, 2)
    if check_probability("label_dropout", label_dropout):
        if num_classes is None:
            raise ValueError(
                "`label_dropout` needs `num_classes`: without labels there is "
                f"nothing to leave out. Received: label_dropout="
                f"{label_dropout}, num_classes=None. Give `num_classes`."
            )


def _check_encoder(condition):
    """The input of an encoder, which must be one, of a known shape."""
    inputs = getattr(condition, "inputs", None) or []
    if not isinstance(condition, keras.Model) or len(inputs) != 1:
        raise ValueError(
            "`condition` must be a `keras.Model` with one input, which turns "
            "a context into a vector or a map. "
            f"Received: condition={condition!r}. Wrap it: "
            "`keras.Model(context, features)`."
        )
    if None in inputs[0].shape[1:]:
        raise ValueError(
            "`condition` must have an input of a known shape. "
            f"Received: {tuple(inputs[0].shape)}. Say all its axes."
        )
    return inputs[0]


def _joined(tensors, name):
    if len(tensors) > 1:
        return keras.layers.Concatenate(name=name)(tensors)
    return tensors[0] if tensors else None


def _projected(x, features, name):
    dense = keras.layers.Dense(features, kernel_initializer="zeros", name=name)
    return dense(x)
