"""What the examples of conditions share: data, a network, two trainings."""

import argparse
import pathlib
import time

import keras
import numpy as np

import keras_pixel
from keras_pixel.data import image_sheet
from keras_pixel.data import load_data
from keras_pixel.data import save_picture
from keras_pixel.data.pictures import to_bytes


def arguments_of(description, dataset, size=None, steps=500):
    """The arguments that all three examples take, before they are read."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument(
        "--dataset",
        default=dataset,
        help="mnist, cifar10, or another source that `load_data` takes",
    )
    parser.add_argument("--data-dir", help="folder of TFDS data sets")
    parser.add_argument("--size", type=int, default=size, help="rows, columns")
    parser.add_argument("--levels", type=int, help="of a value")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--filters", type=int, default=24)
    parser.add_argument("--test-images", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def read_data(options):
    """Images and labels for training and for testing, as levels.

    Args:
        options: the arguments, read.

    Returns:
        Two of `keras_pixel.data.ImageData`: the training images, and those of
        the test split, of which `options.test_images` are used.
    """
    keras.utils.set_random_seed(options.seed)
    grey = options.dataset.endswith("mnist")
    shape = None  # that of the images
    if options.size:
        shape = (options.size, options.size, 1 if grey else 3)
    levels = options.levels or (2 if grey else 32)
    return [
        load_data(
            options.dataset,
            split,
            data_dir=options.data_dir,
            num_levels=levels,
            image_shape=shape,
            resize="resize" if options.size else None,
            values="pixels",
            labels=True,
        )
        for split in ("train", "test")
    ]


def network(image_shape, num_levels, filters, **told):
    """A small network, that is told something or not."""
    return keras_pixel.WavefrontPixelCNN(
        image_shape,
        num_levels,
        filters=filters,
        num_resolutions=2,
        distribution="categorical" if num_levels == 2 else "logistic_mixture",
        num_mixtures=5,
        **told,
    )


def train_both(data, test, options, **told):
    """Train a network with a condition, and the same without it.

    Both see the same images in the same order.

    Args:
        data: dict of arrays, `images` and what the network is told.
        test: the same for testing.
        options: the arguments, read.
        **told: what `network` takes for the condition.

    Returns:
        The network that is told, and a dict of bits/dim on the test images.
    """
    num_levels = options.levels
    found = {}
    model = None
    for name in ("without the condition", "with the condition"):
        keras.utils.set_random_seed(options.seed)
        with_it = name.startswith("with ")
        model = network(
            data["images"].shape[1:],
            num_levels,
            options.filters,
            **(told if with_it else {}),
        )
        train(model, data if with_it else {"images": data["images"]}, options)
        known = dict(test) if with_it else {"images": test["images"]}
        found[name] = float(model.bits_per_dim(**known).mean())
        print(f"{name}: {found[name]:.3f} bits/dim on test images")
    return model, found


def train(model, data, options, learning_rate=0.003):
    """Train on random batches; the learning rate falls along a cosine."""
    random = np.random.default_rng(options.seed)
    steps, batch_size = options.steps, options.batch_size
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=learning_rate, warmup_steps=steps // 10 + 1
    )
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0))
    chosen = random.integers(len(data["images"]), size=steps * batch_size)
    start, used = time.monotonic(), time.process_time()
    model.fit(
        {name: values[chosen] for name, values in data.items()},
        batch_size=batch_size,
        shuffle=False,
        verbose=0,
    )
    print(
        f"{model.count_params():,} parameters, {steps} steps of {batch_size} "
        f"images: {time.monotonic() - start:.0f} s, of which "
        f"{time.process_time() - used:.0f} s of work"
    )


def restore(reduce, encoder, data, test, options, num_inputs=6, num_outputs=4):
    """Train a network to undo a reduction, and let it draw several outputs.

    Args:
        reduce: function from images of levels to less, `(batch, rows,
            columns, channels)`: the condition, in levels.
        encoder: `keras.Model` from the condition, scaled to [-1, 1], to a map.
        data, test: images of levels.
        options: the arguments, read.
        num_inputs: int. Test images that are reduced and drawn again.
        num_outputs: int. Images drawn for each of them.

    Returns:
        Dict of what was measured: bits/dim, and how far the drawn images and
        other test images are from the input, once reduced, in levels.
    """
    options.levels = data.num_levels
    data, test = [
        {"images": x, "condition": scaled(reduce(x), options.levels)}
        for x in (data.images, test.images[: options.test_images])
    ]
    model, found = train_both(data, test, options, condition=encoder)
    originals = test["images"][:num_inputs]
    drawn = model.sample(
        condition=np.repeat(
            test["condition"][:num_inputs], num_outputs, axis=0
        ),
        seed=options.seed,
    )
    given = reduce(originals)
    of_drawn = reduce(drawn).reshape(len(given), num_outputs, *given.shape[1:])
    others = reduce(np.roll(test["images"], 1, axis=0)) - reduce(test["images"])
    found["drawn images, reduced"] = _mean(of_drawn - given[:, None])
    found["other images, reduced"] = _mean(others)
    for name in ("drawn images, reduced", "other images, reduced"):
        print(f"{name}: {found[name]:.2f} levels off the input")
    # A row for each input: it, what was drawn, and the original, in bytes: the
    # mean of levels need not be one.
    size = originals.shape[1] // given.shape[1]
    shown = (given * 255 / (options.levels - 1)).round().astype("uint8")
    shown = np.broadcast_to(
        shown.repeat(size, 1).repeat(size, 2), originals.shape
    )
    drawn = drawn.reshape(len(given), num_outputs, *originals.shape[1:])
    images = np.concatenate([drawn, originals[:, None]], axis=1)
    images = to_bytes(images, options.levels)
    rows = np.concatenate([shown[:, None], images], axis=1)
    save(model, rows, 256, options)
    return found


def scaled(values, num_levels):
    """Levels, or means of them, as float32 in [-1, 1]."""
    return (np.asarray(values) * 2 / (num_levels - 1) - 1).astype("float32")


def save(model, rows, num_levels, options):
    """Write the model, and images `(rows, columns, *image_shape)`."""
    columns, *shape = rows.shape[1:]
    sheet = image_sheet(rows.reshape(-1, *shape), num_levels, columns)
    save_picture(sheet, options.output / "drawn.png")
    model.save_preset(options.output / "preset", overwrite=True)
    print(f"{options.output / 'drawn.png'} and {options.output / 'preset'}")


def _mean(difference):
    return float(np.abs(difference).mean())
