"""How well a model predicts images: bits per dimension over a whole split."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_pixel.checks import check_size
from keras_pixel.data.stored import StoredImages
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.models import PixelModel


def evaluate(
    model: PixelModel,
    data: Any,
    batch_size: int = 100,
    num_images: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    order: Any = None,
) -> dict[str, Any]:
    """Measure the mean negative log-likelihood of images under a model.

    Every image counts once, including those of a last, smaller batch; sums are
    kept in float64. The network runs in the model's own precision: build the
    model under the policy "float32" for numbers to be published.

    Args:
        model: a `PixelModel`.
        data: `ImageData`, or integer levels `(images, height, width,
            channels)`, or a dict of arrays: `images`, and `labels`,
            `condition` or both for a model that is told them. Labels of the
            images are told to a model that has classes; without them, a model
            that can do without is told none.
        batch_size: int. Images scored at once. Defaults to `100`.
        num_images: int. Score only the first ones. Defaults to `None`: all.
        progress: function called from time to time with the number of images
            done and their total number. Defaults to `None`.
        order: as in `PixelModel.log_prob`. Defaults to `None`.

    Returns:
        A dict: `bits_per_dim`, `nats` (per image), `num_images`.

    Raises:
        ValueError: if there are no images, or `batch_size` or `num_images` is
            below `1`.
    """
    if not isinstance(data, dict):
        found = {"labels": getattr(data, "labels", None)}
        data = {"images": getattr(data, "images", data), **found}
    images, labels = data["images"], None
    if getattr(model, "num_classes", None) is not None:
        labels = data.get("labels")
    known = {
        name: np.asarray(values)
        for name, values in (
            ("labels", labels),
            ("condition", data.get("condition")),
        )
        if values is not None
    }
    if not isinstance(images, StoredImages):
        images = np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise ValueError(
            "`data` must hold at least one image, as (images, height, width, "
            f"channels). Received: data of shape {images.shape}. Give an array "
            "of that shape, or what `load_data` returns."
        )
    batch_size = check_size("batch_size", batch_size)
    if num_images is not None:
        num_images = check_size("num_images", num_images)
    total_images = min(len(images), num_images or len(images))
    batch_size = min(batch_size, total_images)
    # Many batches at once: each call of the network has its own overhead.
    stride = batch_size * max(1, 1000 // batch_size)
    total = 0.0
    for start in range(0, total_images, stride):
        part = images[start : min(start + stride, total_images)]
        count = len(part)
        # The last batch is padded, so that one compiled function serves them
        # all; the padding is not counted.
        filled = -(-count // batch_size) * batch_size
        part = np.resize(part, (filled, *part.shape[1:]))
        told = {
            name: np.resize(
                values[start : start + count], (filled, *values.shape[1:])
            )
            for name, values in known.items()
        }
        if order is not None:
            told["order"] = order
        log_prob = np.asarray(
            model.log_prob(part, batch_size=batch_size, **told)
        )
        total += float(np.sum(log_prob[:count], dtype="float64"))
        if progress is not None:
            progress(start + count, total_images)
    nats = -total / total_images
    dimensions = math.prod(images.shape[1:])
    return {
        "bits_per_dim": nats_to_bits_per_dim(nats, dimensions),
        "nats": nats,
        "num_images": total_images,
    }
