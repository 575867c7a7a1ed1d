"""The models that a page offers, and those of them that are in memory."""

import collections
import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_pixel import presets
from keras_pixel.checks import check_size
from keras_pixel.data.pictures import cut_sheet
from keras_pixel.presets import folders

# Of a preset's sample sheet.
_MOST_EXAMPLES = 7


@dataclasses.dataclass(frozen=True)
class Card:
    """What a page says about a preset, known before its model is loaded.

    Attributes:
        name: str, as `presets.load` takes it.
        image_shape: `(height, width, channels)`.
        num_levels: int.
        class_names: tuple of strings, empty for a model without classes.
        can_do_without: bool. Whether labels may be left out, and exaggerated
            by `guidance_scale`.
        summary: str, one line.
    """

    name: str
    image_shape: tuple[int, int, int]
    num_levels: int
    class_names: tuple[str, ...]
    can_do_without: bool
    summary: str


class Shelf:
    """Presets of pictures, loaded when first used; those used last are kept.

    Args:
        names: names or folders of presets. Defaults to `None`: all of the zoo
            that draw pictures.
        most_kept: int. Models in memory, at most. Defaults to `3`.

    Attributes:
        names: list of strings.

    Raises:
        ValueError: if there is no such preset, or one draws no pictures.
    """

    def __init__(
        self, names: Sequence[str] | None = None, most_kept: int = 3
    ) -> None:
        self.most_kept = check_size("most_kept", most_kept)
        if not names:
            names = [
                name
                for name in presets.list_models()
                if is_picture(presets.read_metadata(name))
            ]
        self._cards = {name: _read_card(name) for name in names}
        self.names = list(self._cards)
        self._models: collections.OrderedDict[str, Any] = (
            collections.OrderedDict()
        )
        self._lock = threading.Lock()

    def card(self, name: str) -> Card:
        """What is known about one of `names`.

        Raises:
            ValueError: if it is none of them.
        """
        if name not in self._cards:
            raise ValueError(
                "The model must be one of those on the page. "
                f"Received: {name!r}. Choose one of {', '.join(self.names)}."
            )
        return self._cards[name]

    def is_loaded(self, name: str) -> bool:
        """Whether the model is in memory."""
        with self._lock:
            return name in self._models

    def model(self, name: str) -> Any:
        """The model of one of `names`, from memory or from its folder.

        Raises:
            ValueError: if it is none of them, or cannot be used on a page.
        """
        self.card(name)
        with self._lock:
            if name not in self._models:
                # Room is made first, so that there is never one too many.
                while len(self._models) >= self.most_kept:
                    self._models.popitem(last=False)
                self._models[name] = _load(name)
            self._models.move_to_end(name)
            return self._models[name]

    def examples(self, name: str) -> np.ndarray:
        """Images to begin with, which need no data and no drawing.

        Some that the model drew, of its preset's sample sheet, and a black
        one at last.

        Returns:
            int32 levels `(images, height, width, channels)`.
        """
        card = self.card(name)
        path = folders.find(name) / "samples.png"
        drawn = None
        if path.is_file():
            from PIL import Image

            with Image.open(path) as sheet:
                values = np.asarray(sheet.convert("RGB"))
            drawn = cut_sheet(values, card.image_shape, card.num_levels)
        black = np.zeros((1, *card.image_shape), "int32")
        if drawn is None:
            return black
        # From all over the sheet, which may lie in the order of the classes.
        chosen = np.linspace(0, len(drawn) - 1, _MOST_EXAMPLES).round()
        return np.concatenate([drawn[np.unique(chosen.astype(int))], black])


def is_picture(metadata: dict[str, Any]) -> bool:
    """Whether a preset draws pictures, and no text, sound or actions."""
    height, _, channels = metadata.get("image_shape", (1, 1, 1))
    return height > 1 and channels in (1, 3)


def _read_card(name: str) -> Card:
    metadata = presets.read_metadata(name)
    if not is_picture(metadata):
        raise ValueError(
            "The page shows pictures: images of several rows and of 1 or 3 "
            f"channels. Received: the preset {name!r} of image_shape="
            f"{metadata.get('image_shape')}. Leave it out."
        )
    height, width, channels = metadata["image_shape"]
    config = folders.read_json(folders.find(name), folders.CONFIG_FILE)
    arguments = config.get("config")
    dropout = (
        arguments.get("label_dropout") if isinstance(arguments, dict) else 0
    )
    number = metadata.get("num_classes") or 0
    class_names = metadata.get("class_names") or range(number)
    return Card(
        name,
        (height, width, channels),
        metadata["num_levels"],
        tuple(str(class_name) for class_name in class_names),
        bool(number and dropout),
        _summary(metadata),
    )


def _summary(metadata: dict[str, Any]) -> str:
    size = "×".join(str(number) for number in metadata["image_shape"])
    parts = [
        f"{size}, {metadata['num_levels']} levels",
        f"{metadata['num_parameters']:,} parameters",
    ]
    measured = metadata.get("measured", {})
    data = metadata.get("dataset", {}).get("name")
    if measured.get("headline") == "nats" and "nats" in measured:
        parts.append(f"{measured['nats']:.2f} nats per image")
    elif "bits_per_dim" in measured:
        parts.append(f"{measured['bits_per_dim']:.3f} bits/dim")
    if data and len(parts) == 3:
        parts[-1] += f" on {data}"
    return ", ".join(parts) + "."


def _load(name: str) -> Any:
    model = presets.load(name)
    if "condition" in model.conditions.names:
        raise ValueError(
            "The page has no field for what this model must be told. "
            f"Received: the preset {name!r}, whose model has an encoder of "
            "contexts. Choose another."
        )
    return model
