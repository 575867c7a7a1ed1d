"""The commands `list`, `info` and `push`: models, and what is known of them."""

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


def push(
    model: options.Preset,
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="On the hub.")
    ],
    private: Annotated[
        bool, typer.Option("--private", help="If it is made anew.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="A branch. [main]")
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Of the commit.")
    ] = None,
) -> None:
    """Upload a preset to the Hugging Face Hub, with its card."""
    output.start_keras()
    address = presets.push_to_hub(
        model,
        repository,
        private=private or None,
        revision=revision,
        commit_message=message,
    )
    print(f"uploaded: {address}")


def _decoding(model: options.Preset) -> dict[str, Any]:
    """How a model draws images, found out by building it."""
    try:
        described = presets.describe(presets.load(model, weights=False))
    except (OSError, TypeError, ValueError):
        return {}  # such as a class of the user's own: not known here
    return {k: x for k, x in described.items() if k == "decoding"}
