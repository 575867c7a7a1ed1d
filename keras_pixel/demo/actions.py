"""What the buttons of the page do: form fields to pictures and words."""

import logging
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pixel.demo import pictures
from keras_pixel.demo.shelf import Card
from keras_pixel.demo.shelf import Shelf

MOST_IMAGES = 16
MOST_VARIANTS = 8
MOST_GUIDANCE = 5.0
TEMPERATURES = (0.1, 2.0)
# Drawn at once where known pixels may lie anywhere.
_PARTICLES = 32
_UPDATES = 24
# Beside the names of classes.
ANY_CLASS = "any class"
EACH_CLASS = "all classes in turn"

# What `model` methods raise for bad input, and files and extras for theirs.
_EXPECTED = (ValueError, TypeError, OSError, ImportError, NotImplementedError)


def class_choices(card: Card, several: bool = False) -> list[str]:
    """What may be chosen as the class, the default first; perhaps nothing.

    Args:
        card: what is known of the model.
        several: bool. Whether images may differ in their class.
    """
    if not card.class_names:
        return []
    first = [EACH_CLASS] if several else []
    first += [ANY_CLASS] if card.can_do_without else []
    return [*first, *card.class_names]


def sample(
    shelf: Shelf,
    name: str,
    count: float,
    seed: str,
    temperature: float,
    label: str | None,
    guidance_scale: float,
) -> Iterator[tuple[Any, str]]:
    """Draw images, and show them again and again while they appear.

    Args:
        shelf: `Shelf`.
        name: one of its names.
        count: images, from 1 to `MOST_IMAGES`.
        seed: str of digits, or an empty one for a new seed.
        temperature: float in `TEMPERATURES`.
        label: one of `class_choices(card, several=True)`, not looked at for a
            model without classes.
        guidance_scale: float from 1 to `MOST_GUIDANCE`.

    Yields:
        `(picture, words)`: a `PIL.Image.Image`, or `None` for the one before.

    Raises:
        ValueError: if a field is out of range.
    """
    card = shelf.card(name)
    number = _whole("The number of images", count, 1, MOST_IMAGES)
    seed_number = _seed(seed)
    options = _options(card, temperature, label, guidance_scale)
    if card.class_names and label == EACH_CLASS:
        options["labels"] = [i % len(card.class_names) for i in range(number)]
    yield None, _waiting(shelf, name)
    model = shelf.model(name)
    start = time.perf_counter()
    drawing = model.sample_progressively(
        number, seed=seed_number, num_updates=_UPDATES, **options
    )
    for images, is_drawn in drawing:
        sheet = pictures.draw_sheet(images, is_drawn, card.num_levels)
        yield sheet, f"{is_drawn.mean():.0%} of the pixels are drawn."
    seconds = time.perf_counter() - start
    yield sheet, f"Seed {seed_number}, {seconds:.1f} seconds."


def complete(
    shelf: Shelf,
    name: str,
    editor: dict[str, Any] | None,
    count: float,
    seed: str,
    temperature: float,
    label: str | None,
    guidance_scale: float,
    fits_all: bool,
) -> Iterator[tuple[Any, str]]:
    """Redraw what is marked in a picture, in several variants.

    Args:
        shelf, name, seed, temperature, guidance_scale: as in `sample`.
        editor: what an image editor gives, see `pictures.read_editor`.
        count: variants, from 1 to `MOST_VARIANTS`.
        label: one of `class_choices(card)`.
        fits_all: bool. Whether to fit known pixels that come later, too.

    Yields:
        As in `sample`: the picture as the model sees it, and its variants.

    Raises:
        ValueError: if a field is out of range, or nothing is marked.
    """
    card = shelf.card(name)
    number = _whole("The number of variants", count, 1, MOST_VARIANTS)
    seed_number = _seed(seed)
    options = _options(card, temperature, label, guidance_scale)
    if fits_all:
        if "guidance_scale" in options:
            raise ValueError(
                "Guidance and fitting all that is known exclude each other. "
                f"Received: guidance={guidance_scale} and both. Set guidance "
                "to 1, or take back the other."
            )
        options["num_particles"] = _PARTICLES
    image, known, note = pictures.read_editor(
        editor, card.image_shape, card.num_levels
    )
    yield None, _waiting(shelf, name)
    model = shelf.model(name)
    start = time.perf_counter()
    (variants,) = model.complete(
        image[None], known, num_variants=number, seed=seed_number, **options
    )
    seconds = time.perf_counter() - start
    images = np.concatenate([image[None], variants])
    shown = np.broadcast_to(True, images.shape[:3]).copy()
    shown[0] = known
    sheet = pictures.draw_sheet(images, shown, card.num_levels)
    said = (
        f"What is kept, and {number} completions. Seed {seed_number}, "
        f"{seconds:.1f} seconds. {note}"
    )
    yield sheet, said.strip()


def score(
    shelf: Shelf, name: str, path: str | None, label: str | None
) -> Iterator[tuple[Any, Any, str]]:
    """Tell how probable a picture is, and where its bits lie.

    Args:
        shelf, name: as in `sample`.
        path: file of a picture, or `None` for none.
        label: one of `class_choices(card)`.

    Yields:
        `(picture, heat map, words)`: the picture as the model sees it, and
        the bits of its pixels, both `PIL.Image.Image` or `None`.

    Raises:
        ValueError: if there is no picture, or none that can be read.
    """
    card = shelf.card(name)
    options = _options(card, 1.0, label, 1.0)
    del options["temperature"]
    if path is None:
        raise ValueError(
            "There must be a picture. Received: none. Choose an example or "
            "upload one."
        )
    image, note = pictures.read_upload(path, card.image_shape, card.num_levels)
    yield None, None, _waiting(shelf, name)
    model = shelf.model(name)
    (nats,) = model.log_prob(image[None], reduce="sub_pixels", **options)
    bits = -nats.astype("float64") / np.log(2)  # (height, width, channels)
    shown = np.ones((1, *image.shape[:2]), bool)
    words = (
        f"**{bits.mean():.3f} bits/dim**: {bits.sum():,.1f} bits, or "
        f"{bits.sum() * np.log(2):,.2f} nats, for the whole image. On the left "
        f"what the model sees, on the right where the bits lie. {note}"
    )
    yield (
        pictures.draw_sheet(image[None], shown, card.num_levels),
        pictures.draw_heat(bits.sum(axis=-1)),
        words.strip(),
    )


def in_words(error: BaseException) -> str:
    """What a page says about an error: its message, never a traceback.

    What is no one's bad input is written to the log, too.
    """
    if isinstance(error, _EXPECTED):
        return " ".join(str(error).split()) or type(error).__name__
    logging.getLogger(__name__).error("On the page:", exc_info=error)
    return (
        "This did not work, and not because of what you entered. Received: "
        f"{type(error).__name__}. The terminal that runs the page says more."
    )


def _waiting(shelf: Shelf, name: str) -> str:
    if shelf.is_loaded(name):
        return "Working. What is new to a model is compiled first."
    return f"Loading {name}. The first time takes up to a minute."


def _options(
    card: Card, temperature: float, label: str | None, guidance_scale: float
) -> dict[str, Any]:
    """Arguments of a model's methods, from the fields of the page."""
    options: dict[str, Any] = {
        "temperature": _within("The temperature", temperature, *TEMPERATURES)
    }
    if not card.class_names:
        return options
    choices = class_choices(card, several=True)
    if label not in choices:
        raise ValueError(
            "The class must be one of the model's. "
            f"Received: {label!r}. Choose one of {', '.join(choices)}."
        )
    if label in card.class_names:
        options["labels"] = card.class_names.index(label)
    if card.can_do_without and label != ANY_CLASS:
        scale = _within("Guidance", guidance_scale, 1, MOST_GUIDANCE)
        # Without it an image costs half as much.
        if scale != 1:
            options["guidance_scale"] = scale
    return options


def _within(what: str, value: Any, least: float, most: float) -> float:
    if not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(
            f"{what} must be a number from {least:g} to {most:g}. Received: "
            f"{value!r}. Change it."
        )
    return float(value)


def _whole(what: str, value: Any, least: int, most: int) -> int:
    number = _within(what, value, least, most)
    if not number.is_integer():
        raise ValueError(
            f"{what} must be a whole number. Received: {value!r}. Change it."
        )
    return int(number)


def _seed(text: str) -> int:
    text = text.strip()
    if not text:
        return secrets.randbelow(10**6)
    # No other digits than these, which `int` would take, too.
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(
            "The seed must be a whole number of at most 9 digits, or empty. "
            f"Received: {text[:20]!r}. Change it."
        )
    return int(text)
