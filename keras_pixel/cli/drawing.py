"""The commands `sample` and `complete`, which draw batch by batch."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pixel.cli import conditions
from keras_pixel.cli import options
from keras_pixel.cli import output as terminal
from keras_pixel.cli import paths
from keras_pixel.cli import pictures
from keras_pixel.files import PathLike


def sample(
    model: options.Preset,
    count: options.Count = 16,
    label: options.Label = None,
    condition: options.Condition = None,
    order: options.Order = None,
    guidance_scale: options.GuidanceScale = None,
    output: options.Output = "samples.png",
    output_format: options.OutputFormat = None,
    overwrite: options.Overwrite = False,
    columns: options.Columns = None,
    seed: options.Seed = 0,
    temperature: options.Temperature = 1.0,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    batch_size: options.BatchSize = 64,
    image_shape: options.Shape = None,
) -> None:
    """Draw new images, pixel by pixel."""
    paths.check_path(output)
    file_format = pictures.output_format(output, output_format)
    pictures.check_output(output, file_format, [model], overwrite)
    loaded = terminal.load(model, image_shape)
    pictures.check_channels(file_format, loaded.image_shape[2])
    drawn = loaded.sampler.stream(
        count,
        labels=conditions.labels(label, count),
        condition=conditions.read(condition),
        order=order,
        guidance_scale=guidance_scale,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        batch_size=batch_size,
    )
    draw("Sampling", count, drawn, loaded, output, file_format, columns)


def complete(
    model: options.Preset,
    images: options.Images,
    keep: options.Keep = options.Side.top,
    fraction: options.Fraction = 0.5,
    mask: options.Mask = None,
    count: options.CountOfEach = 1,
    label: options.Label = None,
    condition: options.Condition = None,
    order: options.Order = None,
    guidance_scale: options.GuidanceScale = None,
    particles: options.Particles = None,
    beam_width: options.BeamWidth = None,
    output: options.Output = "completions.png",
    output_format: options.OutputFormat = None,
    overwrite: options.Overwrite = False,
    columns: options.Columns = None,
    seed: options.Seed = 0,
    temperature: options.Temperature = 1.0,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    batch_size: options.BatchSize = 64,
    image_shape: options.Shape = None,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
) -> None:
    """Fill in the unknown part of images; known pixels are kept."""
    check_completion(
        particles, beam_width, temperature, top_k, top_p, guidance_scale
    )
    paths.check_path(output)
    file_format = pictures.output_format(output, output_format)
    read = [model, *images, *([] if mask is None else [mask])]
    pictures.check_output(output, file_format, read, overwrite)
    loaded = terminal.load(model, image_shape)
    pictures.check_channels(file_format, loaded.image_shape[2])
    if mask is None:
        known = pictures.half_mask(keep, fraction, loaded.image_shape)
    else:
        known = pictures.read_mask(mask, loaded.image_shape)
    given, _ = pictures.read_images(images, loaded, resize, values)
    total = count * len(given)
    drawn = completions(
        loaded,
        given,
        known,
        count,
        labels=conditions.labels(label, len(given)),
        condition=conditions.read(condition),
        order=order,
        particles=particles,
        beam_width=beam_width,
        seed=seed,
        guidance_scale=guidance_scale,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        batch_size=batch_size,
    )
    draw("Completing", total, drawn, loaded, output, file_format, columns)


def draw(
    title: str,
    total: int,
    batches: Iterable[np.ndarray],
    model: Any,
    output: PathLike,
    file_format: str,
    columns: int | None,
) -> None:
    """Write images as they are drawn; an interruption keeps the finished ones.

    Args:
        title: str. What the progress bar says.
        total: int. Number of images to come.
        batches: iterator of integer levels (batch, height, width, channels).
        model: the `PixelModel` they come from.
        output, file_format, columns: see `write_images`.
    """
    finished, count = [], 0
    try:
        with terminal.progress(title, total) as done:
            for batch in batches:
                finished.append(batch)
                count += len(batch)
                done(count, total)
    finally:
        if finished:
            images = np.concatenate(finished)
            print(
                pictures.write_images(
                    images, model.num_levels, output, file_format, columns
                )
            )


def check_completion(
    particles: int | None,
    beam_width: int | None,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    guidance_scale: float | None = None,
) -> None:
    """Raise ValueError for options of `complete` that exclude each other."""
    drawing = {
        "particles": particles,
        "temperature": None if temperature == 1 else temperature,
        "top_k": top_k,
        "top_p": top_p,
        "guidance_scale": guidance_scale,
    }
    given = [f"{k}={v}" for k, v in drawing.items() if v is not None]
    if beam_width is not None and given:
        raise ValueError(
            "`--beam-width` finds the most probable completions and draws "
            "none, so options for drawing do not apply. Received: "
            f"beam_width={beam_width}, {', '.join(given)}. Leave one out."
        )


def completions(
    model: Any,
    images: np.ndarray,
    mask: np.ndarray,
    count: int,
    *,
    labels: Any = None,
    condition: np.ndarray | None = None,
    order: str | None = None,
    particles: int | None,
    beam_width: int | None,
    seed: int,
    batch_size: int,
    **options: Any,
) -> Iterator[np.ndarray]:
    """Yield batches of completed images, the `count` of each image together.

    Args:
        model: a `PixelModel`.
        images, mask, count: see `pictures.repeat`.
        labels, condition: see `PixelModel.complete`, one for all images or
            one for each.
        order: see `PixelModel.complete`.
        particles: int or None. See `Sampler.complete`.
        beam_width: int or None. See `keras_pixel.sampling.beam_search`.
        seed: int.
        batch_size: int. Images, particles or beams at once.
        **options: `temperature`, `top_k`, `top_p` and `guidance_scale`.
    """
    # Particles and beams find all completions of an image together.
    at_once = beam_width or particles
    variants = count if at_once else None
    repeats = 1 if at_once else count
    told = model.conditions.by_image(len(images), labels, condition, order)
    told = {name: np.repeat(x, repeats, axis=0) for name, x in told.items()}
    images, masks = pictures.repeat(images, mask, repeats)
    # The noise continues from batch to batch, whatever their size.
    random = np.random.default_rng(seed)
    stride = max(1, batch_size // (at_once or 1))
    for start in range(0, len(images), stride):
        here = slice(start, start + stride)
        part = images[here], masks[here]
        own = {name: x[here] for name, x in told.items()}
        if beam_width:
            found = model.beam_search(
                *part,
                beam_width=beam_width,
                num_variants=variants,
                batch_size=batch_size,
                **own,
            ).images
        else:
            found = model.complete(
                *part,
                num_variants=variants,
                num_particles=particles,
                seed=random,
                batch_size=batch_size,
                **own,
                **options,
            )
        # (batch, height, width, channels)
        yield found.reshape(-1, *model.image_shape)
