"""What the examples of sequences share: a network, windows, baselines."""

import argparse
import math
import pathlib
import time

import keras
import numpy as np

import keras_pixel
from keras_pixel import layers


def dilated_network(length, filters, dilations, embed=True):
    """A stack of dilated causal convolutions, in the manner of WaveNet.

    Each block sees two places: its own, and one `dilation` steps ago. So what
    a place sees doubles with each block while the dilations double, and what
    is kept for drawing is a ring of `dilation` steps for each.

    Source: van den Oord et al., 2016, "WaveNet",
    https://arxiv.org/abs/1609.03499. Differs from it: the gate is that of
    PixelCNN++ (`GatedResidual`), and the head sees the last block only.

    Args:
        length: int. Places of the sequence.
        filters: int. Features of each place.
        dilations: list of ints, one for each block.
        embed: bool. Give each level a vector of its own (for letters), or
            scale it to [-1, 1] (for loudness). Defaults to `True`.

    Returns:
        `keras_pixel.PixelModel` of `(1, length, 1)` images of 256 levels.
    """
    images = keras.Input((1, length, 1), dtype="int32", name="images")
    if embed:
        x = layers.EmbedLevels(256, filters)(images)
    else:
        x = layers.ScaleLevels(256, num_frequencies=4)(images)
    # A value must not see itself: mask "A", in the first layer only.
    x = layers.MaskedConv2D(filters, (1, 5), mask_type="A")(x)
    for dilation in dilations:
        y = keras.layers.Activation("silu")(x)
        y = layers.MaskedConv2D(
            2 * filters, (1, 3), dilation_rate=(1, dilation)
        )(y)
        x = layers.GatedResidual()([x, y])
    x = keras.layers.Dense(2 * filters, activation="silu")(x)
    logits = layers.CategoricalHead(num_levels=256)(x)
    return keras_pixel.PixelModel(images, logits, num_levels=256)


def receptive_field(dilations):
    """How many earlier places a place of `dilated_network` sees."""
    return 2 + sum(dilations)


def longer(model, length, *arguments, **options):
    """The same weights for sequences of another length."""
    found = dilated_network(length, *arguments, **options)
    found.set_weights(model.get_weights())
    found.discretizer = model.discretizer
    return found


def windows(levels, length):
    """A long sequence as images `(number, 1, length, 1)`, end to end."""
    levels = np.asarray(levels, "uint8")
    count = len(levels) // length
    if not count:
        raise ValueError(
            "The data must hold at least one window. "
            f"Received: {len(levels)} values, length={length}. Use a smaller "
            "`--length` or more data."
        )
    return levels[: count * length].reshape(count, 1, length, 1)


def unigram_bits(train, test):
    """Bits a value under the frequencies of the training data.

    Each level counts once more than it occurs, so that none is impossible.
    """
    counts = np.bincount(np.ravel(train), minlength=256) + 1
    bits = -np.log2(counts / counts.sum())
    return float(bits[np.ravel(test)].mean())


def train(model, levels, length, steps, batch_size=8, learning_rate=0.003):
    """Train on windows from anywhere in a long sequence.

    Args:
        model: `keras_pixel.PixelModel`.
        levels: uint8 array `(number,)`.
        length: int, of the model's sequences.
        steps: int. Batches.
        batch_size: int.
        learning_rate: float, which falls to 0 along a cosine.

    Returns:
        Bits a value of each step, as a float array.
    """
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=learning_rate, warmup_steps=steps // 20 + 1
    )
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0))
    start, found = time.monotonic(), []
    for step in range(steps):
        places = random.integers(len(levels) - length + 1, size=(batch_size, 1))
        batch = levels[places + np.arange(length)]
        logs = model.train_on_batch(
            batch[:, None, :, None], None, return_dict=True
        )
        found.append(float(logs["loss"]) / math.log(2))
        if (step + 1) % max(steps // 10, 1) == 0:
            recent = np.mean(found[-max(steps // 10, 1) :])
            seconds = time.monotonic() - start
            print(f"step {step + 1}: {recent:.3f} bits, {seconds:.0f} s")
    return np.array(found)


def arguments_of(description, length, steps, filters):
    """The arguments that both examples take, before they are read."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--length", type=int, default=length)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--filters", type=int, default=filters)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def figure(size):
    """A figure of matplotlib, or `None` where it is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        print('No plot: it needs matplotlib, `pip install ".[plot]"`.')
        return None
    found = Figure(size, 100, layout="constrained")
    FigureCanvasAgg(found)
    return found
