"""The commands `score` and `evaluate`: how probable images are."""

import sys
from typing import Any

import typer

from keras_pixel.cli import conditions
from keras_pixel.cli import options
from keras_pixel.cli import output as terminal
from keras_pixel.cli import paths
from keras_pixel.cli import pictures


def score(
    model: options.Preset,
    images: options.Images,
    output: options.ScoresOutput = None,
    overwrite: options.Overwrite = False,
    label: options.OneLabel = None,
    condition: options.Condition = None,
    order: options.Order = None,
    batch_size: options.BatchSize = 64,
    image_shape: options.Shape = None,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Print how probable images are, in nats and bits/dim."""
    if output is not None:
        paths.check_path(output)
        terminal.check_scores_path(output)
        paths.check_output(output, [model, *images], overwrite)
    loaded = terminal.load(model, image_shape)
    opened = pictures.open_images(images, loaded, resize, values, stream=True)
    total = sum(len(names) for _, names in opened)
    told = {
        "labels": conditions.label(label),
        "condition": conditions.read(condition),
    }
    if order != "mean":
        loaded.conditions.program_inputs(1, **told, order=order)
    told["order"] = order
    names: list[str] = []
    log_prob: list[float] = []
    unreadable: list[str] = []
    try:
        with terminal.progress("Scoring", total) as done:
            for batch, found, bad in pictures.stream_batches(
                opened, batch_size
            ):
                unreadable += bad
                if len(batch):
                    log_prob += list(
                        loaded.log_prob(batch, batch_size=len(batch), **told)
                    )
                    names += found
                done(len(names) + len(unreadable), total)
    finally:
        # An interruption keeps the finished scores.
        if log_prob:
            _show(names, log_prob, loaded, output, as_json)
        for problem in unreadable:
            print(f"Left out: {problem}", file=sys.stderr)
    if unreadable:
        raise typer.Exit(1 if log_prob else 2)


def _show(
    names: list[str],
    log_prob: list[float],
    model: Any,
    output: str | None,
    as_json: bool,
) -> None:
    scores = terminal.scores(names, log_prob, model.image_shape)
    if output is not None:
        terminal.write_scores(scores, output)
    elif as_json:
        terminal.print_json(scores)
    else:
        terminal.print_scores(scores)


def evaluate(
    model: options.Preset,
    data: options.Data = None,
    split: options.Split = "test",
    data_dir: options.DataDir = None,
    download: options.Download = False,
    count: options.FirstOnly = None,
    order: options.Order = None,
    batch_size: options.BatchSize = 100,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure bits/dim and nats over a whole split."""
    terminal.start_keras()
    from keras_pixel import training

    loaded = terminal.load(model)
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
    with terminal.progress("Evaluating", total) as done:
        result = training.evaluate(
            loaded,
            found,
            batch_size,
            num_images=count,
            progress=done,
            order=order,
        )
    if as_json:
        terminal.print_json(result)
    else:
        terminal.print_evaluation(result, found)
