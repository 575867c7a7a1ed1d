"""What a model is told beside its images: labels, a context, an order."""

from typing import Any

import keras
import numpy as np

from keras_pixel.checks import check_numbers
from keras_pixel.order import ORDERS
from keras_pixel.order import fitting_order
from keras_pixel.sampling.condition_checks import check_condition
from keras_pixel.sampling.condition_checks import check_labels
from keras_pixel.sampling.orders import order_index

# Of a model's inputs after the images.
NAMES = ("labels", "condition", "order")


class Conditions:
    """Checks conditions, and lays them out as a model takes them.

    Args:
        inputs: list of symbolic tensors, the model's inputs after the images,
            named "labels", "condition" and "order".
        num_classes: int, of the labels. Defaults to `None`.
        label_dropout: float. If it is not 0 the model can do without labels:
            their number is then `num_classes`. Defaults to `0.0`.
        orders: tuple of names, the raster orders that the model knows.
            Defaults to `("right_down",)`.

    Attributes:
        class_names: tuple of strings, one for each class, or `None` where
            they are not known.
    """

    class_names: tuple[str, ...] | None = None

    def __init__(
        self, inputs, num_classes=None, label_dropout=0.0, orders=ORDERS[:1]
    ):
        self.names = [x.name for x in inputs]
        self._inputs = dict(zip(self.names, inputs, strict=True))
        self.num_classes = num_classes
        self.label_dropout = label_dropout
        self.orders = orders
        if len(self._inputs) < len(inputs) or set(self.names) - {*NAMES}:
            raise ValueError(
                "A model's inputs after the images must be named "
                '"labels" (class ids), "condition" (any other context) and '
                '"order" (of the pixels), '
                f"each at most once. Received: names={self.names}. Use "
                '`keras.Input(shape, name="condition")`.'
            )
        if ("labels" in self.names) != (num_classes is not None):
            raise ValueError(
                '`num_classes` must be given with an input named "labels", '
                f"and only then. Received: num_classes={num_classes}, inputs "
                f"after the images: {self.names}."
            )
        if ("order" in self.names) != (len(orders) > 1):
            raise ValueError(
                'A model must have an input named "order" if its `Reorder` '
                "layers have several orders, and only then. "
                f"Received: orders={list(orders)}, inputs after the images: "
                f"{self.names}."
            )

    def __bool__(self):
        return bool(self.names)

    @property
    def num_labels(self):
        """Ids that stand for something: the classes, and perhaps no label."""
        return self.num_classes + bool(self.label_dropout)

    def count(self, num_images, labels, condition):
        """How many images are meant, where conditions may say it.

        Args:
            num_images: int, or `None` for as many as there are conditions.
            labels, condition: see `program_inputs`.
        """
        if num_images is not None:
            return num_images
        if labels is not None and np.ndim(labels) == 1:
            return len(labels)
        if "condition" in self.names and condition is not None:
            rank = len(self._inputs["condition"].shape)
            if np.ndim(condition) == rank:
                return len(condition)
        return None

    def choose_order(self, order, known):
        """The order in which to draw around known pixels.

        Args:
            order: see `program_inputs`; `None` for the order in which the
                known pixels of an image come first.
            known: bool array `(count, height, width)`.
        """
        if order is None and len(self.orders) > 1:
            return fitting_order(known, self.orders)
        return order

    def names_of_orders(self, count, order=None):
        """Names of the orders of images; see `program_inputs`."""
        index = order_index(0 if order is None else order, count, self.orders)
        return [self.orders[i] for i in index]

    def program_inputs(
        self,
        count,
        labels=None,
        condition=None,
        guidance_scale=None,
        order=None,
    ):
        """What a program is given beside the images.

        Args:
            count: int. Images.
            labels: class id or name, or a list or array of one for each
                image. `None` for no label, where the model can do without.
            condition: array, one for all images or one for each.
            guidance_scale: number, or one for each image, see `guidance.py`;
                `None` for no guidance.
            order: name of one of the model's orders, or a list of one for
                each image, or indices of them. `None` for the first.

        Returns:
            Dict, empty for a model without conditions. `conditions` is a list
            of arrays in the order of the model's inputs; with guidance there
            are `unconditional`, the same without labels, and
            `guidance_scale`, too.

        Raises:
            TypeError: if labels are neither integers nor names.
            ValueError: if something is missing, surplus or out of range.
        """
        given = {"labels": labels, "condition": condition}
        for name, value in given.items():
            if value is not None and name not in self.names:
                raise ValueError(
                    f"`{name}` must be left out: this model takes "
                    f"{self.names or 'images only'}. "
                    f"Received: {name}={_brief(value)}. Leave it out, or use "
                    "a model trained with "
                    + ("`num_classes`." if name == "labels" else "`condition`.")
                )
        found = {
            name: self._checked(name, given[name], count) for name in given
        }
        found["order"] = order_index(
            0 if order is None else order, count, self.orders
        )
        inputs: dict[str, Any] = {}
        if self.names:
            inputs["conditions"] = [found[name] for name in self.names]
        if guidance_scale is not None:
            scale = check_numbers("guidance_scale", guidance_scale, count)
            if not self.label_dropout or labels is None:
                raise ValueError(
                    "`guidance_scale` needs `labels`, and a model trained "
                    "with `label_dropout`, which knows images without them. "
                    f"Received: guidance_scale={guidance_scale!r}, labels="
                    f"{_brief(labels)}, label_dropout={self.label_dropout}. "
                    "Leave it out."
                )
            inputs["guidance_scale"] = scale
            none = {**found, "labels": self._checked("labels", None, count)}
            inputs["unconditional"] = [none[name] for name in self.names]
        return inputs

    def by_image(self, count, labels=None, condition=None, order=None):
        """Conditions that are given, one for each image.

        See `program_inputs` for arguments and errors.

        Returns:
            Dict of arrays, `(count, …)` each, by their names: arguments that
            may be cut into batches.
        """
        told = self.program_inputs(count, labels, condition, order=order)
        found = dict(zip(self.names, told.get("conditions", ()), strict=True))
        for name, value in (("labels", labels), ("order", order)):
            if value is None:  # it can do without
                found.pop(name, None)
        return found

    def random_inputs(self, random, count=1):
        """Conditions to try a model with.

        Args:
            random: NumPy generator.
            count: int. Defaults to `1`.

        Returns:
            List of arrays, in the order of the model's inputs.
        """
        found = []
        for name, spec in self._inputs.items():
            if name == "labels":
                value = random.integers(self.num_classes, size=count)
            elif name == "order":
                value = random.integers(len(self.orders), size=count)
            elif keras.backend.is_float_dtype(spec.dtype):
                value = random.normal(size=(count, *spec.shape[1:]))
            else:
                value = random.integers(2, size=(count, *spec.shape[1:]))
            found.append(value.astype(spec.dtype))
        return found

    def check_context(self, value, count, name="condition"):
        """Contexts of a model that is told them, one for each image.

        See `condition_checks.check_condition` for arguments and errors.
        """
        spec = self._inputs["condition"]
        return check_condition(
            value, count, spec.shape[1:], spec.dtype, name=name
        )

    def _checked(self, name, value, count):
        if name not in self.names:
            return None
        if name == "condition":
            return self.check_context(value, count)
        if value is None and self.label_dropout:
            return np.full(count, self.num_classes, "int32")
        return check_labels(value, count, self.num_classes, self.class_names)

    def network_inputs(self, batch, images):
        """The network's inputs from a batch of a data set.

        Args:
            batch: what the data set yields as inputs.
            images: tensor, the images of it.

        Returns:
            `images`, or a list of them and the conditions.
        """
        if not self.names:
            return images
        if self.names == ["order"] and not isinstance(batch, dict):
            batch = {}
        if not isinstance(batch, dict):
            raise ValueError(
                "A conditional model must be given "
                f"{dict.fromkeys(('images', *self.names), '…')}, or a list of "
                f"these in order. Received: {_brief(batch)}."
            )
        found = {name: batch.get(name) for name in self.names}
        # Ids of "no label" and of "any order".
        free = {"order": len(self.orders)}
        if self.label_dropout:
            free["labels"] = self.num_classes
        for name, value in free.items():
            if name in found and found[name] is None:
                shape = keras.ops.shape(images)[:1]
                found[name] = keras.ops.full(shape, value, "int32")
        missing = [name for name, value in found.items() if value is None]
        if missing:
            raise ValueError(
                f"A data set for this model must yield {missing} too. "
                f"Received: keys={sorted(batch)}. Yield "
                f"{dict.fromkeys(('images', *self.names), '…')}."
            )
        for name in {*found} - {"condition"}:
            ids = keras.ops.cast(found[name], "int32")
            found[name] = keras.ops.reshape(ids, (-1,))
        return [images, *found.values()]


def _brief(value):
    shape = getattr(value, "shape", None)
    if shape is None:
        return repr(value)[:60]
    return f"an array of shape {tuple(shape)}"
