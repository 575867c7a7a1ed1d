"""From a recipe to a compiled model, and to the one that is evaluated."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pixel import models
from keras_pixel.checks import did_you_mean
from keras_pixel.models.closed_form import ClosedFormModel
from keras_pixel.training.averaging import WarmAverage
from keras_pixel.training.recipe import Recipe

# By their names in recipes.
OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamax": keras.optimizers.Adamax,
    "adamw": keras.optimizers.AdamW,
    "lion": keras.optimizers.Lion,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Build layers under a dtype policy, then restore the previous one."""
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(former)


def model_class(name: str) -> type[models.PixelModel]:
    """Return a recipe's model class: one of the package's, or a registered one.

    Args:
        name: "PixelCNN", or "package>Name" of a class registered with
            `keras.saving.register_keras_serializable`.

    Raises:
        ValueError: if there is no such class.
    """
    own = {
        key: value
        for key, value in vars(models).items()
        if isinstance(value, type)
        and issubclass(value, models.PixelModel)
        # A graph of the user's own is not described by arguments.
        and value is not models.PixelModel
    }
    found = own.get(name) or keras.saving.get_registered_object(name)
    if (
        not isinstance(found, type)
        or not issubclass(found, models.PixelModel)
        or found is models.PixelModel
    ):
        trained = sorted(
            key
            for key, value in own.items()
            if not issubclass(value, ClosedFormModel)
        )
        raise ValueError(
            f"`class_name` must be one of {trained}, or the registered "
            f'name ("package>Name") of your own class. Received: '
            f"class_name={name!r}.{did_you_mean(name, own)}"
        )
    if issubclass(found, ClosedFormModel):
        raise ValueError(
            "`class_name` must be a model with weights to train. Received: "
            f"class_name={name!r}, whose weights are computed. Use "
            "`model.fit_closed_form(data)`."
        )
    return found


def build_model(recipe: Recipe, policy: str = "float32") -> models.PixelModel:
    """Build the recipe's model with random weights, under a dtype policy."""
    found = model_class(recipe.model["class_name"])
    with dtype_policy(policy):
        return found.from_config(dict(recipe.model["config"]))


def compile_model(model: models.PixelModel, recipe: Recipe) -> None:
    """Compile a model with the recipe's optimizer, and build the optimizer."""
    with dtype_policy(recipe.precision):
        model.compile(optimizer=make_optimizer(recipe))
        model.optimizer.build(model.trainable_variables)


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Make the recipe's optimizer."""
    arguments: dict[str, Any] = dict(recipe.optimizer)
    optimizer_class = OPTIMIZERS[arguments.pop("name")]
    arguments["learning_rate"] = recipe.make_schedule()
    if recipe.clip_norm is not None:
        arguments["global_clipnorm"] = float(recipe.clip_norm)
    if recipe.ema_momentum:
        arguments["use_ema"] = True
        arguments["ema_momentum"] = recipe.ema_momentum
        optimizer_class = type(
            optimizer_class.__name__, (WarmAverage, optimizer_class), {}
        )
    if recipe.accumulation_steps > 1:
        arguments["gradient_accumulation_steps"] = recipe.accumulation_steps
    return optimizer_class(**arguments)


def copy_average(
    model: models.PixelModel, eval_model: models.PixelModel
) -> None:
    """Copy the averaged weights of a model in training to `eval_model`.

    Without an average in the optimizer, these are the current weights.
    """
    for target, source in zip(
        eval_model.variables, model.variables, strict=True
    ):
        target.assign(_own_copy(source))
    model.optimizer.finalize_variable_values(eval_model.trainable_variables)
    # JAX may let two variables share memory, which training then gives away.
    for variable in eval_model.trainable_variables:
        variable.assign(_own_copy(variable))


def copy_initial_weights(
    model: models.PixelModel, source: models.PixelModel, name: str | None
) -> None:
    """Start a model from a trained one of the same architecture.

    The trained one may lack conditions that the model is told: layers for
    these stay as they are, and at first they change nothing.

    Raises:
        ValueError: if the weights do not fit; the model is left as it was.
    """
    told, known = model.conditions.names, source.conditions.names
    if set(known) < set(told):
        return _copy_layers(model, source, name)
    ours = [tuple(weight.shape) for weight in model.weights]
    theirs = [tuple(weight.shape) for weight in source.weights]
    if ours != theirs:
        raise ValueError(
            "`initial_weights` must come from a model of the recipe's "
            f"architecture. Received: initial_weights={name!r} with "
            f"{len(theirs)} weights, which differ in number or shape from the "
            f"model's {len(ours)}. Use the `model` of the preset's recipe."
        )
    for target, value in zip(model.weights, source.weights, strict=True):
        target.assign(_own_copy(value))


def _copy_layers(
    model: models.PixelModel, source: models.PixelModel, name: str | None
) -> None:
    """Copy the weights of all layers of `source`, by their names."""
    ours = {layer.name: layer for layer in model.layers}
    pairs: list = []
    for layer in source.layers:
        own = ours[layer.name].weights if layer.name in ours else []
        shapes = [[tuple(w.shape) for w in x] for x in (own, layer.weights)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "`initial_weights` must come from a model of the recipe's "
                "architecture, but for conditions. "
                f"Received: initial_weights={name!r}, whose layer "
                f"{layer.name!r} has weights of shapes {shapes[1]}, and the "
                f"model's {shapes[0]}. Use the `model` of the preset's recipe."
            )
        pairs += zip(own, layer.weights, strict=True)
    for target, value in pairs:
        target.assign(_own_copy(value))


def _own_copy(variable: keras.Variable) -> np.ndarray:
    return np.array(ops.convert_to_numpy(variable.value))
