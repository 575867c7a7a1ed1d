"""What images take as PNG and WebP files: the compressors to compare with."""

import io
from typing import Any

import numpy as np

FORMATS: dict[str, dict[str, Any]] = {
    "PNG": {"optimize": True},
    "WEBP": {"lossless": True, "quality": 100, "method": 6},
}
# Of Pillow, by the number of channels.
_MODES = {1: "L", 3: "RGB"}


def can_hold(channels: int) -> bool:
    """Whether picture files can hold images of so many channels."""
    return channels in _MODES


def check_channels(channels: int) -> None:
    """Raise ValueError unless picture files can hold so many channels."""
    if not can_hold(channels):
        raise ValueError(
            "Picture files hold images of 1 or 3 channels. Received: "
            f"{channels} channels. Use a score that needs no such files."
        )


def num_bytes(images: np.ndarray, num_levels: int, form: str) -> np.ndarray:
    """Bytes of one file for each image, as small as Pillow writes it.

    Args:
        images: integer levels `(images, height, width, channels)`, of 1 or 3
            channels.
        num_levels: int. Grey images of two levels are PNG files of one bit.
        form: of `FORMATS`.

    Returns:
        int64 array `(images,)`.
    """
    from PIL import Image

    sizes = np.zeros(len(images), "int64")
    for i, levels in enumerate(images):
        values = levels.astype("uint8")
        values = values[..., 0] if values.shape[-1] == 1 else values
        picture = Image.fromarray(values)
        if num_levels == 2 and picture.mode == "L" and form == "PNG":
            picture = Image.fromarray(values * 255).convert("1")
        file = io.BytesIO()
        picture.save(file, format=form, **FORMATS[form])
        sizes[i] = len(file.getvalue())
    return sizes


def least_bytes(images: np.ndarray, num_levels: int) -> np.ndarray:
    """Bytes of the smaller of PNG and WebP, for each image; see `num_bytes`."""
    sizes = [num_bytes(images, num_levels, form) for form in FORMATS]
    return np.minimum(*sizes)
