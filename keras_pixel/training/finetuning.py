"""From a trained preset and images of one's own to another preset."""

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_pixel import files
from keras_pixel import models
from keras_pixel import presets
from keras_pixel.checks import check_size
from keras_pixel.data import load_data
from keras_pixel.data.sources import open_source
from keras_pixel.files import PathLike
from keras_pixel.layers.lora import num_parameters
from keras_pixel.presets import folders
from keras_pixel.training import building
from keras_pixel.training.devices import Devices
from keras_pixel.training.evaluation import evaluate
from keras_pixel.training.lora import enable_lora
from keras_pixel.training.recipe import Recipe
from keras_pixel.training.trainer import train
from keras_pixel.training.warm_start import freeze as freeze_layers
from keras_pixel.training.warm_start import warm_start

# A window of the history, at most; small sets have shorter epochs.
_WINDOW = 100
# Of the learning rate that the preset was trained with.
_FRACTION = 0.2
_LEARNING_RATE = 0.0005


@dataclasses.dataclass(frozen=True)
class FinetuneResult:
    """The result of a fine-tuning.

    Args:
        preset_dir: path of the preset folder, for `keras_pixel.load`.
        step: int. Step of the published weights.
        before: float. Bits/dim of the held-out images before the first step.
        after: float. The same with the published weights.
        num_images: int. Held-out images.
        remade: tuple of the names of the layers that were made anew, because
            levels, channels or classes differ from the preset's.
        seconds: float. Seconds of training, over all runs.
        num_trained: int. Weights that were trained; with LoRA, of its
            products.
        num_weights: int. Weights of the preset.
    """

    preset_dir: Path
    step: int
    before: float
    after: float
    num_images: int
    remade: tuple[str, ...]
    seconds: float
    num_trained: int
    num_weights: int

    def __str__(self) -> str:
        lines = [
            f"before  {self.before:.4f} bits/dim on {self.num_images:,} "
            "held-out images",
            f"after   {self.after:.4f} bits/dim, step {self.step:,}, "
            f"{self.seconds:,.0f} s",
            f"trained {self.num_trained:,} weights, of a preset of "
            f"{self.num_weights:,}",
        ]
        if self.remade:
            lines.append(f"anew    {', '.join(self.remade)}")
        return "\n".join([*lines, f"preset  {self.preset_dir}"])


def finetune(
    model: models.PixelModel | PathLike,
    data: Any,
    output_dir: PathLike,
    *,
    image_shape: Sequence[int] | None = None,
    num_levels: int | None = None,
    labels: bool = False,
    epochs: int = 10,
    batch_size: int = 16,
    learning_rate: float | None = None,
    freeze: Iterable[str] = (),
    lora_rank: int | None = None,
    flip: bool = False,
    patience: int = 3,
    validation: int | float = 0.1,
    resize: str | None = None,
    values: str | None = None,
    precision: str = "float32",
    seed: int = 0,
    data_dir: PathLike | None = None,
    download: bool = False,
    resume: bool = True,
    progress: bool = True,
    devices: int | str | None = None,
) -> FinetuneResult | None:
    """Train a preset further on other images, and save it as a preset.

    The model's class and body stay. It may take images of another size where
    the architecture allows it, another number of levels or channels, and
    class labels: the layers that know of these are made anew, as near to the
    trained ones as can be (see `warm_start`), and named. Of the images a part
    is held out to measure before and after, and another to choose the best
    weights and the moment to stop.

    It writes a training's folder (see `train`): the same call resumes one that
    was stopped, `recipe.json` says all that was done, and `preset/` loads,
    exports and serves like any other.

    Args:
        model: name or folder of a preset, or a `PixelModel`.
        data: what `load_data` takes as `source`: a folder of pictures, an
            .npy or .npz file, the name of a TFDS data set, an array, or
            `(images, labels)`.
        output_dir: path of the training's folder, created if necessary.
        image_shape: `(height, width, channels)`. Defaults to `None`, the
            preset's.
        num_levels: int. Defaults to `None`, the preset's.
        labels: bool. Whether the model is told the class of each image, also
            where the preset is not. Defaults to `False`: as the preset.
        epochs: int. Passes over the training images, at most. Defaults to
            `10`.
        batch_size: int. Images per step. Defaults to `16`.
        learning_rate: float. The highest. Defaults to `None`: a fifth of that
            which the preset was trained with, or 0.0005 where it does not say.
        freeze: names of layers, or patterns such as "block_*", whose weights
            stay as they are. Defaults to none.
        lora_rank: int. Rank of LoRA: kernels stay as they are, and small
            products are trained with them; see `Recipe`. Defaults to `None`:
            kernels are trained.
        flip: bool. Whether to mirror half of the training images.
        patience: int. Epochs without improvement on validation images after
            which the training ends. Defaults to `3`.
        validation: int or float, number or part of the images to validate on
            and, likewise, to measure with, where the source brings none.
            Defaults to a tenth.
        resize, values: as in `load_data`.
        precision: as in `Recipe`. Defaults to `"float32"`.
        seed: int. Decides the held-out images and the order of the others.
        data_dir, download, resume, progress: as in `train`.
        devices: as in `train`, of one process: int, how many devices share
            each batch, or "all". Defaults to `None`, one. Needs JAX.

    Returns:
        `FinetuneResult`; `None` where `train` returns none.

    Raises:
        TypeError, ValueError: if an argument, the images or the preset do not
            fit each other.

    Example:

    ```python
    from keras_pixel.training import finetune

    result = finetune("pixelcnn_mnist", "my_digits/", "runs/my_digits")
    print(result)  # bits/dim before and after
    model = keras_pixel.load(result.preset_dir)
    ```
    """
    output_dir = Path(output_dir).expanduser()
    epochs = check_size("epochs", epochs)
    batch_size = check_size("batch_size", batch_size)
    Devices(devices, batch_size)  # refused before anything is written
    folder = _preset_of(model, output_dir)
    source = presets.load(folder)
    config = _new_config(source, image_shape, num_levels)
    options: dict[str, Any] = {"data_dir": data_dir, "download": download}
    with_labels = labels or source.num_classes is not None
    given = data
    if not isinstance(data, (str, Path)):
        given = _written(data, output_dir)
    own = open_source(given, **options).sizes
    described: dict[str, Any] = {
        "resize": resize,
        "values": values,
        "seed": seed,
    }
    for split in ("validation", "test"):
        described[split] = None if split in own else validation
    described = {k: v for k, v in described.items() if v is not None}
    # Counted, and not read: that is left to the training.
    images = load_data(
        given,
        "train",
        image_shape=tuple(config["image_shape"]),
        labels=with_labels,
        stream=True,
        **{k: described[k] for k in described if k != "values"},
        **options,
    )
    if with_labels:
        config["num_classes"] = images.num_classes
        if source.num_classes is None:
            config["label_dropout"] = 0.1
    per_epoch = math.ceil(len(images) / batch_size)
    window = min(per_epoch, _WINDOW)
    epoch = math.ceil(per_epoch / window) * window  # in whole windows
    if learning_rate is None:
        learning_rate = _usual_learning_rate(folder)
    recipe = Recipe(
        name=output_dir.name,
        description=f"Fine-tuned from {source.name}.",
        model={
            "class_name": _class_name(source),
            "config": config,
        },
        data={"source": str(given), "flip": flip, **described},
        optimizer={"name": "adam", "learning_rate": learning_rate},
        batch_size=batch_size,
        steps=epochs * epoch,
        schedule={
            "warmup_steps": min(epochs * epoch // 5, 100),
            "decay": "cosine",
            "final_fraction": 0.05,
        },
        ema_momentum=0.99,
        clip_norm=0.5,
        precision=precision,
        seed=seed,
        log_every=window,
        checkpoint_every=epoch,
        evaluate_every=epoch,
        sample_every=0,
        publish="best",
        initial_weights=str(folder),
        warm_start=True,
        freeze=list(freeze),
        lora_rank=lora_rank,
        patience=patience,
    )
    started = building.build_model(recipe)
    remade = warm_start(started, source)
    held_out = recipe.load_data("test", **options)
    before = evaluate(started, held_out, batch_size)["bits_per_dim"]
    freeze_layers(started, recipe.freeze)
    if lora_rank is not None:
        enable_lora(started, lora_rank, skip=remade)
    result = train(
        recipe,
        output_dir,
        resume=resume,
        progress=progress,
        devices=devices,
        **options,
    )
    if result is None:  # interrupted
        return None
    trained = presets.load(result.preset_dir)
    after = evaluate(trained, held_out, batch_size)["bits_per_dim"]
    return FinetuneResult(
        preset_dir=result.preset_dir,
        step=result.step,
        before=before,
        after=after,
        num_images=len(held_out),
        remade=tuple(remade),
        seconds=result.seconds,
        num_trained=sum(math.prod(x.shape) for x in started.trainable_weights),
        num_weights=num_parameters(started),
    )


def _preset_of(
    model: models.PixelModel | PathLike, output_dir: Path
) -> PathLike:
    """Name or folder of a preset; that of a model is written first."""
    if not isinstance(model, models.PixelModel):
        return model
    folder = output_dir / "initial"
    if not folder.exists():
        model.save_preset(folder)
        return folder
    former = presets.load(folder).get_weights()
    now = model.get_weights()
    if len(former) != len(now) or not all(map(np.array_equal, former, now)):
        raise ValueError(
            "A fine-tuning must be resumed with the model it was started "
            f"from. Received: model={model.name!r}, whose weights differ from "
            f"those in {str(folder)!r}. Train into another folder."
        )
    return folder


def _new_config(
    source: models.PixelModel,
    image_shape: Sequence[int] | None,
    num_levels: int | None,
) -> dict[str, Any]:
    """Arguments of the source's class, for other images."""
    config = source.get_config()
    config.pop("name")
    config.pop("class_names", None)
    if "image_shape" not in config:
        raise ValueError(
            "`model` must be of a class with arguments, such as `PixelCNN`, "
            "to be made for other images. Received: a graph of one's own. "
            "Train it further with `model.fit`."
        )
    if config.get("condition") is not None:
        raise NotImplementedError(
            "`finetune` takes models of images and labels. Received: a model "
            "with an encoder of another condition. Train it further with "
            "`model.fit`."
        )
    config.pop("condition", None)
    if image_shape is not None:
        config["image_shape"] = image_shape
    if num_levels is not None:
        config["num_levels"] = num_levels
    return {
        k: list(v) if isinstance(v, tuple) else v for k, v in config.items()
    }


def _written(data: Any, output_dir: Path) -> Path:
    """A file of arrays that are in memory, so that a training can resume."""
    path = output_dir / "data.npz"
    images, labels = data if isinstance(data, tuple) else (data, None)
    arrays: dict[str, Any] = {"images": np.asarray(images)}
    if labels is not None:
        arrays["labels"] = np.asarray(labels)
    if path.exists():
        with np.load(path, allow_pickle=False) as former:
            same = set(former.files) == set(arrays) and all(
                np.array_equal(former[name], arrays[name]) for name in arrays
            )
        if not same:
            raise ValueError(
                "A fine-tuning must be resumed with the images it was started "
                f"with. Received: images or labels that differ from those in "
                f"{str(path)!r}. Train into another folder."
            )
        return path
    output_dir.mkdir(parents=True, exist_ok=True)
    with files.atomic_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


def _class_name(model: models.PixelModel) -> str:
    """The name by which a recipe finds a class."""
    name = type(model).__name__
    if getattr(models, name, None) is type(model):
        return name
    return keras.saving.get_registered_name(type(model))


def _usual_learning_rate(folder: PathLike) -> float:
    """Part of the learning rate that a preset was trained with."""
    path = folders.find(folder) / "recipe.json"
    if not path.is_file():
        return _LEARNING_RATE
    return _FRACTION * Recipe.from_json(path).optimizer["learning_rate"]
