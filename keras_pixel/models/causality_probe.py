"""Runs a model on random images that differ in chosen sub-pixels."""

import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.compiled import Compiled


class Probe:
    """Runs a model on random images; images and parameters are flat here.

    They lie in the order in which the model predicts them, the first of its
    orders until `turn_to` says another.

    Attributes:
        orders: tuple of the names of the model's orders.
    """

    def __init__(self, model, image_shape, num_levels, batch_size, seed):
        self.model = model
        # Without XLA, whose compilation would take longer than the runs.
        self.runner = Compiled(
            lambda inputs: model(inputs, training=False), model, False
        )
        self.batch_size = batch_size
        self.random = np.random.default_rng(seed)
        inputs = getattr(model, "inputs", None)
        # What a `PixelModel` is told is the same for all images here.
        conditions = getattr(model, "conditions", None)
        self.told = conditions.random_inputs(self.random) if conditions else []
        self.orders = getattr(model, "orders", order.ORDERS[:1])
        self.turn_to(self.orders[0])
        if inputs is not None and len(inputs) != 1 + len(self.told):
            raise ValueError(
                "`model` must have one input, the images, or be a "
                "`PixelModel`, which says what else it is told. "
                f"Received: {len(inputs)} inputs. Wrap it with the others "
                "fixed: `keras.Model(images, model([images, others]))`."
            )
        known = getattr(model, "image_shape", None)
        if known is None and inputs:
            known = inputs[0].shape[1:]
        self.image_shape = tuple(image_shape or known or ())
        if len(self.image_shape) != 3 or None in self.image_shape:
            raise ValueError(
                "The images must have a known shape (height, width, "
                f"channels). Received: image_shape={self.image_shape}. Pass "
                "`image_shape=(height, width, channels)`."
            )
        self.count = int(np.prod(self.image_shape))
        self.dtype = np.dtype(inputs[0].dtype if inputs else "int32")
        self.num_levels = num_levels or getattr(model, "num_levels", None) or 0
        if self.is_integer and not self.num_levels:
            self.num_levels = self._levels_of_output()

    def turn_to(self, name):
        """Go through the images in one of the model's orders."""
        self.order = name
        if len(self.orders) > 1:
            index = self.model.conditions.names.index("order")
            self.told[index][:] = self.orders.index(name)

    @property
    def is_integer(self):
        return np.issubdtype(self.dtype, np.integer)

    def _levels_of_output(self):
        outputs = getattr(self.model, "outputs", None) or []
        if len(outputs) != 1 or len(outputs[0].shape) != 5:
            raise ValueError(
                "`num_levels` must be given for a model that does not say it. "
                "Received: num_levels=None"
            )
        return outputs[0].shape[-1]

    def draw(self):
        """A random image `(sub-pixels,)`."""
        if self.is_integer:
            return self.random.integers(self.num_levels, size=self.count)
        return self.random.uniform(-1.0, 1.0, self.count)

    def change(self, image, where):
        """`image` with another value at every place of `where`."""
        other = self.draw()
        if self.is_integer:
            shift = 1 + other % (self.num_levels - 1)
            other = (image + shift) % self.num_levels
        return np.where(where, other, image)

    def run(self, images, model=None):
        """Outputs of a model for flat images, as a list of arrays."""
        images = images.reshape((-1, *self.image_shape)).astype(self.dtype)
        images = order.from_order(np, images, self.order)
        inputs = images
        if self.told:
            inputs = [images, *(x.repeat(len(images), 0) for x in self.told)]
        if model is None:
            # Compiled: it runs many times, and recurrences are slow eagerly.
            outputs = self.runner(inputs)
        else:
            inputs = keras.tree.map_structure(ops.convert_to_tensor, inputs)
            outputs = model(inputs, training=False)
        return [
            ops.convert_to_numpy(ops.cast(x, "float32"))
            for x in keras.tree.flatten(outputs)
        ]

    def parameters(self, images):
        """Parameters `(batch, sub-pixels, …)` of flat images."""
        parts = []
        for output in self.run(images):
            shape = (len(images), *self.image_shape)
            grey = self.image_shape[-1] == 1 and output.ndim == 4
            if output.shape[: 3 if grey else 4] != shape[: 3 if grey else 4]:
                raise ValueError(
                    "The parameters must have the shape (batch, height, "
                    f"width, channels, ...) = {shape}. "
                    f"Received: output of shape {output.shape}. Reshape the "
                    "output, or pass the right `image_shape`."
                )
            if np.isnan(output).any():
                raise ValueError(
                    "The output of the model must be finite: of what is NaN "
                    "nothing shows. Received: parameters that are NaN. Give "
                    "it finite weights."
                )
            output = order.into_order(np, output, self.order)
            parts.append(output.reshape(len(images), self.count, -1))
        return np.concatenate(parts, axis=-1)

    def moved(self, image, changed):
        """Which sub-pixels' parameters differ from those of `image`.

        Compared at the same place of equally large batches: elsewhere a
        kernel may add in another order, and the last bit differs.

        Returns:
            bool array `(changed images, sub-pixels)`.
        """
        filler = np.repeat(image[None], self.batch_size - len(changed), axis=0)
        after = self.parameters(np.concatenate([changed, filler]))
        before = self.parameters(np.repeat(image[None], len(after), axis=0))
        return differ(before, after).any(axis=-1)[: len(changed)]

    def place(self, position):
        """`(row, column, channel)` of a place in the sequence."""
        index = order.sequence_index(self.image_shape)[None]
        index = order.from_order(np, index, self.order)[0]
        return tuple(int(n) for n in np.argwhere(index == position)[0])


def find_layer(probe, before, after, target):
    """First layer whose features at the place `target` see what they must not.

    A layer before the first mask may see the pixel's own value; it is told
    by mixing no pixels. Features are taken as interleaved channel groups
    (`keras_pixel.order`), the later groups left out.
    """
    if not getattr(probe.model, "inputs", None):
        return None
    names, tensors = [], []

    def record(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        for tensor in keras.tree.flatten(outputs):
            if tensor.shape[1:3] == probe.image_shape[:2]:
                names.append(f'{type(layer).__name__} (name="{layer.name}")')
                tensors.append(tensor)
        return outputs

    copies = [
        keras.Input(batch_shape=x.shape, dtype=x.dtype)
        for x in probe.model.inputs
    ]
    keras.models.clone_model(
        keras.Model(probe.model.inputs, probe.model.outputs),
        input_tensors=copies,
        clone_function=lambda layer: layer,
        call_function=record,
    )
    row, column, channel = np.unravel_index(target, probe.image_shape)
    channels = probe.image_shape[-1]
    here = np.zeros(probe.image_shape[:2], bool)
    here[row, column] = True
    inside = np.repeat(here.reshape(-1), channels)
    model = keras.Model(copies, tensors)

    def run(image):
        return [x[0] for x in probe.run(image[None], model)]

    for name, first, second, other_here, others in zip(
        names,
        run(before),
        run(after),
        run(probe.change(before, inside)),
        run(probe.change(before, ~inside)),
        strict=True,
    ):
        mixes_pixels = (
            differ(first, other_here)[~here].any()
            or differ(first, others)[here].any()
        )
        leaks = differ(first, second)[row, column]
        if leaks.ndim == 1 and leaks.size % channels == 0:
            leaks = leaks.reshape(-1, channels)[:, : channel + 1]
        elif leaks.ndim > 1:  # (channels, parameters)
            leaks = leaks[: channel + 1]
        if mixes_pixels and leaks.any():
            return name
    return None


def differ(first, second):
    """Where two arrays differ, to the last bit; NaN equals NaN."""
    return (first != second) & ~(np.isnan(first) & np.isnan(second))
