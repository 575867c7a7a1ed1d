"""The commands `list` and `info`: what is known about models."""

from typing import Annotated
from typing import Any

import typer

from keras_pixel import presets
from keras_pixel.cli import options
from keras_pixel.cli import output
from keras_pixel.presets import folders


def list_command(
    pattern: Annotated[
        str | None, typer.Argument(help='Such as "*cifar10*".')
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """List the trained models that come with the package."""
    names = folders.list_models(pattern)
    found = {name: folders.read_metadata(name) for name in names}
    if as_json:
        output.print_json(found)
    elif found:
        output.print_models(found)
    else:
        print(
            "No models." if pattern is None else f"No model matches {pattern}."
        )


def info(model: options.Preset, as_json: options.AsJson = False) -> None:
    """Show what is known about a model."""
    metadata = folders.read_metadata(model)
    if "decoding" not in metadata:  # saved by an earlier version
        metadata = {**metadata, **_decoding(model)}
    if as_json:
        output.print_json(metadata)
    else:
        output.print_metadata(metadata)


def _decoding(model: options.Preset) -> dict[str, Any]:
    """How a model draws images, found out by building it."""
    try:
        described = presets.describe(presets.load(model, weights=False))
    except (OSError, TypeError, ValueError):
        return {}  # such as a class of the user's own: not known here
    return {k: x for k, x in described.items() if k == "decoding"}
