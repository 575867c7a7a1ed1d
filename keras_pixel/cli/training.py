"""The command `train`."""

import typer

from keras_pixel.cli import options
from keras_pixel.cli import output as terminal
from keras_pixel.cli import paths


def train(
    recipe: options.Recipe,
    output: options.RunFolder = None,
    data_dir: options.DataDir = None,
    download: options.Download = False,
    resume: options.Resume = True,
    tensorboard: options.TensorBoard = False,
    quiet: options.Quiet = False,
    dry_run: options.DryRun = False,
) -> None:
    """Train a model, or resume a training that was stopped."""
    if dry_run:
        terminal.start_keras()
        from keras_pixel.training import dry_run as measure

        print(measure(recipe))
        return
    if output is None:
        raise typer.BadParameter(
            "It must be the folder of the training, unless there is "
            "--dry-run. Received: none.",
            param_hint="--output",
        )
    paths.check_path(output)
    terminal.start_keras()
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
