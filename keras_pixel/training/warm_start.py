"""Starts a model from a trained one that is not quite of its shape.

Layers of the same name and shape take the trained weights. Where levels,
channels or classes differ, the few layers that know of them are made anew, as
near to the trained ones as can be:

- levels: what belongs to a level (logits, embeddings) is interpolated linearly
  between the levels that lie around it, black on black and white on white;
- channels: what a channel feeds is the mean over the trained channels, scaled
  so that a grey image causes what it caused; what a channel is predicted by is
  that of the first one, which depends on no other;
- anything else, such as vectors of classes, starts at random.
"""

import fnmatch
from collections.abc import Collection

import keras
import numpy as np
from keras import ops

from keras_pixel import layers
from keras_pixel.models import PixelModel


def warm_start(model: PixelModel, source: PixelModel) -> list[str]:
    """Copy the weights of a trained model, as far as they fit.

    Args:
        model: `PixelModel`, to be trained further.
        source: `PixelModel`, trained.

    Returns:
        List of the names of the layers that were made anew, in part or as a
        whole.

    Raises:
        ValueError: if the two have no layer in common.
    """
    trained = {layer.name: layer for layer in source.layers if layer.weights}
    change = _Change(source, model)
    remade, copied = [], 0
    for layer in (layer for layer in model.layers if layer.weights):
        former = trained.get(layer.name)
        if former is None or type(former) is not type(layer):
            remade.append(layer.name)
            continue
        copied += 1
        if not _copy(layer, former, change):
            remade.append(layer.name)
    if not copied:
        raise ValueError(
            "A model must have layers in common with the one that it starts "
            f"from. Received: a {type(model).__name__} and a "
            f"{type(source).__name__}. Use the same class and depth."
        )
    return remade


class _Change:
    """Channels and levels of two models."""

    def __init__(self, source: PixelModel, model: PixelModel) -> None:
        self.channels = source.image_shape[-1], model.image_shape[-1]
        self.levels = source.num_levels, model.num_levels

    def into_channels(
        self, values: np.ndarray, axis: int, extra: int = 0
    ) -> np.ndarray:
        """What the channels feed: features by channel, then `extra` others."""
        before, after = self.channels
        own, others = np.split(values, [values.shape[axis] - extra], axis)
        parted = _part(own, axis, (-1, before))  # (…, size, channels, …)
        mean = parted.mean(axis=axis + 1, keepdims=True) * (before / after)
        spread = np.repeat(mean, after, axis=axis + 1)
        shape = list(own.shape)
        shape[axis] = own.shape[axis] // before * after
        return np.concatenate([spread.reshape(shape), others], axis)

    def of_channels(self, values: np.ndarray, axis: int) -> np.ndarray:
        """What each channel has, that of the first; along an axis."""
        before, after = self.channels
        if before == after:
            return values
        size = values.shape[axis] // before
        return np.concatenate(
            [np.take(values, range(size), axis)] * after, axis
        )

    def of_levels(self, values: np.ndarray, axis: int) -> np.ndarray:
        """What each level has, interpolated along an axis."""
        before, after = self.levels
        if before == after:
            return values
        place = np.linspace(0, before - 1, after)
        lower = np.minimum(place.astype(int), before - 2)
        part = (place - lower).reshape([-1] + [1] * (values.ndim - axis - 1))
        below = np.take(values, lower, axis)
        above = np.take(values, lower + 1, axis)
        return below * (1 - part) + above * part


def _part(values: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    return values.reshape(
        *values.shape[:axis], *shape, *values.shape[axis + 1 :]
    )


def _copy(
    layer: keras.layers.Layer, former: keras.layers.Layer, change: _Change
) -> bool:
    """Copy a layer's weights; whether all of them fit as they are."""
    ours, theirs = layer.weights, former.weights
    if len(ours) != len(theirs):
        names = [weight.name for weight in theirs]
        ours = [weight for weight in ours if names.count(weight.name) == 1]
        theirs = [theirs[names.index(weight.name)] for weight in ours]
    fits = len(ours) == len(layer.weights) == len(former.weights)
    for weight, trained in zip(ours, theirs, strict=True):
        value = ops.convert_to_numpy(trained.value).astype("float32")
        if tuple(weight.shape) == value.shape and not _is_of_levels(
            layer, change
        ):
            weight.assign(value)
            continue
        fits = False
        value = _resized(layer, weight, value, change)
        if value is not None and value.shape == tuple(weight.shape):
            weight.assign(value)
    return fits


def _is_of_levels(layer: keras.layers.Layer, change: _Change) -> bool:
    """Whether equal shapes may hide other levels: with as many as features."""
    kinds = (layers.CategoricalHead, layers.EmbedLevels)
    return isinstance(layer, kinds) and change.levels[0] != change.levels[1]


def _resized(
    layer: keras.layers.Layer,
    weight: keras.Variable,
    value: np.ndarray,
    change: _Change,
) -> np.ndarray | None:
    """A trained weight in the shape of a new one; `None` if it has no such."""
    if isinstance(layer, layers.CategoricalHead):
        return _of_categorical_head(layer, weight, value, change)
    if isinstance(layer, layers.LogisticMixtureHead):
        return _of_mixture_head(layer, value, change)
    if isinstance(layer, layers.EmbedLevels):
        parted = _part(value, 0, (change.channels[0], -1))
        parted = change.of_levels(parted, 1)
        return change.of_channels(parted.reshape(-1, value.shape[-1]), 0)
    before, after = change.channels
    axis = value.ndim - 2
    if weight.name != "kernel" or axis < 0 or before == after:
        return None
    # Features of the channels, then perhaps others, such as a constant.
    size = (weight.shape[axis] - value.shape[axis]) / (after - before)
    extra = value.shape[axis] - size * before
    others = [n for n in range(value.ndim) if n != axis]
    if (
        size < 1
        or size % 1
        or extra < 0
        or any(value.shape[n] != weight.shape[n] for n in others)
    ):
        return None
    return change.into_channels(value, axis, int(extra))


def _of_categorical_head(
    layer: layers.CategoricalHead,
    weight: keras.Variable,
    value: np.ndarray,
    change: _Change,
) -> np.ndarray | None:
    if weight.name == "basis":
        return change.of_levels(value, 1)
    if weight.name == "tables":
        if change.channels[0] != change.channels[1]:
            return None  # they start at zero
        value = change.of_levels(value, 1)
        return value if layer.rank else change.of_levels(value, 2)
    axis = value.ndim - 1  # kernel or bias
    if layer.rank is None:
        parted = _part(value, axis, (change.channels[0], -1))
        parted = change.of_levels(parted, axis + 1)
        value = parted.reshape(*value.shape[:-1], -1)
    return change.of_channels(value, axis)


def _of_mixture_head(
    layer: layers.LogisticMixtureHead, value: np.ndarray, change: _Change
) -> np.ndarray | None:
    """Logits, means and scales of the first channel, and no coefficients."""
    before, after = change.channels
    if before == after:
        return None  # another number of components
    size = layer.distribution.num_mixtures
    axis = value.ndim - 1  # kernel or bias
    own = np.take(value, range(3 * size), axis)
    later = np.take(own, range(size * layer.whole_pixel, 3 * size), axis)
    none = np.zeros_like(np.take(own, range(size), axis))
    made = [own]
    for channel in range(1, after):
        made += [later, *[none] * channel]
    return np.concatenate(made, axis)


def freeze(model: PixelModel, patterns: Collection[str]) -> None:
    """Keep layers as they are in training.

    Args:
        model: `PixelModel`.
        patterns: list of names or patterns, such as "block_*".

    Raises:
        ValueError: if a pattern is of no layer, or nothing is left to train.
    """
    names = [layer.name for layer in model.layers if layer.weights]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(
                "`freeze` must hold names or patterns of layers with weights. "
                f"Received: {pattern!r}. There are {names}."
            )
    for layer in model.layers:
        if any(fnmatch.fnmatchcase(layer.name, x) for x in patterns):
            layer.trainable = False
    if not model.trainable_weights:
        raise ValueError(
            "`freeze` must leave something to train. "
            f"Received: freeze={list(patterns)!r}. Leave out a pattern."
        )
