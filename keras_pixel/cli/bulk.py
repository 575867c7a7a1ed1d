"""The commands `bulk score` and `bulk sample`: millions of images."""

import shlex
from typing import Annotated
from typing import Any

import typer

from keras_pixel.cli import conditions
from keras_pixel.cli import options
from keras_pixel.cli import output as terminal

# What follows `--` is for Beam.
_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": False}

app = typer.Typer(
    no_args_is_help=True,
    help="Score or draw millions of images, in shards that are resumed.",
)

To = Annotated[
    str,
    typer.Option(
        "--to", metavar="DIR", help="New folder, or one to be resumed."
    ),
]
Engine = Annotated[options.Engine, typer.Option(help="What runs it.")]
Workers = Annotated[
    int, typer.Option(min=1, help="Processes that work side by side.")
]
ShardSize = Annotated[
    int, typer.Option(min=1, help="Images in a file or folder.")
]
BeamOptions = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Pipeline options, such as '--runner=FlinkRunner'. Or after --.",
    ),
]


@app.command(context_settings=_SETTINGS)
def score(
    context: typer.Context,
    model: options.Preset,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Folder, TFDS name, .npy, .npz, .parquet or .tfrecord files.",
        ),
    ],
    to: To,
    engine: Engine = options.Engine.local,
    workers: Workers = 1,
    shard_size: ShardSize = 1000,
    batch_size: options.BatchSize = 64,
    split: Annotated[
        str, typer.Option(help="One of the source's own, or all.")
    ] = "all",
    data_dir: options.DataDir = None,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    image_column: Annotated[
        str | None,
        typer.Option(help="Of Parquet files and TFRecords. [image]"),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="Of the same. [id, or numbers]")
    ] = None,
    label: options.OneLabel = None,
    order: options.Order = None,
    beam_options: BeamOptions = None,
    as_json: options.AsJson = False,
) -> None:
    """Score images into Parquet files: nats and bits/dim."""
    terminal.start_keras()
    from keras_pixel import tasks

    with terminal.progress("Scoring", 1) as done:
        result = tasks.bulk_score(
            model,
            source,
            to,
            split=split,
            data_dir=data_dir,
            resize=resize,
            values=values,
            image_column=image_column,
            id_column=id_column,
            label=conditions.label(label),
            order=order,
            engine=engine,
            workers=workers,
            shard_size=shard_size,
            batch_size=batch_size,
            beam_options=_beam_options(context, beam_options),
            progress=done,
        )
    _show(result, as_json)


@app.command(context_settings=_SETTINGS)
def sample(
    context: typer.Context,
    model: options.Preset,
    number: Annotated[
        int, typer.Argument(min=1, metavar="NUMBER", help="How many images.")
    ],
    to: To,
    engine: Engine = options.Engine.local,
    workers: Workers = 1,
    shard_size: ShardSize = 1000,
    batch_size: options.BatchSize = 64,
    seed: options.Seed = 0,
    label: options.Label = None,
    order: options.Order = None,
    temperature: options.Temperature = 1.0,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    guidance_scale: options.GuidanceScale = None,
    beam_options: BeamOptions = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw images into folders of PNG files."""
    labels = conditions.labels(label, len(label or ()))
    terminal.start_keras()
    from keras_pixel import tasks

    with terminal.progress("Sampling", number) as done:
        result = tasks.bulk_sample(
            model,
            number,
            to,
            seed=seed,
            labels=labels,
            order=order,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            guidance_scale=guidance_scale,
            engine=engine,
            workers=workers,
            shard_size=shard_size,
            batch_size=batch_size,
            beam_options=_beam_options(context, beam_options),
            progress=done,
        )
    _show(result, as_json)


def _beam_options(context: typer.Context, text: str | None) -> list[str]:
    return [*shlex.split(text or ""), *context.args]


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        terminal.print_json(result.to_dict())
    else:
        print(result.table(), end="")
