"""Proof that a model is causal: change what comes later, see what moves."""

import numpy as np

from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_seed
from keras_pixel.checks import check_size
from keras_pixel.models.causality_probe import Probe
from keras_pixel.models.causality_probe import differ
from keras_pixel.models.causality_probe import find_layer

# A backend may add in another order each time, and the last bit of the same
# image differs from run to run. What an image truly sees differs in all runs.
_MORE_RUNS = 5


def check_causality(
    model,
    image_shape=None,
    num_levels=None,
    max_positions=256,
    num_images=2,
    batch_size=16,
    seed=0,
):
    """Raise if a model sees the values that it predicts.

    From a sub-pixel on, all values of a random image are changed: the
    parameters of that sub-pixel and of all before it must stay equal to the
    last bit. Both sides are tested: somewhere the parameters of each channel
    must change with the past, because a mask that blocks everything leaks
    nothing either. And no image may see another image of its batch. Of a
    `PixelModel` that knows several orders each is tested.

    The model is tested with the weights it has. With a last layer of zeros,
    or ReLUs that are all 0 for whatever image, nothing can be seen: give it
    other weights first. A channel with two features, of random weights, is
    so dead in about a third of all cases.

    Args:
        model: `keras.Model` from images `(batch, height, width, channels)`,
            integer levels or floats, to parameters `(batch, height, width,
            channels, ...)`, or to `(batch, height, width, features)` for
            images of one channel. Several such outputs are fine.
        image_shape: `(height, width, channels)`, where the model does not
            say it. Defaults to `None`, the shape of its input.
        num_levels: int, levels of the random images. Defaults to `None`, the
            model's `num_levels`, or else the size of its last axis.
        max_positions: int. Each sub-pixel costs one forward pass; of larger
            images the corners, the centre and random pixels are tested.
            Defaults to `256`.
        num_images: int. Random images. Defaults to `2`.
        batch_size: int. Images in one forward pass. Defaults to `16`.
        seed: int, for the random images. Defaults to `0`.

    Raises:
        ValueError: if the model leaks: names the first leaking sub-pixel,
            the value that it sees, and, for a Functional model, the layer
            where it first shows; if the model sees nothing; if its output
            is NaN; if its shapes are not those of an image model; or if an
            argument is out of range.

    Example:

    >>> import keras
    >>> from keras_pixel import layers
    >>> images = keras.Input((5, 5, 1), dtype="int32")
    >>> x = layers.ScaleLevels(num_levels=4)(images)
    >>> x = layers.MaskedConv2D(8, 3, mask_type="A")(x)
    >>> check_causality(keras.Model(images, layers.CategoricalHead(4)(x)))
    """
    max_positions = check_size("max_positions", max_positions)
    num_images = check_size("num_images", num_images)
    batch_size = check_size("batch_size", batch_size)
    if num_levels is not None:
        num_levels = check_size("num_levels", num_levels, 2)
    if image_shape is not None:
        image_shape = check_image_shape(image_shape)
    seed = check_seed(seed)
    probe = Probe(model, image_shape, num_levels, batch_size, seed)
    for order in probe.orders:
        probe.turn_to(order)
        _check_order(probe, max_positions, num_images, batch_size)


def _check_order(probe, max_positions, num_images, batch_size):
    """Check a model in one of its orders."""
    _check_batch(probe)
    index = np.arange(probe.count)
    cuts = _choose_cuts(probe.image_shape, max_positions, probe.random)
    sees_past = np.zeros(probe.count, bool)
    for _ in range(num_images):
        image = probe.draw()
        for start in range(0, len(cuts), batch_size):
            some = cuts[start : start + batch_size]
            changed = np.stack([probe.change(image, index >= c) for c in some])
            moved = probe.moved(image, changed)  # (cuts, sub-pixels)
            leaks = moved & (index <= some[:, None])
            for _ in range(_MORE_RUNS * leaks.any()):
                leaks &= probe.moved(image, changed)
            if leaks.any():
                target = index[leaks.any(axis=0)][0]
                cut = np.argmax(leaks[:, target])
                _raise_leak(probe, image, changed[cut], some[cut], target)
            if start == 0:
                # The first cut is at 0: all of the past was changed.
                sees_past |= moved[0]
    _check_past(probe, sees_past, cuts[cuts > 0])


def _choose_cuts(image_shape, max_positions, random):
    """Places of the sequence to test, in order; the first is 0."""
    height, width, channels = image_shape
    pixels = np.arange(height * width)
    if height * width * channels > max_positions:
        corners = [0, width - 1, (height - 1) * width, height * width - 1]
        chosen = {*corners, (height // 2) * width + width // 2}
        rest = [p for p in random.permutation(pixels) if p not in chosen]
        room = max(max_positions // channels - len(chosen), 0)
        pixels = np.sort([*chosen, *rest[:room]])
    return (pixels[:, None] * channels + np.arange(channels)).reshape(-1)


def _check_batch(probe):
    image = probe.draw()
    same = np.repeat(image[None], 2, axis=0)
    other = np.stack([image, probe.change(image, True)])
    changed = differ(probe.parameters(same)[0], probe.parameters(other)[0])
    for _ in range(_MORE_RUNS * changed.any()):
        changed &= differ(probe.parameters(same)[0], probe.parameters(other)[0])
    if changed.any():
        raise ValueError(
            "The model is not causal: an image must not depend on the other "
            "images of its batch. Received: parameters that change with "
            "another image."
        )


def _check_past(probe, sees_past, tested):
    for channel in range(probe.image_shape[-1]):
        of_channel = tested[tested % probe.image_shape[-1] == channel]
        if of_channel.size and not sees_past[of_channel].any():
            raise ValueError(
                "The model sees nothing: the parameters must depend on the "
                "sub-pixels before them. Received: parameters of channel "
                f"{channel} that change with none of them. Look for a mask "
                "that blocks everything, a last layer whose weights are 0, or "
                "ReLUs that are 0 for all images."
            )


def _raise_leak(probe, image, changed, cut, target):
    # Bisection: with the changes up to `low` nothing moves, with those up to
    # `high` it does. It ends at one value that the target sees.
    index = np.arange(probe.count)
    low, high = cut, probe.count
    while high - low > 1:
        middle = (low + high) // 2
        part = np.where(index < middle, changed, image)
        moved = probe.moved(image, part[None])[0, target]
        low, high = (low, middle) if moved else (middle, high)
    before = np.where(index < low, changed, image)
    after = np.where(index <= low, changed, image)
    layer = find_layer(probe, before, after, target)
    raise ValueError(
        "The model is not causal: the parameters of a sub-pixel must depend "
        "only on those before it. Received: the parameters at (row, column, "
        f"channel) = {probe.place(target)} change with the value at "
        f"{probe.place(low)}."
        + (f" It first shows in the output of {layer}." if layer else "")
        + ' Use mask type "A" in the first layer only, causal layers after '
        "it, and no path around the first."
    )
