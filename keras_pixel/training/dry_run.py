"""The cost of a training, measured on a few steps."""

import dataclasses
import resource
import sys
import time
from typing import Any

import numpy as np
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.files import PathLike
from keras_pixel.layers.lora import num_parameters
from keras_pixel.training import building
from keras_pixel.training.lora import enable_lora
from keras_pixel.training.operations import PRODUCTS_IN_TRAINING
from keras_pixel.training.operations import count_operations
from keras_pixel.training.progress import duration
from keras_pixel.training.recipe import Recipe
from keras_pixel.training.warm_start import freeze

_WARM_UP = 2


@dataclasses.dataclass(frozen=True)
class DryRun:
    """The cost of a training.

    Args:
        parameters: int. Numbers in the model's weights.
        operations: int. Multiplications and additions in a forward pass of
            one image.
        trained_operations: int. The same including the backward pass.
        state_bytes: int. Size of weights, optimizer and average.
        peak_bytes: int. Peak memory of the process.
        images_per_second: float. Speed of a training step, after a warm-up.
        images: int. Images seen in the whole training, repetitions included.
        seconds: float. Duration of the whole training at this speed, without
            evaluations and samples.
    """

    parameters: int
    operations: int
    trained_operations: int
    state_bytes: int
    peak_bytes: int
    images_per_second: float
    images: int
    seconds: float

    def __str__(self) -> str:
        speed = self.trained_operations * self.images_per_second
        lines = {
            "parameters": f"{self.parameters:,}",
            "operations": f"{self.operations / 1e9:.3g} GFLOP an image "
            f"forward, {self.trained_operations / 1e9:.3g} as trained",
            "memory": f"{self.state_bytes / 1e6:,.0f} MB of weights and "
            f"optimizer, {self.peak_bytes / 1e6:,.0f} MB in all",
            "speed": f"{self.images_per_second:.4g} images/s, "
            f"{speed / 1e9:.3g} GFLOP/s",
            "time": f"{duration(self.seconds)} for {self.images:,} images",
        }
        return "\n".join(f"{key:<12}{value}" for key, value in lines.items())


def dry_run(
    recipe: Recipe | dict[str, Any] | PathLike, steps: int = 8
) -> DryRun:
    """Measure what a training would cost, without starting it.

    The recipe's model is built and trained for a few steps on random images:
    no data set is needed, and nothing is written.

    Args:
        recipe: a `Recipe`, a dict, or the path of a JSON file.
        steps: int, at least 1. Number of steps to time, after a warm-up.

    Returns:
        A `DryRun`; its text is a table.

    Raises:
        ValueError: if the recipe or `steps` is wrong.

    Example:

    >>> config = {"image_shape": [4, 4, 1], "num_levels": 2, "filters": 4,
    ...           "num_blocks": 1, "head_filters": 0}
    >>> cost = dry_run({
    ...     "name": "tiny",
    ...     "model": {"class_name": "PixelCNN", "config": config},
    ...     "data": {"source": "mnist"},
    ...     "optimizer": {"name": "adam", "learning_rate": 0.001},
    ...     "batch_size": 2,
    ...     "steps": 100,
    ... }, steps=1)
    >>> cost.images
    200
    """
    steps = check_size("steps", steps)
    recipe = Recipe.of(recipe)
    model = building.build_model(recipe, recipe.precision)
    freeze(model, recipe.freeze)
    if recipe.lora_rank is not None:  # as if no layer were made anew
        enable_lora(model, recipe.lora_rank)
    building.compile_model(model, recipe)
    shape = (recipe.batch_size, *model.image_shape)
    random = np.random.default_rng(recipe.seed)
    images = random.integers(model.num_levels, size=shape, dtype="int32")
    told = model.conditions.random_inputs(random, recipe.batch_size)
    batch = {"images": images}
    batch.update(zip(model.conditions.names, told, strict=True))

    def step() -> None:
        # Wait for the result: the step may only have been queued.
        float(ops.convert_to_numpy(model.train_on_batch(batch)[0]))

    for _ in range(_WARM_UP):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = (time.perf_counter() - start) / steps
    variables = [*model.variables, *model.optimizer.variables]
    operations = count_operations(model)
    batches = recipe.steps * recipe.accumulation_steps
    return DryRun(
        parameters=num_parameters(model),
        operations=operations,
        trained_operations=PRODUCTS_IN_TRAINING * operations,
        state_bytes=sum(
            ops.convert_to_numpy(x.value).nbytes for x in variables
        ),
        peak_bytes=_peak_bytes(),
        images_per_second=recipe.batch_size / seconds,
        images=batches * recipe.batch_size,
        seconds=batches * seconds,
    )


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In kilobytes, except on macOS.
    return peak if sys.platform == "darwin" else 1024 * peak
