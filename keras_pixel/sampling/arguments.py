"""Checks of what users hand to the samplers."""

import numpy as np

from keras_pixel.levels import check_images

# The largest float32 below 1: noise of 1 would lie above every level.
_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))


def check_positive(name, value):
    """Refuse what is not a positive integer."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, np.integer))
        or value < 1
    ):
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value}"
        )


def make_noise(num_images, image_shape, seed):
    """Uniform noise in [0, 1); image i depends on `seed` and i only.

    `seed` may also be a NumPy generator, which goes on from noise to noise.
    """
    if num_images is None:
        raise ValueError(
            "`num_images` or `noise` must be given. Received: neither."
        )
    if (
        isinstance(num_images, bool)
        or not isinstance(num_images, (int, np.integer))
        or num_images < 0
    ):
        raise ValueError(
            "`num_images` must be an integer of at least 0. "
            f"Received: num_images={num_images}"
        )
    random = np.random.default_rng(seed)
    noise = np.empty((num_images, *image_shape), "float32")
    for image in noise:
        random.random(out=image, dtype="float32")
    return noise


def check_noise(noise, image_shape):
    """Refuse what is not uniform noise for images; return it as float32."""
    noise = np.asarray(noise)
    if noise.ndim != 4 or noise.shape[1:] != tuple(image_shape):
        raise ValueError(
            "`noise` must have the shape (num_images, height, width, "
            f"channels) with image_shape={tuple(image_shape)}. "
            f"Received: noise.shape={noise.shape}"
        )
    if not np.issubdtype(noise.dtype, np.floating) or (
        noise.size and not (noise.min() >= 0 and noise.max() < 1)
    ):
        raise ValueError(
            "`noise` must be floats in [0, 1). "
            f"Received: noise.dtype={noise.dtype}"
            + (f", from {noise.min()} to {noise.max()}" if noise.size else "")
        )
    return np.minimum(noise.astype("float32"), _BELOW_ONE)


def check_mask(mask, images, image_shape):
    """Refuse what is not a mask for `images`; return one mask per image."""
    mask = np.asarray(mask)
    if images.ndim != 4 or images.shape[1:] != tuple(image_shape):
        raise ValueError(
            "`images` must have the shape (batch, height, width, channels) "
            f"with image_shape={tuple(image_shape)}. "
            f"Received: images.shape={images.shape}"
        )
    shapes = (images.shape[1:3], images.shape[:3])
    if mask.shape not in shapes:
        raise ValueError(
            "`mask` must have the shape (height, width) or (batch, height, "
            f"width): {shapes[0]} or {shapes[1]}. "
            f"Received: mask.shape={mask.shape}"
        )
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError(
            "`mask` must hold booleans, True where a pixel is known. "
            f"Received: mask.dtype={mask.dtype}, from {mask.min()} to "
            f"{mask.max()}"
        )
    return np.broadcast_to(mask.astype(bool), shapes[1])


def check_completion(images, mask, image_shape, num_levels):
    """Check images to be completed; levels of unknown pixels become 0.

    Returns:
        int32 array of the images' shape, and bool array `(batch, height,
        width)`, True where a pixel is known.
    """
    images = np.asarray(images)
    known = check_mask(mask, images, image_shape)
    images = np.where(known[..., None], images, 0)
    return check_images(images, image_shape, num_levels), known


def per_image(count, num_levels, temperature, top_k, top_p):
    """Check `temperature`, `top_k` and `top_p`; one value for each image."""
    values = {"temperature": _vector("temperature", temperature, count)}
    if not (values["temperature"] > 0).all() or not (
        np.isfinite(values["temperature"]).all()
    ):
        raise ValueError(
            "`temperature` must be above 0 and finite. "
            f"Received: temperature={temperature}. For the most probable "
            "level of each sub-pixel use top_k=1."
        )
    if top_k is not None:
        values["top_k"] = _vector("top_k", top_k, count)
        whole = values["top_k"] == np.floor(values["top_k"])
        if not (whole & (values["top_k"] >= 1)).all():
            raise ValueError(
                f"`top_k` must be a positive integer. Received: top_k={top_k}"
            )
        values["top_k"] = np.minimum(values["top_k"], num_levels)
        values["top_k"] = values["top_k"].astype("int32")
    if top_p is not None:
        values["top_p"] = _vector("top_p", top_p, count)
        if not ((values["top_p"] > 0) & (values["top_p"] <= 1)).all():
            raise ValueError(
                "`top_p` must be above 0 and at most 1. "
                f"Received: top_p={top_p}"
            )
    return values


def _vector(name, value, count):
    array = np.asarray(value, "float32")
    if array.shape not in ((), (count,)):
        raise ValueError(
            f"`{name}` must be one number, or one for each of the {count} "
            f"images. Received: {name} of shape {array.shape}"
        )
    return np.broadcast_to(array, (count,))
