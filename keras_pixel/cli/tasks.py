"""The commands of tasks: `probe`, `classify` and `outliers`."""

import re
from typing import Annotated

import typer

from keras_pixel import files
from keras_pixel.cli import options
from keras_pixel.cli import output as terminal
from keras_pixel.cli import pictures


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


def classify(
    model: options.Preset,
    data: options.Data = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="New folder of the result."),
    ] = None,
    split: options.Split = "test",
    data_dir: options.DataDir = None,
    download: options.Download = False,
    count: options.FirstOnly = None,
    batch_size: options.BatchSize = 100,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell classes apart by a model that is told labels."""
    if output is not None:
        files.check_new_folder(output)
    loaded = terminal.load(model)
    from keras_pixel import tasks

    found = pictures.read_split(
        data,
        split,
        model,
        loaded,
        data_dir=data_dir,
        download=download,
        resize=resize,
        values=values,
    )
    total = min(len(found), count or len(found))
    with terminal.progress("Classifying", total) as done:
        result = tasks.classify(loaded, found, count, batch_size, done)
    if output is not None:
        result.save(output)
    if as_json:
        terminal.print_json(result.to_dict())
    else:
        print(result.table(), end="")


def outliers(
    model: options.Preset,
    images: options.Images,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="New folder of the result."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Images as they should be. [the preset's validation images]",
        ),
    ] = None,
    reference_split: Annotated[
        str | None, typer.Option(help="[all of DATA]")
    ] = None,
    reference_count: Annotated[
        int, typer.Option(min=1, help="Only the first ones.")
    ] = 500,
    score: Annotated[
        options.OutlierScore, typer.Option(help="What is strange.")
    ] = options.OutlierScore.complexity,
    background: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Of likelihood_ratio: a name, or a folder."
        ),
    ] = None,
    fit_background: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Train one there, for --background."
        ),
    ] = None,
    percentile: Annotated[
        float, typer.Option(help="Of the reference that are no outliers.")
    ] = 95.0,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    batch_size: options.BatchSize = 32,
    image_shape: options.Shape = None,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Find images that are unlike those a model was trained on."""
    if output is not None:
        files.check_new_folder(output)
    is_ratio = score == options.OutlierScore.likelihood_ratio
    if is_ratio != ((background is None) != (fit_background is None)):
        raise typer.BadParameter(
            "--score likelihood_ratio needs a background model, and no other "
            "score takes one. Received: "
            f"--score {score}, --background {background}, --fit-background "
            f"{fit_background}. Give one of the two for it.",
            param_hint="--background",
        )
    loaded = terminal.load(model, image_shape)
    from keras_pixel import tasks
    from keras_pixel.data import ImageData

    read, names = pictures.read_images(images, loaded, resize, values)
    split = reference_split or ("validation" if reference is None else "all")
    known = pictures.read_split(
        reference,
        split,
        model,
        loaded,
        data_dir=data_dir,
        download=download,
        resize=resize,
        values=None if reference is None else values,
    )
    detector = tasks.OutlierDetector(
        loaded, score, background=background, batch_size=batch_size
    )
    levels = known.images[:reference_count]
    detector.fit(levels, fit_background, progress=True)
    detector.infer_threshold(levels, percentile)
    given = ImageData(read, num_levels=loaded.num_levels, ids=names)
    with terminal.progress("Scoring", len(names)) as done:
        result = detector.predict(given, progress=done)
    if output is not None:
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
