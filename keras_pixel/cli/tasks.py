"""The commands of tasks: `probe`."""

import re
from typing import Annotated

import typer

from keras_pixel import files
from keras_pixel.cli import options
from keras_pixel.cli import output as terminal


def probe(
    model: options.Preset,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="TFDS name, folder or .npz, with labels."
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="New folder of the result.")
    ],
    layers: Annotated[
        str | None,
        typer.Option(
            help="Names or indices, with commas. [six, evenly spaced]"
        ),
    ] = None,
    pooling: Annotated[
        str, typer.Option(help="mean, max, or a grid such as 4x4.")
    ] = "mean",
    num_train: Annotated[
        int | None, typer.Option(min=10, help="Training images. [all]")
    ] = None,
    num_test: Annotated[
        int | None, typer.Option(min=1, help="Test images. [all]")
    ] = None,
    seed: options.Seed = 0,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    batch_size: options.BatchSize = 32,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Classify images by a model's hidden layers, by linear probes."""
    files.check_new_folder(output)
    loaded = terminal.load(model)
    from keras_pixel import tasks
    from keras_pixel.data import load_data

    train, test = (
        load_data(
            data,
            split,
            data_dir=data_dir,
            download=download,
            num_levels=loaded.num_levels,
            image_shape=loaded.image_shape,
            resize=resize,
            values=values,
            labels=True,
        )
        for split in ("train", "test")
    )
    with terminal.progress("Reading features", 1) as done:
        result = tasks.probe(
            loaded,
            train,
            test,
            layers=_parse_layers(layers),
            pooling=_parse_pooling(pooling),
            num_train=num_train,
            num_test=num_test,
            seed=seed,
            batch_size=batch_size,
            progress=done,
        )
    result.save(output)
    if as_json:
        terminal.print_json(result.to_dict())
    else:
        print(result.table(), end="")


def _parse_layers(text: str | None) -> list[str | int] | None:
    if text is None:
        return None
    names = [part.strip() for part in text.split(",")]
    return [int(x) if re.fullmatch(r"-?\d+", x) else x for x in names]


def _parse_pooling(text: str) -> str | tuple[int, ...]:
    if not re.fullmatch(r"\d+x\d+", text):
        return text
    return tuple(int(part) for part in text.split("x"))
