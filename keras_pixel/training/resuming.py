"""May a training begin in a folder, or go on there?"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_pixel.data import ImageData
from keras_pixel.presets.saving import check_free
from keras_pixel.training.checkpoint import Checkpoints
from keras_pixel.training.progress import Progress
from keras_pixel.training.recipe import CHANGEABLE
from keras_pixel.training.recipe import Recipe


def check_folder(recipe: Recipe, output_dir: Path, resume: bool) -> None:
    """Refuse a folder that holds another training, or others' files."""
    # It is written at the end: fail now rather than after hours.
    check_free(output_dir / "preset", overwrite=True)
    path = output_dir / "recipe.json"
    if not path.exists():
        return
    if not resume:
        raise ValueError(
            "`output_dir` must not hold a training if `resume` is False. "
            f"Received: output_dir={str(output_dir)!r}, resume=False. Use "
            "another folder, or `resume=True` to continue it."
        )
    if not Checkpoints(output_dir / "checkpoints").paths():
        # Nothing to resume: start again, with any recipe, where this was a
        # training.
        if not (output_dir / "history.csv").exists():
            _check_replaced(recipe, path)
        return
    former = Recipe.from_json(path).fixed()
    now = recipe.fixed()
    differ = [key for key in now if now[key] != former[key]]
    if differ:
        values = ", ".join(
            f"{k}={json.dumps(now[k])} instead of {json.dumps(former[k])}"
            for k in differ
        )
        raise ValueError(
            "A training must be resumed with the recipe it was started with, "
            f"except for {sorted(CHANGEABLE)}. Received: {values} in "
            f"output_dir={str(output_dir)!r}. Use another folder for another "
            "recipe."
        )


def _check_replaced(recipe: Recipe, path: Path) -> None:
    """Refuse to write over a recipe that no training has put there."""
    with contextlib.suppress(ValueError, TypeError):
        former = Recipe.from_json(path)
        # Paths by their last names: they may be written in two ways.
        if {**former.to_dict(), **former.fixed()} == {
            **recipe.to_dict(),
            **recipe.fixed(),
        }:
            return
    raise ValueError(
        "`output_dir` must be new, empty, or hold a training. "
        f"Received: output_dir={str(path.parent)!r}, whose recipe.json is "
        "another than that of this training, which would replace it. Use "
        "another folder."
    )


def check_data(
    former: dict[str, Any] | None,
    now: dict[str, Any],
    images: ImageData,
    report: Progress,
) -> None:
    """Refuse images that are not those of the checkpoint."""
    if former is None:
        report.say(
            "The checkpoint does not say which images it was trained on, so "
            "they cannot be compared."
        )
        return
    for split, found in now.items():
        # Validation may be switched on or off between two runs.
        if found and former[split] and found != former[split]:
            raise ValueError(
                "A training must be resumed with the images it was started "
                f"with. Received: {split} images that differ from those of "
                f"the checkpoint, from {images.source}. Restore them, or "
                "train into another folder."
            )


def digest_of_weights(recipe: Recipe) -> str | None:
    """SHA-256 of the weights at a path that a training starts from.

    Of a path only the last name is compared, and many end in `preset`. `None`
    where there is no path, or nothing at it any more.
    """
    from keras_pixel import presets

    if recipe.weights is None or recipe.weights in presets.list_models():
        return None
    path = Path(recipe.weights) / "model.weights.h5"
    if not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_initial_weights(
    former: str | None, origin: Mapping[str, Any], recipe: Recipe
) -> None:
    """Refuse weights that are not those it was started from."""
    now = origin["initial_weights"]
    if former and now and former != now:
        raise ValueError(
            "A training must be resumed with the weights it was started from. "
            f"Received: initial_weights={recipe.initial_weights!r}, whose "
            "weights differ from those of the checkpoint. Train into another "
            "folder."
        )
