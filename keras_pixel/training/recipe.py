"""A recipe: everything that decides what a training does, as one JSON file."""

import copy
import hashlib
import json
import os
from pathlib import Path
from typing import Annotated
from typing import Any
from typing import Literal
from typing import Self

import pydantic

from keras_pixel import files
from keras_pixel import schemas
from keras_pixel.checks import check_multiple
from keras_pixel.checks import check_type
from keras_pixel.data import ImageData
from keras_pixel.data import load_data
from keras_pixel.data.sources import is_path
from keras_pixel.presets import folders
from keras_pixel.training import recipe_fields
from keras_pixel.training.schedule import WarmupDecay

# What may change between two runs in the same folder. `steps` is among them,
# so that a training can be prolonged; the remaining learning rates then follow
# the new length.
CHANGEABLE = (
    "name",
    "description",
    "steps",
    "log_every",
    "checkpoint_every",
    "evaluate_every",
    "validation_images",
    "sample_every",
    "publish",
    "patience",
    "notes",
)
# Fields that came later, and what they were before: a training that began
# without them is the same.
_LATER = {"warm_start": False, "freeze": [], "lora_rank": None}
# Editors look here for the recipe's JSON schema.
SCHEMA_KEY = "$schema"


class Recipe(pydantic.BaseModel):
    """Everything that decides what a training does.

    A step is one update of the weights, from `accumulation_steps` batches of
    `batch_size` images.

    Args:
        name: str. Name of the training, and of the preset it makes.
        model: dict with `class_name` ("PixelCNN", or "package>Name" of a
            registered class of your own) and `config`, the arguments of the
            class, including `image_shape` and `num_levels`.
        data: dict. `source` as in `keras_pixel.data.load_data` (a relative
            path is looked for beside the recipe's file first, then in the
            working directory), `flip` (mirror half of the training images;
            defaults to `false`), and any other argument of `load_data`, such
            as `validation`.
        optimizer: dict. `name`, `learning_rate` (the highest), and any other
            argument of the Keras optimizer.
        batch_size: int. Images per batch.
        steps: int. Steps of the whole training, a multiple of `log_every`.
        schedule: dict. `warmup_steps`, `decay`, `final_fraction`: see
            `WarmupDecay`. Defaults to a constant learning rate.
        accumulation_steps: int. Batches per step. Defaults to `1`.
        ema_momentum: float in [0, 1). Highest momentum per step of the moving
            average of the weights that is evaluated and published; step `s`
            (from 0) uses at most `(1 + s) / (10 + s)`, so that an
            early average forgets its first values. Defaults to `0`: no average.
        clip_norm: float. Largest global norm of a step's gradients. Defaults
            to `null`: no clipping.
        precision: "float32", "mixed_bfloat16" or "mixed_float16". Evaluation
            and the published weights are always float32.
        seed: int. Decides initial weights, order of images and dropout.
        log_every: int. Steps per line of the history. Defaults to `100`.
        checkpoint_every: int. Steps between checkpoints, a multiple of
            `log_every`. Defaults to `1000`.
        evaluate_every: int. Steps between evaluations on validation images,
            a multiple of `log_every`; `0` for none. Defaults to `1000`.
        validation_images: int. Images to evaluate on, the first of the split.
            Defaults to `null`: all.
        sample_every: int. Steps between sample sheets, a multiple of
            `log_every`; `0` for none. Defaults to `1000`.
        publish: "last" weights, or the "best" by validation, those of
            `initial_weights` among them. Defaults to "last".
        initial_weights: str. Preset (name, or folder as `source`) to start
            from. Defaults to `null`: random weights.
        warm_start: bool. Whether layers whose shapes differ from those of
            `initial_weights` (other levels, channels or classes) are made
            anew, as near to the trained ones as can be; otherwise they are an
            error. Defaults to `false`.
        freeze: list of names of layers, or patterns such as "block_*", whose
            weights stay as they are. Defaults to none.
        lora_rank: int. Rank of LoRA (Hu et al., 2021): the kernels taken from
            `initial_weights` stay as they are, and products of this rank are
            trained with them. Layers made anew, and those in which the
            products would hold as many weights as the kernels, are trained
            whole; so are biases and what else is no kernel. The preset has the
            sums. Defaults to `null`: kernels are trained.
        patience: int. Evaluations without a better one after which the
            training ends before `steps`, with `publish` "best". Defaults to
            `null`: it never does.
        description: str. What the recipe is for.
        notes: anything. Command, hardware, hours, the number it reached.

    Raises:
        TypeError, ValueError: if an argument has the wrong type or value.
    """

    model_config = pydantic.ConfigDict(**schemas.STRICT, frozen=True)

    name: Annotated[str, pydantic.Field(json_schema_extra={"minLength": 1})]
    model: recipe_fields.Model
    data: recipe_fields.Data
    optimizer: recipe_fields.Optimizer
    batch_size: schemas.Count
    steps: schemas.Count
    schedule: recipe_fields.Schedule = recipe_fields.Schedule()
    accumulation_steps: schemas.Count = 1
    ema_momentum: schemas.Probability = 0.0
    clip_norm: Annotated[
        schemas.Positive | None, schemas.way_out("Use null for no clipping.")
    ] = None
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: schemas.CountOrZero = 0
    log_every: schemas.Count = 100
    checkpoint_every: schemas.Count = 1000
    evaluate_every: schemas.CountOrZero = 1000
    validation_images: schemas.Count | None = None
    sample_every: schemas.CountOrZero = 1000
    publish: Literal["last", "best"] = "last"
    initial_weights: str | None = None
    warm_start: bool = False
    freeze: list[str] = pydantic.Field(default_factory=list)
    lora_rank: schemas.Count | None = None
    patience: schemas.Count | None = None
    description: str = ""
    notes: Any = None
    # The folder of the file that it was read from.
    _folder: Path | None = pydantic.PrivateAttr(None)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except pydantic.ValidationError as error:
            raise schemas.one_line(
                error, self.model_json_schema(), "recipe", fields
            ) from None

    def __eq__(self, other: object) -> bool:
        # Wherever they were read.
        return isinstance(other, Recipe) and self.to_dict() == other.to_dict()

    @pydantic.model_validator(mode="after")
    def _check_together(self) -> Self:
        if not self.name:
            raise ValueError(
                "`name` must not be empty. Received: name=''. Name the preset "
                "that the training is to make."
            )
        if self.publish == "best" and not self.evaluate_every:
            raise ValueError(
                '`publish` may be "best" only with evaluations to choose by. '
                "Received: publish='best', evaluate_every=0. Use "
                'publish="last" or a positive `evaluate_every`.'
            )
        if self.patience is not None and self.publish != "best":
            raise ValueError(
                '`patience` needs `publish` "best": the last weights are not '
                f"those that it waits for. Received: patience={self.patience}, "
                f'publish={self.publish!r}. Use publish="best".'
            )
        if self.warm_start and self.initial_weights is None:
            raise ValueError(
                "`warm_start` needs `initial_weights` to start from. Received: "
                "warm_start=true without. Name a preset, or leave it out."
            )
        if self.lora_rank is not None and self.initial_weights is None:
            raise ValueError(
                "`lora_rank` needs `initial_weights`: kernels at random are of "
                f"no use as they are. Received: lora_rank={self.lora_rank} "
                "without. Name a preset, or leave it out."
            )
        check_multiple("steps", self.steps, self.log_every)
        check_multiple(
            "checkpoint_every", self.checkpoint_every, self.log_every
        )
        check_multiple("evaluate_every", self.evaluate_every, self.log_every)
        check_multiple("sample_every", self.sample_every, self.log_every)
        warmup_steps = self.schedule.get("warmup_steps", 0)
        if warmup_steps > self.steps:
            raise ValueError(
                "`schedule.warmup_steps` must not be more than `steps`. "
                f"Received: schedule.warmup_steps={warmup_steps}, "
                f"steps={self.steps}. Use a shorter warm-up, or more steps."
            )
        self.make_schedule()
        return self

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> Self:
        """Make a recipe from a dict.

        Raises:
            TypeError, ValueError: for unknown and missing keys, too.
        """
        check_type("recipe", config, dict)
        return cls(**{k: v for k, v in config.items() if k != SCHEMA_KEY})

    @classmethod
    def from_json(cls, path: files.PathLike) -> Self:
        """Read a recipe from a JSON file; paths are relative to its folder."""
        path = Path(path).expanduser()
        recipe = cls.from_dict(files.read_json(path, "A recipe"))
        recipe._folder = path.resolve().parent
        return recipe

    @classmethod
    def of(cls, recipe: Self | dict[str, Any] | files.PathLike) -> Self:
        """Make a recipe from a `Recipe`, a dict, or the path of a JSON file."""
        if isinstance(recipe, Recipe):
            return recipe
        if isinstance(recipe, dict):
            return cls.from_dict(recipe)
        return cls.from_json(recipe)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, with all defaults."""
        fields = type(self).model_fields
        return {key: copy.deepcopy(getattr(self, key)) for key in fields}

    def to_json(
        self,
        path: files.PathLike | None = None,
        folder: files.PathLike | None = None,
    ) -> str:
        """Return the recipe as JSON text.

        Args:
            path: file to write it to, or `None`.
            folder: folder that paths are made relative to. Defaults to that of
                `path`.
        """
        config = self.to_dict()
        if path is not None and folder is None:
            folder = Path(path).parent
        if folder is not None:
            source, weights = self.source, self.weights
            if source != config["data"]["source"]:
                source = _relative(source, folder)
                config["data"] = {**config["data"], "source": source}
            if weights is not None and weights != config["initial_weights"]:
                config["initial_weights"] = _relative(weights, folder)
        text = files.to_json(config)
        if path is not None:
            files.write_text(path, text)
        return text

    @property
    def source(self) -> Any:
        """Source of the images; the full path if it lies beside the recipe."""
        source = self.data["source"]
        if isinstance(source, str) and (
            is_path(source) or "/" in source or os.sep in source
        ):
            return self._beside(source)
        return source

    @property
    def weights(self) -> str | None:
        """Preset to start from; the full path if it lies beside the recipe."""
        name = self.initial_weights
        if name is None or name in folders.zoo_names():
            return name
        return self._beside(name)

    def _beside(self, path: str) -> str:
        is_free = Path(path).is_absolute() or path.startswith("~")
        if self._folder is None or is_free:
            return path
        found = self._folder / path
        return os.path.normpath(found) if found.exists() else path

    def fixed(self) -> dict[str, Any]:
        """Return the part that may not change between two runs in a folder.

        Only the last name of a path counts: the folder of pictures may have
        been moved, and the pictures are compared by content.
        """
        config = json.loads(json.dumps(self.to_dict()))
        config["data"]["source"] = _last_name(self.source)
        if self.weights is not None:
            config["initial_weights"] = _last_name(self.weights)
        return {
            k: v
            for k, v in config.items()
            if k not in CHANGEABLE and not (k in _LATER and v == _LATER[k])
        }

    def fingerprint(self) -> str:
        """Return the SHA-256 of the part that may not change."""
        return _sha256(self.fixed())

    def former_fingerprint(self) -> str:
        """Return the fingerprint of earlier versions, with paths as written."""
        config = self.to_dict()
        return _sha256({k: config[k] for k in self.fixed()})

    def load_data(self, split: str, **options: Any) -> ImageData:
        """Load the images of a split with `keras_pixel.data.load_data`.

        Args:
            split: "train", "validation", "test" or "all".
            **options: arguments of `load_data` instead of the recipe's.
        """
        own: dict[str, Any] = {
            key: value for key, value in self.data.items() if key != "flip"
        }
        config = self.model["config"]
        own["source"] = self.source
        own["image_shape"] = tuple(config["image_shape"])
        own["num_levels"] = config["num_levels"]
        if config.get("num_classes") is not None:
            own["labels"] = True
        return load_data(split=split, **{**own, **options})

    def is_trained_on(self, source: str) -> bool:
        """Return whether a source is the recipe's, to judge by its name.

        Of a path only the last name counts, as in `fixed`.
        """
        return _last_name(source) == _last_name(self.source)

    def make_schedule(self) -> WarmupDecay:
        """Make the learning rate schedule of the whole training."""
        return WarmupDecay(
            self.optimizer["learning_rate"],
            steps=self.steps,
            batches_per_step=self.accumulation_steps,
            **self.schedule,
        )


def _sha256(config: dict[str, Any]) -> str:
    text = json.dumps(config, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _relative(path: str, folder: files.PathLike) -> str:
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # on another drive of Windows
        return path


def _last_name(source: Any) -> Any:
    """The last part of a path, existing or not; a name as it is."""
    if not isinstance(source, str):
        return source
    return os.path.basename(os.path.abspath(source))
