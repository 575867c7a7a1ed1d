"""How the command line draws images: batch by batch, and written in the end."""

import numpy as np

from keras_pixel import _cli_output
from keras_pixel import _images_io


def draw(title, total, batches, model, output, file_format, columns):
    """Writes drawn images; an interruption leaves those finished before it.

    Args:
        title: str. What the progress bar says.
        total: int. Images there will be.
        batches: iterator of integer levels (batch, height, width, channels).
        model: the `PixelModel` they come from.
        output, file_format, columns: see `write_images`.
    """
    finished, count = [], 0
    try:
        with _cli_output.progress(title, total) as done:
            for batch in batches:
                finished.append(batch)
                count += len(batch)
                done(count, total)
    finally:
        if finished:
            images = np.concatenate(finished)
            print(
                _images_io.write_images(
                    images, model.num_levels, output, file_format, columns
                )
            )


def check_completion(particles, beam_width, temperature, top_k, top_p):
    """Refuses options of `complete` that exclude each other."""
    drawing = {
        "particles": particles,
        "temperature": None if temperature == 1 else temperature,
        "top_k": top_k,
        "top_p": top_p,
    }
    given = [f"{k}={v}" for k, v in drawing.items() if v is not None]
    if beam_width is not None and given:
        raise ValueError(
            "`--beam-width` finds the most probable completions and draws "
            "none, so it takes no option of drawing. Received: "
            f"beam_width={beam_width}, {', '.join(given)}. Leave one out."
        )


def completions(
    model,
    images,
    mask,
    count,
    *,
    particles,
    beam_width,
    seed,
    batch_size,
    **options,
):
    """Batches of completed images, the `count` of each image together.

    Args:
        model: a `PixelModel`.
        images, mask, count: see `_images_io.repeat`.
        particles: int, or None: see `Sampler.complete`.
        beam_width: int, or None: see `keras_pixel.sampling.beam_search`.
        seed: int.
        batch_size: int. Images, particles or beams at once.
        **options: `temperature`, `top_k` and `top_p`.
    """
    # Particles and beams find all completions of an image together.
    at_once = beam_width or particles
    variants = count if at_once else None
    images, masks = _images_io.repeat(images, mask, 1 if at_once else count)
    # The noise goes on from batch to batch, whatever their size.
    random = np.random.default_rng(seed)
    stride = max(1, batch_size // (at_once or 1))
    for start in range(0, len(images), stride):
        part = images[start : start + stride], masks[start : start + stride]
        if beam_width:
            found = model.beam_search(
                *part,
                beam_width=beam_width,
                num_variants=variants,
                batch_size=batch_size,
            ).images
        else:
            found = model.complete(
                *part,
                num_variants=variants,
                num_particles=particles,
                seed=random,
                batch_size=batch_size,
                **options,
            )
        # (batch, height, width, channels)
        yield found.reshape(-1, *model.image_shape)
