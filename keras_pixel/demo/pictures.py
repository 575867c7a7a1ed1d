"""Pictures of a browser to levels, and levels to pictures for a browser."""

import math
from typing import Any

import numpy as np

from keras_pixel.data.folder import read_picture
from keras_pixel.data.pictures import image_sheet
from keras_pixel.data.pictures import to_bytes
from keras_pixel.data.pixels import PixelConverter
from keras_pixel.files import PathLike

# Side of the square that pictures are shown and painted on, in pixels.
CANVAS = 448
MOST_BYTES = 10 * 2**20
MOST_PIXELS = 16_000_000
# Of the editor's brushes, the one that marks what is to be redrawn.
MASK_COLOUR = "#ff0050"
DRAWING_COLOURS = (
    "#ffffff",
    "#000000",
    "#808080",
    "#ffd000",
    "#20a040",
    "#2060e0",
)
# Where nothing is drawn yet: in no image of grey levels.
_UNDRAWN = (52, 62, 94)
# A pixel of the model is redrawn if so much of it is painted.
_PAINTED = 0.25
# Dark to bright, evenly spaced: the colours of "magma".
_HEAT = np.array(
    [
        (0, 0, 4),
        (40, 17, 89),
        (114, 31, 129),
        (183, 55, 121),
        (241, 96, 93),
        (254, 176, 120),
        (252, 253, 191),
    ],
    "float64",
)


def read_upload(
    path: PathLike, image_shape: tuple[int, int, int], num_levels: int
) -> tuple[np.ndarray, str]:
    """Read a picture file as one image of a model.

    The largest centred part of the image's proportions is scaled to its size.
    A picture made by `enlarge` gives exactly the image that it was made of.

    Args:
        path: the file.
        image_shape: `(height, width, channels)`.
        num_levels: int.

    Returns:
        uint8 levels `(height, width, channels)`, and what was done to the
        picture, in words.

    Raises:
        ValueError: if it is no picture, or one of too many pixels.
    """
    from PIL import Image

    try:
        with Image.open(path) as file:
            size = file.size
        check_pixels(size)
        rgba = read_picture(path, 4)  # type: ignore[arg-type]
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            "The file must be a picture, such as PNG or JPEG. Received: one "
            "that cannot be read. Save it again."
        ) from error
    rgb = _on_white(rgba)
    size = rgb.shape[1::-1]  # upright
    small = _reduced(rgb, image_shape)
    levels = _levels(rgb if small is None else small, image_shape, num_levels)
    if small is not None and (to_rgb(levels[None], num_levels) == small).all():
        return levels, ""
    note = f"The picture has {size[0]}×{size[1]} pixels. "
    return levels, note + _what_was_done(image_shape, num_levels)


def read_editor(
    value: dict[str, Any] | None,
    image_shape: tuple[int, int, int],
    num_levels: int,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Read an image, and what of it is known, from an image editor.

    Strokes in about `MASK_COLOUR` mark what is to be redrawn; those in other
    colours are part of the image. What is transparent is white, as on the page.

    Args:
        value: dict of uint8 RGBA arrays of one size: "background", or `None`
            there, and a list of them, "layers".
        image_shape: `(height, width, channels)`.
        num_levels: int.

    Returns:
        uint8 levels `(height, width, channels)`; bool array `(height,
        width)`, True where a pixel is known; and what was done to the
        picture, in words.

    Raises:
        ValueError: if there is no picture, or nothing is to be redrawn.
    """
    value = value or {}
    background = value.get("background")
    layers = [layer for layer in value.get("layers") or () if layer.any()]
    if background is None and not layers:
        raise ValueError(
            "There must be a picture. Received: an empty canvas. Choose an "
            "example, upload a picture, or draw one."
        )
    if background is None:
        background = np.full_like(layers[0], 255)
    check_pixels(background.shape[1::-1])
    painted = np.zeros(background.shape[:2], bool)
    picture = _on_white(background)
    for layer in layers:
        if layer.shape[:2] != background.shape[:2]:
            raise ValueError(
                "Layers must be as large as the picture. Received: "
                f"{layer.shape[:2]} and {background.shape[:2]}. Clear the "
                "canvas and begin again."
            )
        is_mask = _is_mask_colour(layer)
        painted |= is_mask & (layer[..., 3] > 127)
        # The soft edge of a stroke that marks is no part of the image.
        picture = np.where(is_mask[..., None], picture, _over(layer, picture))
    box = _box(background[..., 3] > 127, image_shape)
    share = _shrink(painted.astype("float32")[..., None], box, image_shape)
    known = share[..., 0] < _PAINTED  # (height, width)
    if known.all():
        raise ValueError(
            "Something must be marked to be redrawn. Received: no stroke in "
            "the marking colour on the picture. Paint over a part of it."
        )
    shrunk = np.rint(_shrink(picture, box, image_shape)).astype("uint8")
    levels = _levels(shrunk, image_shape, num_levels)
    left, top, right, bottom = (round(x) for x in box)
    small = _reduced(picture[top:bottom, left:right], image_shape)
    if small is not None and (to_rgb(levels[None], num_levels) == small).all():
        return levels, known, ""
    return levels, known, _what_was_done(image_shape, num_levels)


def check_pixels(size: tuple[int, ...]) -> None:
    """Raise ValueError for a picture `(width, height)` of too many pixels."""
    if math.prod(size) > MOST_PIXELS:
        raise ValueError(
            f"A picture may have {MOST_PIXELS // 10**6} million pixels at "
            f"most. Received: {size[0]}×{size[1]}. Make it smaller."
        )


def to_rgb(images: np.ndarray, num_levels: int) -> np.ndarray:
    """Levels as uint8 colours `(images, height, width, 3)`."""
    values = to_bytes(images, num_levels)
    return np.broadcast_to(values, (*values.shape[:3], 3)).copy()


def enlarge(image: np.ndarray, num_levels: int) -> np.ndarray:
    """One image of levels, enlarged to fill a canvas as far as it can.

    Returns:
        uint8 RGBA `(CANVAS, CANVAS, 4)`, transparent beside the image.
        `read_editor` gives the levels back exactly.
    """
    rgb = to_rgb(image[None], num_levels)[0]
    step = max(1, CANVAS // max(rgb.shape[:2]))
    rgb = rgb.repeat(step, axis=0).repeat(step, axis=1)
    height, width = rgb.shape[:2]
    side = max(CANVAS, height, width)
    canvas = np.zeros((side, side, 4), "uint8")
    top, left = (side - height) // 2, (side - width) // 2
    inside = canvas[top : top + height, left : left + width]
    inside[..., :3] = rgb
    inside[..., 3] = 255
    return canvas


def draw_sheet(
    images: np.ndarray, is_drawn: np.ndarray, num_levels: int
) -> Any:
    """Images side by side, with the pixels marked that are not drawn yet.

    Args:
        images: levels `(images, height, width, channels)`.
        is_drawn: bool array `(images, height, width)`.
        num_levels: int.

    Returns:
        A `PIL.Image.Image`.
    """
    rgb = to_rgb(images, num_levels)
    rgb[~is_drawn] = _UNDRAWN
    columns = math.ceil(math.sqrt(len(rgb)))
    scale = max(1, 2 * CANVAS // (columns * max(rgb.shape[1:3])))
    return image_sheet(rgb, 256, columns, min(scale, 12))


def draw_heat(bits: np.ndarray) -> Any:
    """Bits of each pixel as a heat map with its scale below.

    Args:
        bits: float array `(height, width)`.

    Returns:
        A `PIL.Image.Image`.
    """
    from PIL import Image
    from PIL import ImageDraw
    from PIL import ImageFont

    # One pixel alone would darken all others.
    low, high = np.percentile(bits, (1, 99))
    place = np.clip((bits - low) / max(high - low, 1e-9), 0, 1)
    step = max(1, CANVAS // max(bits.shape))
    colours = _heat_colours(place).repeat(step, axis=0).repeat(step, axis=1)
    height, width, _ = colours.shape
    bar, line = 14, 26
    picture = Image.new("RGB", (width, height + 8 + bar + line), "white")
    picture.paste(Image.fromarray(colours), (0, 0))
    scale = _heat_colours(np.linspace(0, 1, width)[None].repeat(bar, axis=0))
    picture.paste(Image.fromarray(scale), (0, height + 8))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    at = height + 8 + bar + 2
    for x, anchor, text in (
        (2, "la", f"{low:.2f}"),
        (width / 2, "ma", "bits of a pixel"),
        (width - 2, "ra", f"{high:.2f}"),
    ):
        pen.text((x, at), text, "black", font, anchor=anchor)
    return picture


def _heat_colours(place: np.ndarray) -> np.ndarray:
    """uint8 colours `(..., 3)` of places in [0, 1] on the scale."""
    ends = np.linspace(0, 1, len(_HEAT))
    channels = [np.interp(place, ends, _HEAT[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype("uint8")


def _on_white(rgba: np.ndarray) -> np.ndarray:
    """uint8 RGB of a picture that may have transparent parts."""
    return _over(rgba, np.full((*rgba.shape[:2], 3), 255, "uint8"))


def _over(rgba: np.ndarray, ground: np.ndarray) -> np.ndarray:
    opacity = rgba[..., 3:] / 255.0
    mixed = rgba[..., :3] * opacity + ground * (1 - opacity)
    return np.rint(mixed).astype("uint8")


def _is_mask_colour(rgba: np.ndarray) -> np.ndarray:
    """Whether a stroke is nearer to `MASK_COLOUR` than to any other colour.

    Bool array `(height, width)`, False where there is no stroke.
    """
    colours = [_parse(MASK_COLOUR), *map(_parse, DRAWING_COLOURS)]
    rgb = rgba[..., :3].astype("int32")
    distances = [((rgb - colour) ** 2).sum(axis=-1) for colour in colours]
    return (np.argmin(distances, axis=0) == 0) & (rgba[..., 3] > 0)


def _parse(colour: str) -> tuple[int, int, int]:
    """`#ff0050` -> (255, 0, 80)."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _box(
    is_opaque: np.ndarray, image_shape: tuple[int, int, int]
) -> tuple[float, float, float, float]:
    """The part of a canvas to take: left, top, right, bottom.

    The largest centred part of the picture, which may not fill the canvas,
    that has the image's proportions.
    """
    rows = np.flatnonzero(is_opaque.any(axis=1))
    columns = np.flatnonzero(is_opaque.any(axis=0))
    if not len(rows):
        rows, columns = (np.arange(size) for size in is_opaque.shape)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    height, width, _ = image_shape
    scale = min((bottom - top) / height, (right - left) / width)
    x = left + (right - left - width * scale) / 2
    y = top + (bottom - top - height * scale) / 2
    return x, y, x + width * scale, y + height * scale


def _shrink(
    values: np.ndarray,
    box: tuple[float, float, float, float],
    image_shape: tuple[int, int, int],
) -> np.ndarray:
    """Mean values `(height, width, channels)` of the pixels in a box.

    Exact for what `enlarge` made, and for masks: no kernel reaches beyond its
    pixel.
    """
    from PIL import Image

    height, width, _ = image_shape
    return np.stack(
        [
            np.asarray(
                Image.fromarray(channel.astype("float32")).resize(
                    (width, height), Image.Resampling.BOX, box
                )
            )
            for channel in np.moveaxis(values, -1, 0)
        ],
        axis=-1,
    )


def _reduced(
    rgb: np.ndarray, image_shape: tuple[int, int, int]
) -> np.ndarray | None:
    """The image that was enlarged to this picture, or `None` if none was."""
    height, width, _ = image_shape
    step = len(rgb) // height
    if step < 1 or rgb.shape[:2] != (step * height, step * width):
        return None
    small = rgb[::step, ::step]
    again = small.repeat(step, axis=0).repeat(step, axis=1)
    return small if (again == rgb).all() else None


def _levels(
    rgb: np.ndarray, image_shape: tuple[int, int, int], num_levels: int
) -> np.ndarray:
    converter = PixelConverter(
        num_levels, image_shape, resize="center_crop", values="pixels"
    )
    return converter.quantise(converter.fit_shape(rgb, "the picture"))


def _what_was_done(image_shape: tuple[int, int, int], num_levels: int) -> str:
    height, width, channels = image_shape
    colours = "grey" if channels == 1 else "colour"
    return (
        f"Its centre was scaled to the model's {width}×{height} pixels, in "
        f"{colours} of {num_levels} levels."
    )
