"""The command `keras-pixel`: every command calls one public function.

Keras and its backend are imported inside the commands, so that `--help` and
mistyped options are answered at once.
"""

import os
import sys
from typing import Annotated

import typer

from keras_pixel import __version__
from keras_pixel import _cli_drawing
from keras_pixel import _cli_export
from keras_pixel import _cli_options as options
from keras_pixel import _cli_output
from keras_pixel import _cli_serve
from keras_pixel import _images_io
from keras_pixel import _preset_files

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# What a wrong argument, a missing file or extra, or an unfit model raises.
_BAD_INPUT = (ValueError, TypeError, OSError, ImportError, NotImplementedError)


def _show_version(shown: bool):
    if shown:
        print(f"keras-pixel {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Version."
        ),
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error arose.")
    ] = False,
):
    """Autoregressive image models: sample, complete, score, train."""


@app.command("list")
def list_command(
    pattern: Annotated[
        str | None, typer.Argument(help='Such as "*cifar10*".')
    ] = None,
    as_json: options.AsJson = False,
):
    """List the trained models that come with the package."""
    names = _preset_files.list_models(pattern)
    found = {name: _preset_files.read_metadata(name) for name in names}
    if as_json:
        _cli_output.print_json(found)
    elif found:
        _cli_output.print_models(found)
    else:
        print("No models." if pattern is None else f"No model fits {pattern}.")


@app.command()
def info(model: options.Preset, as_json: options.AsJson = False):
    """Show what is known about a model."""
    metadata = _preset_files.read_metadata(model)
    if as_json:
        _cli_output.print_json(metadata)
    else:
        _cli_output.print_metadata(metadata)


@app.command()
def sample(
    model: options.Preset,
    count: options.Count = 16,
    output: options.Output = "samples.png",
    output_format: options.OutputFormat = None,
    columns: options.Columns = None,
    seed: options.Seed = 0,
    temperature: options.Temperature = 1.0,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    batch_size: options.BatchSize = 64,
    image_shape: options.Shape = None,
):
    """Draw new images, pixel by pixel."""
    file_format = _images_io.output_format(output, output_format)
    loaded = _load(model, image_shape)
    _images_io.check_output(output, file_format, loaded.image_shape[2])
    drawn = loaded.sampler.stream(
        count,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        batch_size=batch_size,
    )
    _cli_drawing.draw(
        "Sampling", count, drawn, loaded, output, file_format, columns
    )


@app.command()
def complete(
    model: options.Preset,
    images: options.Images,
    keep: options.Keep = options.Side.top,
    fraction: options.Fraction = 0.5,
    mask: options.Mask = None,
    count: options.CountOfEach = 1,
    particles: options.Particles = None,
    beam_width: options.BeamWidth = None,
    output: options.Output = "completions.png",
    output_format: options.OutputFormat = None,
    columns: options.Columns = None,
    seed: options.Seed = 0,
    temperature: options.Temperature = 1.0,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    batch_size: options.BatchSize = 64,
    image_shape: options.Shape = None,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
):
    """Fill in the unknown part of images; what is known stays."""
    _cli_drawing.check_completion(
        particles, beam_width, temperature, top_k, top_p
    )
    file_format = _images_io.output_format(output, output_format)
    loaded = _load(model, image_shape)
    _images_io.check_output(output, file_format, loaded.image_shape[2])
    if mask is None:
        known = _images_io.half_mask(keep, fraction, loaded.image_shape)
    else:
        known = _images_io.read_mask(mask, loaded.image_shape)
    given, _ = _images_io.read_images(images, loaded, resize, values)
    total = count * len(given)
    drawn = _cli_drawing.completions(
        loaded,
        given,
        known,
        count,
        particles=particles,
        beam_width=beam_width,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        batch_size=batch_size,
    )
    _cli_drawing.draw(
        "Completing", total, drawn, loaded, output, file_format, columns
    )


@app.command()
def score(
    model: options.Preset,
    images: options.Images,
    output: options.ScoresOutput = None,
    batch_size: options.BatchSize = 64,
    image_shape: options.Shape = None,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    as_json: options.AsJson = False,
):
    """Say how likely images are, in nats and bits/dim."""
    _cli_output.check_scores_path(output)
    loaded = _load(model, image_shape)
    given, names = _images_io.read_images(images, loaded, resize, values)
    with _cli_output.progress("Scoring", len(given)) as done:
        log_prob = _images_io.in_batches(
            lambda batch: loaded.log_prob(batch, batch_size=len(batch)),
            given,
            batch_size=batch_size,
            done=done,
        )
    scores = _cli_output.scores(names, log_prob, loaded.image_shape)
    if output is not None:
        _cli_output.write_scores(scores, output)
    elif as_json:
        _cli_output.print_json(scores)
    else:
        _cli_output.print_scores(scores)


@app.command()
def train(
    recipe: options.Recipe,
    output: options.RunFolder,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    resume: options.Resume = True,
    tensorboard: options.TensorBoard = False,
    quiet: options.Quiet = False,
):
    """Train a model, or go on with a stopped training."""
    _cli_output.start_keras()
    from keras_pixel import training

    result = training.train(
        recipe,
        output,
        resume=resume,
        data_dir=data_dir,
        download=download,
        progress=not quiet,
        tensorboard=tensorboard,
    )
    print(f"{result.preset_dir}: the model after {result.step:,} steps")


@app.command()
def evaluate(
    model: options.Preset,
    data: options.Data = None,
    split: options.Split = "test",
    data_dir: options.DataDir = None,
    download: options.Download = False,
    count: options.FirstOnly = None,
    batch_size: options.BatchSize = 100,
    resize: options.ResizeOption = None,
    values: options.ValuesOption = None,
    as_json: options.AsJson = False,
):
    """Measure bits/dim and nats over a whole split."""
    _cli_output.start_keras()
    from keras_pixel import training

    loaded = _load(model)
    found = _images_io.read_split(
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
    with _cli_output.progress("Evaluating", total) as done:
        result = training.evaluate(
            loaded, found, batch_size, num_images=count, progress=done
        )
    if as_json:
        _cli_output.print_json(result)
    else:
        _cli_output.print_evaluation(result, found)


app.command()(_cli_export.export)
app.command()(_cli_serve.serve)


def _load(model, image_shape=None):
    _cli_output.start_keras()
    from keras_pixel import presets

    return presets.load(model, image_shape=image_shape)


def main(args=None):
    """Runs the command line and exits: 0 done, 2 bad input, 130 Ctrl-C."""
    args = sys.argv[1:] if args is None else list(args)
    try:
        app(args=args, prog_name="keras-pixel")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # `keras-pixel list | head`: nobody reads on, which is no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (*_BAD_INPUT, FloatingPointError, RuntimeError) as error:
        if args[:1] == ["--traceback"]:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        typer.secho(f"Error: {text}", fg="red", err=True)
        sys.exit(2 if isinstance(error, _BAD_INPUT) else 1)
