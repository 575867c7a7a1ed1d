"""Conversion of a source's values to integer levels of one image shape."""

import numpy as np

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels

RESIZES = (None, "resize", "center_crop")
VALUES = (None, "pixels", "levels")


class PixelConverter:
    """Converts images to one shape, one number of channels and `num_levels`.

    Sizes and colours are changed on 8-bit values, before they are quantised:
    a level is `floor(value * num_levels / 256)`.

    Args:
        num_levels: int from 2 to 256.
        image_shape: `(height, width, channels)`, or `None` for the shape of
            the first image, which all others must have, too.
        resize: `None`, "resize" or "center_crop". See `load_data`.
        values: `None`, "pixels" or "levels". See `load_data`.
    """

    def __init__(
        self,
        num_levels: int = 256,
        image_shape: tuple[int, int, int] | None = None,
        resize: str | None = None,
        values: str | None = None,
    ):
        self.num_levels = check_num_levels(num_levels)
        self.image_shape: tuple[int, ...] | None = None
        if image_shape is not None:
            self.image_shape = check_image_shape(image_shape)
        self.resize = check_choice("resize", resize, RESIZES)
        self.values = check_choice("values", values, VALUES)
        if resize is not None and image_shape is None:
            raise ValueError(
                "`resize` needs `image_shape`, the shape to bring images to. "
                f"Received: resize={resize!r}, image_shape=None. Pass for "
                "example image_shape=(32, 32, 3)."
            )
        self._asked = image_shape is not None
        self._blended = False

    def fit_shape(self, image: np.ndarray, name: str) -> np.ndarray:
        """Convert one uint8 image, or many, to the requested shape.

        Args:
            image: uint8 array `(height, width, channels)`, or
                `(batch, height, width, channels)`.
            name: str. What to call it in messages.
        """
        shape = tuple(int(size) for size in image.shape[-3:])
        if self.image_shape is None:
            self.image_shape = shape
        if shape == self.image_shape:
            return image
        if shape[:2] != self.image_shape[:2]:
            self._check_may_resize(shape, name)
        if shape[2] != self.image_shape[2]:
            image = self._recolour(image, name, self.image_shape)
        if shape[:2] != self.image_shape[:2]:
            image = self._rescale(image, self.image_shape)
        return image

    def quantise(self, images: np.ndarray) -> np.ndarray:
        """Convert uint8 values to uint8 levels 0 to `num_levels - 1`."""
        if self.num_levels == 256:
            return images
        highest = int(images.max())
        values = self.values
        if values is None:
            values = self._guess_values(highest)
        if values == "pixels":
            table = ((np.arange(256) * self.num_levels) // 256).astype("uint8")
            levels = np.empty_like(images)
            # Part by part, because NumPy makes eight bytes of each index.
            for start in range(0, len(images), 256):
                part = slice(start, start + 256)
                levels[part] = table[images[part]]
            return levels
        if highest >= self.num_levels:
            raise ValueError(
                '`values="levels"` needs integer levels from 0 to '
                f"num_levels - 1. Received: num_levels={self.num_levels}, "
                f'highest value={highest}. Pass values="pixels" to quantise '
                "8-bit values."
            )
        return images

    def _guess_values(self, highest: int) -> str:
        if highest == 0 or highest >= self.num_levels:
            return "pixels"
        if self.num_levels == 2 and not self._blended:
            # Read as 8-bit values, 0 and 1 would both become level 0.
            return "levels"
        raise ValueError(
            "The values may be 8-bit values or already levels: `values` must "
            f"say which. Received: values=None, num_levels={self.num_levels}, "
            f'highest value={highest}. Pass values="levels" to take them as '
            'they are, or values="pixels" to quantise 8-bit values.'
        )

    def _check_may_resize(self, shape: tuple[int, ...], name: str) -> None:
        if self.resize is None:
            raise ValueError(
                "All images must have the height and width of `image_shape` "
                "(without it: of the first image) unless `resize` is given. "
                f"Received: {name} of shape {shape}, "
                f"image_shape={self.image_shape}, resize=None. Pass "
                f'image_shape={self.image_shape} with resize="resize" '
                '(stretches) or resize="center_crop" (keeps proportions).'
            )
        if self.values == "levels" and self.num_levels < 256:
            raise ValueError(
                "Levels cannot be resized: their means need not be levels. "
                f'Received: values="levels", resize={self.resize!r}, {name} '
                f"of shape {shape}, image_shape={self.image_shape}. Resize "
                "before quantising, or pass 8-bit values."
            )

    def _recolour(
        self, image: np.ndarray, name: str, image_shape: tuple[int, ...]
    ) -> np.ndarray:
        channels, wanted = image.shape[-1], image_shape[2]
        if not self._asked:
            raise ValueError(
                "All images must have the same number of channels unless "
                f"`image_shape` is given. Received: {name} of shape "
                f"{image.shape[-3:]}, after images of {image_shape}. Pass "
                f"image_shape={(*image_shape[:2], 3)} to make all RGB, "
                f"or {(*image_shape[:2], 1)} to make all grey."
            )
        if (channels, wanted) == (1, 3):
            return np.repeat(image, 3, axis=-1)
        if (channels, wanted) == (3, 1) and not (
            self.values == "levels" and self.num_levels < 256
        ):
            self._blended = True
            return grey(image)
        raise ValueError(
            "`image_shape` can turn 1 channel (grey) into 3 (RGB), and 3 into "
            f"1 where they are 8-bit values. Received: {name} of {channels} "
            f"channels, image_shape={image_shape}, "
            f"values={self.values!r}. Pass {channels} as the last number of "
            "`image_shape`, or convert the images first."
        )

    def _rescale(
        self, image: np.ndarray, image_shape: tuple[int, ...]
    ) -> np.ndarray:
        self._blended = True
        height, width, _ = image_shape
        if image.ndim == 3:
            return rescale(image, (height, width), self.resize)
        resized = np.empty((len(image), *image_shape), "uint8")
        for index, one in enumerate(image):
            resized[index] = rescale(one, (height, width), self.resize)
        return resized


def grey(image: np.ndarray) -> np.ndarray:
    """Return the luma (ITU-R 601) of 8-bit RGB, rounded as in Pillow."""
    weights = np.array([19595, 38470, 7471], "int32")  # of 65536
    luma = image.astype("int32") @ weights + 32768
    return (luma >> 16).astype("uint8")[..., None]  # (..., 1)


def rescale(image: np.ndarray, size: tuple[int, int], how: str) -> np.ndarray:
    """Scale one 8-bit image to another size.

    Args:
        image: uint8 array `(height, width, channels)`.
        size: `(height, width)` wanted.
        how: "resize" stretches the whole image; "center_crop" scales the
            largest centred part that has the wanted proportions.
    """
    from PIL import Image

    height, width = size
    box = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    if how == "center_crop":
        scale = min(image.shape[0] / height, image.shape[1] / width)
        top = (image.shape[0] - height * scale) / 2
        left = (image.shape[1] - width * scale) / 2
        box = (
            max(left, 0.0),
            max(top, 0.0),
            min(left + width * scale, box[2]),
            min(top + height * scale, box[3]),
        )
    # Channel by channel, for any number of channels. Bicubic: Pillow widens
    # the kernel when it shrinks an image, which prevents aliasing.
    channels = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
                (width, height), Image.Resampling.BICUBIC, box=box
            )
        )
        for channel in range(image.shape[-1])
    ]
    return np.stack(channels, axis=-1)  # (height, width, channels)


def as_bytes(values: np.ndarray, converter: PixelConverter) -> np.ndarray:
    """Convert an array of integers to uint8.

    Args:
        values: integer or boolean array of any shape.
        converter: says what the integers mean.
    """
    if values.dtype == bool:
        if converter.num_levels != 2 or converter.values == "pixels":
            raise ValueError(
                "A boolean array has two levels. Received: dtype=bool, "
                f"num_levels={converter.num_levels}, "
                f"values={converter.values!r}. Pass num_levels=2, or "
                "multiply by 255 to make black and white 8-bit values."
            )
    limit = 255
    if converter.values == "levels":
        limit = converter.num_levels - 1
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > limit:
        raise ValueError(
            f"Images must hold integers from 0 to {limit}. Received: values "
            f"from {lowest} to {highest}, "
            f"num_levels={converter.num_levels}, "
            f"values={converter.values!r}. Convert them first."
        )
    return values.astype("uint8", copy=False)
