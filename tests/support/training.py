"""A training that takes seconds, of images that a model can learn from."""

import numpy as np


def tiny_recipe(folder, **fields):
    """A recipe of 60 images of 4 levels, every other column of them known.

    Args:
        folder: where the images are written.
        fields: other fields of the recipe, which replace these.

    Returns:
        The recipe, a dict of JSON values.
    """
    images = np.random.default_rng(0).integers(0, 4, (60, 4, 4, 1), "uint8")
    images[:, :, ::2] = 3
    source = folder / "images.npy"
    np.save(source, images)
    return {
        "name": "tiny",
        "model": {
            "class_name": "PixelCNN",
            "config": {
                "image_shape": [4, 4, 1],
                "num_levels": 4,
                "filters": 4,
                "num_blocks": 1,
                "head_filters": 4,
                "first_kernel_size": 3,
                "dropout": 0.3,
            },
        },
        "data": {
            "source": str(source),
            "validation": 11,
            "test": 9,
            "values": "levels",
            "flip": True,
        },
        "optimizer": {"name": "adam", "learning_rate": 0.02},
        "accumulation_steps": 2,
        "ema_momentum": 0.8,
        "clip_norm": 1.0,
        "seed": 5,
        "log_every": 2,
        "checkpoint_every": 4,
        **fields,
    }
