"""The models of bulk work: a preset, or an exported SavedModel."""

import hashlib
import os
import pathlib
from typing import Any

import numpy as np

from keras_pixel import files
from keras_pixel import presets
from keras_pixel.checks import check_choice
from keras_pixel.checks import check_options
from keras_pixel.start import import_tensorflow
from keras_pixel.tasks import compression_identity

# Beside the graph of a SavedModel, what `export.identity` wrote.
_IDENTITY = "assets.extra/keras_pixel.json"
_GRAPH = "saved_model.pb"
# Settings of `model.sample`, but labels.
_DRAWING = ("order", "temperature", "top_k", "top_p", "guidance_scale")


def open_model(model: Any) -> "PresetModel | ExportedModel":
    """Load the model that bulk work is done with.

    Args:
        model: a `PixelModel`, the name, folder or address of a preset, or the
            folder of an exported SavedModel.

    Raises:
        TypeError: if it is none of these.
        ValueError, FileNotFoundError: if it cannot be loaded.
    """
    if hasattr(model, "pixel_distribution"):
        return PresetModel(model)
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            "`model` must be a `PixelModel`, or name a preset or a "
            f"SavedModel. Received: {type(model).__name__}. Give one of these."
        )
    # A name of the zoo comes first, as in `presets.load`.
    if not (isinstance(model, str) and model in presets.list_models()):
        folder = pathlib.Path(model).expanduser()
        if (folder / _GRAPH).is_file():
            return ExportedModel(folder)
    return PresetModel(presets.load(model))


class PresetModel:
    """A `PixelModel`; both classes have the same methods.

    Attributes:
        name: str.
        image_shape: `(height, width, channels)`.
        num_levels: int.
        sha256: str, of what determines the results: class, arguments,
            weights.
    """

    def __init__(self, model: Any):
        self.model = model
        self.name = model.name
        self.image_shape = tuple(model.image_shape)
        self.num_levels = model.num_levels
        self.sha256 = compression_identity.describe(model)["sha256"]

    def check_scoring(self, settings: dict[str, Any]) -> None:
        """Refuse labels and orders that the model does not take."""
        told = {"labels": settings["label"]}
        if settings["order"] != "mean":
            told["order"] = settings["order"]
        self.model.conditions.program_inputs(1, **told)

    def log_prob(
        self, images: np.ndarray, settings: dict[str, Any], batch_size: int
    ) -> np.ndarray:
        """Nats of each image, float32 array `(batch,)`.

        The last batch of a shard may be smaller than `batch_size`, and is
        padded where another size would be compiled anew.
        """
        return self.model.log_prob(
            images,
            labels=settings["label"],
            order=settings["order"],
            batch_size=batch_size,
        )

    def check_sampling(self, settings: dict[str, Any]) -> None:
        """Refuse settings that the model cannot draw with."""
        labels = settings["labels"]
        self.model.conditions.program_inputs(
            1 if labels is None else len(labels),
            labels,
            guidance_scale=settings["guidance_scale"],
            order=settings["order"],
        )
        _check_options(settings, self.num_levels)

    def sample(
        self,
        noise: np.ndarray,
        labels: list | None,
        settings: dict[str, Any],
        batch_size: int,
    ) -> np.ndarray:
        """Levels drawn from noise, one label for each image."""
        return self.model.sample(
            noise=noise,
            labels=labels,
            batch_size=batch_size,
            **{name: settings[name] for name in _DRAWING},
        )


class ExportedModel:
    """A SavedModel by `model.export`, see `PresetModel`.

    It needs TensorFlow, and neither Keras nor the model's classes.

    Args:
        folder: path of the SavedModel.
    """

    def __init__(self, folder: pathlib.Path):
        path = folder / _IDENTITY
        if not path.is_file():
            raise ValueError(
                "A SavedModel must be an export of this package. Received: "
                f"{str(folder)!r}, without {_IDENTITY}. Write one by "
                "`model.export(folder)`."
            )
        self._told = files.read_json(path, f"`{_IDENTITY}`")
        self.name = self._told["name"] or folder.name
        self.image_shape = tuple(self._told["image_shape"])
        self.num_levels = self._told["num_levels"]
        found = hashlib.sha256()
        for path in sorted(x for x in folder.rglob("*") if x.is_file()):
            name = path.relative_to(folder).as_posix()
            found.update(f"{name} {files.sha256(path)}\n".encode())
        self.sha256 = found.hexdigest()
        try:
            tf = import_tensorflow()
        except ImportError as error:
            raise ImportError(
                "A SavedModel needs TensorFlow. "
                f"Received: {error}. Install it with `pip install tensorflow`, "
                "or give a preset."
            ) from error
        # Kept: its functions hold its variables weakly.
        self._loaded = tf.saved_model.load(str(folder))
        signatures = self._loaded.signatures
        self._score = signatures["serving_default"]
        self._sample = signatures["sample_from_noise"]

    def check_scoring(self, settings: dict[str, Any]) -> None:
        if settings["order"] == "mean":
            raise NotImplementedError(
                "A SavedModel scores in one order. Received: order='mean'. "
                "Give the preset, or one of the orders."
            )
        self._conditions(1, [settings["label"]], settings["order"])

    def log_prob(
        self, images: np.ndarray, settings: dict[str, Any], batch_size: int
    ) -> np.ndarray:
        count = len(images)
        told = self._conditions(
            count, [settings["label"]] * count, settings["order"]
        )
        found = self._score(**_tensors(images=images, **told))
        return found["log_prob"].numpy()

    def check_sampling(self, settings: dict[str, Any]) -> None:
        missing = [
            name
            for name in ("top_k", "top_p", "guidance_scale")
            if settings[name] is not None
        ]
        if missing:
            raise NotImplementedError(
                "A SavedModel draws by seed, temperature, labels and order. "
                f"Received: {', '.join(missing)}. Leave it out, or give the "
                "preset."
            )
        labels = settings["labels"] or [None]
        self._conditions(len(labels), labels, settings["order"])
        _check_options(settings, self.num_levels)

    def sample(
        self,
        noise: np.ndarray,
        labels: list | None,
        settings: dict[str, Any],
        batch_size: int,
    ) -> np.ndarray:
        count = len(noise)
        told = self._conditions(
            count, labels or [None] * count, settings["order"]
        )
        temperature = np.full(count, settings["temperature"], "float32")
        found = self._sample(
            **_tensors(noise=noise, temperature=temperature, **told)
        )
        return found["images"].numpy()

    def _conditions(
        self, count: int, labels: list, order: str | None
    ) -> dict[str, np.ndarray]:
        """What the signatures are told beside images or noise."""
        if "condition_shape" in self._told:
            raise NotImplementedError(
                "Bulk work tells a model labels and orders. Received: "
                f"{self.name!r}, which needs another condition. Call the "
                "model's own methods."
            )
        found = {}
        orders = self._told.get("orders", ["right_down"])
        place = 0
        if order is not None:
            place = orders.index(check_choice("order", order, orders))
        if len(orders) > 1:
            found["order"] = np.full(count, place, "int32")
        number = self._told.get("num_classes")
        if number is not None:
            ids = [self._label(label, number) for label in labels]
            found["labels"] = np.array(ids, "int32")
        elif any(label is not None for label in labels):
            raise ValueError(
                "`labels` must be left out: this model takes none. "
                f"Received: labels={labels[:3]}. Leave them out."
            )
        return found

    def _label(self, label: Any, number: int) -> int:
        names = self._told["class_names"] or []
        if label is None:
            label = self._told["no_label"]
        elif label in names:
            label = names.index(label)
        known = (*range(number), self._told["no_label"])
        if label is None or label not in known:
            raise ValueError(
                "`labels` must be class ids or names that the model has. "
                f"Received: {label!r}, num_classes={number}. Use ids from 0 "
                f"to {number - 1}"
                + (f", or names of {names}." if names else ".")
            )
        return label


def _check_options(settings: dict[str, Any], num_levels: int) -> None:
    names = ("temperature", "top_k", "top_p")
    check_options(1, num_levels, **{name: settings[name] for name in names})


def _tensors(**arrays: np.ndarray) -> dict[str, Any]:
    import tensorflow as tf

    return {name: tf.constant(array) for name, array in arrays.items()}
